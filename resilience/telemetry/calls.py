"""The outermost part of every wrapper: one logical call is one record and one span."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from sys import modules
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import deadlines
from resilience._marks import mark, marked
from resilience._passing import Packed, taking_packed
from resilience._warnings import warn
from resilience.errors import RefusedError
from resilience.telemetry._audience import API
from resilience.telemetry._observed import Observed
from resilience.telemetry.events import CallFinished, Refused, publish
from resilience.telemetry.instruments import meters
from resilience.telemetry.opentelemetry import (
    SpanDescription,
    is_logging,
    is_tracing,
)
from resilience.telemetry.statistics import FOLD_AT, CallStatistics, error_type_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilience._site import Site
    from resilience._streams import Opened

__all__ = ["Recorder", "is_watched", "observe_async", "observe_sync"]

_AWAITABLES: frozenset[Any] = frozenset({CoroutineType, asyncio.Future, asyncio.Task})


def is_watched() -> bool:
    """Return whether OpenTelemetry may want to see each call by itself."""
    return API in modules


@lru_cache(maxsize=1_024)
def _plain(name: str) -> SpanDescription:
    """Return how the span of a function looks that nobody describes."""
    return SpanDescription(name=name)


class Recorder:
    """Begins and finishes the records of one function's calls."""

    __slots__ = ("_has_looked", "_retries", "_site", "_statistics", "_succeeded")

    def __init__(self, site: Site, statistics: CallStatistics) -> None:
        self._site = site
        self._succeeded: dict[str, str] | None = None
        self._statistics = statistics
        self._retries = site.retries
        self._has_looked = False

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Observed | None:
        """Return what OpenTelemetry sees of a call that begins; None where no SDK is set up."""
        traces, found, describe = is_tracing(), meters(), self._site.describe_span
        if found is None and not traces and (describe is None or not is_logging()):
            return None
        if found is not None:
            found.relieve()  # before the call has begun: it takes its time
        described = None if describe is None else describe(*args, **kwargs)
        observed = Observed(found, described)
        try:
            observed.begin(self._site.name, _plain(self._site.name) if traces else None)
        except BaseException as error:  # Ctrl-C: the call does not begin
            observed.drop(error)
            raise
        return observed

    def finish(
        self, observed: Observed | None, started: float, error: BaseException | None
    ) -> None:
        """Take note of the end of a call; every call but the plain success comes through here.

        The span is still current, so that what is published goes to it.
        """
        now, statistics = _clock.source.monotonic(), self._statistics
        seconds = now - started
        if seconds < 0:  # the clock went back
            seconds = 0.0
        looks = deadlines.in_use
        measures = not looks or not statistics.switch.is_off
        if observed is not None:
            found = observed.leave()
            if found is not None and measures:
                attributes = self._attributes_of(error)
                found.record("resilience.call.duration", seconds, attributes, observed.example)
        if error is None:
            statistics.succeeded(seconds)
        else:
            outcome = statistics.ended(error, seconds, now)
            if isinstance(error, RefusedError):
                if Refused.is_wanted():
                    self._publish_refusal(error, measured=measures)
            elif outcome == "failure" and not self._retries:
                statistics.attempt_failed(error, retried=False)
        if looks and CallFinished.listeners:
            publish(
                CallFinished(
                    name=self._site.name,
                    measured=measures,
                    outcome=outcome_of(error),
                    duration=seconds,
                    exception=error,
                )
            )
        if observed is not None:
            observed.end(error, seconds, measures=measures)

    def succeeded(self, began: list[float]) -> None:
        """Take note of calls that began at these moments and have just succeeded, without spans."""
        if CallFinished.listeners:
            for started in began:
                self.finish(None, started, None)
        else:
            self._statistics.succeeded_since(began)

    def _attributes_of(self, error: BaseException | None) -> dict[str, str]:
        if error is None and self._succeeded is not None:
            return self._succeeded
        attributes = {"resilience.name": self._site.name, "resilience.outcome": outcome_of(error)}
        if error is None:
            self._succeeded = attributes
            return attributes
        if attributes["resilience.outcome"] != "cancelled":
            attributes["error.type"] = error_type_of(error)
        return attributes

    def see(
        self, observed: Observed, run: Packed, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Make the call that OpenTelemetry sees."""
        try:
            result = run(args, kwargs)
        except BaseException as error:
            self.finish(observed, observed.started, error)
            raise
        self._returned(observed, result)
        self.look_at(result)
        return result

    async def see_async(
        self, observed: Observed, run: Packed, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Make the awaited call that OpenTelemetry sees."""
        try:
            result = await run(args, kwargs)
        except BaseException as error:
            self.finish(observed, observed.started, error)
            raise
        self._returned(observed, result)
        return result

    def _returned(self, observed: Observed, result: Any) -> None:
        if self._site.streams:
            self.watch(result, observed, observed.started)
        else:
            self.finish(observed, observed.started, None)

    def watch(self, opened: Opened, observed: Observed | None, started: float) -> None:
        """Finish with the stream; until then its span is current in its steps, never between."""
        span = None if observed is None else observed.span
        if span is not None:
            span.leave()
            opened.run_within(span.current)

        def finish(error: BaseException | None) -> None:
            if error is not None and self._retries and outcome_of(error) == "failure":
                # It broke off after its first item: out of the retry's sight.
                self._statistics.attempt_failed(error, retried=False)
            self.finish(observed, started, error)

        opened.on_end(finish)

    def _publish_refusal(self, error: RefusedError, *, measured: bool) -> None:
        """Publish it once, where it happened: it passes through every decorated caller."""
        if not marked(error, "published"):
            mark(error, "published", True)  # noqa: FBT003 - a mark has one value
            refused = Refused(
                name=error.name,
                measured=measured,
                reason=error.reason,
                retry_after=error.retry_after,
            )
            publish(refused)

    def look_at(self, result: object) -> None:
        """Say if a plain function's first result is a coroutine: nobody awaited it in here."""
        if self._has_looked:
            return
        self._has_looked = True
        if result.__class__ in _AWAITABLES:
            warn(
                f"{self._site.name} returned an awaitable that its decorators cannot see into: "
                "make it a coroutine function (async def)",
                RuntimeWarning,
            )


def observe_sync(  # noqa: C901 - two functions, counted as one
    inner: Callable[..., Any], site: Site, statistics: CallStatistics
) -> Callable[..., Any]:
    """Return `inner` with each call recorded."""
    recorder = Recorder(site, statistics)
    run, pending = taking_packed(inner), statistics.pending
    holds, is_new = site.streams, True

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal is_new
        looks = deadlines.in_use  # for what most programs never use
        if looks and statistics.switch.is_off:
            return run(args, kwargs)
        if API in modules and (observed := recorder.begin(args, kwargs)) is not None:
            try:
                return recorder.see(observed, run, args, kwargs)
            except BaseException as error:  # a Ctrl-C before the record of the end as well
                observed.drop(error)
                raise
        now = _clock.source.monotonic  # one clock for beginning and end, and no frame around it
        started = now()
        try:
            result = run(args, kwargs)
        except BaseException as error:
            recorder.finish(None, started, error)
            raise
        if holds:
            recorder.watch(result, None, started)
        elif looks and CallFinished.listeners:
            recorder.finish(None, started, None)
        else:
            ended = now()
            if ended >= statistics.due:
                statistics.turn(ended)
            pending.append(ended - started)
            if len(pending) >= FOLD_AT:
                statistics.fold()
        if is_new:
            is_new = False
            recorder.look_at(result)
        return result

    return call


def observe_async(
    inner: Callable[..., Any], site: Site, statistics: CallStatistics
) -> Callable[..., Any]:
    """Return `inner` with each call recorded; the same as `observe_sync` but for `await`."""
    recorder = Recorder(site, statistics)
    run, pending = taking_packed(inner), statistics.pending
    holds = site.streams

    async def call(*args: Any, **kwargs: Any) -> Any:
        looks = deadlines.in_use
        if looks and statistics.switch.is_off:
            return await run(args, kwargs)
        if API in modules and (observed := recorder.begin(args, kwargs)) is not None:
            try:
                return await recorder.see_async(observed, run, args, kwargs)
            except BaseException as error:  # a Ctrl-C before the record of the end as well
                observed.drop(error)
                raise
        now = _clock.source.monotonic  # one clock for beginning and end, and no frame around it
        started = now()
        try:
            result = await run(args, kwargs)
        except BaseException as error:
            recorder.finish(None, started, error)
            raise
        if holds:
            recorder.watch(result, None, started)
        elif looks and CallFinished.listeners:
            recorder.finish(None, started, None)
        else:
            ended = now()
            if ended >= statistics.due:
                statistics.turn(ended)
            pending.append(ended - started)
            if len(pending) >= FOLD_AT:
                statistics.fold()
        return result

    return call
