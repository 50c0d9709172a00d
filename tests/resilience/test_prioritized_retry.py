"""`@retry` around `@prioritized`: the old place, and no permit while it sleeps."""

from __future__ import annotations

import asyncio
import gc

import pytest

from resilience import (
    Priority,
    PriorityQueue,
    QueueClosedError,
    QueueFullError,
    prioritized,
    priority,
    retry,
)
from resilience.testing import FakeClock
from tests.support.queues import Held, asleep


@pytest.fixture
def clock():
    """Time that stands still but for `advance`."""
    with FakeClock(autojump=False) as clock:
        yield clock


class Retried(Held):
    """Calls whose first attempt fails; a retry around the queue repeats them after a second."""

    def __init__(self, run, clock, **settings):
        super().__init__(run, **settings)
        self.clock = clock
        self.failed = set()
        self.function = retry(max_retries=1, initial_retry_delay=1, jitter=0)(self.function)

    def _inside(self, name, error=None):
        yield from super()._inside(name)
        if isinstance(name, str) and name.startswith("bad") and name not in self.failed:
            self.failed.add(name)
            raise OSError(name)
        return name

    def fail(self, name):
        """Let the first attempt of a call fail, and return when its permit is free."""
        self.let_go(name)
        self.run.until(lambda: name in self.failed and asleep(self.clock) == len(self.failed))


def test_trap_12_a_sleeping_retry_holds_no_permit(run, clock):
    """While one call waits for its next attempt, others run."""
    held = Retried(run, clock)
    bad = held.start("bad")
    held.fail("bad")
    good = held.start("good")

    assert (["bad", "good"], 1) == (held.ran, held.queue.active)
    held.let_go("good")
    assert "good" == good.result()
    clock.advance(1)
    held.run.until(lambda: 3 == len(held.ran))
    held.let_go("bad")
    assert "bad" == bad.result()


def test_a_retried_attempt_comes_back_with_its_old_place(run, clock):
    """It goes before everybody of its priority who came after its first attempt."""
    held = Retried(run, clock)
    calls = [held.start("bad")]
    held.fail("bad")
    calls += [held.start(name) for name in ("a", "b", "c")]
    calls.append(held.start("high", priority=Priority.HIGH))
    clock.advance(1)
    run.until(lambda: 4 == held.queue.size)
    held.let_all_go(*calls)

    assert ["bad", "a", "high", "bad", "b", "c"] == held.ran


def test_several_that_come_back_keep_their_order(run, clock):
    """Among themselves they go in the order of their first arrival, whoever comes back first."""
    held = Retried(run, clock, max_concurrent_requests=3)
    names = ["bad1", "bad2", "bad3"]
    calls = [held.start(name) for name in names]
    for name in reversed(names):
        held.fail(name)
    calls += [held.start(name) for name in ("a", "b", "c", "d")]
    clock.advance(1)
    run.until(lambda: 4 == held.queue.size)
    held.queue.resize(max_concurrent_requests=1)
    held.let_all_go(*calls)

    assert [*names, "a", "b", "c", *names, "d"] == held.ran


def test_the_old_place_is_that_of_the_first_attempt(run, clock):
    """However often it comes back, also by a free permit, the place stays the same."""
    held = Held(run)
    attempts = iter(range(4))

    def inside(name):
        yield from held._inside(name)
        if name == "bad" and next(attempts) < 3:
            raise OSError

    queue = held.queue
    fetch = retry(max_retries=9, initial_retry_delay=1, backoff_factor=1, jitter=0)(
        prioritized(queue)(run.steps(inside))
    )
    held.function = fetch
    calls = [held.start("bad")]
    for comeback in range(2, 4):  # the permit is free: it comes back without standing in line
        held.let_go("bad")
        run.until(lambda: asleep(clock))
        clock.advance(1)
        run.until(lambda comeback=comeback: comeback == len(held.ran))
    held.let_go("bad")
    run.until(lambda: asleep(clock))
    calls += [held.start(name) for name in ("a", "b")]
    clock.advance(1)
    run.until(lambda: 2 == queue.size)
    held.let_all_go(*calls)

    assert ["bad", "bad", "bad", "a", "bad", "b"] == held.ran


def test_one_that_comes_back_is_not_refused_as_too_many(run, clock):
    """It was accepted long ago: a full line has room for it."""
    held = Retried(run, clock, queue_size=1)
    calls = [held.start("bad")]
    held.fail("bad")
    calls += [held.start("inside"), held.start("waiting")]
    with pytest.raises(QueueFullError):
        held.start("too many").result()
    clock.advance(1)
    run.until(lambda: 2 == held.queue.size)

    assert ["bad", "inside", "waiting"] == held.let_all_go(*calls)


def test_a_later_call_does_not_inherit_the_place(run, clock):
    """When a call has ended, the place that was kept for it is forgotten."""
    queue = PriorityQueue(max_concurrent_requests=1)
    fetch = retry(max_retries=1, initial_retry_delay=0)(
        prioritized(queue)(run.function(lambda: 1 / 0))
    )
    with pytest.raises(ZeroDivisionError):
        run.call(fetch)

    assert {} == queue._away


