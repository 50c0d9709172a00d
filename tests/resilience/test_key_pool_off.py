"""A pool that is turned off: keys are handed out, and nothing else happens."""

from __future__ import annotations

import pytest

from resilience import NoKeyAvailableError, retry
from resilience.telemetry import KeyRested
from resilience.testing import FakeClock, capture_events
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import KeyServer, lease, rejected, throttled


@pytest.mark.parametrize("error", [throttled(30), throttled(), rejected()])
def test_the_first_error_of_a_call_is_its_own(run, error):
    """No other key is tried, nothing rests, nothing is published; the keys go round as ever."""
    pool, server = pool_of("ab"), KeyServer(a=[error])
    fetch = run.decorate(pool.inject("key"), server.answer)
    pool.disable()
    with capture_events() as events, pytest.raises(HttpError) as caught:
        fetch()

    assert error is caught.value
    assert (False, {}, ["b", "a"]) == (pool.enabled, pool.resting(), [fetch(), fetch()])
    assert [] == [event for event in events if isinstance(event, KeyRested)]
    assert 0 == pool.get_stats()["active_requests"]


def test_who_rests_is_handed_out_too(run):
    """Rest, probation, an open circuit and a full line hold nobody up."""
    with FakeClock():
        pool = pool_of("abc", max_concurrent_requests=1, queue_size=0, failure_threshold=1)
        pool.take(name="a").finish(rejected())
        pool.circuit_breakers["b"].open()
        pool.queues["c"].close()
        pool.disable()

        assert list("bcabca") == [lease(run, pool)[0] for _ in range(6)]
        pool.enable()
        assert pool.enabled
        with pytest.raises(NoKeyAvailableError, match="a was rejected"):
            lease(run, pool, "a")


def test_what_happened_before_holds_again_after(run):
    """A rest that is not over when the pool is turned on is a rest."""
    with FakeClock() as clock:
        pool = pool_of("a")
        pool.take().finish(throttled(30))
        pool.disable()
        clock.advance(10)
        lease(run, pool)
        pool.enable()

        assert {"a": 20} == pool.resting()


def test_tiers_hold_all_the_same(run):
    """They say what an entry is for, not how it is."""
    pool = pool_of("a")
    pool.update("a", tiers=["HIGH"])
    pool.disable()
    with pytest.raises(NoKeyAvailableError, match="does not serve this priority"):
        lease(run, pool)


def test_turning_off_wakes_those_who_wait(run):
    """In the middle of a call, too: whoever waits for a key gets one at once."""
    with FakeClock(autojump=False) as clock:
        pool = pool_of("a", wait=True)
        pool.take().finish(throttled(3_600))
        calls = [run.start(run.decorate(pool.inject("key"), KeyServer().answer)) for _ in range(3)]
        run.until(lambda: 3 == len(pool._waiters))
        pool.disable()

        assert ["a"] * 3 == [call.result() for call in calls]
        assert 0 == clock.now


def test_a_call_under_way_ends_as_it_began(run):
    """Its permit is given back; what comes of it is not held against its key."""
    pool = pool_of("a", max_concurrent_requests=1, failure_threshold=5)
    held = pool.take()
    pool.disable()
    held.finish(throttled(60))

    assert ({}, 0, 0) == (
        pool.resting(),
        pool.queues["a"].active,
        pool.get_stats()["active_requests"],
    )


def test_a_retry_around_it_goes_on_as_without_a_pool(run):
    """It repeats by its own back-off, on the next key."""
    pool, server = pool_of("ab"), KeyServer(a=[throttled()])
    pool.disable()
    fetch = run.decorate(lambda f: retry(jitter=0)(pool.inject("key")(f)), server.answer)
    with FakeClock() as clock:
        assert ("b", 1, "ab") == (fetch(), clock.now, server.asked)
