"""`PriorityQueue` while it works: looked at, resized, paused, drained and closed."""

from __future__ import annotations

import asyncio
import threading

import pytest

from resilience import Priority, PriorityQueue, QueueClosedError, SettingsError
from resilience.testing import FakeClock
from tests.support.queues import Held


@pytest.fixture
def clock():
    """Time that stands still but for `advance`."""
    with FakeClock(autojump=False) as clock:
        yield clock


def drain(run, queue, timeout=None):
    """Begin to drain in a thread or a task, and return when that has begun or ended."""
    call = run.start(queue.drain if run.flavour == "sync" else queue.adrain, timeout)
    run.until(lambda: queue.drains or call.done())
    return call


def test_what_it_shows(run, clock):
    """How many run and wait, for each priority, the limits, and the longest wait."""
    held = Held(run, max_concurrent_requests=2, queue_size=7, name="model")
    queue = held.queue
    empty = (queue.active, queue.size, queue.oldest_wait)
    calls = [held.start(name) for name in ("a", "b")]
    calls.append(held.start("low", priority=Priority.LOW))
    clock.advance(3)
    calls.append(held.start("high", priority=Priority.HIGH))
    clock.advance(1)

    assert (0, 0, 0) == empty
    assert (2, 2, 4) == (queue.active, queue.size, queue.oldest_wait)
    assert {Priority.HIGH: 1, Priority.NORMAL: 0, Priority.LOW: 1} == queue.sizes
    assert (2, 7) == (queue.max_concurrent_requests, queue.queue_size)
    assert "<PriorityQueue 'model': 2 of 2 active, 2 wait>" == repr(queue)
    held.let_all_go(*calls)


def test_growing_lets_waiters_run_at_once(run):
    """As many waiters run as permits are added, before anybody gives one back."""
    held = Held(run)
    calls = [held.start(number) for number in range(4)]
    held.queue.resize(max_concurrent_requests=3)
    run.until(lambda: 3 == len(held.ran))

    assert (3, 1) == (held.queue.active, held.queue.size)
    assert [0, 1, 2, 3] == held.let_all_go(*calls)


def test_trap_3_shrinking_lets_the_running_ones_finish(run):
    """Nobody is interrupted, and nobody new runs until fewer than the new limit do."""
    held = Held(run, max_concurrent_requests=3)
    calls = [held.start(number) for number in range(5)]
    held.queue.resize(max_concurrent_requests=1)
    for number in range(2):
        held.let_go(number)
        assert number == calls[number].result()
    before = held.queue.active, held.queue.size

    assert (1, 2) == before
    assert [2, 3, 4] == held.let_all_go(*calls[2:])


def test_the_bound_can_be_changed(run):
    """A shorter line refuses newcomers; who stands in it already stays."""
    held = Held(run)
    calls = [held.start(number) for number in range(3)]
    held.queue.resize(queue_size=1)
    refused = held.start("refused")
    held.queue.resize(queue_size=3)
    calls.append(held.start("accepted"))

    assert (3, 1) == (held.queue.queue_size, held.queue.max_concurrent_requests)
    with pytest.raises(Exception, match="is full: 2 calls wait"):
        refused.result()
    assert [0, 1, 2, "accepted"] == held.let_all_go(*calls)


@pytest.mark.parametrize(
    "sizes", [{"max_concurrent_requests": 0}, {"queue_size": -1}, {"queue_size": True}]
)
def test_a_bad_size_changes_nothing(sizes):
    """What breaks its rule is refused as a whole."""
    queue = PriorityQueue(max_concurrent_requests=3, queue_size=4)
    with pytest.raises(SettingsError):
        queue.resize(**{"max_concurrent_requests": 9, "queue_size": 9} | sizes)

    assert (3, 4) == (queue.max_concurrent_requests, queue.queue_size)


@pytest.mark.parametrize("timeout", ["5", -1, float("nan"), 10**400])
def test_a_bad_limit_drains_nothing(run, timeout):
    """The time that a drain may take is checked before anything is changed."""
    queue = PriorityQueue()
    with pytest.raises(SettingsError, match="timeout must be a finite number of seconds"):
        drain(run, queue, timeout).result()
    with queue.permit():
        assert 1 == queue.active


def test_paused_nobody_begins(run):
    """Running calls go on, newcomers wait even where a permit is free, `resume` lets them run."""
    held = Held(run)
    first = held.start("first")
    held.queue.pause()
    held.let_go("first")
    first.result()
    second = held.start("second")
    before = held.queue.active, held.queue.size
    held.queue.resume()

    assert ((0, 1), ["second"]) == (before, held.let_all_go(second))


