"""What makes a key rest or sets it aside, for how long, and what ends it: seen from the calls."""

from __future__ import annotations

import pytest

from resilience import NoKeyAvailableError, prioritized
from resilience.telemetry import KeyRested
from resilience.testing import FakeClock, capture_events
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import KeyServer, rejected, throttled


@pytest.fixture
def clock():
    """Time that the test moves."""
    with FakeClock() as clock:
        yield clock


def asker(run, server, pool):
    """A function that asks the server with a key of the pool."""
    return run.decorate(pool.inject("key"), server.answer)


def play(fetch, times):
    """Call so many times; the answers, and the types of the errors."""
    seen = []
    for _ in range(times):
        try:
            seen.append(fetch())
        except Exception as error:
            seen.append(type(error).__name__)
    return seen


def test_a_throttled_key_rests_for_as_long_as_the_server_says(run, clock):
    """The others work meanwhile; then it is back in its turn."""
    fetch = asker(run, KeyServer(a=[throttled(30)]), pool_of("ab"))

    assert list("bbb") == play(fetch, 3)
    clock.advance(29.9)
    assert list("b") == play(fetch, 1)
    clock.advance(0.1)
    assert list("ab") == play(fetch, 2)


def test_without_a_hint_rests_double(run, clock):
    """1, 2, 4 seconds; each is ended by one call, and the first success begins anew."""
    server = KeyServer(a=[throttled()] * 3 + ["a", throttled()])
    fetch = asker(run, server, pool_of("a"))
    with capture_events() as events:
        for seconds in (1, 2, 4, 1):
            play(fetch, 2)
            clock.advance(seconds)
    rests = [(e.key_name, e.seconds, e.reason) for e in events if isinstance(e, KeyRested)]

    assert [("a", n, "rate_limit") for n in (1, 2, 4, 1)] == rests


def test_the_default_rests_are_settings_of_the_pool(run, clock):
    """The first one and the longest one."""
    pool = pool_of("a", initial_retry_delay=10, max_retry_delay=25)
    server = KeyServer(a=[throttled()] * 9)
    fetch = asker(run, server, pool)
    for seconds in (10, 20, 25, 25):
        play(fetch, 2)
        clock.advance(seconds - 0.1)
        play(fetch, 1)
        clock.advance(0.1)

    assert [0, 10, 30, 55] == server.times


def test_a_first_rest_above_the_longest_is_the_longest(run, clock):
    """Who sets the one alone means it: the default of the other does not cut it short."""
    server = KeyServer(a=[throttled()] * 3)
    fetch = asker(run, server, pool_of("a", initial_retry_delay=90))
    for _ in range(2):
        play(fetch, 1)
        clock.advance(89.9)
        play(fetch, 1)
        clock.advance(0.1)
    play(fetch, 1)

    assert [0, 90, 180] == server.times


def test_concurrent_throttlings_count_once(run, clock):
    """Ten calls that were under way on one key are one reason to rest, not ten doublings."""
    gate = run.gate()
    pool = pool_of("a")

    @run.drive
    @pool.inject("key")
    @run.steps
    def fetch(*, key):
        yield gate.wait()
        raise throttled()

    calls = [run.start(fetch) for _ in range(10)]
    run.until(lambda: 10 == gate.arrived)
    gate.open()
    for call in calls:
        with pytest.raises(HttpError):
            call.result()

    assert {"a": pytest.approx(1)} == pool.resting()


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_rejected_key_is_set_aside(run, clock, status):
    """For five minutes, then one call tries it; the pause doubles while it stays rejected."""
    server = KeyServer(a=[rejected(status)] * 2)
    fetch = asker(run, server, pool_of("ab"))
    play(fetch, 3)
    clock.advance(300)
    play(fetch, 3)
    clock.advance(599)
    play(fetch, 3)

    assert "abbbabbbbbb" == server.asked
    clock.advance(1)
    assert "a" in play(fetch, 2)


def test_a_quota_that_is_used_up_sets_the_key_aside(run, clock):
    """A 429 with the code `insufficient_quota` is no throttling: no wait mends it."""
    error = throttled(1)
    error.code = "insufficient_quota"
    fetch = asker(run, KeyServer(a=[error]), pool_of("ab"))
    play(fetch, 1)
    clock.advance(299)

    assert list("bb") == play(fetch, 2)


