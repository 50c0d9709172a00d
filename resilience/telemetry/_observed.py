"""What OpenTelemetry sees of one call, from its beginning to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilience import _clock
from resilience.telemetry.opentelemetry import SpanDescription, begin_span, is_logging

if TYPE_CHECKING:
    from resilience.telemetry._otel import CallSpan, SpanContext
    from resilience.telemetry._otel_instruments import Meters

__all__ = ["Observed"]


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
