"""How one sample is taken: what a call costs, in one of the ways to say so."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from itertools import repeat
from time import perf_counter, process_time
from typing import Any

__all__ = [
    "VALUE",
    "Call",
    "of_threads",
    "own_figure",
    "passing_seconds_per_call",
    "seconds_per_await",
    "seconds_per_call",
    "slowest_of_threads",
]

VALUE = 42  # what every call is given, and returns

Call = Any  # what a sample takes


async def seconds_per_await(call: Call, number: int) -> float:
    """Return the processor's mean time for a call that is awaited."""
    began = process_time()
    for _ in repeat(None, number):
        await call(VALUE)
    return (process_time() - began) / number


def seconds_per_call(call: Call, number: int) -> float:
    """Return the processor's mean time for a call."""
    began = process_time()
    for _ in repeat(None, number):
        call(VALUE)
    return (process_time() - began) / number


def passing_seconds_per_call(call: Call, number: int) -> float:
    """Return the mean time that passes in a call, waiting included."""
    began = perf_counter()
    for _ in repeat(None, number):
        call(VALUE)
    return (perf_counter() - began) / number


def own_figure(call: Call, number: int) -> float:
    """Return what the contestant itself has measured, with so many calls or objects."""
    figure: float = call(number)
    return figure


def of_threads(count: int) -> Callable[[Call, int], float]:
    """Return a sample of the time that passes for each call while so many threads share them."""

    def passing_seconds_per_call(call: Call, number: int) -> float:
        def work() -> None:
            for _ in repeat(None, max(1, number // count)):
                call(VALUE)

        return _together(count, work) / number

    return passing_seconds_per_call


def slowest_of_threads(count: int) -> Callable[[Call, int], float]:
    """Return a sample of the time that 99 of 100 calls stay below while so many threads call."""

    def slowest_of_a_hundred(call: Call, number: int) -> float:
        seconds: list[float] = []

        def work() -> None:
            for _ in repeat(None, max(1, number // count)):
                began = perf_counter()
                call(VALUE)
                seconds.append(perf_counter() - began)

        _together(count, work)
        return sorted(seconds)[math.ceil(0.99 * len(seconds)) - 1]

    return slowest_of_a_hundred


def _together(count: int, work: Callable[[], None]) -> float:
    """Return the time that passes while so many threads do their work, all beginning at once."""
    start = threading.Barrier(count + 1)

    def run() -> None:
        start.wait()
        work()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    began = perf_counter()
    start.wait()
    for thread in threads:
        thread.join()
    return perf_counter() - began
