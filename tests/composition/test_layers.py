"""Layers together: what a retry holds while it sleeps, and what comes back to where."""

from __future__ import annotations

import asyncio

import pytest

from resilience import (
    CircuitOpenError,
    KeyPool,
    NoKeyAvailableError,
    PriorityQueue,
    QueueFullError,
    _clock,
    deadline,
    prioritized,
    resilient,
    retry,
)
from resilience._context import _PLACES
from resilience.telemetry import RetryScheduled
from resilience.testing import FakeClock, capture_events, no_waiting
from tests.support.faults import HttpError, failing
from tests.support.stepping import cancelled_at_every_step

EXACT = {"jitter": 0, "failure_threshold": 99}


def test_trap_12_a_sleeping_retry_holds_no_permit(run):
    """Before the back-off begins the permit is back, so that others can pass meanwhile."""
    queue = PriorityQueue(max_concurrent_requests=1)
    active = []
    decorator = retry(before_retry=lambda _: active.append(queue.active))

    def fetch():
        active.append(queue.active)
        return body()

    body = failing(OSError)
    with no_waiting():
        assert "done" == run.decorate(lambda f: decorator(prioritized(queue)(f)), fetch)()

    assert [1, 0, 1] == active


def test_trap_12_others_pass_while_a_retry_sleeps():
    """One permit, and a call that backs off for a minute: the next one does not wait for it."""
    body = failing(OSError)
    passed = []

    @resilient(max_concurrent_requests=1, initial_retry_delay=60, **EXACT)
    async def fetch():
        await asyncio.sleep(0)
        return body()

    @resilient(queue=fetch.queue)
    async def other():
        passed.append(_clock.now())

    async def main():
        task = asyncio.create_task(fetch())
        await _clock.sleep_async(10)
        await other()
        await task

    with FakeClock() as clock:
        asyncio.run(main())

        assert ([10], 60) == (passed, clock.now)


def test_trap_12_a_sleeping_retry_holds_no_key():
    """A key that rests is not blocked by the call that waits for it."""
    pool = KeyPool({"only": "the-key"})
    active = []

    @resilient(keys=pool, **EXACT)
    async def fetch(api_key):
        active.append(pool.get_stats()["active_requests"])
        if len(active) == 1:
            raise HttpError(429, {"Retry-After": "30"})

    async def main():
        task = asyncio.create_task(fetch())
        await _clock.sleep_async(15)
        asleep = pool.get_stats()["active_requests"]
        await task
        return asleep

    with FakeClock() as clock:
        assert 0 == asyncio.run(main())

        assert ([1, 1], 30) == (active, clock.now)


def test_trap_12_each_attempt_counts_in_the_breaker(run):
    """Not only the outcome of the call."""
    fetch = run.decorate(resilient(failure_threshold=3, jitter=0), failing(*[OSError] * 9))
    with FakeClock(), pytest.raises(OSError, match="scripted"):
        fetch()

    assert 3 == fetch.circuit_breaker.failure_count


def test_a_call_that_waits_in_the_queue_meets_the_breaker_at_its_turn(run):
    """The circuit opened while it stood in line: it is not sent."""
    gate = run.gate()
    sent = []

    @run.drive
    @resilient(max_concurrent_requests=1, failure_threshold=1, max_retries=0)
    @run.steps
    def fetch(number):
        sent.append(number)
        yield gate.wait()
        raise OSError("down")

    first, second = run.start(fetch, 1), run.start(fetch, 2)
    run.until(lambda: (1, 1) == (gate.arrived, fetch.queue.size))
    gate.open()
    with pytest.raises(OSError, match="down"):
        first.result()
    with pytest.raises(CircuitOpenError):
        second.result()

    assert 1 == len(sent)


def test_a_full_queue_is_not_retried(run):
    """The refusal comes out at once: waiting in line again would be waiting in line."""
    queue = PriorityQueue(max_concurrent_requests=1, queue_size=0)
    gate = run.gate()
    held = prioritized(queue)(run.steps(lambda: (yield gate.wait())))
    call = run.start(held)
    run.until(lambda: 1 == gate.arrived)
    fetch = run.decorate(resilient(queue=queue), failing())
    with FakeClock(autojump=False) as clock, pytest.raises(QueueFullError):
        fetch()
    gate.open()
    call.result()

    assert 0 == clock.now


def test_when_all_keys_rest_the_retry_waits_for_the_first(run):
    """Two keys throttled for different times: the call goes on with the one that wakes first."""
    keys = []

    def fetch(api_key):
        keys.append((_clock.now(), api_key))
        if len(keys) <= 2:
            raise HttpError(429, {"Retry-After": "50" if api_key == "first-key" else "20"})
        return api_key

    pool = KeyPool(["first-key", "second-key"])
    with FakeClock(), capture_events() as events:
        assert "second-key" == run.decorate(resilient(keys=pool, **EXACT), fetch)()

    assert [(0, "first-key"), (0, "second-key"), (20, "second-key")] == keys
    waits = [event for event in events if isinstance(event, RetryScheduled)]
    assert [("rate_limit", "server", 20)] == [
        (wait.reason, wait.source, wait.delay) for wait in waits
    ]


