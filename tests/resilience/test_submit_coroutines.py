"""`fn.submit(...)` of coroutine functions, and with an executor of the user's own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from contextvars import ContextVar
from functools import partial

import pytest

from resilience import PriorityQueue, prioritized, retry
from resilience.testing import FakeClock

request_id = ContextVar("request_id", default="none")


@pytest.fixture
def queue():
    """One permit."""
    return PriorityQueue(max_concurrent_requests=1)


def closed_loop(coroutine, rounds=3):
    """Run this on a loop that is then closed without another word; what it returned."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending!"
    result = loop.run_until_complete(coroutine)
    for _ in range(rounds):
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    return result


def test_in_a_loop_it_is_a_task_of_that_loop(queue):
    """Submitted where a loop runs, it runs there, in its turn and under one permit."""
    ran = []

    @prioritized(queue)
    async def fetch(name):
        ran.append((name, threading.current_thread(), queue.active))
        await asyncio.sleep(0)
        return name

    async def main():
        futures = [fetch.submit(name) for name in range(3)]
        return await asyncio.gather(*map(asyncio.wrap_future, futures))

    assert [0, 1, 2] == asyncio.run(main())
    assert [(name, threading.current_thread(), 1) for name in range(3)] == ran
    assert 0 == queue.active


def test_without_a_loop_it_gets_one_in_a_worker(queue):
    """Submitted from plain code it runs in a thread, each call in a loop of its own."""

    @prioritized(queue)
    async def fetch(name):
        await asyncio.sleep(0)
        if name == "bad":
            raise OSError
        return name, threading.current_thread() is threading.main_thread(), queue.active

    good, bad = fetch.submit("good"), fetch.submit("bad")

    assert ("good", False, 1) == good.result()
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        bad.result()
    assert (0, 0) == (queue.active, queue._machine.busy_workers)


def test_re_entry_in_a_submitted_coroutine(queue):
    """The task runs under its job's permit, and what it awaits inherits it."""

    @prioritized(queue)
    async def fetch(depth=1):
        return await fetch(depth - 1) if depth else queue.active

    async def main():
        return await asyncio.wrap_future(fetch.submit())

    assert [1, 1] == [asyncio.run(main()), fetch.submit().result()]
    assert 0 == queue.active


def test_trap_5_a_submitted_coroutine_sees_the_context_of_its_caller(queue):
    """Whether it waited or not, its context variables are those of its submission."""

    @prioritized(queue)
    async def fetch():
        await asyncio.sleep(0)
        return request_id.get()

    async def main():
        futures = []
        for name in ("a", "b"):
            request_id.set(name)
            futures.append(fetch.submit())
        request_id.set("c")
        return await asyncio.gather(*map(asyncio.wrap_future, futures))

    assert ["a", "b"] == asyncio.run(main())
    assert "none" == fetch.submit().result()


def test_trap_12_submitted_coroutines_that_retry(queue):
    """Tasks that sleep between attempts hold no permit, and all of them end."""
    attempts = []

    @retry(max_retries=2, initial_retry_delay=1)
    @prioritized(queue)
    async def fetch(name):
        attempts.append(name)
        if attempts.count(name) < 3:
            raise OSError
        return name

    async def main():
        futures = [fetch.submit(name) for name in range(5)]
        return await asyncio.gather(*map(asyncio.wrap_future, futures))

    with FakeClock():
        assert [*range(5)] == asyncio.run(main())
    assert (15, 0, 0) == (len(attempts), queue.active, queue._machine.busy_workers)


@pytest.mark.parametrize("rounds", range(5))
def test_trap_3_the_task_is_cancelled_at_any_step(queue, rounds):
    """Also before its first step, in which it would have claimed its permit: none is lost."""

    @prioritized(queue)
    async def fetch():
        for _ in range(3):
            await asyncio.sleep(0)
        return "done"

    async def main():
        future = fetch.submit()
        others = asyncio.all_tasks()
        while not (tasks := asyncio.all_tasks() - others):  # noqa: ASYNC110 - no event tells when
            await asyncio.sleep(0)
        for _ in range(rounds):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        outcome = (await asyncio.gather(asyncio.wrap_future(future), return_exceptions=True))[0]
        return outcome, await asyncio.wrap_future(fetch.submit())

    outcome, after = asyncio.run(main())

    assert isinstance(outcome, asyncio.CancelledError) or "done" == outcome
    assert ("done", 0, 0) == (after, queue.active, queue._machine.busy_workers)


