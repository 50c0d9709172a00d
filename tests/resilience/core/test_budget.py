"""How many retries a share of the calls allows, against the formula itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.budget import Budget


def spent(budget, now=0.0):
    """How many retries there are until the budget refuses."""
    return next(number for number in range(10_000) if not budget.spend(now))


def test_the_minimum_is_free():
    """Without any call, so many retries are allowed and not one more."""
    assert 10 == spent(Budget(0.2, 10, 10))


@pytest.mark.parametrize(
    ("ratio", "calls", "retries"), [(0.2, 100, 20), (0.2, 4, 0), (0.5, 5, 2), (2, 3, 6), (0, 99, 0)]
)
def test_calls_earn_retries(ratio, calls, retries):
    """A share of the calls, rounded down."""
    budget = Budget(ratio, 0, 10)
    for _ in range(calls):
        budget.call(0.0)

    assert retries == spent(budget)


def test_a_refused_retry_costs_nothing():
    """Asking an empty budget again does not put it into debt."""
    budget = Budget(0.5, 0, 10)
    assert not any(budget.spend(0.0) for _ in range(50))
    budget.call(0.0)
    budget.call(0.0)

    assert budget.spend(0.0)


def test_the_window_moves():
    """What was spent a window ago can be spent again; what was earned then is gone."""
    budget = Budget(1, 1, 10)
    budget.call(0.0)

    assert [2, 0, 1] == [spent(budget, 0.0), spent(budget, 8.0), spent(budget, 10.0)]


steps = st.lists(st.sampled_from([0.0, 0.5, 4.0, 30.0, "call", "call", "spend"]), max_size=60)


@given(st.sampled_from([0, 0.25, 0.5, 2]), st.integers(0, 5), steps)
def test_a_retry_is_granted_when_the_formula_says_so(ratio, minimum, steps):
    """`minimum` and `ratio` of the calls, less the retries, of the last ten slices: one is left."""
    budget, now, calls, retries = Budget(ratio, minimum, 10), 0.0, [], []
    for step in steps:
        left = minimum + ratio * _recent(calls, now) - _recent(retries, now)

        assert left == budget.left(now)
        if step == "call":
            budget.call(now)
            calls.append(now)
        elif step == "spend":
            granted = budget.spend(now)
            assert (left >= 1) is granted
            retries += [now] * granted
        else:
            now += step


def _recent(moments, now):
    return sum(moment // 1 > now // 1 - 10 for moment in moments)
