"""`@circuit_breaker` while the circuit is closed and eight threads call it at once."""

from __future__ import annotations

import threading
from functools import partial
from itertools import repeat
from time import perf_counter

from benchmarks.functions import closure, echo
from benchmarks.harness import BASE, DEFAULT, PLAIN, VALUE, Call, Contest
from benchmarks.peers import BREAKERS, decorated

__all__ = ["CONTESTS"]

_THREADS = 8


def seconds_per_call_of_threads(call: Call, number: int) -> float:
    """Return the time that passes for each call while eight threads share the calls."""
    start = threading.Barrier(_THREADS + 1)

    def work() -> None:
        start.wait()
        for _ in repeat(None, number // _THREADS):
            call(VALUE)

    threads = [threading.Thread(target=work) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    began = perf_counter()
    start.wait()
    for thread in threads:
        thread.join()
    return (perf_counter() - began) / number


CONTESTS = (
    Contest(
        name="breaker-threads",
        title="`@circuit_breaker`, closed, 8 threads, calls per second",
        contestants={BASE: partial(closure, echo), **decorated(BREAKERS, echo)},
        baseline="circuitbreaker",
        unit="×",
        goals={PLAIN: 3, DEFAULT: 2},
        sample=seconds_per_call_of_threads,
        number=64_000,
        shown="M/s",
        is_rate=True,
        weight=12,
    ),
)
