"""Ctrl-C and cancellation at every point: no permit is lost, and no waiter stays behind."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading

import pytest

from resilience import PriorityQueue, QueueFullError, QueueTimeoutError, prioritized, retry
from resilience.testing import FakeClock
from tests.support.interrupts import interrupted_everywhere
from tests.support.queues import Held


def is_free(queue):
    """Whether nobody holds a permit or waits, and newcomers pass without the lock again."""
    machine = queue._machine
    counts = queue.active, queue.size, queue._holders, machine.passing
    return counts == (0, 0, {}, {}) and machine.room in (0, machine.limit)


def test_trap_3_ctrl_c_on_the_way_to_the_function_loses_no_permit():
    """Interrupted anywhere before the function begins, the permit is not taken or given back."""
    queue = PriorityQueue(max_concurrent_requests=1)
    fetch = prioritized(queue)(lambda: sys.settrace(None))  # what follows is another matter
    places = set()
    for place in interrupted_everywhere(fetch):
        places.add(place.split(":")[0])

        assert is_free(queue), place

    assert {"under_permit.<locals>.call"} <= places


def test_trap_3_ctrl_c_on_the_way_to_a_permit_loses_none():
    """It is the same for a call that comes in the midst of a step, and takes one itself."""
    queue = PriorityQueue(max_concurrent_requests=1)
    fetch = prioritized(queue)(lambda: sys.settrace(None))

    def come_at_a_step():
        queue._machine.room = 0
        fetch()

    places = set()
    for place in interrupted_everywhere(come_at_a_step):
        places.add(place.split(":")[0])

        assert is_free(queue), place

    assert {"PriorityQueue.line_up", "QueueMachine.take"} <= places


def test_trap_3_ctrl_c_where_the_last_permit_has_just_gone_loses_none():
    """Who would pass but finds no room steps back, and waits in line as everybody else."""
    queue = PriorityQueue(max_concurrent_requests=1, queue_size=0)
    fetch = prioritized(queue)(lambda: None)
    queue._machine.passing["another"] = 1

    def come_too_late():
        with pytest.raises(QueueFullError):
            fetch()

    places = set()
    for place in interrupted_everywhere(come_too_late):
        places.add(place.split(":")[0])

        assert ({"another": 1}, 1, 0) == (queue._machine.passing, queue.active, queue.size), place

    assert {"QueueMachine.can_grant", "PriorityQueue.line_up"} <= places


def test_ctrl_c_in_a_waiting_thread_leaves_no_waiter_behind():
    """A signal ends the wait of the main thread, and its place is free."""
    queue = PriorityQueue(max_concurrent_requests=1)
    release, entered = threading.Event(), threading.Event()

    @prioritized(queue)
    def hold():
        entered.set()
        release.wait()

    def interrupt():
        while not queue.size:
            pass
        # A signal that comes just before the thread blocks is only seen after the wait.
        release.wait(0.1)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # off in the background
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            hold()
    finally:
        signal.signal(signal.SIGINT, before)

    assert (1, 0) == (queue.active, queue.size)
    release.set()
    holder.join()
    assert 0 == queue.active


@pytest.mark.parametrize("rounds", range(6))
def test_trap_3_cancellation_at_every_await_loses_no_permit(rounds):
    """Cancelled after any number of steps (waiting, just served, running), the next one runs."""
    queue, ran = PriorityQueue(max_concurrent_requests=1), []

    @prioritized(queue)
    async def work(name):
        ran.append(name)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def main():
        first = asyncio.create_task(work("first"))
        victim = asyncio.create_task(work("victim"))
        last = asyncio.create_task(work("last"))
        for _ in range(rounds):
            await asyncio.sleep(0)
        victim.cancel()
        await asyncio.wait([first, victim, last])
        return last.cancelled(), queue.active, queue.size

    assert (False, 0, 0) == asyncio.run(main())
    assert "last" == ran[-1]


def test_trap_3_granted_and_cancelled_before_it_runs():
    """The hand-off window: the permit of one that is cancelled between grant and run goes on."""
    queue, ran = PriorityQueue(max_concurrent_requests=1), []

    async def work(name):
        async with queue.permit():
            ran.append(name)

    async def main():
        permit = queue.permit()
        await permit.__aenter__()
        tasks = [asyncio.create_task(work(name)) for name in ("victim", "next")]
        await asyncio.sleep(0)
        await permit.__aexit__()  # hands the permit to the victim, which has not run since
        handed = queue.active, queue.size
        tasks[0].cancel()
        await asyncio.wait(tasks)
        return handed, tasks[0].cancelled(), queue.active

    assert ((1, 1), True, 0) == asyncio.run(main())
    assert ["next"] == ran


def test_trap_3_granted_in_the_moment_in_which_its_time_is_over(run):
    """Time-out and grant at once: the permit is used or goes on, and the call says which."""
    with FakeClock(autojump=False) as clock:
        held = Held(run, queue_timeout=1)
        first, second = held.start("first"), held.start("second")
        clock.advance(1)
        held.let_go("first")
        first.result()
        outcome = "served"
        run.until(lambda: second.done() or "second" in held.ran)
        if second.done():
            with pytest.raises(QueueTimeoutError) as caught:
                second.result()
            outcome = caught.type
        held.let_all_go(second) if outcome == "served" else None

        assert outcome in ("served", QueueTimeoutError)
        assert (0, 0) == (held.queue.active, held.queue.size)


def test_trap_3_a_time_out_from_outside_loses_no_permit():
    """`asyncio.timeout` around a waiting call cancels it; the line is as if it had not come."""
    queue = PriorityQueue(max_concurrent_requests=1)

    async def wait_in_vain():
        async with asyncio.timeout(0), queue.permit():
            return "never"

    async def main():
        async with queue.permit():
            with pytest.raises(TimeoutError):
                await asyncio.create_task(wait_in_vain())
            return queue.size

    assert 0 == asyncio.run(main())
    assert 0 == queue.active


def test_a_cancelled_call_gives_its_permit_back(run):
    """Cancellation in the function itself is an end like any other."""
    queue = PriorityQueue(max_concurrent_requests=1)
    fetch = run.decorate(
        prioritized(queue), lambda: (_ for _ in ()).throw(asyncio.CancelledError())
    )
    with pytest.raises(asyncio.CancelledError):
        fetch()

    assert 0 == queue.active


# -- event loops -----------------------------------------------------------------------------


def test_trap_9_one_queue_serves_several_loops_one_after_another():
    """No primitive of a loop is kept: what the first `asyncio.run` used works in the second."""

    @prioritized(max_concurrent_requests=1)
    async def work(number):
        await asyncio.sleep(0)
        return number

    async def main():
        return await asyncio.gather(*(work(number) for number in range(3)))

    assert [[0, 1, 2]] * 3 == [asyncio.run(main()) for _ in range(3)]


def test_trap_9_a_permit_goes_from_loop_to_loop_and_thread():
    """Waiters of two loops and of a plain thread are served in order, each in its own place."""
    queue, ran = PriorityQueue(max_concurrent_requests=1), []

    async def work(name):
        async with queue.permit():
            ran.append((name, threading.current_thread().name))

    def plain():
        with queue.permit():
            ran.append(("plain", threading.current_thread().name))

    targets = {
        "one": lambda: asyncio.run(work("one")),
        "two": lambda: asyncio.run(work("two")),
        "three": plain,
    }
    threads = []
    with queue.permit():
        for number, (name, target) in enumerate(targets.items(), start=1):
            threads.append(threading.Thread(target=target, name=name))
            threads[-1].start()
            while queue.size < number:
                pass
    for thread in threads:
        thread.join()

    assert [("one", "one"), ("two", "two"), ("plain", "three")] == ran
    assert 0 == queue.active


def closed_loop(coroutines):
    """Start these on a loop that is then closed without another word."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending!"
    tasks = [loop.create_task(coroutine) for coroutine in coroutines]
    for _ in range(3):
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return tasks


