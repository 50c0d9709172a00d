"""Sums over the last seconds, in O(1): time is cut into slices, and old slices are subtracted."""

from __future__ import annotations

from collections import deque

__all__ = ["RollingSums"]

SLICES = 10  # the window moves in tenths of itself: memory is constant, the error a tenth


class RollingSums:
    """`totals[i]` is the sum of the i-th amounts that were added in the last `seconds`."""

    __slots__ = ("_slices", "_width", "totals")

    def __init__(self, seconds: float, fields: int) -> None:
        self._width = seconds / SLICES
        self._slices: deque[tuple[float, list[int]]] = deque()
        self.totals = [0] * fields

    def add(self, now: float, *amounts: int) -> None:
        """Add one amount for each field at the time `now` (seconds)."""
        self.expire(now)
        number = now // self._width
        if not self._slices or self._slices[-1][0] != number:
            self._slices.append((number, [0] * len(self.totals)))
        for sums in (self._slices[-1][1], self.totals):
            for field, amount in enumerate(amounts):
                sums[field] += amount

    def expire(self, now: float) -> None:
        """Subtract what is older than the window; forget everything if the clock went back."""
        number = now // self._width
        slices = self._slices
        if slices and slices[-1][0] > number:
            self.clear()
        while slices and slices[0][0] <= number - SLICES:
            for field, amount in enumerate(slices.popleft()[1]):
                self.totals[field] -= amount

    def clear(self) -> None:
        """Forget everything."""
        self._slices.clear()
        self.totals = [0] * len(self.totals)
