"""What telemetry has to know of one call when it ends; kept only where somebody looks."""

from __future__ import annotations

from typing import Any

from adapters._messages import StreamEvent
from resilience import _clock
from resilience.telemetry.instruments import relieve

__all__ = ["Notes"]

_MOST_GAPS = 4_096  # of one stream; of a longer one the later chunks are not timed


class Notes:
    """How one call went; one thread at a time writes it.

    Attributes:
        base_url: Where the last attempt went, or None.
        result: What an attempt gave, or None.
        first: The first event of a stream, or None.
        first_after: Seconds until the first event of a stream, or None.
        gaps: Seconds between its events.
        counted: What the event of a stream said that reported its tokens, or None.
    """

    __slots__ = ("_last", "base_url", "counted", "first", "first_after", "gaps", "result")

    def __init__(self) -> None:
        self._last = _clock.now()  # the beginning of the call
        self.base_url: str | None = None
        self.result: Any = None
        self.first: StreamEvent | None = None
        self.first_after: float | None = None
        self.gaps: list[float] = []
        self.counted: Any = None

    def arrived(self, event: StreamEvent) -> None:
        """Take note of the moment at which an event of a stream came."""
        relieve()
        now = _clock.now()
        seconds, self._last = max(0.0, now - self._last), now
        if self.first is None:
            self.first, self.first_after = event, seconds
        elif len(self.gaps) < _MOST_GAPS:
            self.gaps.append(seconds)
        if event.usage:
            self.counted = event.raw
