"""Sums over the last seconds, against a list that forgets nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.rolling import SLICES, RollingSums


def test_sums_are_kept_by_field():
    """Each field has its own sum."""
    sums = RollingSums(10, fields=2)
    sums.add(0, 1, 5)
    sums.add(3, 2, 0)

    assert [3, 5] == sums.totals


@pytest.mark.parametrize(("now", "total"), [(8.9, 1), (9.9, 1), (10, 0), (1e9, 0)])
def test_what_is_older_than_the_window_is_gone(now, total):
    """What came at the beginning of a slice falls out exactly a window later."""
    sums = RollingSums(10, fields=1)
    sums.add(0, 1)
    sums.expire(now)

    assert [total] == sums.totals


def test_a_clock_that_goes_back_begins_anew():
    """Nothing is known of a time that has not been yet: no sum of the future stays for ever."""
    sums = RollingSums(10, fields=1)
    sums.add(1e9, 7)
    sums.add(5, 1)

    assert [1] == sums.totals


@given(st.lists(st.floats(0, 1e4), max_size=200))
def test_memory_is_bounded(moments):
    """However many amounts come, there are no more slices than the window has."""
    sums = RollingSums(7, fields=1)
    for moment in sorted(moments):
        sums.add(moment, 1)

    assert SLICES >= len(sums._slices)


steps = st.lists(st.tuples(st.floats(0, 1.5), st.integers(0, 9)), max_size=40)


@given(st.floats(0.01, 1_000), st.floats(0, 1e6), steps)
def test_sums_are_exact_to_one_slice(seconds, now, steps):
    """All of the last nine tenths of the window counts, nothing that is older than the window."""
    sums, amounts = RollingSums(seconds, fields=1), []
    for share, amount in steps:
        now += share * seconds
        sums.add(now, amount)
        amounts.append((now, amount))
        slack = 1e-6 * seconds + 1e-9 * now
        surely = _since(amounts, now - seconds * (1 - 1 / SLICES) + slack)
        perhaps = _since(amounts, now - seconds - slack)

        assert surely <= sums.totals[0] <= perhaps


def _since(amounts, begin):
    return sum(amount for moment, amount in amounts if moment > begin)
