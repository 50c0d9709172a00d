"""A histogram of fixed size: percentiles with at most 2 % relative error, for ever.

A value's bucket is read off its own bits: the exponent and the first five bits of the mantissa of
an IEEE 754 single, so 32 buckets between a number and its double (the log-linear buckets of
HdrHistogram). The answer is a bucket's middle, so at most 1.6 % off.
Counting a batch of values runs in C: a value costs about 80 ns, of which a logarithm alone would
be half. Not safe for concurrent use: its owner holds a lock.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from collections.abc import Sequence

__all__ = ["Histogram"]

# The upper half of a single: sign, 8 bits of exponent, 7 bits of mantissa.
_UPPER = slice(1, None, 2) if sys.byteorder == "little" else slice(0, None, 2)
_DROPPED = 2  # bits of the mantissa: 128 buckets an octave are more than 2 % need
_FINER = 3  # bits of a bucket that tell more than a plot can show
_LARGEST = 3.0e38  # what a single can hold


class Histogram:
    """Counts of durations in seconds."""

    __slots__ = ("_counts", "count", "maximum", "total")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}  # only buckets that were met: few for each function
        self.count = 0
        self.total = 0.0
        self.maximum = 0.0

    def extend(self, values: Sequence[float]) -> None:
        """Count these values; one below 0 (a clock that was set back) counts as 0."""
        if not values:
            return
        longest = max(values)
        if min(values) <= 0 or longest > _LARGEST:  # -0.0 has a sign, too
            values = [min(value, _LARGEST) if value > 0 else 0.0 for value in values]
            longest = max(values)
        self.count += len(values)
        self.total += sum(values)
        self.maximum = max(self.maximum, longest)
        singles = array("f", values)
        uppers = memoryview(singles).cast("B").cast("H")[_UPPER]
        for upper, count in Counter(uppers).items():
            bucket = upper >> _DROPPED
            self._counts[bucket] = self._counts.get(bucket, 0) + count

    def quantile(self, share: float) -> float:
        """Return the value below which `share` (0 to 1) of the values lie; 0 if there is none."""
        rank = share * (self.count - 1)
        seen = 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen > rank:
                return min(self.maximum, _middle(bucket))
        return 0.0

    def bars(self) -> list[tuple[float, float, int]]:
        """Return how the values are spread, four bars an octave: from, to (seconds), count."""
        bars: Counter[int] = Counter()
        for bucket, count in self._counts.items():
            bars[bucket >> _FINER] += count
        edges = {bar: _lower(bar << _FINER) for each in bars for bar in (each, each + 1)}
        return [(edges[bar], min(edges[bar + 1], _LARGEST), bars[bar]) for bar in sorted(bars)]

    def merge(self, other: Histogram) -> None:
        """Add the counts of another histogram."""
        for bucket, count in other._counts.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
        self.count += other.count
        self.total += other.total
        self.maximum = max(self.maximum, other.maximum)


def _middle(bucket: int) -> float:
    """Return the value in the middle of a bucket."""
    return _value_of((2 * bucket + 1) << (16 + _DROPPED - 1))


def _lower(bucket: int) -> float:
    """Return the value at which a bucket begins."""
    return _value_of(bucket << (16 + _DROPPED))


def _value_of(bits: int) -> float:
    value: float = struct.unpack("=f", struct.pack("=I", bits))[0]
    return value
