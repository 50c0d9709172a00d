"""One pool and one budget for several functions, plain and async, in threads and loops at once."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience import (
    KeyPool,
    NoKeyAvailableError,
    RetryBudget,
    Settings,
    resilient,
    retry,
)
from resilience.testing import no_waiting
from tests.support.faults import HttpError

THREADS = 16
CALLS = 30
KEYS = ("a", "b", "c")


def in_threads(*targets):
    """Run each in a thread, all at the same time, and return what they return."""
    start = threading.Barrier(len(targets))

    def begin(target):
        start.wait(30)
        return target()

    with ThreadPoolExecutor(len(targets)) as threads:
        return [future.result(60) for future in [threads.submit(begin, each) for each in targets]]


def in_a_loop(function, times):
    """Make a target that awaits so many calls at once, in a loop of its own."""

    async def call(number):
        try:
            return await function(number)
        except Exception as error:
            return type(error)

    async def main():
        return await asyncio.gather(*(call(number) for number in range(times)))

    return lambda: asyncio.run(main())


def in_a_row(function, times):
    """Make a target that makes so many calls, one after another."""

    def call(number):
        try:
            return function(number)
        except Exception as error:
            return type(error)

    return lambda: [call(number) for number in range(times)]


@pytest.mark.parametrize("minimum", [0, 7, 100])
def test_a_shared_budget_is_never_overspent(minimum):
    """Sixteen threads, some of them with loops, in which nothing ever succeeds: no retry more."""
    budget = RetryBudget(ratio=0, minimum=minimum, window=100_000)
    attempts, first = [], retry(max_retries=3, budget=budget)

    @first
    def fetch(number):
        attempts.append(number)
        raise OSError("down")

    @resilient(budget=budget, max_retries=3, failure_threshold=10_000, queue_size=1_000)
    def post(number):
        attempts.append(number)
        raise OSError("down")

    @first
    async def fetch_async(number):
        attempts.append(number)
        await asyncio.sleep(0)
        raise OSError("down")

    targets = [in_a_row((fetch, post)[number % 2], CALLS) for number in range(THREADS - 4)]
    targets += [in_a_loop(fetch_async, CALLS)] * 4
    with no_waiting():
        outcomes = in_threads(*targets)
        remaining = budget.remaining  # by the clock on which it was spent

    assert [OSError] * THREADS * CALLS == [each for some in outcomes for each in some]
    assert minimum == len(attempts) - THREADS * CALLS
    assert 0 == remaining


def test_a_shared_budget_grows_with_the_calls_of_all():
    """Half a retry for each call, whoever makes it."""
    budget = RetryBudget(ratio=0.5, minimum=0, window=100_000)
    attempts = []

    def down(number):
        attempts.append(number)
        raise OSError("down")

    functions = [retry(max_retries=1, budget=budget, jitter=0)(down) for _ in range(3)]
    with no_waiting():
        in_threads(*(in_a_row(functions[number % 3], 10) for number in range(12)))

    assert 120 + 60 == len(attempts)


@pytest.mark.parametrize("seed", range(3))
def test_one_pool_for_threads_and_loops(seed):
    """Each call has one of the keys; a throttled one rests for all; every lease comes back."""
    pool = KeyPool({name: f"key of {name}" for name in KEYS})
    used, throttled = Counter(), Counter()
    chance = random.Random(seed)

    def answer(api_key):
        used[api_key] += 1
        if chance.random() < 0.2:
            throttled[api_key] += 1
            raise HttpError(429, {"Retry-After": "1"})
        return api_key

    settings = Settings(
        max_retries=50, jitter=0, queue_size=10_000, failure_threshold=10_000, max_retry_delay=600
    )

    @resilient(settings, keys=pool)
    def fetch(number, api_key):
        return answer(api_key)

    @resilient(settings, keys=pool)
    async def fetch_async(number, api_key):
        await asyncio.sleep(0)
        return answer(api_key)

    with no_waiting():
        targets = [in_a_row(fetch, CALLS)] * 5 + [in_a_loop(fetch_async, CALLS)] * 3
        outcomes = [each for some in in_threads(*targets) for each in some]

    stats = pool.get_stats()
    assert 8 * CALLS == len(outcomes)
    assert {f"key of {name}" for name in KEYS} | {HttpError, NoKeyAvailableError} >= set(outcomes)
    assert set(KEYS) == {key.removeprefix("key of ") for key in used}
    assert 0 == stats["active_requests"]
    # A lease whose key began to rest while the call stood in line was refused, and never used.
    assert sum(used.values()) == stats["total_requests"] - stats["refused_requests"]
    assert sum(throttled.values()) == stats["failed_requests"]


def test_limits_of_an_entry_hold_for_all_functions():
    """One permit for each of two keys: never more than two requests, whoever makes them."""
    pool = KeyPool(["first", "second"], max_concurrent_requests=1, queue_size=1_000)
    lock, running, most = threading.Lock(), Counter(), Counter()

    def enter(key):
        with lock:
            running[key] += 1
            most[key] = max(most[key], running[key])

    def leave(key):
        with lock:
            running[key] -= 1

    @pool
    def fetch(number, api_key):
        enter(api_key)
        leave(api_key)

    @pool
    async def fetch_async(number, api_key):
        enter(api_key)
        await asyncio.sleep(0)
        leave(api_key)

    targets = [in_a_row(fetch, CALLS)] * 4 + [in_a_loop(fetch_async, CALLS)] * 2
    outcomes = [each for some in in_threads(*targets) for each in some]

    assert [None] * 6 * CALLS == outcomes
    assert {"first": 1, "second": 1} == dict(most)
    assert 0 == pool.get_stats()["active_requests"]
