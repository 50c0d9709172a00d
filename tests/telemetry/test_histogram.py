"""Percentiles from a histogram of fixed size."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resilience.telemetry.histogram import Histogram

DISTRIBUTIONS = {
    "uniform": lambda luck: luck.uniform(0.1, 1),
    "exponential": lambda luck: luck.expovariate(1) + 1e-6,
    "log-normal": lambda luck: luck.lognormvariate(0, 1.5),
    "Pareto": lambda luck: luck.paretovariate(1.2),
    "two peaks": lambda luck: luck.choice([0.01, 1]) * luck.uniform(0.9, 1.1),
    "all the same": lambda _: 0.7,
}
SHARES = (0.0, 0.5, 0.9, 0.99, 1.0)
seconds = st.floats(1e-9, 9e5)


def histogram_of(values):
    """A histogram of these values."""
    histogram = Histogram()
    histogram.extend(values)
    return histogram


def exact(values, share):
    """The value at that share of the sorted ones."""
    return sorted(values)[math.floor(share * (len(values) - 1))]


@given(values=st.lists(seconds, min_size=1, max_size=60))
def test_a_percentile_is_at_most_2_percent_off(values):
    """From a nanosecond to eleven days, whatever the distribution."""
    histogram = histogram_of(values)
    for share in SHARES:
        assert pytest.approx(exact(values, share), rel=0.02) == histogram.quantile(share)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
@given(seed=st.integers(0, 2**32), scale=st.sampled_from([1e-6, 0.01, 1.0, 300.0]))
@settings(max_examples=10)
def test_whatever_the_distribution(distribution, seed, scale):
    """Many values of one shape, from microseconds to hours, folded in batches."""
    luck, histogram = random.Random(seed), Histogram()
    values = [scale * DISTRIBUTIONS[distribution](luck) for _ in range(3_000)]
    for begin in range(0, len(values), 1_024):
        histogram.extend(values[begin : begin + 1_024])
    for share in (0.01, 0.5, 0.9, 0.99, 0.999):
        assert pytest.approx(exact(values, share), rel=0.02) == histogram.quantile(share)


@given(values=st.lists(st.just(0.0) | st.floats(-10, 0) | seconds, min_size=1, max_size=30))
@example(values=[-0.0, 1.0])
@example(values=[5e-324, 1.0])
def test_what_took_no_time_took_none(values):
    """Nothing, and less than nothing where a clock was set back, count as 0, exactly."""
    histogram = histogram_of(values)
    counted = [max(value, 0.0) for value in values]

    assert pytest.approx(sum(counted)) == histogram.total
    assert max(counted) == histogram.maximum
    for share in SHARES:
        assert pytest.approx(exact(counted, share), rel=0.02, abs=2e-9) == histogram.quantile(share)


@given(one=st.lists(seconds, max_size=20), other=st.lists(seconds, max_size=20))
def test_two_added_up_are_one_of_all_values(one, other):
    """Merging loses nothing."""
    merged, whole = histogram_of(one), histogram_of(one + other)
    merged.merge(histogram_of(other))

    assert whole._counts == merged._counts
    assert (whole.count, whole.maximum) == (merged.count, merged.maximum)
    assert pytest.approx(whole.total) == merged.total


@given(values=st.lists(st.floats(0, 1e12), max_size=50))
def test_a_percentile_is_never_above_the_maximum(values):
    """Not even beyond the last bucket, where only the order is known."""
    histogram = histogram_of(values)
    quantiles = [histogram.quantile(share) for share in SHARES]

    assert sorted(quantiles) == quantiles
    assert max(values, default=0.0) >= quantiles[-1]


def test_it_does_not_grow():
    """However many different values there are, from nanoseconds to weeks, it stays small."""
    histogram = histogram_of([1e-9 * 1.0003**n for n in range(120_000)])

    assert 120_000 == histogram.count
    assert 2_000 > len(histogram._counts)


def test_an_empty_one_says_nothing():
    """No values, no percentile."""
    assert [0.0] * 5 == [Histogram().quantile(share) for share in SHARES]


@given(values=st.lists(seconds, max_size=60))
def test_bars_hold_every_value(values):
    """Each within its bounds, which follow one another; four bars to a doubling."""
    bars = histogram_of(values).bars()

    assert len(values) == sum(count for _, _, count in bars)
    for low, high, count in bars:
        assert sum(low <= value < high for value in values) == count
        assert 1.1 < high / low <= 1.25
    assert bars == sorted(bars)
