"""What is no failure: cancellation and its kin, and the toolkit's own refusals."""

from __future__ import annotations

import asyncio

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    DeadlineExceededError,
    NoKeyAvailableError,
    QueueClosedError,
    QueueFullError,
    QueueTimeoutError,
    circuit_breaker,
    deadline,
    get_stats,
    retry,
)
from resilience.testing import FakeClock, capture_events, no_waiting
from tests.support.faults import HttpError, failing

NEUTRAL = [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]
REFUSALS = [
    CircuitOpenError,
    QueueFullError,
    QueueTimeoutError,
    QueueClosedError,
    DeadlineExceededError,
    NoKeyAvailableError,
]


def resting(seconds):
    """The refusal of a pool whose first key wakes in so many seconds."""
    return NoKeyAvailableError("all rest", name="pool", retry_after=seconds)


def steps_of(function):
    """Drive a coroutine function by hand, or call a plain one: raises what it raises."""
    outcome = function()
    if asyncio.iscoroutine(outcome):
        while True:
            outcome.send(None)
    return outcome


@pytest.mark.parametrize("settings", [{}, {"on": BaseException}, {"on": lambda error: True}])
@pytest.mark.parametrize("kind", NEUTRAL)
def test_trap_2_what_is_no_failure_is_not_retried(run, kind, settings):
    """Cancelled, interrupted, closed: it passes at once, whatever `on` says."""
    body = failing(kind)
    function = retry(**settings)(run.function(body))
    with no_waiting(), pytest.raises(kind):
        steps_of(function)

    assert 1 == len(body.times)


@pytest.mark.parametrize("kind", NEUTRAL)
def test_trap_2_what_is_no_failure_ends_a_retry_under_way(run, kind):
    """Also after a failure that was being retried."""
    body = failing(OSError, kind)
    function = retry(run.function(body))
    with no_waiting(), pytest.raises(kind):
        steps_of(function)

    assert 2 == len(body.times)


@pytest.mark.parametrize("settings", [{}, {"on": Exception}, {"on": lambda error: True}])
@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_is_not_retried(run, kind, settings):
    """What was refused comes out as it is, without a note, and at once."""
    refusal = kind("refused", name="somebody")
    body = failing(refusal)
    fetch = run.decorate(retry(**settings), body)
    with FakeClock() as clock, pytest.raises(kind) as caught:
        fetch()

    assert (0, 1) == (clock.now, len(body.times))
    assert caught.value is refusal
    assert not hasattr(refusal, "__notes__")


@pytest.mark.parametrize("settings", [{}, {"on": Exception}, {"on": lambda error: True}])
def test_a_group_of_refusals_is_not_retried(run, settings):
    """What several tasks were refused is refused."""
    group = ExceptionGroup("tasks", [QueueFullError(), CircuitOpenError()])
    body = failing(group)
    with pytest.raises(ExceptionGroup):
        run.decorate(retry(**settings), body)()

    assert 1 == len(body.times)


def test_a_refused_call_is_no_failed_one(run):
    """Statistics tell the two apart."""
    name = f"refused {run.flavour}"
    fetch = run.decorate(retry(name=name), failing(QueueFullError))
    with pytest.raises(QueueFullError):
        fetch()

    stats = get_stats(name)
    assert (1, 0, 0) == (stats["refused_requests"], stats["failed_requests"], stats["retries"])
    assert {} == stats["attempt_errors_by_type"]


def test_a_refusal_after_failures_ends_with_the_last_real_error(run):
    """The cause is told, not the consequence; a note says what ended it, and when to come back."""
    refusal = CircuitOpenError("circuit 'x' is open for 30 s", name="x", retry_after=30.0)
    errors = OSError("one"), OSError("two")
    fetch = run.decorate(retry(name="fetch"), failing(*errors, refusal))
    with no_waiting(), pytest.raises(OSError, match="two") as caught:
        fetch()

    assert caught.value is errors[1]
    assert ["fetch: 2 attempts made; not retried: circuit 'x' is open for 30 s"] == (
        caught.value.__notes__
    )
    assert 30 == caught.value.retry_after


def test_a_refusal_after_a_bad_result_returns_the_result(run):
    """The last result is all that the caller can be given."""
    fetch = run.decorate(retry(retry_result=bool), failing("bad", QueueFullError))
    with no_waiting():
        assert "bad" == fetch()


def test_trap_12_an_open_circuit_is_not_knocked_at(run):
    """With the breaker inside, the retry stops as soon as the circuit opens."""
    body = failing(*[OSError] * 99)
    breaker = CircuitBreaker(failure_threshold=2)
    fetch = run.decorate(lambda f: retry(circuit_breaker(breaker)(f)), body)
    with FakeClock() as clock, pytest.raises(OSError, match="scripted"):
        fetch()

    assert 2 == len(body.times)
    assert 3 >= clock.now


def test_a_key_that_wakes_soon_is_waited_for(run):
    """Nobody could be asked: waiting is right there, and uses up no retry."""
    body = failing(*[resting(20)] * 3)
    fetch = run.decorate(retry(max_retries=1, jitter=0), body)
    with FakeClock() as clock:
        assert "done" == fetch()

        assert 60 == clock.now


def test_waiting_for_a_key_leaves_all_retries(run):
    """Failures and waits may alternate; only failures count."""
    body = failing(resting(5), OSError, resting(5), OSError, resting(5), then="done")
    fetch = run.decorate(retry(max_retries=2, jitter=0), body)
    with FakeClock() as clock, capture_events() as events:
        assert "done" == fetch()

        assert 5 + 1 + 5 + 2 + 5 == clock.now
    retries = [event for event in events if type(event).__name__ == "RetryScheduled"]
    assert ["no_key", "transient", "no_key", "transient", "no_key"] == [r.reason for r in retries]
    assert [0, 1, 1, 2, 2] == [event.attempt for event in retries]


@pytest.mark.parametrize(
    ("settings", "seconds", "limit"),
    [({}, 61, 999), ({}, 30, 29), ({"max_elapsed": 29}, 30, 999), ({"max_retries": 0}, 1, 999)],
    ids=["above the cap", "beyond the deadline", "beyond max_elapsed", "no retries"],
)
def test_a_key_that_wakes_too_late_is_not_waited_for(run, settings, seconds, limit):
    """The refusal comes out at once, and says when to come back."""
    fetch = run.decorate(retry(**settings), failing(resting(seconds)))
    with FakeClock() as clock, deadline(limit), pytest.raises(NoKeyAvailableError) as caught:
        fetch()

    assert (0, seconds) == (clock.now, caught.value.retry_after)


def test_a_pool_that_knows_no_time_is_not_waited_for(run):
    """Where all keys are set aside for good, nothing is to be expected."""
    fetch = run.decorate(retry, failing(resting(None)))
    with FakeClock() as clock, pytest.raises(NoKeyAvailableError):
        fetch()

    assert 0 == clock.now


def test_a_pool_that_says_now_is_not_asked_without_end(run):
    """Even where a key wakes in 0 s there is a short pause between two looks."""
    body = failing(*[resting(0)] * 3)
    with FakeClock() as clock:
        run.decorate(retry(jitter=0), body)()

        assert 0.03 == pytest.approx(clock.now)


def test_a_key_that_wakes_too_late_after_a_failure_ends_with_the_failure(run):
    """The last real error, with the seconds that the pool named."""
    fetch = run.decorate(retry, failing(HttpError(503), resting(300)))
    with no_waiting(), pytest.raises(HttpError) as caught:
        fetch()

    assert 300 == caught.value.retry_after
    assert "longer than max_retry_delay" in caught.value.__notes__[0]
