"""Sixty-four threads, each with one item after another, and a function that takes a list.

Each has a hundred: when the first threads have ended, the last few batches are not full and wait
for the time-out, 5 ms each, which of twenty items would be a third of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import resilience
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import of_threads

__all__ = ["CONTESTS"]

_THREADS = 64
_SIZE = 32
_TIMEOUT = 0.005  # seconds; the threads are twice a batch, so that it is hardly ever needed
_BASELINE = "batched"


def _echo_all(values: list[int]) -> list[int]:
    return list(values)


def _ours(*, metrics_enabled: bool) -> Callable[[int], int]:
    decorator: Any = resilience.batched(
        max_batch_size=_SIZE, batch_timeout=_TIMEOUT, metrics_enabled=metrics_enabled
    )
    function: Callable[[int], int] = decorator(_echo_all)
    return function


def _batched() -> Callable[[int], int]:
    from batched import dynamically

    function: Callable[[int], int] = dynamically(batch_size=_SIZE, timeout_ms=_TIMEOUT * 1e3)(
        _echo_all
    )
    return function


CONTESTS = (
    Contest(
        name="batched-threads",
        title=f"`@batched`, {_THREADS} threads, batches of {_SIZE}, items per second",
        contestants={
            _BASELINE: _batched,
            PLAIN: partial(_ours, metrics_enabled=False),
            DEFAULT: partial(_ours, metrics_enabled=True),
        },
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: 10, DEFAULT: 10},
        sample=of_threads(_THREADS),
        number=100 * _THREADS,
        shown="k/s",
        is_rate=True,
        weight=60,
    ),
)
