"""Threads that call the OpenAI adapter of one client at once: requests per second, and waits.

The clients, ours and the others, are those of `adapter_cpu`. Client and server share the machine.
"""

from __future__ import annotations

import math
import threading
from time import perf_counter

from benchmarks.contests.adapter_cpu import CLIENTS, THREADS, running
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import VALUE, Call, of_threads

__all__ = ["CONTESTS"]

_CALLS = 20 * THREADS
_RIVAL = "openai SDK"


def slowest_of_a_hundred(call: Call, number: int) -> float:
    """Return the time that 99 of 100 calls of sixteen threads stay below."""
    seconds: list[float] = []
    start = threading.Barrier(THREADS)

    def work() -> None:
        start.wait()
        for _ in range(max(1, number // THREADS)):
            began = perf_counter()
            call(VALUE)
            seconds.append(perf_counter() - began)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(seconds)[math.ceil(0.99 * len(seconds)) - 1]


CONTESTS = (
    Contest(
        name="adapter-threads",
        title=f"adapter, {THREADS} threads, requests per second",
        contestants=CLIENTS,
        baseline=_RIVAL,
        unit="×",
        goals={PLAIN: 2, DEFAULT: 2},
        sample=of_threads(THREADS),
        number=_CALLS,
        shown="k/s",
        is_rate=True,
        weight=25,
        around=running,
    ),
    Contest(
        name="adapter-latency",
        title=f"adapter, {THREADS} threads, 99 of 100 requests are answered within",
        contestants=CLIENTS,
        baseline=_RIVAL,
        unit="×",
        goals={PLAIN: 1, DEFAULT: 1},
        sample=slowest_of_a_hundred,
        number=_CALLS,
        shown="ms",
        weight=25,
        around=running,
    ),
)
