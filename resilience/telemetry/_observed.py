"""What OpenTelemetry sees of one call, from its beginning to its end."""

from __future__ import annotations

from contextlib import nullcontext
from contextvars import copy_context
from sys import modules
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._streams import apart
from resilience.telemetry._audience import API
from resilience.telemetry.opentelemetry import SpanDescription, begin_span, is_logging

if TYPE_CHECKING:
    from resilience.telemetry._otel import CallSpan, SpanContext
    from resilience.telemetry._otel_instruments import Meters
    from resilience.telemetry.calls import Recorder

__all__ = ["Observed", "OpenCall"]


class Observed:
    """What OpenTelemetry sees of one call that is in progress.

    Attributes:
        span: Its span, or None without tracing.
        started: When the call began, in seconds; no call is made between that and the call itself.
        meters: What measures it, or None without metrics.
    """

    __slots__ = ("_active", "_described", "meters", "span", "started")

    def __init__(self, meters: Meters | None, described: SpanDescription | None) -> None:
        self.span: CallSpan | None = None
        self.meters = meters
        self.started = 0.0
        self._described = described
        self._active: set[object] | None = None

    def begin(self, name: str, plain: SpanDescription | None) -> None:
        """Begin a span, where there is a `plain` one, and be in progress."""
        if plain is not None:
            self.span = begin_span(self._described or plain)
        if self.meters is not None:
            self._active = self.meters.active(name)
            self._active.add(self)
        self.started = _clock.now()

    def leave(self) -> Meters | None:
        """Be in progress no more; return what measures the call."""
        if self._active is not None:
            self._active.discard(self)
        return self.meters

    def drop(self, error: BaseException) -> None:
        """Let nothing of it stay behind, wherever it was interrupted."""
        self.leave()
        if self.span is not None:
            self.span.drop(error)

    @property
    def example(self) -> SpanContext | None:
        """What its measurements point to, or None."""
        return None if self.span is None else self.span.example

    def end(self, error: BaseException | None, seconds: float, *, measures: bool) -> None:
        """End its span, and measure it as whoever has described it wants."""
        ended = None if self.span is None else self.span.end(error)
        described, found = self._described, self.meters if measures else None
        if described is None:
            return
        if self.span is None and is_logging():
            described.concluded(error)
        if found is not None:
            for each in described.measured(error, seconds if ended is None else ended):
                found.record(*each, self.example)


class OpenCall:
    """The record of a call that ends elsewhere than it begins, since it was submitted.

    Attributes:
        context: Where the call happens: its span is current there, and nowhere else.
    """

    __slots__ = ("_observed", "_recorder", "_started", "context")

    def __init__(self, recorder: Recorder, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._recorder = recorder
        self._observed = recorder.begin(args, kwargs) if API in modules else None
        self.context = copy_context()
        if self._observed is not None and self._observed.span is not None:
            self._observed.span.leave()
        self._started = _clock.now()

    def finish(self, error: BaseException | None) -> None:
        """Take note of its end, which may be that of an event loop that has been forgotten."""
        apart(self._finish, error)

    def _finish(self, error: BaseException | None) -> None:
        observed = self._observed
        span = None if observed is None else observed.span
        with nullcontext() if span is None else span.current():
            self._recorder.finish(observed, self._started, error)
