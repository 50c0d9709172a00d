"""Every decorator, in a form that fits any function that takes `key` by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import CircuitBreaker, KeyPool, circuit_breaker, prioritized, resilient, retry

__all__ = ["DECORATORS", "pool_of", "whole_stack"]


def pool_of(names: str, **settings: Any) -> KeyPool:
    """A pool with an entry for each letter; the key of a is "key of a"."""
    return KeyPool({name: f"key of {name}" for name in names}, **settings)


def whole_stack(function: Any) -> Any:
    """One of each, each put on what the one before made."""
    pool = pool_of("ab")
    return retry(pool.inject("key")(prioritized(circuit_breaker(function))))


DECORATORS: dict[str, Callable[[Any], Any]] = {
    "retry": retry(max_retries=1),
    "circuit_breaker": circuit_breaker(CircuitBreaker()),
    "prioritized": prioritized,
    "resilient": resilient,
    "attempt_timeout": resilient(attempt_timeout=60, max_retries=0),
    "pool.inject": pool_of("a").inject("key"),
    "a stack": whole_stack,
}
