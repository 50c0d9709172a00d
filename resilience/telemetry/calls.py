"""The outermost part of every wrapper: one logical call is one record and one span."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from contextvars import copy_context
from sys import modules
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import deadlines
from resilience._marks import mark, marked
from resilience._warnings import warn
from resilience.errors import RefusedError
from resilience.telemetry.events import CallFinished, Refused, publish
from resilience.telemetry.opentelemetry import SpanDescription, begin_span, is_tracing
from resilience.telemetry.statistics import FOLD_AT, CallStatistics, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilience._site import Site
    from resilience._streams import Opened
    from resilience.telemetry._otel import CallSpan

__all__ = ["OpenCall", "Recorder", "observe_async", "observe_sync"]

_API = "opentelemetry.trace"  # a program that has set up an SDK has imported it
_AWAITABLES: frozenset[Any] = frozenset({CoroutineType, asyncio.Future, asyncio.Task})


class Recorder:
    """Begins and finishes the records of one function's calls."""

    __slots__ = ("_site", "_statistics", "looks_at_results")

    def __init__(self, site: Site, statistics: CallStatistics) -> None:
        self._site = site
        self._statistics = statistics
        self.looks_at_results = True

    def begin_span(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallSpan:
        """Return the span of a call that begins, as the current one."""
        describe = self._site.describe_span
        if describe is None:
            return begin_span(SpanDescription(name=self._site.name))
        return begin_span(describe(*args, **kwargs))

    def finish(self, span: CallSpan | None, started: float, error: BaseException | None) -> None:
        """Take note of the end of a call; every call but the plain success comes through here.

        The span is still current, so that what is published goes to it.
        """
        seconds = max(0.0, _clock.now() - started)
        statistics = self._statistics
        if error is None:
            statistics.succeeded(seconds)
        else:
            statistics.ended(error, seconds)
            if not self._site.retries and outcome_of(error) == "failure":
                statistics.attempt_failed(error, retried=False)
            if isinstance(error, RefusedError):
                self._publish_refusal(error)
        if CallFinished.listeners:
            publish(
                CallFinished(
                    name=self._site.name,
                    outcome=outcome_of(error),
                    duration=seconds,
                    exception=error,
                )
            )
        if span is not None:
            span.end(error)

    def watch(self, opened: Opened, span: CallSpan | None, started: float) -> None:
        """Finish with the stream; until then its span is current in its steps, never between."""
        if span is not None:
            span.leave()
            opened.run_within(span.current)
        opened.on_end(lambda error: self.finish(span, started, error))

    def _publish_refusal(self, error: RefusedError) -> None:
        """Publish it once, where it happened: it passes through every decorated caller."""
        if not marked(error, "published"):
            mark(error, "published", True)  # noqa: FBT003 - a mark has one value
            publish(Refused(name=error.name, reason=error.reason, retry_after=error.retry_after))

    def look_at(self, result: object) -> None:
        """Say if a plain function's first result is a coroutine: nobody awaited it in here."""
        self.looks_at_results = False
        if result.__class__ in _AWAITABLES:
            warn(
                f"{self._site.name} returned an awaitable that its decorators cannot see into: "
                "make it a coroutine function (async def)",
                RuntimeWarning,
            )


class OpenCall:
    """The record of a call that ends elsewhere than it begins, since it was submitted.

    Attributes:
        context: Where the call happens: its span is current there, and nowhere else.
    """

    __slots__ = ("_recorder", "_span", "_started", "context")

    def __init__(self, recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._recorder = recorder
        self._span = recorder.begin_span(args, kwargs) if is_tracing() else None
        self.context = copy_context()
        if self._span is not None:
            self._span.leave()
        self._started = _clock.now()

    def finish(self, error: BaseException | None) -> None:
        """Take note of its end."""
        span = self._span
        with nullcontext() if span is None else span.current():
            self._recorder.finish(span, self._started, error)


def observe_sync(
    inner: Callable[..., Any], site: Site, statistics: CallStatistics
) -> Callable[..., Any]:
    """Return `inner` with each call recorded."""
    recorder = Recorder(site, statistics)
    finish, pending, holds = recorder.finish, statistics.pending, site.streams
    switch = statistics.switch

    def call(*args: Any, **kwargs: Any) -> Any:
        if deadlines.in_use and switch.is_off:
            return inner(*args, **kwargs)
        span = recorder.begin_span(args, kwargs) if _API in modules and is_tracing() else None
        started = _clock.now()
        try:
            result = inner(*args, **kwargs)
        except BaseException as error:
            finish(span, started, error)
            raise
        if holds:
            recorder.watch(result, span, started)
        elif span is not None or CallFinished.listeners:
            finish(span, started, None)
        else:
            pending.append(_clock.now() - started)
            if len(pending) >= FOLD_AT:
                statistics.fold()
        if recorder.looks_at_results:
            recorder.look_at(result)
        return result

    return call


def observe_async(
    inner: Callable[..., Any], site: Site, statistics: CallStatistics
) -> Callable[..., Any]:
    """Return `inner` with each call recorded; the same as `observe_sync` but for `await`."""
    recorder = Recorder(site, statistics)
    finish, pending, holds = recorder.finish, statistics.pending, site.streams
    switch = statistics.switch

    async def call(*args: Any, **kwargs: Any) -> Any:
        if deadlines.in_use and switch.is_off:
            return await inner(*args, **kwargs)
        span = recorder.begin_span(args, kwargs) if _API in modules and is_tracing() else None
        started = _clock.now()
        try:
            result = await inner(*args, **kwargs)
        except BaseException as error:
            finish(span, started, error)
            raise
        if holds:
            recorder.watch(result, span, started)
        elif span is not None or CallFinished.listeners:
            finish(span, started, None)
        else:
            pending.append(_clock.now() - started)
            if len(pending) >= FOLD_AT:
                statistics.fold()
        return result

    return call
