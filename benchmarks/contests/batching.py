"""A thousand tasks at once, each with one item, and a function that takes a list of them.

The baseline has no lists: as many tasks call a coroutine function of one item. All flush at once
what is full; what is left waits for nobody, or for a millisecond where a peer must wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import Any

import resilience
from benchmarks.functions import echo_async
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import VALUE

__all__ = ["CONTESTS"]

_TASKS = 1_000
_BASELINE = "plain gather"
_RIVAL = "aiodataloader"

Ask = Callable[[int], Awaitable[int]]


async def seconds_of_one(make: Callable[[], Ask], number: int) -> float:
    """Return the time that passes for one of so many tasks, made and gathered."""
    ask = make()  # in here: some of them belong to their event loop

    async def task() -> int:
        return await ask(VALUE)

    assert VALUE == await task()
    began = perf_counter()
    answers = await asyncio.gather(*[task() for _ in range(number)])
    seconds = perf_counter() - began
    assert VALUE * number == sum(answers)
    return seconds / number


async def _echo_all(values: list[int]) -> list[int]:
    return list(values)


def _ours(size: int, *, metrics_enabled: bool) -> Ask:
    decorator: Any = resilience.batched(
        max_batch_size=size, batch_timeout=0, metrics_enabled=metrics_enabled
    )
    function: Ask = decorator(_echo_all)
    return function


def _aiodataloader(size: int) -> Callable[[], Ask]:
    from aiodataloader import DataLoader

    return lambda: DataLoader(_echo_all, max_batch_size=size, cache=False).load


def _batched(size: int) -> Callable[[], Ask]:
    from batched.aio import dynamically

    return lambda: dynamically(batch_size=size, timeout_ms=1)(_echo_all)


def _contestants(size: int) -> dict[str, Callable[[], Any]]:
    return {
        _BASELINE: lambda: lambda: echo_async,
        PLAIN: lambda: partial(_ours, size, metrics_enabled=False),
        DEFAULT: lambda: partial(_ours, size, metrics_enabled=True),
        _RIVAL: partial(_aiodataloader, size),
        "batched": partial(_batched, size),
    }


CONTESTS = tuple(
    Contest(
        name=f"batched-tasks-{size}",
        title=f"`@batched`, {_TASKS:,} tasks, batches of {size}, async, items per second",
        contestants=_contestants(size),
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: _RIVAL, DEFAULT: _RIVAL},
        sample=seconds_of_one,
        echoes=False,
        number=_TASKS,
        shown="k/s",
        is_rate=True,
        weight=6,
    )
    for size in (8, 32, 256)
)
