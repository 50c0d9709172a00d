"""More callers at once: tasks of one loop, and threads, that share the five permits of a stack.

The function answers at once, for a task after it has let the others run, so that the cost is that
of waiting for one another. A stack is a retry, a breaker and a limit; the bare way is a semaphore.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from time import process_time
from typing import Any

import resilience
from benchmarks.functions import echo
from benchmarks.harness import DEFAULT, PLAIN, fresh
from benchmarks.samples import VALUE, of_threads
from benchmarks.series import Series, Step

__all__ = ["SERIES"]

_PERMITS = 5
_CALLS = 2_000  # in a sample, however many callers share them
_MOST = 10_000  # that may wait

Decorate = Callable[[Any], Any]


async def _step_aside(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def seconds_of_a_call(make: Callable[[], Any], tasks: int) -> float:
    """Return the processor's time for one call while so many tasks share all of them."""
    function = make()

    async def work() -> None:
        for _ in range(_CALLS // tasks):
            assert VALUE == await function(VALUE)

    began = process_time()
    await asyncio.gather(*[work() for _ in range(tasks)])
    return (process_time() - began) / _CALLS


def _ours(*, metrics_enabled: bool) -> Decorate:
    return resilience.resilient(
        max_concurrent_requests=_PERMITS, queue_size=_MOST, metrics_enabled=metrics_enabled
    )


def _pyresilience() -> Decorate:
    from pyresilience import BulkheadConfig, CircuitBreakerConfig, RetryConfig, resilient

    return resilient(
        retry=RetryConfig(max_attempts=6),
        circuit_breaker=CircuitBreakerConfig(failure_threshold=5, recovery_timeout=30),
        bulkhead=BulkheadConfig(max_concurrent=_PERMITS, max_wait=600),
    )


def _semaphore(function: Any) -> Any:
    permits = threading.Semaphore(_PERMITS)

    def call(value: int) -> Any:
        with permits:
            return function(value)

    return call


def _semaphore_async(function: Any) -> Any:
    permits = asyncio.Semaphore(_PERMITS)

    async def call(value: int) -> Any:
        async with permits:
            return await function(value)

    return call


_STACKS: dict[str, Callable[[], Decorate]] = {
    PLAIN: partial(_ours, metrics_enabled=False),
    DEFAULT: partial(_ours, metrics_enabled=True),
    "pyresilience": _pyresilience,
}


def _of_tasks(make: Callable[[], Decorate]) -> Callable[[int], Step]:
    def line(size: int) -> Step:
        decorate, sample = make(), fresh(seconds_of_a_call)
        return lambda _: sample(lambda: decorate(_step_aside), size)

    return line


def _of_threads(make: Callable[[], Decorate]) -> Callable[[int], Step]:
    def line(size: int) -> Step:
        function, sample = make()(echo), of_threads(size)
        return lambda _: sample(function, _CALLS)

    return line


SERIES = (
    Series(
        name="callers-tasks",
        title="a stack of five permits, time of one call",
        axis="tasks",
        sizes=(1, 10, 100, 1_000),
        lines={
            label: _of_tasks(make)
            for label, make in {"asyncio.Semaphore": lambda: _semaphore_async, **_STACKS}.items()
        },
        weight=30,
    ),
    Series(
        name="callers-threads",
        title="a stack of five permits, time that passes for one call",
        axis="threads",
        sizes=(1, 4, 16, 64),
        lines={
            label: _of_threads(make)
            for label, make in {"threading.Semaphore": lambda: _semaphore, **_STACKS}.items()
        },
        weight=30,
    ),
)
