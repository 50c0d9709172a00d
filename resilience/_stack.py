"""`@resilient`: the whole stack from one `Settings`, in the right order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar, overload

from resilience._attempt_timeout import AttemptTimeoutLayer
from resilience._breaker_layer import BreakerLayer
from resilience._budget import RetryBudget
from resilience._circuit_breaker import CircuitBreaker
from resilience._key_pool import KeyPool
from resilience._pool_layer import PoolLayer
from resilience._prioritized import QueueLayer
from resilience._queue import PriorityQueue
from resilience._retry import RetryLayer
from resilience._retry_options import RetryOptions
from resilience._rules import check, fail
from resilience._site import Common, Layer
from resilience._switches import Switch
from resilience._wrapper import decorate
from resilience.settings import Settings, reject_unknown

__all__ = ["Switches", "layers_of", "resilient"]

P = ParamSpec("P")
R = TypeVar("R")
MakeLayer = Callable[[str], Layer]


class Switches(NamedTuple):
    """The switches of layers that have no object, for functions that share them."""

    retry: Switch
    attempt_timeout: Switch


@overload
def resilient(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def resilient(
    settings: Settings | None = None,
    /,
    *,
    keys: KeyPool | None = None,
    queue: PriorityQueue | None = None,
    breaker: CircuitBreaker | None = None,
    budget: RetryBudget | None = None,
    name: str | None = None,
    **changes: Any,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def resilient(target: Any = None, /, **settings: Any) -> Any:
    """Put retry, key pool, queue, circuit breaker and attempt time-out around the function.

    Outermost first: retry, key lease, prioritized, circuit breaker, attempt time-out. So a retry's
    sleep holds no permit and no key, each attempt counts in the breaker, and what waits in the
    queue meets the breaker when its turn comes.
    What the settings turn off (`max_retries=0`, `queue_enabled=False`, no `keys`, no
    `attempt_timeout`) is left out. It never batches: that changes a function's shape.

    Args:
        target: The function, or a `Settings`.
        keys: A `KeyPool`: its key is passed as `api_key`.
        queue: A `PriorityQueue` that several functions share, instead of one made here.
        breaker: A `CircuitBreaker` that several functions share, instead of one made here.
        budget: A `RetryBudget`.
        name: The name in statistics, spans, logs and errors.
        settings: Any field of `Settings`, in place of the default.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule; at decoration.
    """
    is_settings = isinstance(target, Settings)
    base: Settings = target if is_settings else Settings()
    reject_unknown(settings, (*Settings.__dataclass_fields__, *_SHARED), "resilient")
    shared = {name: settings.pop(name) for name in _SHARED if name in settings}
    make_layers = layers_of(base.replace(**settings), **shared)

    def decorator(function: Callable[..., Any]) -> Any:
        return decorate(function, *make_layers)

    return decorator if target is None or is_settings else decorator(target)


_SHARED = {
    "keys": KeyPool,
    "queue": PriorityQueue,
    "breaker": CircuitBreaker,
    "budget": RetryBudget,
    "name": str,
}


def layers_of(
    settings: Settings,
    *,
    pool_layer: Callable[[KeyPool], PoolLayer] | None = None,
    switches: Switches | None = None,
    **shared: Any,
) -> list[MakeLayer]:
    """Return the makers of all layers that these settings ask for, the outermost first.

    With `switches` several functions are turned off together where a layer has no object.
    """
    for argument, kind in _SHARED.items():
        value = shared.get(argument)
        if value is not None and not isinstance(value, kind):
            # Whoever hands in bare keys must not find them in the message.
            shown = f"<{type(value).__name__}>" if argument == "keys" else value
            fail(argument, f"must be a {kind.__name__}, or None", shown)
    check("name", shared.get("name"))
    common = Common(name=shared.get("name"), metrics_enabled=settings.metrics_enabled)
    makers = [
        _retry(settings, shared.get("budget"), common, switches) if settings.max_retries else None,
        _pool(shared.get("keys"), pool_layer),
        _queue(settings, shared.get("queue"), common) if settings.queue_enabled else None,
        _breaker(settings, shared.get("breaker"), common),
        _timeout(settings.attempt_timeout, switches),
    ]
    return [maker for maker in makers if maker is not None]


def _retry(
    settings: Settings, budget: RetryBudget | None, common: Common, switches: Switches | None
) -> MakeLayer:
    names = ("max_retries", "initial_retry_delay", "backoff_factor", "max_retry_delay", "jitter")
    chosen = {name: getattr(settings, name) for name in (*names, "max_elapsed")}
    options = RetryOptions.of(chosen | {"budget": budget})
    switch = None if switches is None else switches.retry
    return lambda _: RetryLayer(options, common, switch)


def _pool(
    pool: KeyPool | None, pool_layer: Callable[[KeyPool], PoolLayer] | None
) -> MakeLayer | None:
    if pool is None:
        return None
    layer = PoolLayer(pool, "api_key") if pool_layer is None else pool_layer(pool)
    return lambda _: layer


def _queue(settings: Settings, shared: PriorityQueue | None, common: Common) -> MakeLayer:
    names = ("max_concurrent_requests", "queue_size", "queue_timeout", "aging")
    chosen = {name: getattr(settings, name) for name in names}

    def make(function_name: str) -> Layer:
        queue = shared or PriorityQueue(name=common.name or function_name, **chosen)
        return QueueLayer(queue, None, common)

    return make


def _breaker(settings: Settings, shared: CircuitBreaker | None, common: Common) -> MakeLayer:
    def make(function_name: str) -> Layer:
        def breaker(_: str) -> CircuitBreaker:
            return CircuitBreaker(
                name=common.name or function_name,
                failure_threshold=settings.failure_threshold,
                reset_timeout=settings.reset_timeout,
            )

        return BreakerLayer(breaker, None, common, shared)

    return make


def _timeout(seconds: float | None, switches: Switches | None) -> MakeLayer | None:
    switch = None if switches is None else switches.attempt_timeout
    return None if seconds is None else lambda _: AttemptTimeoutLayer(seconds, switch)
