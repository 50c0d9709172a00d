"""What a client has for batching: a batcher for each operation whose single calls it combines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakMethod

import resilience  # batches are loaded with the first call that may share a request
from adapters._combining import Combining, Single, single_call
from adapters._exchange import CallOptions
from adapters._flows import Flow
from adapters._setup import Setup
from adapters.errors import AdapterError
from resilience._context import deadlines
from resilience._request_id import request_id
from resilience._switches import Switch

if TYPE_CHECKING:
    from adapters._operations import Operation
    from resilience import Batcher

__all__ = ["CombinedCalls", "alive", "each_of", "one_of_many"]


class CombinedCalls(ABC):
    """The part of a client that lets concurrent calls share a request."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.batching = Switch("batched")
        if not setup.settings.enable_batching:
            self.batching.disable()
        self._batchers: dict[Operation[Any, Any], Batcher] = {}

    def _single(
        self, operation: Operation[Any, Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Single | None:
        """Return what a call asks for if it may share a request with others."""
        combining = operation.combining
        if combining is None or (deadlines.in_use and self.batching.is_off):
            return None
        return single_call(
            combining, operation.name, self._setup, operation.signature, (args, kwargs)
        )

    def _batcher(self, operation: Operation[Any, Any]) -> Batcher:
        """Return what combines the single calls of an operation; made with the first of them."""
        found = self._batchers.get(operation)
        if found is None:
            settings = self._setup.settings
            batcher = resilience.Batcher(
                self._batch_function(operation),
                max_batch_size=settings.max_batch_size,
                batch_timeout=settings.batch_timeout,
                name=f"{self._setup.name}.{operation.name}",
                metrics_enabled=settings.metrics_enabled,
            )
            found = self._batchers.setdefault(operation, batcher)
        return found

    @abstractmethod
    def _batch_function(self, operation: Operation[Any, Any]) -> Callable[..., Any]:
        """Return what sends a list; it must not keep the client alive, whose batcher keeps it."""

    def _batch(
        self, operation: Operation[Any, Any], inputs: list[Any], shared: tuple[Any, ...]
    ) -> tuple[Flow[Any], CallOptions]:
        """Begin a call for all of these inputs; one alone is sent as it is."""
        others, _, key = shared
        combining = cast("Combining[Any]", operation.combining)
        given = inputs[0] if len(inputs) == 1 else combining.join(inputs)
        call = CallOptions({"key": key}, None)
        return operation.begin(self._setup, (), {**others, combining.parameter: given}), call


@contextmanager
def one_of_many(call: CallOptions) -> Generator[None]:
    """Let lines of the log, and an error of a batch, tell each caller the id of his own call."""
    try:
        with request_id(call.request_id):
            yield
    except AdapterError as error:
        error.request_id = call.request_id
        raise


def alive(method: WeakMethod[Callable[..., Any]]) -> Callable[..., Any]:
    """Return the method of a client that is not forgotten: whoever waits for a batch holds it."""
    found = method()
    if found is None:
        msg = "the client of this batch is gone"
        raise RuntimeError(msg)
    return found


def each_of(operation: Operation[Any, Any], result: Any, inputs: list[Any]) -> list[Any]:
    """Return a result for each input of a batch."""
    if len(inputs) == 1:
        return [result]
    return cast("Combining[Any]", operation.combining).take_apart(result, inputs)
