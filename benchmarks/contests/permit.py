"""`@prioritized` with a permit free: the call runs in its caller's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import resilience
from benchmarks.functions import closure, echo
from benchmarks.harness import BASE, DEFAULT, PLAIN, Contest

__all__ = ["CONTESTS"]


def _semaphore() -> Callable[[int], int]:
    permits = threading.BoundedSemaphore(5)

    def call(value: int) -> int:
        with permits:
            return echo(value)

    return call


def _pyresilience() -> Any:
    from pyresilience import BulkheadConfig, resilient

    return resilient(bulkhead=BulkheadConfig(max_concurrent=5))(echo)


CONTESTS = (
    Contest(
        name="permit",
        title="`@prioritized`, permit free, caller's thread",
        contestants={
            BASE: partial(closure, echo),
            PLAIN: lambda: resilience.prioritized(metrics_enabled=False)(echo),
            DEFAULT: lambda: resilience.prioritized(echo),
            "BoundedSemaphore": _semaphore,
            "pyresilience": _pyresilience,
        },
        goals={PLAIN: 3, DEFAULT: 5},
    ),
)
