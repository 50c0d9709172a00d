"""Trap 4, the ends that nobody wrote: forgotten, cancelled, moved to another task or thread."""

from __future__ import annotations

import asyncio
import gc
import threading
from contextvars import ContextVar

import pytest

from resilience import _clock, circuit_breaker, prioritized, resilient, retry
from resilience.testing import FakeClock
from tests.support.decorators import pool_of

POOL = pool_of("a")


def stack(function):
    """Retry, key pool, queue and breaker around a generator function that takes `key`."""
    return retry(jitter=0)(POOL.inject("key")(prioritized(circuit_breaker(function))))


def held(function):
    """Permits and leases that are held now."""
    return function.queue.active, POOL.get_stats()["active_requests"]


@stack
def numbers(*, key):
    """Give numbers, endlessly."""
    number = 0
    while True:
        yield number
        number += 1


@stack
async def numbers_later(*, key, gate=None):
    """Give numbers, endlessly, with something to wait for before each."""
    number = 0
    while True:
        if gate is not None:
            await gate.wait()
        await asyncio.sleep(0)
        yield number
        number += 1


def test_trap_4_a_forgotten_stream_gives_everything_back():
    """A loop that is left with `break` closes its generator when nobody holds it any more."""
    for number in numbers():
        if number == 2:
            break

    gc.collect()
    assert (0, 0) == held(numbers)


def test_trap_4_a_forgotten_async_stream_gives_everything_back():
    """The event loop closes it a moment later."""

    async def main():
        async for number in numbers_later():
            if number == 2:
                break
        gc.collect()
        while (0, 0) != held(numbers_later):  # noqa: ASYNC110 - no event tells when
            await asyncio.sleep(0)

    asyncio.run(main())

    assert (0, 0) == held(numbers_later)


def test_trap_4_a_stream_that_outlives_its_loop_is_closed_with_it():
    """`asyncio.run` closes what is left open at its end."""
    kept = []

    async def main():
        stream = numbers_later()
        kept.append(stream)
        return await anext(stream)

    assert 0 == asyncio.run(main())
    assert (0, 0) == held(numbers_later)


def test_trap_4_one_thread_begins_and_another_one_ends():
    """What is held belongs to the stream, not to the thread that opened it."""
    stream = numbers()
    next(stream)
    thread = threading.Thread(target=stream.close)
    thread.start()
    thread.join()

    assert (0, 0) == held(numbers)


def test_trap_4_one_task_begins_and_another_one_ends():
    """No token of a context variable is reset in the wrong context."""

    async def main():
        stream = numbers_later()
        await asyncio.create_task(anext(stream))
        await asyncio.create_task(anext(stream))
        await asyncio.create_task(stream.aclose())

    asyncio.run(main())

    assert (0, 0) == held(numbers_later)


@pytest.mark.parametrize("step", [1, 3])
def test_trap_4_a_cancelled_step_ends_the_stream(step):
    """Cancelled while it opens or later: the lease and the permit are back at once."""

    async def main():
        gate = asyncio.Event()
        gate.set()
        stream = numbers_later(gate=gate)
        for _ in range(step - 1):
            await anext(stream)
        gate.clear()
        task = asyncio.create_task(anext(stream))
        for _ in range(5):
            await asyncio.sleep(0)

        assert (1, 1) == held(numbers_later)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (0, 0) == held(numbers_later)
        assert [] == [number async for number in stream]

    asyncio.run(main())


def test_trap_4_a_time_out_of_the_consumer_hits_the_consumer():
    """The time for an attempt is over with the first item: it never cancels the consumer's code."""

    @resilient(attempt_timeout=10)
    async def slow():
        yield 1
        await _clock.sleep_async(60)
        yield 2

    async def main():
        received = []
        async for number in slow():
            await _clock.sleep_async(60)
            received.append((number, asyncio.current_task().cancelling()))
        return received

    with FakeClock():
        assert [(1, 0), (2, 0)] == asyncio.run(main())


WHO = ContextVar("who", default="nobody")


def test_trap_4_each_step_runs_in_the_context_of_its_consumer():
    """The generator sees the consumer's variables of now, as a bare one does."""

    @retry
    async def observe():
        while True:
            yield WHO.get()

    async def main():
        stream, seen = observe(), []
        for name in ("first", "second"):
            WHO.set(name)
            seen.append(await anext(stream))
        await stream.aclose()
        return seen

    assert ["first", "second"] == asyncio.run(main())


def test_trap_4_a_generator_that_will_not_close_is_an_error(run):
    """As for a bare one: a `yield` in answer to `close()` is a RuntimeError, and nothing leaks."""

    @run.decorate(stack)
    def stubborn(*, key):
        try:
            yield 1
        except GeneratorExit:
            yield 2

    stream = stubborn()
    next(stream)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        stream.close()

    assert (0, 0) == held(stubborn)
    with pytest.raises(StopIteration):
        next(stream)
