"""A histogram of fixed size: percentiles with at most 2 % relative error, for ever.

Each octave (from a number to its double) has 32 buckets of equal width, the log-linear buckets of
HdrHistogram. The answer is a bucket's middle, so at most 1.6 % off.
A batch of values is sorted, and each bucket takes its stretch of them: so a value costs no Python
of its own, and 60 ns, of which 40 go to the sort. Not safe for concurrent use: its owner holds a
lock.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from math import frexp, ldexp

__all__ = ["Histogram"]

_BITS = 5  # of a bucket's number that tell its place in the octave: 32 buckets
_WIDTH = _BITS + 1  # of a number's first bits, as an integer from 32 to 63
_FINER = 3  # bits of a bucket that tell more than a plot can show
_ZERO = -1_100 << _BITS  # the bucket of what took no time: below every other number
_SHORTEST = 1e-300  # seconds; what is shorter has no bits left for a bucket: it took no time
_LONGEST = 3.0e38  # seconds; infinite ones are no more


class Histogram:
    """Counts of durations in seconds."""

    __slots__ = ("_counts", "count", "maximum", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}  # only buckets that were met: few for each function
        self.count = 0
        self.total = 0.0
        self.maximum = 0.0

    def extend(self, values: Iterable[float]) -> None:
        """Count these values; one below 0 (a clock that was set back) counts as 0."""
        ordered = sorted(values)
        if not ordered:
            return
        if ordered[0] < _SHORTEST or ordered[-1] > _LONGEST:
            ordered = [min(each, _LONGEST) if each >= _SHORTEST else 0.0 for each in ordered]
        self.count += len(ordered)
        self.total += sum(ordered)
        self.maximum = max(self.maximum, ordered[-1])
        place = bisect_right(ordered, 0.0)
        if place:
            self._add(_ZERO, place)
        while place < len(ordered):
            bucket = _bucket_of(ordered[place])
            end = bisect_left(ordered, _lower(bucket + 1), place)
            self._add(bucket, end - place)
            place = end

    def quantile(self, share: float) -> float:
        """Return the value below which `share` (0 to 1) of the values lie; 0 if there is none."""
        rank = share * (self.count - 1)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen > rank:
                return min(self.maximum, (_lower(bucket) + _lower(bucket + 1)) / 2)
        return 0.0

    def bars(self) -> list[tuple[float, float, int]]:
        """Return how the values are spread, four bars an octave: from, to (seconds), count."""
        bars: Counter[int] = Counter()
        for bucket, count in self._counts.items():
            bars[bucket >> _FINER] += count
        return [
            (_lower(bar << _FINER), _lower((bar + 1) << _FINER), bars[bar]) for bar in sorted(bars)
        ]

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        for bucket, count in other._counts.items():
            self._add(bucket, count)
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)

    def _add(self, bucket: int, count: int) -> None:
        self._counts[bucket] = self._counts.get(bucket, 0) + count


def _bucket_of(value: float) -> int:
    """Return the number of the bucket that holds a value above 0."""
    fraction, octave = frexp(value)
    return (octave << _BITS) + int(fraction * (1 << _WIDTH))


def _lower(bucket: int) -> float:
    """Return the value at which a bucket begins."""
    first = 1 << _BITS
    octave, place = divmod(bucket - first, first)
    return ldexp(first + place, octave - _WIDTH)
