"""Cancelled at each of its awaits, a retry ends there and keeps nothing."""

from __future__ import annotations

import asyncio
import gc

import pytest

from resilience import RetryBudget, get_stats, retry
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import failing
from tests.support.stepping import cancelled_at_every_step, finish


async def give_way(record=None):
    """One await."""
    await asyncio.sleep(0)


def awaiting(body):
    """A coroutine function that gives way before and after it is called."""

    async def fetch():
        await asyncio.sleep(0)
        try:
            return body()
        finally:
            await asyncio.sleep(0)

    return fetch


def fails_once(decorator):
    """Gives a fresh call each time, whose first attempt fails."""

    def make():
        return decorator(awaiting(failing(OSError)))()

    return make


def test_trap_3_cancelled_at_any_await_the_call_ends_there():
    """In the attempt, in the hook, in the back-off: no further attempt is made."""
    attempts = []

    def make():
        body = failing(OSError, OSError, OSError)
        attempts.append(body.times)
        return retry(before_retry=give_way)(awaiting(body))()

    with no_waiting():
        plain = make()
        assert "done" == finish(plain)
        cancelled = cancelled_at_every_step(make, lambda step: None)

    # Four attempts of two awaits each, with three hooks and three sleeps between them.
    assert 4 * 2 + 3 * 2 == cancelled
    assert [0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4] == [len(times) for times in attempts[1:-1]]


def test_trap_3_a_cancelled_call_is_neither_success_nor_failure():
    """Whenever it was cancelled; the retries made until then do count."""
    with no_waiting():
        cancelled = cancelled_at_every_step(
            fails_once(retry(name="cancelled retry")), lambda step: None
        )

    stats = get_stats("cancelled retry")
    assert cancelled == stats["cancelled_requests"]
    assert (1, 0) == (stats["successful_requests"], stats["failed_requests"])


def test_trap_3_a_cancelled_call_leaves_nothing_behind():
    """No object of the retry outlives it, once the coroutine is gone."""
    from resilience._recovery import Recovery

    gc.collect()
    before = sum(isinstance(thing, Recovery) for thing in gc.get_objects())
    with no_waiting():
        cancelled_at_every_step(fails_once(retry), lambda step: None)
    gc.collect()

    assert before == sum(isinstance(thing, Recovery) for thing in gc.get_objects())


def test_a_cancelled_back_off_ends_at_once():
    """On a real loop: an hour of back-off does not hold up a cancellation."""
    body = failing(*[OSError] * 99)
    fetch = retry(initial_retry_delay=3_600, max_retry_delay=3_600)(awaiting(body))

    async def main():
        task = asyncio.create_task(fetch())
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())

    assert 1 == len(body.times)


def test_a_time_out_around_a_retry_ends_it():
    """`asyncio.timeout` outside is the caller's: it is not taken for a failure to be retried."""
    body = failing(*[OSError] * 99)

    async def main():
        from resilience import _clock

        async with _clock.timeout(5):
            await retry(jitter=0)(awaiting(body))()

    with FakeClock() as clock, pytest.raises(TimeoutError):
        asyncio.run(main())

    assert (5, [0, 1, 3]) == (clock.now, body.times)


def test_a_time_out_inside_is_a_failure():
    """The function's own time-out makes an ordinary error of it, which is retried."""
    attempts = []

    @retry(max_retries=2, jitter=0)
    async def fetch():
        from resilience import _clock

        attempts.append(_clock.now())
        async with _clock.timeout(10):
            await asyncio.Event().wait()

    with FakeClock(), pytest.raises(TimeoutError):
        asyncio.run(fetch())

    assert [0, 11, 23] == attempts


def test_a_cancelled_call_gives_no_retry_back():
    """A retry that was taken out of a budget is spent, though its wait was cancelled."""
    budget = RetryBudget(ratio=0, minimum=99)
    with no_waiting():
        cancelled = cancelled_at_every_step(fails_once(retry(budget=budget)), lambda step: None)

        # Two awaits of the first attempt come before the retry, three after it; one ended well.
        assert (5, 99 - 4) == (cancelled, budget.remaining)
