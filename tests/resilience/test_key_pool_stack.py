"""A pool within a stack: what a retry waits for, and what statistics, breaker and queue see."""

from __future__ import annotations

import pytest

from resilience import (
    CircuitOpenError,
    NoKeyAvailableError,
    circuit_breaker,
    get_stats,
    prioritized,
    retry,
)
from resilience.telemetry import RetryScheduled
from resilience.testing import FakeClock, capture_events
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import KeyServer, rejected, throttled


def in_flight(pool):
    """Calls that hold a key now."""
    return pool.get_stats()["active_requests"]


# -- a retry around it -----------------------------------------------------------------------


def test_a_retry_waits_for_the_earliest_waking(run):
    """Exactly: neither its own back-off nor the last key's hint, but the first key to wake."""
    server = KeyServer(a=[throttled(30), throttled(9)], b=[throttled(12)], c=[throttled(40)])
    fetch = run.decorate(lambda f: retry(jitter=0)(pool_of("abc").inject("key")(f)), server.answer)
    with FakeClock(), capture_events() as events:
        assert "b" == fetch()
    (retried,) = [event for event in events if isinstance(event, RetryScheduled)]

    assert [0, 0, 0, 12] == server.times
    assert ("abcb", 12, "server") == (server.asked, retried.delay, retried.source)


def test_a_retry_with_one_key_waits_its_doubling_rests(run):
    """Without a hint the rests of the one key are the waits, and the retries are counted."""
    server = KeyServer(a=[throttled()] * 9)
    fetch = run.decorate(
        lambda f: retry(max_retries=3, jitter=0)(pool_of("a").inject("key")(f)), server.answer
    )
    with FakeClock(), pytest.raises(HttpError) as caught:
        fetch()

    assert [0, 1, 3, 7] == server.times
    assert 8 == caught.value.retry_after
    assert "4 attempts made" in caught.value.__notes__[0]


def test_a_retry_does_not_wait_for_a_rejected_key(run):
    """401 on the only key is final at once; the next call is refused until the trial."""
    server = KeyServer(a=[rejected(), "a"])
    fetch = run.decorate(lambda f: retry(pool_of("a").inject("key")(f)), server.answer)
    with FakeClock() as clock:
        with pytest.raises(HttpError):
            fetch()
        with pytest.raises(NoKeyAvailableError) as caught:
            fetch()
        assert (0, 300) == (clock.now, caught.value.retry_after)
        clock.advance(300)
        assert "a" == fetch()


def test_a_retry_waits_where_all_keys_rest_already(run):
    """A refusal whose waking is near is waited for, and uses up no retry."""
    pool = pool_of("a")
    stack = retry(max_retries=1, jitter=0)
    fetch = run.decorate(lambda f: stack(pool.inject("key")(f)), KeyServer().answer)
    with FakeClock() as clock:
        pool.take().finish(throttled(30))
        assert "a" == fetch()
        assert 30 == clock.now


# -- statistics and what else stands around --------------------------------------------------


def test_an_error_that_another_key_made_good_is_an_attempts(run):
    """The call succeeded; its statistics name the attempt that did not, and no retry."""
    server = KeyServer(a=[throttled()], b=[rejected()])
    name = f"made good {run.flavour}"
    fetch = run.decorate(lambda f: retry(name=name)(pool_of("abc").inject("key")(f)), server.answer)
    fetch()
    stats = get_stats(name)

    assert (1, 1, 0) == (stats["total_requests"], stats["successful_requests"], stats["retries"])
    assert ({}, {"HttpError": 2}) == (stats["errors_by_type"], stats["attempt_errors_by_type"])
    assert [1, 1, 1] == [each["total_requests"] for each in stats["endpoints"].values()]


def test_each_failed_attempt_is_counted_once(run):
    """Whether a further key, a retry or nobody came after it."""
    server = KeyServer(a=[throttled(1)] * 2, b=[throttled(1)] * 2)
    name = f"counted once {run.flavour}"
    pool = pool_of("ab")
    fetch = run.decorate(
        lambda f: retry(name=name, max_retries=1)(pool.inject("key")(f)), server.answer
    )
    with FakeClock(), pytest.raises(HttpError):
        fetch()

    assert {"HttpError": 4} == get_stats(name)["attempt_errors_by_type"]
    assert {"HttpError": 1} == get_stats(name)["errors_by_type"]


def test_a_breaker_hears_of_a_change_of_key_only_what_is_its_affair(run):
    """Throttled and rejected keys speak not against the service."""
    server = KeyServer(a=[throttled()], b=[rejected()])
    fetch = run.decorate(
        lambda f: pool_of("abc").inject("key")(circuit_breaker(failure_threshold=1)(f)),
        server.answer,
    )

    assert "c" == fetch()
    assert ("CLOSED", 0) == (fetch.circuit_breaker.state, fetch.circuit_breaker.failure_count)


def test_a_refusal_within_is_not_a_keys(run):
    """An open circuit makes no key rest, and no other key is tried."""
    pool = pool_of("ab")
    fetch = run.decorate(lambda f: pool.inject("key")(circuit_breaker(f)), KeyServer().answer)
    fetch.circuit_breaker.open()
    with pytest.raises(CircuitOpenError):
        fetch()

    assert {} == pool.resting()
    assert 0 == in_flight(pool)


def test_priority_is_read_where_it_is_the_queues(run):
    """`priority=` chooses among tiers if a queue takes it; else it is the function's own."""
    pool = pool_of("ab", strategy="first")
    pool.update("a", tiers=["LOW"])
    queued = run.decorate(lambda f: pool.inject("key")(prioritized(f)), KeyServer().answer)
    own = run.decorate(pool.inject("key"), lambda *, key, priority: (key, priority))

    assert ("a", "b") == (queued(priority="LOW"), queued())
    assert ("key of b", "urgent") == own(priority="urgent")
