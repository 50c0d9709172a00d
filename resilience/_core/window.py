"""The last calls, by number or by time: how many, how many failed, how many were slow.

Both windows record in O(1): what falls out is subtracted, what comes in is added.
Source: the sliding windows of Resilience4j (a ring of outcomes; a ring of time buckets).
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Protocol

from resilience._core.rolling import RollingSums

__all__ = ["CountWindow", "Tally", "TimeWindow", "Window"]


class Tally(NamedTuple):
    """What a window holds."""

    total: int
    failures: int
    slow: int


class Window(Protocol):
    """What the breaker asks of a window."""

    def record(self, now: float, *, failed: bool, slow: bool) -> Tally:
        """Add one call that ended at `now` and return what the window then holds."""
        ...


class CountWindow:
    """The last `size` calls."""

    __slots__ = ("_failures", "_outcomes", "_size", "_slow")

    def __init__(self, size: int) -> None:
        self._size = size
        self._outcomes: deque[int] = deque()  # failed + 2 · slow: small numbers take no memory
        self._failures = self._slow = 0

    def record(self, now: float, *, failed: bool, slow: bool) -> Tally:
        """Add one call; when the window is full, the oldest one falls out."""
        if len(self._outcomes) == self._size:
            oldest = self._outcomes.popleft()
            self._failures -= oldest & 1
            self._slow -= oldest >> 1
        self._outcomes.append(failed + 2 * slow)
        self._failures += failed
        self._slow += slow
        return Tally(len(self._outcomes), self._failures, self._slow)


class TimeWindow:
    """The calls of the last `seconds` seconds, to a tenth of the window."""

    __slots__ = ("_sums",)

    def __init__(self, seconds: float) -> None:
        self._sums = RollingSums(seconds, fields=3)

    def record(self, now: float, *, failed: bool, slow: bool) -> Tally:
        """Add one call that ended at `now`; what is too old falls out."""
        self._sums.add(now, 1, failed, slow)
        return Tally(*self._sums.totals)