def test_what_a_call_starts_does_not_inherit_its_place(clock):
    """A task that a retried attempt starts is a newcomer: it stands at the end of the line."""
    queue, ran = PriorityQueue(max_concurrent_requests=2), []
    child = prioritized(queue)(lambda name: ran.append(name))  # noqa: PLW0108 - it takes one name

    async def as_task(name):
        child_async = prioritized(queue)(held)
        await child_async(name)

    async def held(name):
        ran.append(name)
        await asyncio.sleep(0)

    @retry(max_retries=1, initial_retry_delay=0)
    @prioritized(queue)
    async def parent():
        ran.append("parent")
        if ran.count("parent") == 1:
            raise OSError
        queue.resize(max_concurrent_requests=1)
        first = asyncio.create_task(as_task("first"))
        await asyncio.sleep(0)
        second = asyncio.create_task(as_task("second"))
        await asyncio.sleep(0)
        return first, second

    async def main():
        await asyncio.gather(*await parent())

    asyncio.run(main())
    child("last")

    assert ["parent", "parent", "first", "second", "last"] == ran


def test_a_retried_call_keeps_its_priority(run, clock):
    """The priority of the call, or of the block around it, holds for every attempt."""
    held = Retried(run, clock)
    with priority(Priority.LOW):
        calls = [held.start("bad")]
    held.fail("bad")
    calls += [held.start("inside"), held.start("normal")]
    clock.advance(1)
    run.until(lambda: 2 == held.queue.size)
    sizes = held.queue.sizes
    held.let_all_go(*calls)

    assert {Priority.HIGH: 0, Priority.NORMAL: 1, Priority.LOW: 1} == sizes
    assert ["bad", "inside", "normal", "bad"] == held.ran


def test_draining_waits_for_retries_and_lets_them_back_in(run, clock):
    """What was accepted includes its retries: while one sleeps, the queue is not drained."""
    held = Retried(run, clock)
    bad = held.start("bad")
    held.fail("bad")
    drained = run.start(held.queue.drain if run.flavour == "sync" else held.queue.adrain)
    run.until(lambda: held.queue.drains)
    with pytest.raises(QueueClosedError):
        held.start("new").result()
    before = drained.done()
    clock.advance(1)
    run.until(lambda: 2 == len(held.ran))
    between = drained.done()
    held.let_go("bad")

    assert (False, False, True, "bad") == (before, between, drained.result(), bad.result())


def test_draining_does_not_wait_for_a_retry_that_gave_up(run, clock):
    """A call that ends without coming back is no longer waited for."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @retry(max_retries=1, initial_retry_delay=1, on=OSError)
    @prioritized(queue)
    @run.function
    def fetch():
        raise OSError if not queue._machine.draining else KeyError

    call = run.start(fetch)
    run.until(lambda: asleep(clock))
    drained = run.start(queue.drain if run.flavour == "sync" else queue.adrain)
    run.until(lambda: queue.drains)
    clock.advance(1)

    assert drained.result()
    with pytest.raises(KeyError):
        call.result()


def test_a_cancelled_retry_leaves_no_place_behind(clock):
    """A call that is cancelled in its sleep does not come back, and nobody waits for it."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @retry(initial_retry_delay=1)
    @prioritized(queue)
    async def fetch():
        raise OSError

    async def main():
        call = asyncio.create_task(fetch())
        while not queue._away:  # noqa: ASYNC110 - until the attempt has failed
            await asyncio.sleep(0)
        drained = asyncio.create_task(queue.adrain())
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait([call])
        return call.cancelled(), await drained

    assert (True, True) == asyncio.run(main())


def test_a_closed_queue_refuses_those_who_come_back(run, clock):
    """The call ends with its last real error, which the refusal did not cause."""
    held = Retried(run, clock)
    bad = held.start("bad")
    held.fail("bad")
    held.queue.close()
    clock.advance(1)
    with pytest.raises(OSError, match="bad") as error:
        bad.result()

    assert "is closed" in error.value.__notes__[-1]
    assert {} == held.queue._away


def test_nested_retries_do_not_lose_the_outer_place(run, clock):
    """A retried call inside a retried call keeps a place of its own."""
    outer_queue, inner_queue = (PriorityQueue(max_concurrent_requests=1) for _ in range(2))
    held = Held(run, outer_queue)
    fails = {"outer": 2, "inner": 1}

    def failing(name):
        held.gates.append(run.gate())
        held.ran.append(name)
        fails[name] -= 1
        if fails[name] >= 0:
            raise OSError

    inner = retry(max_retries=1, initial_retry_delay=0)(
        prioritized(inner_queue)(run.function(lambda: failing("inner")))
    )

    @retry(max_retries=2, initial_retry_delay=1, backoff_factor=1, jitter=0)
    @prioritized(outer_queue)
    @run.steps
    def outer():
        yield inner()
        failing("outer")

    call = run.start(outer)
    run.until(lambda: asleep(clock))
    others = [held.start("a"), held.start("b")]
    clock.advance(1)
    run.until(lambda: 2 == outer_queue.size)
    held.let_go("a")  # the outer call is next, and fails once more
    run.until(lambda: asleep(clock))
    others.append(held.start("c"))
    clock.advance(1)
    run.until(lambda: 2 == outer_queue.size)
    for name in ("b", "c"):
        held.let_go(name)
    for each in (call, *others):
        each.result()

    assert [
        "inner",
        "inner",
        "outer",
        "a",
        "inner",
        "outer",
        "b",
        "inner",
        "outer",
        "c",
    ] == held.ran
    assert ({}, {}) == (outer_queue._away, inner_queue._away)


def test_a_loop_that_is_closed_on_a_sleeping_retry_is_no_burden(clock):
    """A task that never runs again is forgotten, and draining does not wait for it."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @retry(initial_retry_delay=1)
    @prioritized(queue)
    async def fetch():
        raise OSError

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending!"
    task = loop.create_task(fetch())
    while not queue._away:
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    clock.advance(1)  # which kept it until now
    del task
    gc.collect()

    assert queue.drain(timeout=0)