def test_the_future_of_a_cancelled_task_says_so(queue):
    """In a thread it is `concurrent.futures.CancelledError`, an `Exception` like any other."""

    @prioritized(queue)
    async def fetch():
        await asyncio.get_running_loop().create_future()

    async def main():
        return fetch.submit()

    future = asyncio.run(main())

    assert CancelledError is type(future.exception())
    assert (0, 0) == (queue.active, queue._machine.busy_workers)


def test_cancelled_before_its_loop_got_to_it(queue):
    """A future that is cancelled between permit and start: the permit goes on."""

    @prioritized(queue)
    async def fetch(name):
        return name

    async def main():
        first, second = fetch.submit("first"), fetch.submit("second")
        assert first.cancel()
        return await asyncio.wrap_future(second)

    assert ("second", 0) == (asyncio.run(main()), queue.active)


def test_several_loops_submit_to_one_queue(queue):
    """Each job runs in the loop that submitted it, whoever hands it its permit."""
    rooms = set()

    @prioritized(queue)
    async def fetch(name):
        rooms.add((name, threading.current_thread().name))
        await asyncio.sleep(0)

    def loop(name):
        async def main():
            futures = [fetch.submit(name) for _ in range(20)]
            await asyncio.gather(*map(asyncio.wrap_future, futures))

        asyncio.run(main())

    threads = [threading.Thread(target=loop, args=(name,), name=name) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {("one", "one"), ("two", "two")} == rooms
    assert (0, 0) == (queue.active, queue._machine.busy_workers)


def test_functions_of_both_kinds_on_one_queue(queue):
    """A worker that has ended a plain call does not run a coroutine that belongs to a loop."""
    rooms = []
    plain = prioritized(queue)(lambda: rooms.append(threading.current_thread()))

    @prioritized(queue)
    async def fetch():
        rooms.append(threading.current_thread())

    async def main():
        futures = [fn.submit() for _ in range(3) for fn in (plain, fetch)]
        await asyncio.gather(*map(asyncio.wrap_future, futures))

    asyncio.run(main())

    assert [False, True] * 3 == [room is threading.main_thread() for room in rooms]


# -- loops that go away ------------------------------------------------------------------------


def test_a_job_whose_loop_is_closed_fails_when_its_turn_comes(queue):
    """It cannot run any more: its future says so, and the permit goes to the next one."""
    plain = prioritized(queue)(lambda: "done")

    @prioritized(queue)
    async def fetch():
        raise AssertionError

    async def submit():
        return fetch.submit()

    with queue.permit():
        future = closed_loop(submit())
        other = plain.submit()

    assert ("done", RuntimeError) == (other.result(), type(future.exception()))
    assert (0, 0) == (queue.active, queue._machine.busy_workers)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.parametrize("rounds", range(4))
def test_a_job_that_is_dropped_with_its_loop_gives_its_permit_back(queue, rounds):
    """Closed after the permit was handed over, before or after its first step."""

    @prioritized(queue)
    async def fetch():
        await asyncio.get_running_loop().create_future()

    async def submit():
        return fetch.submit()

    future = closed_loop(submit(), rounds)
    gc.collect()

    assert CancelledError is type(future.exception())
    assert (0, 0) == (queue.active, queue._machine.busy_workers)


def test_the_end_of_a_loop_ends_all_its_jobs(queue):
    """`asyncio.run` that returns with a long line of jobs: no future is left without an answer."""

    @prioritized(queue)
    async def fetch():
        await asyncio.get_running_loop().create_future()

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        return [fetch.submit() for _ in range(20)]

    futures = asyncio.run(main())
    gc.collect()

    assert {CancelledError, RuntimeError} >= {type(future.exception()) for future in futures}
    assert (0, 0, 0) == (queue.active, queue.size, queue._machine.busy_workers)


# -- executor= ---------------------------------------------------------------------------------


def test_an_executor_of_the_users_own_runs_the_calls(queue):
    """They run in its threads, as many at a time as there are permits."""
    names = set()
    with ThreadPoolExecutor(3, thread_name_prefix="mine") as executor:
        fetch = prioritized(queue, executor=executor)(
            lambda: names.add((threading.current_thread().name[:4], queue.active))
        )
        concurrent.futures.wait([fetch.submit() for _ in range(10)])

    assert {("mine", 1)} == names
    assert 0 == queue.active


def test_each_function_keeps_its_own_executor(queue):
    """Functions of one queue: a thread goes on only with calls that belong to it."""
    names = []
    with ThreadPoolExecutor(1, "one") as first, ThreadPoolExecutor(1, "two") as second:
        one, two = (
            prioritized(queue, executor=executor)(
                lambda: names.append(threading.current_thread().name[:3])
            )
            for executor in (first, second)
        )
        concurrent.futures.wait([fn.submit() for _ in range(3) for fn in (one, two)])

    assert ["one", "two"] * 3 == names


def test_a_coroutine_in_an_executor_of_the_users_own(queue):
    """Outside a loop it runs there as well."""
    with ThreadPoolExecutor(1, thread_name_prefix="mine") as executor:

        @prioritized(queue, executor=executor)
        async def fetch():
            return threading.current_thread().name[:4]

        assert "mine" == fetch.submit().result()


def test_an_executor_that_was_shut_down_fails_the_call(queue):
    """Its error is the future's, and the permit is free."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    fetch = prioritized(queue, executor=executor)(lambda: "never")

    assert RuntimeError is type(fetch.submit().exception())
    assert (0, 0) == (queue.active, queue._machine.busy_workers)


def test_what_an_executor_drops_is_cancelled():
    """`shutdown(cancel_futures=True)` with calls that it had taken: none of them hangs."""
    queue, gate, entered = PriorityQueue(max_concurrent_requests=3), threading.Event(), []
    executor = ThreadPoolExecutor(1)

    @prioritized(queue, executor=executor)
    def fetch():
        entered.append(1)
        return gate.wait()

    futures = [fetch.submit() for _ in range(3)]
    while not entered:
        pass
    executor.shutdown(wait=False, cancel_futures=True)
    ended = concurrent.futures.wait(futures[1:], timeout=30).done
    gate.set()

    assert set(futures[1:]) == ended
    assert [False, True, True] == [future.cancelled() for future in futures]
    assert futures[0].result()
    assert queue.drain()
    assert (0, 0) == (queue.active, queue._machine.busy_workers)


def test_an_executor_that_drops_calls_is_not_asked_with_its_lock_held():
    """Who stands in line behind them is handed to it when it has let go, and fails."""
    queue = PriorityQueue(max_concurrent_requests=2)
    gate, entered = threading.Event(), threading.Event()
    executor = ThreadPoolExecutor(1)

    @prioritized(queue, executor=executor)
    def fetch():
        entered.set()
        return gate.wait()

    first, dropped, behind = (fetch.submit() for _ in range(3))
    entered.wait()
    stop = partial(executor.shutdown, wait=False, cancel_futures=True)
    stopping = threading.Thread(target=stop, daemon=True)  # where this fails it never ends
    stopping.start()

    assert RuntimeError is type(behind.exception(timeout=30))
    assert dropped.cancelled()
    gate.set()
    assert first.result()
    assert queue.drain()


def test_an_executor_that_cannot_start_fails_the_call(queue):
    """Its own error is the future's."""

    def broken():
        raise OSError

    with ThreadPoolExecutor(1, initializer=broken) as executor:
        fetch = prioritized(queue, executor=executor)(lambda: "never")

        assert isinstance(fetch.submit().exception(), BrokenExecutor)
    assert 0 == queue.active


def test_a_process_pool_cannot_hold_a_permit(queue):
    """A permit is of this process: the call fails with the reason, and does not hang."""
    with ProcessPoolExecutor(1) as executor:
        fetch = prioritized(queue, executor=executor)(lambda: "never")
        error = fetch.submit().exception()

    assert error is not None
    assert 0 == queue.active
