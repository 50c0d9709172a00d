"""What comes after a failed attempt: the rules, and which wins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.backoff import Backoff
from resilience._core.retry import RetryPolicy, Stop

EXACT = RetryPolicy(backoff=Backoff(jitter=0))
numbers = st.floats(0, 1e4)
maybe = st.none() | numbers


def decide(policy=EXACT, attempt=1, hint=None, random=0.0, **limits):
    """Ask the policy, in the plainest case unless told otherwise."""
    return policy.after_failure(attempt, hint=hint, random=random, **limits)


@pytest.mark.parametrize(
    ("case", "decision"),
    [
        ({}, (1, "backoff")),
        ({"attempt": 5}, (16, "backoff")),
        ({"hint": 0.5}, (1, "backoff")),
        ({"hint": 1.0}, (1, "server")),
        ({"hint": 30}, (30, "server")),
        ({"hint": 60}, (60, "server")),
        ({"remaining": 1.1}, (1, "backoff")),
        ({"hint": 30, "remaining": 30.1}, (30, "server")),
    ],
)
def test_the_longer_of_back_off_and_hint_is_waited_for(case, decision):
    """A hint counts where it is longer than the computed delay, and the source says so."""
    assert decision == decide(**case)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"attempt": 6}, "max_retries=5 is reached"),
        ({"hint": 60.1}, "the server asks for 60.1 s, longer than max_retry_delay=60 s"),
        ({"remaining": 1.0}, "the next attempt in 1 s would pass the deadline"),
        ({"remaining": 0.0}, "the next attempt in 1 s would pass the deadline"),
        ({"hint": 30, "remaining": 29}, "the next attempt in 30 s would pass the deadline"),
    ],
)
def test_a_stop_says_why(case, reason):
    """The reason names the limit that was met."""
    assert Stop(reason) == decide(**case)


@pytest.mark.parametrize(
    ("elapsed", "decision"),
    [
        (8.9, (1, "backoff")),
        (9.0, Stop("the next attempt in 1 s would pass max_elapsed")),
        (99.0, Stop("the next attempt in 1 s would pass max_elapsed")),
    ],
)
def test_no_retry_begins_after_max_elapsed(elapsed, decision):
    """What counts is when the attempt would begin, not when the wait does."""
    policy = RetryPolicy(backoff=Backoff(jitter=0), max_elapsed=10)

    assert decision == decide(policy, elapsed=elapsed)


def test_max_retries_wins_over_every_other_reason():
    """Where several limits are met, the reason is the one that waiting would not mend."""
    assert Stop("max_retries=5 is reached") == decide(attempt=6, hint=99, remaining=0.0)


@given(st.floats(0, 1, exclude_max=True))
def test_jitter_never_makes_a_hint_too_late(random):
    """A hint that just fits the time that is left is waited for without jitter."""
    decision = decide(RetryPolicy(), hint=10, random=random, remaining=10.001)

    assert isinstance(decision, tuple)
    assert 10 <= decision[0] < 10.001


@given(numbers, maybe, maybe, st.integers(1, 10), st.floats(0, 1, exclude_max=True), maybe)
def test_nothing_is_waited_for_in_vain(elapsed, hint, remaining, attempt, random, max_elapsed):
    """A wait is at least the hint, at most the cap, and ends before every limit."""
    policy = RetryPolicy(max_elapsed=max_elapsed)
    decision = decide(policy, attempt, hint, random, elapsed=elapsed, remaining=remaining)
    if isinstance(decision, Stop):
        return

    delay, _ = decision

    assert (hint or 0) <= delay <= 60
    assert attempt <= 5
    assert remaining is None or delay < remaining
    assert max_elapsed is None or elapsed + delay < max_elapsed + 1e-9


@pytest.mark.parametrize(
    ("waking", "limits", "decision"),
    [
        (5, {}, (5, "server")),
        (60, {}, (60, "server")),
        (61, {}, Stop("the server asks for 61 s, longer than max_retry_delay=60 s")),
        (5, {"remaining": 4}, Stop("the next attempt in 5 s would pass the deadline")),
    ],
)
def test_waiting_for_a_key_has_the_same_limits(waking, limits, decision):
    """Nothing failed, so there is no back-off; the cap and the deadline hold."""
    assert decision == EXACT.until_waking(waking, random=0.0, **limits)