@pytest.mark.parametrize("waiters", [1, 2_000])
def test_waiters_whose_loop_was_closed_do_not_hold_up_the_line(waiters):
    """Nobody can wake them: when their turn comes the permit goes on, however many there are."""
    queue = PriorityQueue(max_concurrent_requests=1, queue_size=waiters + 1)
    entered = threading.Event()

    async def wait():
        async with queue.permit():
            raise AssertionError

    def plain():
        with queue.permit():
            entered.set()

    with queue.permit():
        tasks = closed_loop([wait() for _ in range(waiters)])
        thread = threading.Thread(target=plain)
        thread.start()
        while queue.size <= waiters:
            pass
    thread.join()

    assert (True, 0, 0) == (entered.is_set(), queue.active, queue.size)
    del tasks
    gc.collect()
    assert (0, 0) == (queue.active, queue.size)


def test_a_permit_whose_loop_was_closed_comes_back():
    """A task that is dropped while it runs gives its permit back when it is collected."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @prioritized(queue)
    async def work():
        await asyncio.get_running_loop().create_future()

    tasks = closed_loop([work()])
    before = queue.active
    del tasks
    gc.collect()

    assert (1, 0) == (before, queue.active)


def test_a_waiter_that_is_collected_leaves_the_line():
    """A task that is dropped while it waits is no longer counted."""
    queue = PriorityQueue(max_concurrent_requests=1)

    async def wait():
        async with queue.permit():
            raise AssertionError

    with queue.permit():
        tasks = closed_loop([wait()])
        coroutine = tasks[0].get_coro()
        before = queue.size
        coroutine.close()

        assert (1, 0) == (before, queue.size)
    del tasks, coroutine
    assert 0 == queue.active


def test_the_end_of_a_loop_cancels_its_waiters():
    """`asyncio.run` cancels what is left: the line is empty and the permits are there."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @retry(max_retries=1)
    @prioritized(queue)
    async def work():
        await asyncio.get_running_loop().create_future()

    async def main():
        tasks = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return len(tasks), queue.active, queue.size

    assert (3, 1, 2) == asyncio.run(main())
    assert (0, 0) == (queue.active, queue.size)
