"""The limit that is found by trying: a model, and the figures of the formulas."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.bulk._concurrency import Concurrency


def succeed(control: Concurrency, times: int) -> None:
    """Let so many calls succeed, each while the limit is used up."""
    for _ in range(times):
        control.succeeded(control.limit)


def test_it_grows_by_one_for_each_success_at_first():
    """Until the first throttling each success is one more: the limit doubles in a round trip."""
    control = Concurrency(4, maximum=64)
    succeed(control, 4)

    assert 8 == control.limit


def test_it_shrinks_to_seven_tenths():
    """A throttling takes three tenths away."""
    control = Concurrency(20, maximum=64)
    control.throttled(control.epoch)

    assert 14 == control.limit


def test_after_a_throttling_it_grows_by_one_in_a_round_trip():
    """From then on a whole window of successes is worth one more."""
    control = Concurrency(20, maximum=64)
    control.throttled(control.epoch)
    succeed(control, 14)

    assert 14 == control.limit

    succeed(control, 1)

    assert 15 == control.limit


def test_it_is_careful_where_it_was_throttled():
    """One below the limit that was too much it takes twenty times as long; then it goes on."""
    control = Concurrency(20, maximum=64)
    control.throttled(control.epoch)
    while control.limit < 19:
        succeed(control, 1)
    succeed(control, 19 * 19)

    assert 19 == control.limit

    while control.limit < 21:
        succeed(control, 1)
    succeed(control, 22)

    assert 22 == control.limit


def test_a_crowd_that_is_throttled_counts_once():
    """What was sent under an earlier limit says nothing about the one that holds."""
    control = Concurrency(40, maximum=64)
    epochs = [control.throttled(0) for _ in range(40)]

    assert (28, {1}) == (control.limit, set(epochs))

    control.throttled(1)

    assert 19 == control.limit


def test_a_limit_that_is_not_used_does_not_grow():
    """Successes of few calls do not show that more would succeed."""
    control = Concurrency(8, maximum=64)
    for _ in range(100):
        control.succeeded(7)

    assert 8 == control.limit


def test_a_fixed_limit_stays():
    """A limit that the user has chosen moves neither up nor down."""
    control = Concurrency.fixed(5)
    succeed(control, 100)
    control.throttled(control.epoch)

    assert 5 == control.limit


@given(
    st.integers(1, 100),
    st.integers(1, 100),
    st.lists(st.tuples(st.booleans(), st.integers(0, 120), st.integers(-1, 5))),
)
def test_it_keeps_its_bounds(start: int, maximum: int, steps: list[tuple[bool, int, int]]):
    """From 1 to the maximum; it moves up by one at most, down once an epoch, and never else."""
    control = Concurrency(start, maximum=maximum)
    for is_success, active, back in steps:
        before, epoch = control.limit, control.epoch
        if is_success:
            control.succeeded(active)

            assert before <= control.limit <= before + (active >= before)
            assert epoch == control.epoch
        else:
            now = control.throttled(epoch - max(back, 0))

            assert now == control.epoch == epoch + (back <= 0)
            assert (control.limit == before) or back <= 0
        assert 1 <= control.limit <= maximum
        assert control.limit <= control.peak <= maximum