def test_when_all_keys_rest_for_too_long_the_real_error_comes_out(run):
    """With the earliest waking, so that the caller knows when to come back."""
    fetch = run.decorate(
        resilient(keys=KeyPool(["first-key"]), **EXACT),
        lambda api_key: failing(HttpError(429, {"Retry-After": "300"}))(),
    )
    with FakeClock() as clock:
        with pytest.raises(HttpError) as caught:
            fetch()
        with pytest.raises(NoKeyAvailableError) as refused:
            fetch()

        assert (0, 300, 300) == (clock.now, caught.value.retry_after, refused.value.retry_after)


def test_a_deadline_bounds_the_whole_stack(run):
    """Waits for keys and back-off together never pass it."""
    body = failing(*[OSError] * 99)
    fetch = run.decorate(resilient(max_retries=99, **EXACT), body)
    with FakeClock() as clock:
        with deadline(20), pytest.raises(OSError, match="scripted"):
            fetch()

        assert 15 == clock.now
    assert [0, 1, 3, 7, 15] == body.times


async def give_way(record=None):
    """One await."""
    await asyncio.sleep(0)


def whole_stack(pool, queue, outcomes):
    """A coroutine function in a stack of all layers, whose attempts end so."""
    body = failing(*outcomes)

    @retry(before_retry=give_way, jitter=0)
    @resilient(keys=pool, queue=queue, max_retries=0, failure_threshold=2)
    async def fetch(api_key):
        await asyncio.sleep(0)
        try:
            return body()
        finally:
            await asyncio.sleep(0)

    return fetch


@pytest.mark.parametrize(
    ("outcomes", "awaits"),
    [
        ([], 2),
        ([OSError], 2 + 2 + 2),
        ([HttpError(429)], 2 + 2),
        ([HttpError(401), OSError], 2 + 2 + 2 + 2),
        ([HttpError(400)], 2),
    ],
    ids=["success", "failure", "other key", "other key and failure", "permanent"],
)
def test_trap_3_cancelled_at_any_await_nothing_is_leaked(outcomes, awaits):
    """Permit, lease, place in the queue: whatever was held is given back.

    There are two awaits in each attempt, and two, in hook and sleep, before a retry.
    """
    stacks = []

    def make():
        pool = KeyPool(["first-key", "second-key"])
        queue = PriorityQueue(max_concurrent_requests=1)
        stacks[:] = [pool, queue]
        return _swallow(whole_stack(pool, queue, outcomes))

    def check(step):
        pool, queue = stacks

        assert (0, 0) == (queue.active, queue.size)
        assert 0 == pool.get_stats()["active_requests"]
        assert () == _PLACES.get()

    with no_waiting():
        assert awaits == cancelled_at_every_step(make, check)


async def _swallow(function):
    """Let the call end badly, if it does so by itself."""
    try:
        return await function()
    except (OSError, HttpError) as error:
        return error


def test_trap_3_a_cancelled_probe_gives_its_place_back():
    """Half-open, the only probe is cancelled at each of its awaits: the next one may probe."""
    stacks = []

    def make():
        body = failing(OSError)

        @resilient(max_retries=0, failure_threshold=1, reset_timeout=0, queue_enabled=False)
        async def fetch():
            await asyncio.sleep(0)
            return body()

        stacks[:] = [fetch]

        async def main():
            await _swallow(fetch)
            return await fetch()

        return main()

    def check(step):
        assert stacks[0].circuit_breaker.state in ("CLOSED", "HALF-OPEN")

    assert 2 == cancelled_at_every_step(make, check)


def test_one_call_is_one_record_whatever_the_stack(run):
    """Retries, keys and queue: one call finishes once."""
    fetch = run.decorate(
        resilient(keys=KeyPool(["first-key", "second-key"]), **EXACT),
        lambda api_key: next(script)(),
    )
    script = iter([failing(HttpError(429)), failing(OSError), lambda: "done"])
    with no_waiting(), capture_events() as events:
        assert "done" == fetch()

    kinds = [type(event).__name__ for event in events]
    assert ["KeyRested", "RetryScheduled", "CallFinished"] == kinds


def test_a_retry_does_not_sleep_towards_a_circuit_that_it_has_opened(run):
    """The failure that opens the circuit for longer than the next delay is the last one."""
    fetch = run.decorate(
        resilient(failure_threshold=2, reset_timeout=30, jitter=0), failing(*[ConnectionError] * 9)
    )
    with FakeClock() as clock:
        with pytest.raises(ConnectionError) as caught:
            fetch()
        slept = clock.now

    assert 1.0 == slept  # before the second attempt, which opened it
    assert 30.0 == caught.value.retry_after
    assert "the circuit is open for 30 s" in caught.value.__notes__[0]


def test_a_retry_sleeps_past_a_circuit_that_heals_in_time(run):
    """A circuit that lets a probe through before the next attempt is no reason to stop."""
    fetch = run.decorate(
        resilient(failure_threshold=2, reset_timeout=1.5, jitter=0), failing(OSError, OSError)
    )
    with FakeClock():
        assert "done" == fetch()
