"""The cost of one task that waits for a permit, among ten thousand and a hundred thousand.

No permit is free; so many tasks ask for one, and then all of them get their turn. The cost of one
is the time of all that, or the memory while all wait, divided by their number; the task itself is
included, and stands alone as "bare task", which waits for a future of its own.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import Any

import resilience
from benchmarks.functions import echo_async
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import VALUE

__all__ = ["CONTESTS", "LINES", "Line"]

_PERMITS = 5
_BASELINE = "asyncio.Semaphore"


@dataclass(frozen=True)
class Line:
    """A place to wait: nobody gets a turn until `release`."""

    call: Callable[[int], Coroutine[Any, Any, int]]
    release: Callable[[], object]


async def seconds_of_one(make: Callable[[], Line], number: int) -> float:
    """Return the time of one among `number`: task made, in line, run, its result fetched."""
    line = make()
    began = process_time()
    tasks = await _all_waiting(line, number)
    line.release()
    _check(await asyncio.gather(*tasks))
    return (process_time() - began) / number


async def bytes_of_one(make: Callable[[], Line], number: int) -> float:
    """Return the memory of one among `number` while all of them wait."""
    line = make()
    tracemalloc.start()
    tasks = await _all_waiting(line, number)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    line.release()
    _check(await asyncio.gather(*tasks))
    return used / number


async def _all_waiting(line: Line, number: int) -> list[asyncio.Task[int]]:
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(line.call(VALUE)) for _ in range(number)]
    await asyncio.sleep(0)  # each runs until it waits
    return tasks


def _check(answers: list[int]) -> None:
    assert VALUE * len(answers) == sum(answers)


def _semaphore() -> Line:
    permits = asyncio.Semaphore(0)

    async def call(value: int) -> int:
        async with permits:
            return await echo_async(value)

    def release() -> None:
        for _ in range(_PERMITS):
            permits.release()

    return Line(call, release)


def _queue(*, metrics_enabled: bool) -> Line:
    decorator: Any = resilience.prioritized(
        max_concurrent_requests=_PERMITS, queue_size=1_000_000, metrics_enabled=metrics_enabled
    )
    function = decorator(echo_async)
    function.queue.pause()
    return Line(function, function.queue.resume)


def _bare() -> Line:
    futures: list[asyncio.Future[None]] = []
    create_future = asyncio.get_running_loop().create_future

    async def call(value: int) -> int:
        future = create_future()
        futures.append(future)
        await future
        return await echo_async(value)

    def release() -> None:
        for future in futures:
            future.set_result(None)

    return Line(call, release)


LINES: dict[str, Callable[[], Any]] = {
    _BASELINE: lambda: _semaphore,
    PLAIN: lambda: partial(_queue, metrics_enabled=False),
    DEFAULT: lambda: partial(_queue, metrics_enabled=True),
    "bare task": lambda: _bare,
}

CONTESTS = (
    *(
        Contest(
            name=f"waiting-tasks-{number // 1_000}k",
            title=f"`@prioritized`, {number:,} tasks waiting, time of one",
            contestants=LINES,
            baseline=_BASELINE,
            unit="×",
            sample=seconds_of_one,
            echoes=False,
            number=number,
            with_gc=True,
            weight=30 * number // 10_000,
            is_long=number > 10_000,
        )
        for number in (10_000, 100_000)
    ),
    Contest(
        name="waiting-tasks-memory",
        title="`@prioritized`, 10,000 tasks waiting, memory of one",
        contestants=LINES,
        baseline=None,
        unit="bytes",
        sample=bytes_of_one,
        echoes=False,
        number=10_000,
        shown="bytes",
        weight=100,
    ),
)
