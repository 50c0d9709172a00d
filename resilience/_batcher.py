"""`Batcher`: the object behind `@batched`, usable without decorating."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from resilience._batch_layer import BatchLayer
from resilience._batch_options import BatchOptions
from resilience._future import SubmittedFuture
from resilience._site import Common
from resilience._wrapper import decorate

__all__ = ["Batcher"]


class Batcher:
    """Combines single calls to calls of a function that takes a list; `@batched` says how.

    For a coroutine function the call, `map` and `flush` are awaited. Thread-safe.

    Args:
        function: A function of a list, or a coroutine function; it may be decorated already, and
            then its layers run once for each batch.
        settings: Those of `batched`.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule.
    """

    def __init__(self, function: Callable[..., Any], **settings: Any) -> None:
        common = Common.take(settings)
        self._layer = BatchLayer(BatchOptions.of(settings), common)
        self._layer.batcher = self
        decorate(function, lambda _: self._layer)

    @classmethod
    def of(cls, layer: BatchLayer) -> Self:
        """Return the batcher of a layer that a decorator has made."""
        batcher = cls.__new__(cls)
        batcher._layer = layer  # noqa: SLF001 - its own class
        return batcher

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for company and return this item's result.

        Raises:
            MissingResultError: the function gave no result for it.
            DeadlineExceededError: the deadline passed before there was one.
        """
        return self._layer.call(*args, **kwargs)

    def submit(self, *args: Any, **kwargs: Any) -> SubmittedFuture[Any]:
        """Put an item in and return its future, which can be awaited as well.

        Cancelled before the batch runs, the item leaves it.
        """
        future: SubmittedFuture[Any] = self._layer.handle["submit"](*args, **kwargs)
        return future

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """Put all items of an iterable in, and return their results in order.

        Nobody waits for company: what does not fill a batch is flushed. Batches run at once.

        Raises:
            BaseException: the first error in the order of the items, after all are answered.
        """
        return self._layer.handle["map"](*args, **kwargs)

    def flush(self) -> Any:
        """Run all that waits for company, and wait until that has ended."""
        return self._layer.handle["flush"]()

    @property
    def waiting(self) -> int:
        """How many items wait for company."""
        return self._layer.calls.collector.waiting

    @property
    def enabled(self) -> bool:
        """Whether calls are combined."""
        return self._layer.calls.collector.switch.enabled

    def disable(self) -> None:
        """Run every call at once and alone, from now on."""
        self._layer.calls.collector.switch.disable()

    def enable(self) -> None:
        """Combine calls again."""
        self._layer.calls.collector.switch.enable()

    def __repr__(self) -> str:
        collector = self._layer.calls.collector
        return f"<{type(self).__name__} {collector.name!r}: {collector.waiting} wait>"
