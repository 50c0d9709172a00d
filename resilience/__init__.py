"""Decorators for functions that depend on services that fail, throttle and stall."""

from __future__ import annotations

from typing import Any

from resilience._batched import batched
from resilience._batcher import Batcher
from resilience._breaker_layer import circuit_breaker
from resilience._budget import RetryBudget
from resilience._circuit_breaker import CircuitBreaker
from resilience._context import Priority, deadline, priority
from resilience._explain import explain
from resilience._key_pool import KeyPool
from resilience._prioritized import prioritized
from resilience._queue import PriorityQueue
from resilience._retry import retry
from resilience._stack import resilient
from resilience._switches import disabled
from resilience.errors import (
    CircuitOpenError,
    DeadlineExceededError,
    MissingKeyError,
    MissingResultError,
    NoKeyAvailableError,
    OrderWarning,
    QueueClosedError,
    QueueFullError,
    QueueTimeoutError,
    RefusedError,
    ResilienceError,
    SettingsError,
)
from resilience.settings import Settings
from resilience.telemetry.report import generate_report, get_stats, reset_stats

__all__ = [
    "Batcher",
    "CircuitBreaker",
    "CircuitOpenError",
    "DeadlineExceededError",
    "KeyPool",
    "MissingKeyError",
    "MissingResultError",
    "NoKeyAvailableError",
    "OrderWarning",
    "Priority",
    "PriorityQueue",
    "QueueClosedError",
    "QueueFullError",
    "QueueTimeoutError",
    "RefusedError",
    "ResilienceError",
    "RetryBudget",
    "Settings",
    "SettingsError",
    "batched",
    "circuit_breaker",
    "deadline",
    "disabled",
    "explain",
    "generate_report",
    "get_stats",
    "prioritized",
    "priority",
    "reset_stats",
    "resilient",
    "retry",
]


def __getattr__(name: str) -> Any:
    """Answer `__version__` from the installed package's metadata, when somebody asks."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs 30 ms

        return version("resilience-adapters")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
