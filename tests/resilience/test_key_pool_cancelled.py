"""Trap 3: a call that is cancelled, wherever it is, gives its key back and waits no more."""

from __future__ import annotations

import asyncio

import pytest

from resilience import (
    prioritized,
    retry,
)
from resilience.testing import FakeClock, no_waiting
from tests.support.decorators import pool_of
from tests.support.keys import throttled
from tests.support.stepping import cancelled_at_every_step


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


def test_trap_3_a_cancelled_wait_leaves_nothing_behind(still):
    """A task that is cancelled while it waits is forgotten, and gets no key."""
    pool = pool_of("a", wait=True)
    pool.take().finish(throttled(30))

    async def main():
        tasks = [asyncio.create_task(fetch()) for _ in range(3)]
        while len(pool._waiters) < 3:  # noqa: ASYNC110 - no event tells when
            await asyncio.sleep(0)
        tasks[1].cancel()
        pool.update("a", key="a better key")
        return await asyncio.gather(*tasks, return_exceptions=True)

    @pool.inject("key")
    async def fetch(*, key):
        return key

    first, second, third = asyncio.run(main())

    assert "a better key" == first == third
    assert isinstance(second, asyncio.CancelledError)
    assert (0, {}) == (pool.get_stats()["active_requests"], pool._waiters)


def test_trap_3_cancelled_at_any_await_a_call_gives_its_lease_back():
    """In the function, between keys, in the back-off: nothing stays in flight."""
    pool = pool_of("ab")
    calls = []

    def make():
        calls.clear()
        pool.update("a", key="key of a")
        pool.update("b", key="key of b")
        return fetch()

    @retry(initial_retry_delay=0)
    @pool.inject("key")
    @prioritized(max_concurrent_requests=1)
    async def fetch(*, key):
        calls.append(key)
        await asyncio.sleep(0)
        try:
            if len(calls) < 4:
                raise throttled(0)
            return key
        finally:
            await asyncio.sleep(0)

    def check(step):
        assert 0 == pool.get_stats()["active_requests"]
        assert 0 == fetch.queue.active

    # Four attempts of two awaits each, two in a round, and one sleep between the rounds.
    with no_waiting():
        assert 4 * 2 + 1 == cancelled_at_every_step(make, check)
    assert 4 == len(calls)


def test_trap_3_a_cancelled_change_of_key_gives_back_both_leases(clock):
    """A lease that was ended by its error is not ended again, the other one is."""
    pool = pool_of("ab")
    with pytest.raises(asyncio.CancelledError):
        run_cancelled(pool)

    assert [0, 0] == [each["active_requests"] for each in pool.get_stats()["endpoints"].values()]


def run_cancelled(pool):
    """Throttle the first key, and cancel the call while it asks with the second."""

    @pool.inject("key")
    async def fetch(*, key):
        if key == "key of a":
            raise throttled(1)
        asyncio.current_task().cancel()
        await asyncio.sleep(0)

    asyncio.run(fetch())
