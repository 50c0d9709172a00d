"""The arithmetic of delays."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.backoff import HINT_JITTER, HINT_JITTER_CEILING, Backoff

chance = st.floats(0, 1, exclude_max=True)
seconds = st.floats(0, 1e6)
backoffs = st.builds(
    Backoff,
    initial=seconds,
    factor=st.floats(1, 1e3),
    maximum=seconds,
    jitter=st.floats(0, 1),
)


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (Backoff(jitter=0), [1, 2, 4, 8, 16]),
        (Backoff(jitter=0, maximum=5), [1, 2, 4, 5, 5]),
        (Backoff(jitter=0, initial=0.5, factor=3), [0.5, 1.5, 4.5, 13.5, 40.5]),
        (Backoff(jitter=0, factor=1), [1, 1, 1, 1, 1]),
        (Backoff(jitter=0, initial=0), [0, 0, 0, 0, 0]),
        (Backoff(jitter=0, maximum=0), [0, 0, 0, 0, 0]),
        (Backoff(jitter=0, initial=90), [60, 60, 60, 60, 60]),
    ],
    ids=["default", "capped", "factor", "constant", "no delay", "no cap", "starts above the cap"],
)
def test_delays_grow_by_the_factor_up_to_the_cap(backoff, delays):
    """Delay n is `min(maximum, initial · factor^(n-1))`."""
    assert delays == [backoff.delay(n, 0.9) for n in range(1, 6)]


@pytest.mark.parametrize("retry", [1_024, 1_025, 5_000, 10**6])
@pytest.mark.parametrize("factor", [2.0, 2, 1e300], ids=["float", "whole", "huge"])
def test_trap_overflow_many_retries_keep_the_cap(retry, factor):
    """However many retries there were, the arithmetic never leaves the floats."""
    assert 60 == Backoff(jitter=0, factor=min(factor, 2) if retry == 10**6 else factor).delay(
        retry, 0.0
    )


@pytest.mark.parametrize("retry", [1, 1_100, 5_000])
def test_no_delay_stays_no_delay(retry):
    """A first delay of 0 stays 0 beyond the range of floats."""
    assert 0 == Backoff(initial=0).delay(retry, 0.5)


@given(backoffs, st.integers(0, 60))
def test_the_longest_delays_are_those_without_jitter(backoff, retries):
    """All of them together, as if they were added one by one."""
    one_by_one = math.fsum(backoff.delay(n + 1, 0.0) for n in range(retries))

    assert one_by_one == pytest.approx(backoff.longest(retries))


@pytest.mark.parametrize("factor", [1, 2])
def test_a_number_of_retries_without_end_is_not_counted_to(factor):
    """A program that means "no limit" writes a large number, and may ask what it would take."""
    expected = {1: 1e15, 2: 63 + (1e15 - 6) * 60}

    assert expected[factor] == Backoff(factor=factor).longest(10**15)


@given(backoffs, st.integers(1, 5_000), chance)
def test_jitter_takes_at_most_its_part(backoff, retry, random):
    """A delay lies between `(1 - jitter)` of the computed one and all of it, and is finite."""
    whole = Backoff(
        initial=backoff.initial, factor=backoff.factor, maximum=backoff.maximum, jitter=0
    ).delay(retry, 0.0)
    delay = backoff.delay(retry, random)

    assert math.isfinite(delay)
    assert whole * (1 - backoff.jitter) - 1e-9 <= delay <= whole <= backoff.maximum


@given(backoffs, st.integers(1, 5_000))
def test_delays_never_shrink(backoff, retry):
    """With the same luck a later delay is at least as long as an earlier one."""
    assert backoff.delay(retry, 0.5) <= backoff.delay(retry + 1, 0.5)


@pytest.mark.parametrize(("jitter", "low"), [(0.0, 8.0), (0.5, 4.0), (1.0, 0.0)])
def test_jitter_spreads_over_its_whole_part(jitter, low):
    """0 is none, 0.5 "equal" (half is fixed), 1 "full" (from zero on)."""
    backoff = Backoff(jitter=jitter)

    assert (8.0, low) == (backoff.delay(4, 0.0), pytest.approx(backoff.delay(4, 1.0)))


@given(backoffs, chance, st.data())
def test_a_hint_is_never_undercut(backoff, random, data):
    """What a server asks for is a lower bound; jitter is added to it, within the cap."""
    hint = data.draw(st.floats(0, backoff.maximum))
    delay = backoff.after_hint(hint, random)

    assert hint <= delay <= max(hint, min(backoff.maximum, hint + HINT_JITTER_CEILING))


@pytest.mark.parametrize(
    ("hint", "delay"), [(0, 0), (2, 2 + 2 * HINT_JITTER), (50, 51), (59.5, 60), (60, 60)]
)
def test_jitter_lengthens_a_hint(hint, delay):
    """By a tenth, by one second at most, and never beyond the cap."""
    assert delay == Backoff().after_hint(hint, 1.0)


def test_without_jitter_a_hint_is_exact():
    """`jitter=0` means exact delays, the server's included."""
    assert 30 == Backoff(jitter=0).after_hint(30, 0.99)
