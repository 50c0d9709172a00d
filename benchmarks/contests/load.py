"""Thirty-two threads that share five permits, each for a millisecond: how many, and how long.

The millisecond is slept, so that the processor is free: what counts is how a permit that is given
back comes to the next thread, and whether somebody is passed over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import resilience
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import of_threads, slowest_of_threads

__all__ = ["CONTESTS"]

_THREADS = 32
_PERMITS = 5
_CALLS = 10 * _THREADS
_BASELINE = "Semaphore"


def _hold(value: int) -> int:
    time.sleep(0.001)
    return value


def _semaphore() -> Callable[[int], int]:
    permits = threading.Semaphore(_PERMITS)

    def call(value: int) -> int:
        with permits:
            return _hold(value)

    return call


def _ours(*, metrics_enabled: bool) -> Callable[[int], int]:
    decorator: Any = resilience.prioritized(
        max_concurrent_requests=_PERMITS, metrics_enabled=metrics_enabled
    )
    function: Callable[[int], int] = decorator(_hold)
    return function


def _pyresilience() -> Any:
    from pyresilience import BulkheadConfig, resilient

    return resilient(bulkhead=BulkheadConfig(max_concurrent=_PERMITS, max_wait=60))(_hold)


_CONTESTANTS: dict[str, Callable[[], Any]] = {
    _BASELINE: _semaphore,
    PLAIN: partial(_ours, metrics_enabled=False),
    DEFAULT: partial(_ours, metrics_enabled=True),
    "pyresilience": _pyresilience,
}
_HOW = f"{_THREADS} threads share {_PERMITS} permits for 1 ms each"

CONTESTS = (
    Contest(
        name="load-rate",
        title=f"{_HOW}, calls per second",
        contestants=_CONTESTANTS,
        baseline=_BASELINE,
        unit="×",
        sample=of_threads(_THREADS),
        number=_CALLS,
        shown="k/s",
        is_rate=True,
        weight=15,
    ),
    Contest(
        name="load-latency",
        title=f"{_HOW}, 99 of 100 calls within",
        contestants=_CONTESTANTS,
        baseline=_BASELINE,
        unit="×",
        sample=slowest_of_threads(_THREADS),
        number=_CALLS,
        shown="ms",
        weight=15,
    ),
)
