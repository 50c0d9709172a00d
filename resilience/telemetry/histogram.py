"""A histogram of fixed size: percentiles with at most 2 % relative error, for ever.

Values are counted in buckets that grow by 4 % each, from a microsecond to eleven days; the
answer is a bucket's geometric middle, so at most 2 % off (the idea of DDSketch, Masson et al.,
2019, with fixed bounds). Not safe for concurrent use: its owner holds a lock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["Histogram"]

_LOWEST = 1e-6
_BUCKETS = 704  # the last one ends at 1e-6 · 1.04 ** 704 ≈ 980,000 s
_GROWTH = 1.04
_SCALE = 1 / math.log(_GROWTH)
_OFFSET = -math.log(_LOWEST) * _SCALE


class Histogram:
    """Counts of durations in seconds."""

    __slots__ = ("_counts", "count", "maximum", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}  # only buckets that were met: few for each function
        self.count = 0
        self.total = 0.0
        self.maximum = 0.0

    def extend(self, values: Iterable[float]) -> None:
        """Count these values."""
        counts = self._counts
        for value in values:
            self.count += 1
            self.total += value
            self.maximum = max(self.maximum, value)
            bucket = int(math.log(value) * _SCALE + _OFFSET) if value > _LOWEST else 0
            bucket = min(bucket, _BUCKETS - 1)
            counts[bucket] = counts.get(bucket, 0) + 1

    def quantile(self, share: float) -> float:
        """Return the value below which `share` (0 to 1) of the values lie; 0 if there is none."""
        rank = share * (self.count - 1)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen > rank:
                middle: float = _LOWEST * _GROWTH ** (bucket + 0.5)
                return min(self.maximum, middle)
        return 0.0

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)
