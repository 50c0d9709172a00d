"""The cost of one submitted call that waits, among ten thousand and a hundred thousand.

No permit is free; so many calls are submitted, and then all of them get their turn. The cost of
one is the time of all that, or the memory while all wait, divided by their number.
"""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import Any

import resilience
from benchmarks.functions import echo
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import VALUE

__all__ = ["CONTESTS", "LINES", "Line"]

_WORKERS = 5
_BASELINE = "ThreadPoolExecutor"


@dataclass(frozen=True)
class Line:
    """A place to wait: nobody gets a turn between `hold` and `release`."""

    submit: Callable[[int], Future[int]]
    hold: Callable[[], object]
    release: Callable[[], object]


def seconds_of_one(line: Line, number: int) -> float:
    """Return the time of one among `number`: submitted, in line, run, its result fetched."""
    line.hold()
    began = process_time()
    futures = [line.submit(VALUE) for _ in range(number)]
    line.release()
    _check(futures)
    return (process_time() - began) / number


def bytes_of_one(line: Line, number: int) -> float:
    """Return the memory of one among `number` while all of them wait."""
    line.hold()
    tracemalloc.start()
    futures = [line.submit(VALUE) for _ in range(number)]
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    line.release()
    _check(futures)
    return used / number


def _check(futures: list[Future[int]]) -> None:
    assert VALUE * len(futures) == sum(future.result() for future in futures)


def _executor() -> Line:
    executor = ThreadPoolExecutor(_WORKERS)
    gate = threading.Event()

    def hold() -> None:
        gate.clear()
        for _ in range(_WORKERS):
            executor.submit(gate.wait)

    return Line(partial(executor.submit, echo), hold, gate.set)


def _queue(*, metrics_enabled: bool) -> Line:
    decorator: Any = resilience.prioritized(
        max_concurrent_requests=_WORKERS, queue_size=1_000_000, metrics_enabled=metrics_enabled
    )
    function = decorator(echo)
    return Line(function.submit, function.queue.pause, function.queue.resume)


LINES: dict[str, Callable[[], Any]] = {
    _BASELINE: _executor,
    PLAIN: partial(_queue, metrics_enabled=False),
    DEFAULT: partial(_queue, metrics_enabled=True),
}

# 6 µs where ThreadPoolExecutor took 28 µs.
_GOAL = 6 / 28

CONTESTS = (
    *(
        Contest(
            name=f"waiting-jobs-{number // 1_000}k",
            title=f"`submit`, {number:,} waiting, time of one",
            contestants=LINES,
            baseline=_BASELINE,
            unit="×",
            goals={PLAIN: _GOAL},
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
        name="waiting-jobs-memory",
        title="`submit`, 10,000 waiting, memory of one",
        contestants=LINES,
        baseline=None,
        unit="bytes",
        goals={PLAIN: 300},
        sample=bytes_of_one,
        echoes=False,
        number=10_000,
        shown="bytes",
        weight=100,
    ),
)
