"""A pool that waits: for as long as it must, no longer, and within the deadline."""

from __future__ import annotations

from functools import partial

import pytest

from resilience import (
    DeadlineExceededError,
    KeyPool,
    NoKeyAvailableError,
    SettingsError,
    deadline,
)
from resilience._core.keys import Offer
from resilience.testing import FakeClock
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import KeyServer, rejected, throttled


def resting_pool(names="a", seconds=30.0, **settings):
    """A pool that waits, each entry of which rests for so long, one second longer than the next."""
    pool = pool_of(names, wait=True, **settings)
    for number, name in enumerate(names):
        pool.take(name=name).finish(throttled(seconds - number))
    return pool


def asker(run, pool, server=None):
    """A function that asks the server with a key of the pool."""
    return run.decorate(pool.inject("key"), (server or KeyServer()).answer)


@pytest.fixture
def clock():
    """Time that jumps ahead when everybody waits."""
    with FakeClock() as clock:
        yield clock


@pytest.fixture
def still():
    """Time that stands still."""
    with FakeClock(autojump=False) as clock:
        yield clock


def test_it_waits_for_the_first_that_wakes(run, clock):
    """Exactly until then, and not for the others."""
    fetch = asker(run, resting_pool("abc"))

    assert ("c", 28) == (fetch(), clock.now)
    assert ("c", 28) == (fetch(), clock.now)


def test_a_lease_waits_too(run, clock):
    """For whichever comes first, or for one by name."""
    pool = resting_pool("ab")

    async def later(name):
        async with pool.lease(name) as held:
            return held.name

    def now(name):
        with pool.lease(name) as held:
            return held.name

    lease = now if run.flavour == "sync" else later

    assert ("b", 29) == (run.call(lease, None), clock.now)
    assert ("a", 30) == (run.call(lease, "a"), clock.now)


def test_only_the_first_of_a_round_is_waited_for(run, clock):
    """When the keys have failed in this call, the real error comes out at once."""
    pool = pool_of("ab", wait=True)
    server = KeyServer(a=[throttled(10)], b=[throttled(20)])
    with pytest.raises(HttpError):
        asker(run, pool, server)()

    assert (0, "ab") == (clock.now, server.asked)


def test_a_rejected_key_is_waited_for_as_well(run, clock):
    """Where it is the only one, its next trial is the first moment at which anybody can serve."""
    pool = pool_of("a", wait=True)
    pool.take().finish(rejected())

    assert ("a", 300) == (asker(run, pool)(), clock.now)


def test_a_deadline_bounds_the_wait(run, clock):
    """When it is over the call is refused; nothing is asked and nothing leased."""
    pool, server = resting_pool(), KeyServer()
    fetch = asker(run, pool, server)
    with deadline(5), pytest.raises(DeadlineExceededError, match="no key was ready") as caught:
        fetch()

    assert (5, "", "keys") == (clock.now, server.asked, caught.value.name)
    assert isinstance(caught.value.__cause__, NoKeyAvailableError)
    assert 0 == pool.get_stats()["active_requests"]
    with deadline(25):
        assert ("a", 30) == (fetch(), clock.now)


def test_nobody_waits_for_what_never_comes(run, clock):
    """An empty pool, or one without an entry for this priority, refuses at once."""
    pool = pool_of("a", wait=True)
    pool.update("a", tiers=["HIGH"])
    for each in (KeyPool(wait=True), pool):
        with pytest.raises(NoKeyAvailableError):
            asker(run, each)()

    assert 0 == clock.now


@pytest.mark.parametrize(
    "change",
    [
        lambda pool: pool.add("b", "key of b"),
        lambda pool: pool.update("a", key="another key of a"),
        lambda pool: pool.update("a", base_url="http://localhost"),
    ],
    ids=["add", "update the key", "update the server"],
)
def test_a_change_of_the_pool_wakes_whoever_waits(run, still, change):
    """A new entry or key serves those who wait, without any time going by."""
    pool = resting_pool(seconds=3600)
    fetch = asker(run, pool)
    calls = [run.start(fetch) for _ in range(3)]
    run.until(lambda: 3 == len(pool._waiters))
    change(pool)

    assert {call.result() for call in calls} < {"a", "b"}
    assert (0, {}) == (still.now, pool._waiters)


@pytest.mark.parametrize("look", [1, 2])
def test_no_change_is_missed_on_the_way_to_waiting(run, still, monkeypatch, look):
    """A key that becomes ready just after a look at the pool, and before the wait, is not lost."""
    pool, looks = resting_pool(seconds=3600), []

    def late(look_at, search):
        found = look_at(search)
        looks.append(found)
        if look == len(looks):
            pool.update("a", key="another key of a")
        return found

    for name in ("_look", "_must_wait"):
        monkeypatch.setattr(pool, name, partial(late, getattr(pool, name)))

    assert ("a", 0) == (asker(run, pool)(), still.now)


def test_a_removed_entry_ends_the_wait_for_it(run, still):
    """Whoever waits for one by name is told that it is gone."""
    pool = resting_pool(seconds=3600)

    async def later():
        async with pool.lease("a"):
            pass

    def now():
        with pool.lease("a"):
            pass

    call = run.start(now if run.flavour == "sync" else later)
    run.until(lambda: 1 == len(pool._waiters))
    pool.remove("a")
    with pytest.raises(SettingsError, match="has no entry 'a'"):
        call.result()


def test_those_who_wait_for_a_trial_learn_of_its_end(run, still):
    """While a key is tried nobody looks again and again: the end of the trial wakes them all."""
    pool, gate = pool_of("a", wait=True), run.gate()
    pool.take().finish(throttled())
    still.advance(1)
    looks = []
    pool._strategy = lambda records: looks.append(1)
    asked = []

    @run.drive
    @pool.inject("key")
    @run.steps
    def fetch(*, key):
        asked.append(key)
        if len(asked) == 1:
            yield gate.wait()
        return key

    assert list(Offer(pool._ring, 1.0, 1, ()))
    trial = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    others = [run.start(fetch) for _ in range(5)]
    run.until(lambda: 5 == len(pool._waiters))
    still.advance(3600)
    assert 1 == len(asked)
    gate.open()

    assert ["key of a"] * 6 == [call.result() for call in (trial, *others)]
    assert 6 >= len(looks)
    assert (0, {}) == (pool.get_stats()["active_requests"], pool._waiters)


def test_the_next_one_tries_when_a_trial_says_nothing(run, still):
    """A trial that fails for another reason leaves the key on probation; one of them goes on."""
    pool, gate = pool_of("a", wait=True), run.gate()
    pool.take().finish(throttled())
    still.advance(1)
    asked = []

    @run.drive
    @pool.inject("key")
    @run.steps
    def fetch(*, key):
        asked.append(key)
        if len(asked) == 1:
            yield gate.wait()
            raise OSError("of the service")
        return key

    trial = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    others = [run.start(fetch) for _ in range(5)]
    run.until(lambda: 5 == len(pool._waiters))
    gate.open()

    assert ["key of a"] * 5 == [call.result() for call in others]
    with pytest.raises(OSError, match="of the service"):
        trial.result()


def test_a_wait_that_is_over_leaves_nothing_behind(run, clock):
    """Neither a time-out nor a key leaves a waiter in the pool."""
    pool = resting_pool()
    fetch = asker(run, pool)
    for _ in range(3):
        with deadline(1), pytest.raises(DeadlineExceededError):
            fetch()
    fetch()

    assert {} == pool._waiters
