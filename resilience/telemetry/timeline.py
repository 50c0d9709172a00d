"""Counts over time in bounded memory: what ended when, in intervals that grow with the run.

It begins with intervals of one second. Where there would be too many of them, each two become one
of twice the length, as in a round-robin database: seconds of a short run, hours of a long one.
Intervals lie on one grid (multiples of their length on the monotonic clock), and lengths are powers
of two: so two timelines add up exactly.

Nothing is counted here: whoever owns it says from time to time how high its counters stand. That is
kept for the end of each interval; the difference to the one before is what happened in it.
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
_NOTHING = (0,) * _WIDTH
_NO_ROWS: array[int] = array("Q")  # of all that have none yet: rows are replaced, never changed


class Timeline:
    """What happened in each interval, by kind; not safe for concurrent use.

    Attributes:
        interval: The length of an interval in seconds.
        has_begun: Whether there was a turn.
    """

    __slots__ = ("_current", "_first", "_last_row", "_rows", "has_begun", "interval")

    def __init__(self) -> None:
        self.interval = 1.0
        self.has_begun = False
        self._first = 0  # the number of the first interval on the grid
        self._current = 0  # that of the interval in which counters grow now
        # How high the counters stood at the end of the first interval, of the second, …
        self._rows = _NO_ROWS
        self._last_row: Sequence[int] = _NOTHING

    def turn(self, now: float, counters: Sequence[int]) -> float:
        """Count what the counters have gained in the current interval, and go on to that of `now`.

        The first turn says when the timeline begins.

        Args:
            now: Seconds of the monotonic clock; what comes earlier than before (of a clock that
                was set back) belongs to the current interval.
            counters: How high they stand, in the order of `KINDS`.

        Returns:
            When the interval of `now` ends: the time for the next turn, at the latest.
        """
        number = math.floor(now / self.interval)
        if not self.has_begun:
            self.has_begun = True
            self._first = self._current = number
        if counters != self._last_row:
            self._fill(self._current)
            place = (self._current - self._first) * _WIDTH
            self._rows = self._rows[:place] + array("Q", counters)
            self._last_row = counters
        if number > self._current:
            self._current = number
            while self._current - self._first >= MOST_INTERVALS:
                self._double()
        return (self._current + 1) * self.interval

    def merge(self, other: Timeline) -> None:
        """Add the counts of another timeline, which stays as it is."""
        if other.has_begun:
            self._take(other.copy())

    def copy(self) -> Timeline:
        """Return another timeline with the same counts."""
        copied = Timeline()
        copied._take(self)
        return copied

    def as_dict(self, offset: float) -> dict[str, Any]:
        """Return the counts as plain lists, one number for each interval up to the current one.

        Args:
            offset: What to add to a time of the monotonic clock for the one that `start` shows.
        """
        rows = self.copy()
        rows._fill(self._current + 1)  # noqa: SLF001 - it is one of these
        counts = rows._rows.tolist() if self.has_begun else []  # noqa: SLF001
        before = [*_NOTHING, *counts]
        gains = [now - then for now, then in zip(counts, before, strict=False)]
        lists = {kind: gains[number::_WIDTH] for number, kind in enumerate(KINDS)}
        return {"start": self._first * self.interval + offset, "interval": self.interval, **lists}

    def _take(self, other: Timeline) -> None:
        """Add the counts of a timeline, which is brought to the same intervals for that."""
        if not self.has_begun:
            self.has_begun, self.interval = other.has_begun, other.interval
            self._first, self._current = other._first, other._current
            self._rows, self._last_row = other._rows[:], other._last_row
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
        self._cover(first, self._current + 1)
        other._cover(first, self._current + 1)
        self._rows = array("Q", map(sum, zip(self._rows, other._rows, strict=True)))
        self._last_row = tuple(self._rows[-_WIDTH:])

    def _fill(self, end: int) -> None:
        """Have a row for each interval before this one: where nothing happened, the last one."""
        missing = end - self._first - len(self._rows) // _WIDTH
        if missing > 0:
            self._rows = self._rows + array("Q", [*self._last_row] * missing)

    def _cover(self, first: int, end: int) -> None:
        """Have rows from an earlier interval on, and up to this one."""
        self._rows = array("Q", [0] * ((self._first - first) * _WIDTH)) + self._rows
        self._first = first
        self._fill(end)

    def _double(self) -> None:
        """Make one interval of each two: the end of the second one is the end of both."""
        rows, odd = self._rows.tolist(), self._first % 2
        last = range(0 if odd else _WIDTH, len(rows), 2 * _WIDTH)
        kept = [count for place in last for count in rows[place : place + _WIDTH]]
        if (len(rows) // _WIDTH + odd) % 2:
            kept += rows[-_WIDTH:]  # the first of two, of which the second is not over
        self._rows = array("Q", kept)
        self._first //= 2
        self._current //= 2
        self.interval *= 2
