"""Decorators for functions that depend on services that fail, throttle and stall.

What a name needs is loaded when the name is first asked for: `from resilience import retry` loads
neither batches nor key pools.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "Batcher": "resilience._batcher",
    "CircuitBreaker": "resilience._circuit_breaker",
    "CircuitOpenError": "resilience.errors",
    "DeadlineExceededError": "resilience.errors",
    "KeyPool": "resilience._key_pool",
    "MissingKeyError": "resilience.errors",
    "MissingResultError": "resilience.errors",
    "NoKeyAvailableError": "resilience.errors",
    "OrderWarning": "resilience.errors",
    "Priority": "resilience._context",
    "PriorityQueue": "resilience._queue",
    "QueueClosedError": "resilience.errors",
    "QueueFullError": "resilience.errors",
    "QueueTimeoutError": "resilience.errors",
    "RefusedError": "resilience.errors",
    "ResilienceError": "resilience.errors",
    "RetryBudget": "resilience._budget",
    "Settings": "resilience.settings",
    "SettingsError": "resilience.errors",
    "batched": "resilience._batched",
    "circuit_breaker": "resilience._breaker_layer",
    "deadline": "resilience._context",
    "disabled": "resilience._switches",
    "explain": "resilience._explain",
    "generate_report": "resilience.telemetry.report",
    "get_stats": "resilience.telemetry.report",
    "prioritized": "resilience._prioritized",
    "priority": "resilience._context",
    "reset_stats": "resilience.telemetry.report",
    "resilient": "resilience._stack",
    "retry": "resilience._retry",
}
_MODULES = {"classify", "errors", "settings", "telemetry", "testing"}


def __getattr__(name: str) -> Any:
    """Load what is asked for; `__version__` comes from the installed package's metadata."""
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value  # from now on it is found without asking
        return value
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415 - costs 30 ms

        return version("resilience-adapters")
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES, *_MODULES})
