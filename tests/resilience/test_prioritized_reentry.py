"""Re-entry: whoever holds a permit goes on under it, and nobody else does; streams hold theirs."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from resilience import PriorityQueue, QueueFullError, prioritized
from tests.support.queues import Held


def advance(stream):
    """The next item of a stream, or what must be awaited for it."""
    return anext(stream) if hasattr(stream, "__anext__") else next(stream)


def shut(stream):
    """Close a stream, or return what must be awaited for it."""
    return stream.aclose() if hasattr(stream, "aclose") else stream.close()


@pytest.fixture
def queue():
    """One permit, and nobody may wait: whoever asks for a second one is refused."""
    return PriorityQueue(max_concurrent_requests=1, queue_size=0)


def test_trap_10_a_function_may_call_itself(run, queue):
    """Recursion goes on under the permit that it has: with one permit there is no deadlock."""

    @prioritized(queue)
    @run.steps
    def factorial(number):
        if number == 0:
            return queue.active
        return (yield factorial(number - 1))

    assert (1, 0) == (run.call(factorial, 5), queue.active)


def test_trap_10_functions_of_one_queue_may_call_each_other(run, queue):
    """A sibling of the same queue inherits the permit as well."""
    inner = prioritized(queue)(run.function(lambda: queue.active))

    @prioritized(queue)
    @run.steps
    def outer():
        return (yield inner())

    assert (1, 0) == (run.call(outer), queue.active)


def test_the_inner_call_does_not_give_the_permit_back(run, queue):
    """After the inner call, even one that fails, the outer one still holds its permit."""

    @prioritized(queue)
    @run.function
    def inner():
        raise OSError

    @prioritized(queue)
    @run.steps
    def outer():
        with pytest.raises(OSError):  # noqa: PT011 - it says nothing
            yield inner()
        return queue.active

    assert (1, 0) == (run.call(outer), queue.active)


def test_trap_10_a_generator_may_call_what_shares_its_queue(run, queue):
    """The permit that a stream holds serves the calls that are made while it is read."""
    call = prioritized(queue)(run.function(lambda: queue.active))
    items = prioritized(queue)(run.function(lambda: (yield from range(2))))

    @run.steps
    def read():
        stream = items()
        seen = [(yield advance(stream)), (yield call()), (yield advance(stream)), (yield call())]
        yield shut(stream)
        return seen

    assert [0, 1, 1, 1] == run.call(read)
    assert 0 == queue.active


def test_a_thread_that_is_started_inside_needs_a_permit_of_its_own(queue):
    """The holder is the thread: one that it starts is somebody else."""

    @prioritized(queue)
    def outer():
        def refused():
            with pytest.raises(QueueFullError) as caught:
                outer()
            seen.append(caught)

        thread = threading.Thread(target=refused)
        thread.start()
        thread.join()

    seen = []
    outer()

    assert 1 == len(seen)


def test_a_task_that_is_started_inside_needs_a_permit_of_its_own(queue):
    """The holder is the task: a child task inherits the context, but not the permit."""

    @prioritized(queue)
    async def outer(depth=0):
        if depth:
            return "never"
        return await asyncio.create_task(outer(1))

    with pytest.raises(QueueFullError):
        asyncio.run(outer())

    assert 0 == queue.active


def test_an_awaited_coroutine_is_no_task(queue):
    """What is awaited, and not started as a task, belongs to its caller."""

    @prioritized(queue)
    async def outer(depth=0):
        return queue.active if depth else await outer(1)

    assert 1 == asyncio.run(outer())


def test_sync_inside_async_is_the_same_task(queue):
    """A plain function that is called in a task goes on under the task's permit."""
    plain = prioritized(queue)(lambda: queue.active)

    @prioritized(queue)
    async def outer():
        return plain()

    assert (1, 0) == (asyncio.run(outer()), queue.active)


def test_a_number_that_a_thread_left_behind_inherits_nothing(queue):
    """A thread that ended with its stream open holds on; a new thread is not mistaken for it."""

    @prioritized(queue)
    def items():
        yield from range(3)

    streams, outcomes = [], []

    def open_one():
        stream = items()
        next(stream)
        streams.append(stream)

    def knock():
        try:
            next(items())
        except QueueFullError:
            outcomes.append("refused")

    for target in (open_one, *[knock] * 30):  # the system gives the same number again
        thread = threading.Thread(target=target)
        thread.start()
        thread.join()

    assert (["refused"] * 30, 1) == (outcomes, queue.active)
    assert [1, 2] == list(streams[0])
    assert 0 == queue.active


def test_a_task_that_left_its_stream_behind_is_not_kept_alive(queue):
    """A stream that outlives its task holds the permit; a later task gets none with it."""

    @prioritized(queue)
    async def items():
        for number in range(3):
            yield number

    async def open_one():
        stream = items()
        await anext(stream)
        return stream

    async def main():
        stream = await asyncio.create_task(open_one())
        for _ in range(20):  # one of them would get the place in memory of the first
            with pytest.raises(QueueFullError):
                await asyncio.create_task(open_one())
        return [item async for item in stream]

    assert ([1, 2], 0) == (asyncio.run(main()), queue.active)


# -- streams that share one permit -----------------------------------------------------------


def test_a_stream_that_inherited_its_permit_may_outlive_the_call(run, queue):
    """The permit is held until the last of those who share it has ended: never over the limit."""
    items = prioritized(queue)(run.function(lambda: (yield from range(2))))

    @run.steps
    def read():
        first, second, third = items(), items(), items()
        seen = [(yield advance(first)), (yield advance(second))]
        yield shut(first)
        seen.append(queue.active)
        seen.append((yield advance(third)))  # still the same holder
        yield shut(second)
        seen.append(queue.active)
        yield shut(third)
        return seen

    assert [0, 0, 1, 0, 1] == run.call(read)
    assert 0 == queue.active


