"""`@batched`: single calls are combined to one call of a function that takes a list."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar, overload

from resilience._batch_layer import BatchLayer
from resilience._batch_options import BatchOptions
from resilience._batcher import Batcher
from resilience._site import Common
from resilience._wrapper import decorate

if TYPE_CHECKING:
    from resilience._batched_types import (
        Batched,
        BatchedAsync,
        BatchedAsyncMethod,
        BatchedAsyncOfClass,
        BatchedDecorator,
        BatchedMethod,
        BatchedOfClass,
    )

__all__ = ["batched"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")


@overload  # no class whose methods batch is a list
def batched(  # type: ignore[overload-overlap]
    function: Callable[Concatenate[list[T], P], Coroutine[Any, Any, Iterable[R]]], /
) -> BatchedAsync[T, P, R]: ...


@overload
def batched(  # type: ignore[overload-overlap] # as above
    function: Callable[Concatenate[list[T], P], Iterable[R]], /
) -> Batched[T, P, R]: ...


@overload
def batched(
    function: Callable[Concatenate[type[S], list[T], P], Coroutine[Any, Any, Iterable[R]]], /
) -> BatchedAsyncOfClass[type[S], T, P, R]: ...


@overload
def batched(
    function: Callable[Concatenate[type[S], list[T], P], Iterable[R]], /
) -> BatchedOfClass[type[S], T, P, R]: ...


@overload
def batched(
    function: Callable[Concatenate[S, list[T], P], Coroutine[Any, Any, Iterable[R]]], /
) -> BatchedAsyncMethod[S, T, P, R]: ...


@overload
def batched(
    function: Callable[Concatenate[S, list[T], P], Iterable[R]], /
) -> BatchedMethod[S, T, P, R]: ...


@overload
def batched(
    *,
    max_batch_size: int = 8,
    batch_timeout: float = 0.1,
    key: Callable[..., Any] | None = None,
    enable_batching: bool = True,
    on_error: Literal["raise", "split"] = "raise",
    max_concurrent_batches: int | None = None,
    metrics_enabled: bool = True,
    name: str | None = None,
) -> BatchedDecorator: ...


def batched(function: Any = None, /, **settings: Any) -> Any:
    """Turn a function of a list into one of an item; concurrent calls share one call of it.

    Used bare or with settings. The function gets the items as a list, its first parameter (the
    second of a method), and returns a result for each, in order. Callers pass one item and get
    its result. Items are flushed together when `max_batch_size` of them wait, when the oldest has
    waited for `batch_timeout`, by `flush()`, and at exit.
    Calls share a batch only if their other arguments are equal, with their types, and they are of
    one instance; in coroutine functions, of one event loop.
    The batch runs in the context of the call that began it, with the most urgent priority and the
    latest deadline of all. Layers within this decorator run once for each batch.
    `fn.submit(item)` returns a future, `fn.map(items)` the results of many, `fn.flush()` does not
    wait for company; `fn.batcher` is the object. Thread-safe.

    Args:
        function: A function or coroutine function of a list.
        max_batch_size: Items in a batch at most, at least 1.
        batch_timeout: Seconds that an item waits for company at most, at least 0.
        key: Called with the item and the keyword arguments: items share a batch only where it
            returns equal values. What it raises is raised to the caller.
        enable_batching: False: every call runs at once, alone.
        on_error: "raise": an error of the function is that of every item. "split": the batch is
            halved until the bad item is alone; but for refusals, rate limits, rejected keys,
            time-outs and lost connections, which no item is to blame for.
        max_concurrent_batches: Batches that run at once, at least 1, or None for no limit.
        metrics_enabled: Whether calls are counted and timed.
        name: The name in statistics, spans, logs and errors.

    Raises:
        SettingsError: for an unknown setting, a value that breaks its rule or a function that
            takes or returns no list; at decoration.
    """
    common = Common.take(settings)
    options = BatchOptions.of(settings)

    def make_layer(_: str) -> BatchLayer:
        layer = BatchLayer(options, common)
        layer.batcher = Batcher.of(layer)
        return layer

    def decorator(function: Any) -> Any:
        return decorate(function, make_layer)

    return decorator if function is None else decorator(function)
