"""More calls that wait for a permit, submitted and as tasks: what one of them costs.

They are the contests `waiting-jobs` and `waiting-tasks` at more sizes; a small size is repeated,
so that every sample has as many calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contests import waiting_jobs, waiting_tasks
from benchmarks.harness import DEFAULT, PLAIN, fresh
from benchmarks.series import Series, Step

__all__ = ["SERIES"]

_CALLS = 1_000  # in a sample, at least
_BARE = "bare task"  # what a task costs, and that it costs more among many, is not ours


def _jobs(make: Callable[[], waiting_jobs.Line]) -> Callable[[int], Step]:
    def line(size: int) -> Step:
        place, sample, times = make(), fresh(waiting_jobs.seconds_of_one), _times(size)
        return lambda _: sum(sample(place, size) for _ in range(times)) / times

    return line


def _tasks(make: Callable[[], Any]) -> Callable[[int], Step]:
    def line(size: int) -> Step:
        place, sample, times = make(), fresh(waiting_tasks.seconds_of_one), _times(size)

        async def step() -> float:
            total = 0.0
            for _ in range(times):
                total += await sample(place, size)
            return total / times

        return lambda _: step()

    return line


def _times(size: int) -> int:
    return max(1, _CALLS // size)


SERIES = (
    Series(
        name="waiting-submitted",
        title="`submit`, one that waits",
        axis="waiting",
        sizes=(10, 1_000, 100_000),
        lines={label: _jobs(make) for label, make in waiting_jobs.LINES.items()},
        goals={PLAIN: 1.5, DEFAULT: 1.5},
        with_gc=True,
        weight=75,
        is_long=True,
    ),
    Series(
        name="waiting-awaited",
        title="`@prioritized`, a task that waits",
        axis="waiting",
        sizes=(10, 1_000, 100_000),
        lines={label: _tasks(make) for label, make in waiting_tasks.LINES.items()},
        goals={PLAIN: _BARE, DEFAULT: _BARE},
        with_gc=True,
        weight=75,
        is_long=True,
    ),
)