def test_draining_waits_for_all_that_was_accepted(run):
    """New work is refused, running and waiting calls end, and then it is drained."""
    held = Held(run)
    calls = [held.start("running"), held.start("waiting")]
    drained = drain(run, held.queue)
    with pytest.raises(QueueClosedError):
        held.start("new").result()
    before = drained.done()

    assert ["running", "waiting"] == held.let_all_go(*calls)
    assert (False, True) == (before, drained.result())


def test_an_idle_queue_is_drained_at_once(run):
    """There is nothing to wait for, and nothing new is taken from then on."""
    held = Held(run)

    assert drain(run, held.queue).result()
    with pytest.raises(QueueClosedError):
        held.start("new").result()


def test_draining_gives_up_after_its_time(run, clock):
    """It says so, and what is left goes on."""
    held = Held(run)
    calls = [held.start("running"), held.start("waiting")]
    drained = drain(run, held.queue, 5)
    clock.advance(5)

    assert not drained.result()
    assert ["running", "waiting"] == held.let_all_go(*calls)
    assert [] == held.queue.drains


def test_after_draining_it_can_be_used_again(run):
    """`resume` takes new work again."""
    held = Held(run)
    drain(run, held.queue).result()
    held.queue.resume()

    assert ["new"] == held.let_all_go(held.start("new"))


def test_draining_ends_when_the_last_waiter_gives_up(run, clock):
    """A waiter that times out while nothing runs ends the work as well."""
    held = Held(run, queue_timeout=1)
    held.queue.pause()
    waiting = held.start("waiting")
    drained = drain(run, held.queue)
    clock.advance(1)

    assert drained.result()
    with pytest.raises(Exception, match="gave no permit"):
        waiting.result()


def test_several_may_wait_for_the_end(run):
    """Everybody who drains is told when it is over."""
    held = Held(run)
    call = held.start("running")
    drains = [drain(run, held.queue) for _ in range(3)]
    held.let_all_go(call)

    assert [True] * 3 == [each.result() for each in drains]


def test_cancelling_a_drain_leaves_nothing_behind():
    """Whoever stops waiting is forgotten; the queue goes on draining."""
    queue = PriorityQueue()

    async def main():
        async with queue.permit():
            task = asyncio.create_task(queue.adrain())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        return task.cancelled(), queue.drains

    assert (True, []) == asyncio.run(main())


def test_closing_refuses_who_waits_and_who_comes(run):
    """Waiters get a clear error at once, never a hang; the running call ends as if nothing was."""
    held = Held(run, name="model")
    running = held.start("running")
    waiting = [held.start(name) for name in ("a", "b")]
    held.queue.close()
    for call in (*waiting, held.start("new")):
        with pytest.raises(QueueClosedError, match="'model' is closed"):
            call.result()

    assert (["running"], 0) == (held.let_all_go(running), held.queue.active)


def test_a_closed_queue_stays_closed(run):
    """Neither `resume` nor new permits open it again, and closing twice is closing once."""
    held = Held(run)
    held.queue.close()
    held.queue.close()
    held.queue.resume()
    held.queue.resize(max_concurrent_requests=9)
    with pytest.raises(QueueClosedError):
        held.start("new").result()

    assert held.queue.drain(timeout=0)


def test_closing_while_draining_ends_the_wait(run):
    """What waited is refused, what ran ends, and then it is drained."""
    held = Held(run)
    running, waiting = held.start("running"), held.start("waiting")
    drained = drain(run, held.queue)
    held.queue.close()
    held.let_go("running")

    assert ("running", True) == (running.result(), drained.result())
    with pytest.raises(QueueClosedError):
        waiting.result()


def test_threads_may_resize_at_once():
    """Each changes what it names and nothing else: no change is lost."""
    for _ in range(50):
        queue = PriorityQueue(max_concurrent_requests=1, queue_size=1)
        barrier = threading.Barrier(2)
        changes = {"max_concurrent_requests": 5}, {"queue_size": 7}

        def change(sizes, queue=queue, barrier=barrier):
            barrier.wait()
            queue.resize(**sizes)

        threads = [threading.Thread(target=change, args=(sizes,)) for sizes in changes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert (5, 7) == (queue.max_concurrent_requests, queue.queue_size)
