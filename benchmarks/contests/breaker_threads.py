"""`@circuit_breaker` while the circuit is closed and eight threads call it at once."""

from __future__ import annotations

from functools import partial

from benchmarks.functions import closure, echo
from benchmarks.harness import BASE, DEFAULT, PLAIN, Contest
from benchmarks.peers import BREAKERS, decorated
from benchmarks.samples import of_threads

__all__ = ["CONTESTS"]

_THREADS = 8


CONTESTS = (
    Contest(
        name="breaker-threads",
        title="`@circuit_breaker`, closed, 8 threads, calls per second",
        contestants={BASE: partial(closure, echo), **decorated(BREAKERS, echo)},
        baseline="circuitbreaker",
        unit="×",
        goals={PLAIN: 3, DEFAULT: 2},
        sample=of_threads(_THREADS),
        number=64_000,
        shown="M/s",
        is_rate=True,
        weight=12,
    ),
)