def test_one_call_at_a_time_tries_a_key_on_probation(run, clock):
    """While it is tried the others go elsewhere; when it has answered, it serves everybody."""
    gate, pool = run.gate(), pool_of("ab")
    first = []

    @run.drive
    @pool.inject("key")
    @run.steps
    def fetch(*, key):
        if key == "key of a" and not first:
            first.append(key)
            raise rejected()
        if key == "key of a":
            yield gate.wait()
        return key[-1]

    assert "b" == fetch()
    clock.advance(300)
    trial = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    assert list("bbb") == play(fetch, 3)
    gate.open()
    assert "a" == trial.result()
    assert list("abab") == play(fetch, 4)


def test_a_trial_that_is_cancelled_decides_nothing(run, clock):
    """An entry on probation whose trial ended neutrally is tried by the next call."""
    pool = pool_of("a")
    server = KeyServer(a=[rejected(), KeyboardInterrupt(), OSError(), "a"])
    fetch = asker(run, server, pool)
    play(fetch, 1)
    clock.advance(300)
    with pytest.raises(KeyboardInterrupt):
        fetch()

    assert ["OSError", "a", "a"] == play(fetch, 3)


@pytest.mark.parametrize("error", [HttpError(500), HttpError(404), OSError(), ValueError()])
def test_other_errors_do_not_concern_the_key(run, clock, error):
    """A fault of the service or of the request makes no key rest and asks no other one."""
    pool = pool_of("ab")
    fetch = asker(run, KeyServer(a=[error]), pool)

    assert [type(error).__name__, "b", "a"] == play(fetch, 3)
    assert {} == pool.resting()


def test_a_group_rests_together(run, clock):
    """Keys of one account are throttled as one."""
    pool = pool_of("abc")
    pool.update("a", group="account")
    pool.update("b", group="account")
    server = KeyServer(a=[throttled(10)])
    fetch = asker(run, server, pool)

    assert list("ccc") == play(fetch, 3)
    assert "accc" == server.asked
    clock.advance(10)
    assert {"a", "b", "c"} == set(play(fetch, 3))


def test_a_late_success_does_not_end_a_rest(run, clock):
    """A call that began before the throttling, and ends well after it, proves nothing."""
    gate, pool = run.gate(), pool_of("a")

    @run.drive
    @pool.inject("key")
    @run.steps
    def fetch(late, *, key):
        if not late:
            raise throttled(60)
        yield gate.wait()
        return "well"

    late = run.start(fetch, True)
    run.until(lambda: 1 == gate.arrived)
    play(lambda: fetch(False), 1)
    gate.open()

    assert "well" == late.result()
    assert ["NoKeyAvailableError"] == play(lambda: fetch(True), 1)


def test_a_key_that_rests_is_not_used_by_a_call_that_waited(run, clock):
    """Between lease and request a call may stand in a queue: it then goes on with another key."""
    pool, gate = pool_of("ab", strategy="first"), run.gate()
    asked = []

    @run.drive
    @pool.inject("key")
    @prioritized(max_concurrent_requests=1)
    @run.steps
    def fetch(*, key):
        asked.append(key[-1])
        if len(asked) == 1:
            yield gate.wait()
            raise throttled(60)
        return key[-1]

    first = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    second = run.start(fetch)
    run.until(lambda: 1 == fetch.queue.size)
    gate.open()

    assert ["b", "b"] == [first.result(), second.result()]
    assert ["a", "b", "b"] == asked
    assert 0 == pool.get_stats()["active_requests"]


def test_nobody_can_serve(run, clock):
    """The error names each entry with its reason, and the earliest waking."""
    server = KeyServer(a=[throttled(30)], b=[rejected()], c=[throttled(20)])
    pool = pool_of("abc", name="service")
    pool.add("d", "key of d", tiers=["HIGH"])
    fetch = asker(run, server, pool)
    play(fetch, 1)
    with pytest.raises(
        NoKeyAvailableError, match="no key of pool 'service' can serve: a rests"
    ) as c:
        fetch()
    expected = {
        "a": "rests for 30.0 s",
        "b": "was rejected by the server and is tried again in 300.0 s",
        "c": "rests for 20.0 s",
        "d": "does not serve this priority",
    }

    assert expected == c.value.reasons
    assert ("service", 20) == (c.value.name, c.value.retry_after)
