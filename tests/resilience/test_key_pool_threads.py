"""One pool for many threads, several event loops and forked processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import threading
from collections import Counter

import pytest

from resilience import RefusedError
from resilience.telemetry import statistics
from resilience.testing import FakeClock, no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import throttled
from tests.support.programs import run_program


def in_threads(number, work):
    """Run `work(0)`, `work(1)`, … at the same time; what they returned."""
    results = [None] * number

    def target(index):
        results[index] = work(index)

    threads = [threading.Thread(target=target, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.mark.parametrize("strategy", ["round-robin", "least-loaded", "two-choices", "weighted"])
def test_what_could_succeed_does(strategy):
    """Eight threads, one key that is always throttled for no time, one that is fine: no failure."""
    pool = pool_of("abc", strategy=strategy)

    @pool.inject("key")
    def fetch(*, key):
        if key == "key of a":
            raise throttled(0)
        return key

    def work(index):
        return Counter(fetch() for _ in range(50))

    answers = sum(in_threads(8, work), Counter())

    assert 400 == answers.total()
    assert {"key of b", "key of c"} == set(answers)
    assert 0 == pool.get_stats()["active_requests"]


def outcome_of(luck):
    """What a call comes to: mostly well."""
    fate = luck.random()
    if fate < 0.2:
        raise throttled(0)
    if fate < 0.3:
        raise HttpError(500)
    if fate < 0.4:
        raise KeyboardInterrupt
    return "well"


STORM = pool_of("abcd")


@STORM.inject("key")
def plain(luck, *, key):
    """Come to anything."""
    return outcome_of(luck)


@STORM.inject("key")
async def coroutine(luck, *, key):
    """Come to anything, a little later."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return outcome_of(luck)


def call_often(luck):
    """A hundred calls, one after another; how many there were."""
    calls = range(100)
    for _ in calls:
        with contextlib.suppress(HttpError, KeyboardInterrupt):
            plain(luck)
    return len(calls)


async def call_together(luck):
    """A hundred calls at once, some of which are cancelled; how many there were."""

    async def one():
        with contextlib.suppress(KeyboardInterrupt):  # a loop would stop all its tasks
            await coroutine(luck)

    calls = [asyncio.create_task(one()) for _ in range(100)]
    await asyncio.sleep(0)
    for call in calls[::7]:
        call.cancel()
    return len(await asyncio.gather(*calls, return_exceptions=True))


def test_nothing_in_flight_is_lost_in_a_storm():
    """Whatever calls come to, in threads and tasks at once, the counts go back to nothing."""

    def work(index):
        luck = random.Random(index)
        return asyncio.run(call_together(luck)) if index % 2 else call_often(luck)

    assert [100] * 8 == in_threads(8, work)
    entries = STORM.get_stats()["endpoints"].values()
    assert [0] * 4 == [entry["active_requests"] for entry in entries]
    assert 800 < sum(entry["total_requests"] for entry in entries)


def test_threads_and_loops_wait_for_one_pool():
    """A key that wakes serves those who wait in threads and in the tasks of two loops."""
    with FakeClock(autojump=False) as clock:
        pool = pool_of("a", wait=True)
        pool.take().finish(throttled(60))

        @pool.inject("key")
        def plain(*, key):
            return key

        @pool.inject("key")
        async def coroutine(*, key):
            return key

        async def both():
            return await asyncio.gather(coroutine(), coroutine())

        def work(index):
            if index == 4:
                while len(pool._waiters) < 6 or len(clock._clock.moves._wakeups._sorted) < 6:
                    pass
                return clock.advance(60)
            return asyncio.run(both()) if index % 2 else [plain()]

        answers = in_threads(5, work)

    assert [["key of a"], ["key of a"] * 2, ["key of a"], ["key of a"] * 2, None] == answers
    assert {} == pool._waiters


def test_one_thread_at_a_time_tries_a_key():
    """Of twenty threads that find a key on probation one tries it; the others are refused."""
    pool, inside = pool_of("a"), []
    with no_waiting():
        pool.take().finish(throttled())
    pool._ring.entries["a"].rests_for = 0.0
    barrier, done = threading.Barrier(20), threading.Barrier(20)

    def work(index):
        barrier.wait()
        try:
            held = pool.take()
        except RefusedError as error:
            done.wait()
            return error.retry_after
        inside.append(index)
        done.wait()
        held.finish(None)
        return "tried"

    results = Counter(in_threads(20, work))

    assert 1 == len(inside) == results["tried"]
    assert 19 == results[0.1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_trap_9_a_forked_child_begins_without_its_parents_calls():
    """No call is in flight there, nobody waits, no lock is held, and a lease may end twice."""
    program = """
        import os, threading
        from resilience import KeyPool

        pool = KeyPool({"a": "made up"})
        inherited, others = pool.take(), [pool.take() for _ in range(3)]
        lock = pool._lock
        lock.acquire()  # as if another thread held it at this very moment
        if os.fork() == 0:
            inherited.finish(None)
            with pool.lease() as lease:
                print(lease.name, pool.get_stats()["active_requests"], flush=True)
            print(pool.get_stats()["active_requests"], flush=True)
            os._exit(0)
        os.wait()
        lock.release()
        print(pool.get_stats()["active_requests"])
        for lease in (inherited, *others):
            lease.finish(None)
        print(pool.get_stats()["active_requests"])
    """

    assert ["a", "1", "0", "4", "0"] == run_program(program)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_trap_9_lines_and_circuits_of_entries_survive_a_fork():
    """Permits of the parent's other threads are free in the child, and it may change the pool."""
    program = """
        import os, threading
        from resilience import KeyPool

        pool = KeyPool({"a": "made up"}, max_concurrent_requests=1, failure_threshold=1)
        started, end = threading.Event(), threading.Event()

        def other():
            with pool.lease():
                started.set()
                end.wait()

        thread = threading.Thread(target=other)
        thread.start()
        started.wait()
        pool._changes.acquire()  # as if another thread changed the pool at this very moment
        if os.fork() == 0:
            print(pool.queues["a"].active, pool.get_stats()["active_requests"], flush=True)
            with pool.lease("a") as lease:
                print(pool.queues["a"].active, pool.get_stats()["active_requests"], flush=True)
                pool.update("a", max_concurrent_requests=2)
            pool.take().finish(OSError())
            print(pool.circuit_breakers["a"].state, flush=True)
            os._exit(0)
        os.wait()
        pool._changes.release()
        print(pool.queues["a"].active, pool.circuit_breakers["a"].state)
        end.set()
        thread.join()
        print(pool.queues["a"].active, pool.get_stats()["active_requests"])
    """

    assert ["0", "0", "1", "1", "OPEN", "1", "CLOSED", "0", "0"] == run_program(program)


@pytest.mark.parametrize("lock", ["of the pool", "of its statistics"])
def test_trap_3_a_stream_forgotten_in_the_midst_of_a_step_gives_its_lease_back(lock):
    """The garbage collector may close it in the thread that holds the very lock."""
    pool = pool_of("a", max_concurrent_requests=1)

    @pool.inject("key")
    def numbers(*, key):
        yield key

    stream = numbers()
    next(stream)
    held = pool._lock if lock == "of the pool" else statistics._guard.lock
    with held:
        del stream

    assert (0, 0) == (pool.get_stats()["active_requests"], pool.queues["a"].active)
