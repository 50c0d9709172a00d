"""The outermost part of every wrapper: one logical call is one record and one span."""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._warnings import warn
from resilience.errors import RefusedError
from resilience.telemetry.events import CallFinished, Refused, publish
from resilience.telemetry.opentelemetry import CallSpan, SpanDescription, is_tracing
from resilience.telemetry.statistics import CallStatistics, outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from resilience._site import Site

__all__ = ["observe_async", "observe_sync"]


class _Recorder:
    """Begins and finishes the records of one function's calls."""

    __slots__ = ("_site", "_statistics", "_warned")

    def __init__(self, site: Site, statistics: CallStatistics) -> None:
        self._site = site
        self._statistics = statistics
        self._warned = False

    def begin_span(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallSpan:
        describe = self._site.describe_span
        if describe is None:
            return CallSpan(SpanDescription(name=self._site.name))
        return CallSpan(describe(*args, **kwargs))

    def finish(self, span: CallSpan | None, started: float, error: BaseException | None) -> None:
        """Take note of the end of a call; every call but the plain success comes through here."""
        seconds = max(0.0, _clock.now() - started)
        statistics = self._statistics
        if error is None:
            statistics.succeeded(seconds)
        else:
            statistics.ended(error, seconds)
            if not self._site.retries and outcome_of(error) == "failure":
                statistics.attempt_failed(error, retried=False)
            if isinstance(error, RefusedError):
                publish(
                    Refused(name=error.name, reason=error.reason, retry_after=error.retry_after)
                )
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

    def warn_of_awaitable(self) -> None:
        """Say once that a plain function returned a coroutine: nobody awaited it in here."""
        if not self._warned:
            self._warned = True
            warn(
                f"{self._site.name} returned an awaitable that its decorators cannot see into: "
                "make it a coroutine function (async def)",
                RuntimeWarning,
            )


def observe_sync(
    inner: Callable[..., Any], site: Site, statistics: CallStatistics
) -> Callable[..., Any]:
    """Return `inner` with each call recorded."""
    recorder = _Recorder(site, statistics)
    finish, succeeded, holds = recorder.finish, statistics.succeeded, site.streams

    def call(*args: Any, **kwargs: Any) -> Any:
        span = recorder.begin_span(args, kwargs) if is_tracing() else None
        started = _clock.now()
        try:
            result = inner(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                span.leave()
            finish(span, started, error)
            raise
        if span is not None:
            span.leave()
        if holds:
            result.on_end(lambda error: finish(span, started, error))
        elif span is not None or CallFinished.listeners:
            finish(span, started, None)
        else:
            if result.__class__ is CoroutineType:
                recorder.warn_of_awaitable()
            succeeded(_clock.now() - started)
        return result

    return call


def observe_async(
    inner: Callable[..., Any], site: Site, statistics: CallStatistics
) -> Callable[..., Any]:
    """Return `inner` with each call recorded; the same as `observe_sync` but for `await`."""
    recorder = _Recorder(site, statistics)
    finish, succeeded, holds = recorder.finish, statistics.succeeded, site.streams

    async def call(*args: Any, **kwargs: Any) -> Any:
        span = recorder.begin_span(args, kwargs) if is_tracing() else None
        started = _clock.now()
        try:
            result = await inner(*args, **kwargs)
        except BaseException as error:
            if span is not None:
                span.leave()
            finish(span, started, error)
            raise
        if span is not None:
            span.leave()
        if holds:
            result.on_end(lambda error: finish(span, started, error))
        elif span is not None or CallFinished.listeners:
            finish(span, started, None)
        else:
            succeeded(_clock.now() - started)
        return result

    return call
