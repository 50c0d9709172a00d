"""How many calls run at once, found by trying: a machine without clock, lock and `await`.

Additive increase, multiplicative decrease (Chiu and Jain 1989), as TCP does it: one more for each
success until the first throttling ("slow start", RFC 5681, section 3.1), from then on one more for
as many successes as calls may run, and 0.7 times as many after a throttling (RFC 9438, section
4.6). Where the last throttling came it grows slowly, as CUBIC does around its last maximum: each
throttling rests a key, and most can be done shortly below. The limit grows only while it is what
holds the calls back (RFC 7661).
"""

from __future__ import annotations

import math

__all__ = ["Concurrency"]

_DECREASE = 0.7
_CAUTION = 20.0  # how much slower it grows where it was throttled


class Concurrency:
    """The limit, and what moves it.

    An epoch is the time between two decreases. A throttling says something of the limit that its
    attempt was made under: where that was an earlier epoch's, it changes nothing, so that a crowd
    of throttled calls lowers the limit once and not once for each.

    Args:
        start: The limit at first.
        maximum: The limit at most.
        minimum: The limit at least, from 1 on.
    """

    def __init__(self, start: int, *, maximum: int, minimum: int = 1) -> None:
        self._limit = float(min(max(start, minimum), maximum))
        self._maximum = maximum
        self._minimum = minimum
        self._ceiling = math.inf  # where it was throttled last, unless that has been passed
        self.epoch = 0
        self.peak = self.limit

    @classmethod
    def fixed(cls, limit: int) -> Concurrency:
        """Return a limit that stays where it is."""
        return cls(limit, maximum=limit, minimum=limit)

    @property
    def limit(self) -> int:
        """How many calls may run now."""
        return int(self._limit)

    def succeeded(self, active: int) -> None:
        """Note that a call has succeeded while `active` ran, itself included."""
        if active < self.limit:
            return
        step = 1.0 if self.epoch == 0 else 1.0 / self._limit
        if self._limit > self._ceiling:
            self._ceiling = math.inf
        elif self._limit >= self._ceiling - 1:
            step /= _CAUTION
        self._limit = min(self._limit + step, float(self._maximum))
        self.peak = max(self.peak, self.limit)

    def throttled(self, epoch: int) -> int:
        """Note that an attempt of this epoch was throttled; return the epoch that holds now."""
        if epoch == self.epoch:
            self._ceiling = self._limit
            self._limit = max(self._limit * _DECREASE, float(self._minimum))
            self.epoch += 1
        return self.epoch
