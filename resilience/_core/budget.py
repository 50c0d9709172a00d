"""How many retries a group of functions may make, as a share of its calls.

Source: the retry budget of Finagle: a minimum that keeps quiet programs going, and a ratio that
keeps a storm of failures from multiplying the load.
"""

from __future__ import annotations

from resilience._core.rolling import RollingSums

__all__ = ["Budget"]


class Budget:
    """Retries of the last `window` seconds: at most `minimum` plus `ratio` of the calls."""

    __slots__ = ("_sums", "minimum", "ratio")

    def __init__(self, ratio: float, minimum: int, window: float) -> None:
        self.ratio = ratio
        self.minimum = minimum
        self._sums = RollingSums(window, fields=2)

    def call(self, now: float) -> None:
        """Count one call."""
        self._sums.add(now, 1, 0)

    def spend(self, now: float) -> bool:
        """Take one retry out of the budget, or answer False when it is spent."""
        if self.left(now) < 1:
            return False
        self._sums.add(now, 0, 1)
        return True

    def left(self, now: float) -> float:
        """Return how many retries may be made now."""
        self._sums.expire(now)
        calls, retries = self._sums.totals
        return self.minimum + self.ratio * calls - retries
