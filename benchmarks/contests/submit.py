"""`submit` to five workers: one call at a time, there and back, and a burst of a thousand."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import resilience
from benchmarks.functions import echo
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import passing_seconds_per_call

__all__ = ["CONTESTS"]

_WORKERS = 5
_BURST = 1_000
_BASELINE = "ThreadPoolExecutor"

Submit = Callable[[int], Future[int]]


def _executor() -> Submit:
    executor = ThreadPoolExecutor(_WORKERS)
    return partial(executor.submit, echo)


def _queue(*, metrics_enabled: bool) -> Submit:
    decorator: Any = resilience.prioritized(
        max_concurrent_requests=_WORKERS, queue_size=_BURST, metrics_enabled=metrics_enabled
    )
    submit: Submit = decorator(echo).submit
    return submit


_SUBMITS: dict[str, Callable[[], Submit]] = {
    _BASELINE: _executor,
    PLAIN: partial(_queue, metrics_enabled=False),
    DEFAULT: partial(_queue, metrics_enabled=True),
}


def _one(make: Callable[[], Submit]) -> Callable[[], Callable[[int], int]]:
    def make_call() -> Callable[[int], int]:
        submit = make()
        return lambda value: submit(value).result()

    return make_call


def _many(make: Callable[[], Submit]) -> Callable[[], Callable[[int], int]]:
    def make_call() -> Callable[[int], int]:
        submit = make()

        def call(value: int) -> int:
            futures = [submit(value) for _ in range(_BURST)]
            return sum(future.result() for future in futures) // _BURST

        return call

    return make_call


CONTESTS = (
    Contest(
        name="submit-one",
        title="`submit().result()`, 5 workers, one at a time",
        contestants={label: _one(make) for label, make in _SUBMITS.items()},
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: 0.8, DEFAULT: 0.9},
        sample=passing_seconds_per_call,
    ),
    Contest(
        name="submit-burst",
        title=f"`submit().result()`, 5 workers, {_BURST:,} at once",
        contestants={label: _many(make) for label, make in _SUBMITS.items()},
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: 0.8, DEFAULT: 0.9},
        sample=passing_seconds_per_call,
        number=1,
        shown="ms",
        weight=10,
    ),
)
