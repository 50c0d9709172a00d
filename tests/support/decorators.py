"""Every decorator, in a form that fits any function that takes `key` by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resilience import CircuitBreaker, KeyPool, circuit_breaker, prioritized, resilient, retry

__all__ = ["DECORATORS", "pool_of", "whole_stack"]


def pool_of(*keys: str, **settings: Any) -> KeyPool:
    """A pool whose entries are named a, b, c, …, with made-up keys unless these are given."""
    names = "abcdefgh"[: len(keys)]
    return KeyPool(dict(zip(names, keys, strict=True)), **settings)


def whole_stack(function: Any) -> Any:
    """One of each, each put on what the one before made."""
    pool = pool_of("key of a", "key of b")
    return retry(pool.inject("key")(prioritized(circuit_breaker(function))))


DECORATORS: dict[str, Callable[[Any], Any]] = {
    "retry": retry(max_retries=1),
    "circuit_breaker": circuit_breaker(CircuitBreaker()),
    "prioritized": prioritized,
    "resilient": resilient,
    "pool.inject": pool_of("made up").inject("key"),
    "a stack": whole_stack,
}