def test_a_shared_permit_keeps_others_out():
    """While an inherited stream is open, no other thread runs; then the next waiter does."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @prioritized(queue)
    def items():
        yield from range(2)

    first, second = items(), items()
    next(first)
    next(second)
    first.close()
    entered = threading.Event()
    other = threading.Thread(target=lambda: (next(items()), entered.set()))
    other.start()
    while not queue.size:
        pass
    before = entered.is_set(), queue.active
    second.close()
    other.join()

    assert ((False, 1), True) == (before, entered.is_set())
    gc.collect()
    assert 0 == queue.active


def test_an_inherited_stream_that_fails_to_open_shares_nothing(run, queue):
    """An error before the first item leaves the outer call's permit as it was."""

    def items():
        raise OSError
        yield

    failing = prioritized(queue)(run.function(items))

    @prioritized(queue)
    @run.steps
    def outer():
        with pytest.raises(OSError):  # noqa: PT011 - it says nothing
            yield advance(failing())
        return queue.active, queue._shares

    assert ((1, {}), 0) == (run.call(outer), queue.active)


# -- how long a stream holds its permit -------------------------------------------------------


def items_of(run, queue, body=lambda: (yield from range(3))):
    """A decorated generator function with this body."""
    return run.decorate(prioritized(queue), body)


def test_trap_4_a_stream_holds_its_permit_to_the_end(run, queue):
    """From the first item to the last, and not before the first: making a stream runs nothing."""
    items = items_of(run, queue)
    stream = items()
    held = [queue.active]
    held.extend(queue.active for _ in stream)

    assert [0, 1, 1, 1, 0] == [*held, queue.active]


def test_trap_4_leaving_a_stream_gives_the_permit_back(run, queue):
    """Closing it, throwing into it and its own failure all end it."""

    def failing():
        yield 1
        raise OSError

    closed, thrown, failed = (
        items_of(run, queue)(),
        items_of(run, queue)(),
        items_of(run, queue, failing)(),
    )
    held = []
    next(closed)
    closed.close()
    held.append(queue.active)
    next(thrown)
    with pytest.raises(KeyError):
        thrown.throw(KeyError())
    held.append(queue.active)
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        list(failed)

    assert [0, 0, 0] == [*held, queue.active]


def test_trap_4_a_forgotten_stream_gives_the_permit_back(queue):
    """A stream that is dropped in the middle is closed by the garbage collector."""
    stream = prioritized(queue)(lambda: (yield from range(3)))()
    next(stream)
    del stream
    gc.collect()

    assert 0 == queue.active


def test_trap_4_a_forgotten_async_stream_gives_the_permit_back(queue):
    """The same on a loop, whose hook closes what was forgotten."""

    @prioritized(queue)
    async def items():
        for number in range(3):
            yield number

    async def main():
        async for _ in items():
            break
        gc.collect()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return queue.active

    assert 0 == asyncio.run(main())


def test_a_stream_that_is_closed_in_another_thread_gives_the_permit_back(queue):
    """Who closes a stream need not be who opened it."""
    stream = prioritized(queue)(lambda: (yield from range(3)))()
    next(stream)
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join()

    assert 0 == queue.active


def test_trap_10_a_garbage_collection_in_the_midst_of_a_step_is_no_second_step(run, monkeypatch):
    """A stream in a cycle may be closed while the lock of its queue is held, and must wait then.

    It neither deadlocks nor hands the permit of the interrupted step to the same waiter again.
    """
    queue = PriorityQueue(max_concurrent_requests=2)
    machine = type(queue._machine)
    stream = prioritized(queue)(lambda: (yield from range(3)))()
    next(stream)
    cycle = [stream]
    cycle.append(cycle)
    held = Held(run, queue)
    calls = [held.start(name) for name in ("running", "first", "second")]
    del stream, cycle
    best = machine._next_line

    def collecting(self, now):
        chosen = best(self, now)
        gc.collect()
        return chosen

    monkeypatch.setattr(machine, "_next_line", collecting)
    queue.resize(max_concurrent_requests=3)

    assert ["running", "first", "second"] == held.let_all_go(*calls)
    assert (0, 0) == (queue.active, queue.size)


def test_a_queue_can_be_used_without_decorating(run):
    """`permit()` is the same permit: it waits, it is inherited, and it is given back."""
    queue = PriorityQueue(max_concurrent_requests=1)
    held = Held(run, queue)

    async def inside_async():
        async with queue.permit(), queue.permit():
            await asyncio.sleep(0)
            return queue.active

    def inside():
        with queue.permit(), queue.permit():
            return queue.active

    before = held.start("before")
    call = run.start(inside_async if run.flavour == "async" else inside)
    run.until(lambda: 1 == queue.size)

    held.let_go("before")
    assert ("before", 1, 0) == (before.result(), call.result(), queue.active)


def test_one_permit_object_may_be_used_again_and_within_itself(queue):
    """It is given back at the end of the outermost block."""
    permit = queue.permit(priority="high")
    held = []
    for _ in range(2):
        with permit:
            with permit:
                held.append(queue.active)
            held.append(queue.active)
        held.append(queue.active)

    assert [1, 1, 0] * 2 == held


def test_a_permit_is_given_back_by_whoever_leaves_the_block(queue):
    """Fixtures may enter a block in one task and leave it in another."""
    permit = queue.permit()

    async def main():
        await asyncio.create_task(permit.__aenter__())
        held = queue.active
        await asyncio.create_task(permit.__aexit__())
        return held, queue.active

    assert (1, 0) == asyncio.run(main())
