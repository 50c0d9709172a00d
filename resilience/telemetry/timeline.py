"""Counts over time in bounded memory: what ended when, in intervals that grow with the run.

It begins with intervals of one second. Where there would be too many of them, each two become one
of twice the length, as in a round-robin database: seconds of a short run, hours of a long one.
Intervals lie on one grid (multiples of their length on the monotonic clock), and lengths are powers
of two: so two timelines add up exactly.

Nothing is counted here: whoever owns it says from time to time how high its counters stand, and the
difference belongs to the interval that has passed. What the timeline shows adds up to the counters.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Any

__all__ = ["KINDS", "MOST_INTERVALS", "Timeline"]

KINDS = ("success", "failure", "refused", "cancelled", "retries")
MOST_INTERVALS = 120

_WIDTH = len(KINDS)
_NONE = (0,) * _WIDTH


class Timeline:
    """What happened in each interval, by kind; not safe for concurrent use.

    Attributes:
        interval: The length of an interval in seconds.
        has_begun: Whether there was a turn.
    """

    __slots__ = ("_counts", "_current", "_first", "_seen", "has_begun", "interval")

    def __init__(self) -> None:
        self.interval = 1.0
        self.has_begun = False
        self._first = 0  # the number of the first interval on the grid
        self._current = 0  # that of the interval to which the next difference belongs
        self._counts: array[int] = array("Q")  # of the first interval each kind, of the second, …
        self._seen: Sequence[int] = _NONE

    def turn(self, now: float, counters: Sequence[int]) -> float:
        """Put what the counters have gained into the interval that passed, and begin that of `now`.

        The first turn says when the timeline begins.

        Args:
            now: Seconds of the monotonic clock; earlier than before (a clock that was set back)
                counts as the first interval.
            counters: How high they stand, in the order of `KINDS`.

        Returns:
            When the interval of `now` ends: the time for the next turn, at the latest.
        """
        if not self.has_begun:
            self.has_begun = True
            self._first = self._current = math.floor(now / self.interval)
        self._add(counters)
        self._current = max(self._first, math.floor(now / self.interval))
        while self._current - self._first >= MOST_INTERVALS:
            self._double()
        return (self._current + 1) * self.interval

    def merge(self, other: Timeline) -> None:
        """Add the counts of another timeline, which stays as it is."""
        if other.has_begun:
            self._take(other.copy())

    def copy(self) -> Timeline:
        """Return another timeline with the same counts, which follows no counters yet."""
        copied = Timeline()
        copied._take(self)
        return copied

    def as_dict(self, offset: float) -> dict[str, Any]:
        """Return the counts as plain lists, one number for each interval up to the current one.

        Args:
            offset: What to add to a time of the monotonic clock for the one that `start` shows.
        """
        missing = self._end - len(self._counts) if self.has_begun else 0
        counts = [*self._counts, *[0] * missing]
        lists = {kind: counts[number::_WIDTH] for number, kind in enumerate(KINDS)}
        return {"start": self._first * self.interval + offset, "interval": self.interval, **lists}

    def _take(self, other: Timeline) -> None:
        """Add the counts of a timeline, which is brought to the same grid for that."""
        if not self.has_begun:
            self.has_begun, self.interval = other.has_begun, other.interval
            self._first, self._current = other._first, other._current
            self._counts = other._counts[:]
            return
        while True:
            while self.interval < other.interval:
                self._double()
            while other.interval < self.interval:
                other._double()
            first = min(self._first, other._first)
            self._current = max(self._current, other._current)
            if self._current - first < MOST_INTERVALS:
                break
            self._double()
        self._begin_at(first)
        other._begin_at(first)
        self._counts.extend([0] * (len(other._counts) - len(self._counts)))
        for place, count in enumerate(other._counts):
            self._counts[place] += count

    @property
    def _end(self) -> int:
        """How many counts there are up to the current interval."""
        return (self._current - self._first + 1) * _WIDTH

    def _add(self, counters: Sequence[int]) -> None:
        if counters == self._seen:
            return
        self._counts.extend([0] * (self._end - len(self._counts)))
        place = self._end - _WIDTH
        for number, (count, seen) in enumerate(zip(counters, self._seen, strict=True)):
            self._counts[place + number] += count - seen
        self._seen = counters

    def _begin_at(self, first: int) -> None:
        """Have places from an earlier interval on."""
        self._counts = array("Q", [0] * ((self._first - first) * _WIDTH)) + self._counts
        self._first = first

    def _double(self) -> None:
        """Make one interval of each two; the grid is coarser then."""
        self._begin_at(self._first // 2 * 2)
        counts = self._counts
        if len(counts) % (2 * _WIDTH):
            counts.extend(_NONE)
        pairs = range(0, len(counts), 2 * _WIDTH)
        self._counts = array(
            "Q",
            [
                counts[at + kind] + counts[at + kind + _WIDTH]
                for at in pairs
                for kind in range(_WIDTH)
            ],
        )
        self._first //= 2
        self._current //= 2
        self.interval *= 2
