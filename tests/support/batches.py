"""A batched function that writes down what it was called with."""

from __future__ import annotations

from typing import Any

from resilience import batched

__all__ = ["Recorded"]


class Recorded:
    """A function that returns `value * 10` for each item, unless an item says otherwise.

    An item that is an exception stands for itself in the results.

    Attributes:
        batches: The lists with which it was called, in order.
        options: The other arguments of each call.
    """

    def __init__(self, run: Any, **settings: Any) -> None:
        self.run = run
        self.batches: list[list[Any]] = []
        self.options: list[dict[str, Any]] = []
        self.function = batched(**settings)(run.function(self._call))
        self.driven = run.drive(self.function)
        self.batcher = self.function.batcher

    def _call(self, items: list[Any], **options: Any) -> list[Any]:
        self.batches.append(items)
        self.options.append(options)
        return [item if isinstance(item, Exception) else item * 10 for item in items]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it in its flavour and wait for the result."""
        return self.driven(*args, **kwargs)

    def map(self, *args: Any, **kwargs: Any) -> Any:
        """All results at once."""
        return self.run.call(self.function.map, *args, **kwargs)

    def flush(self) -> None:
        """Do not wait for company."""
        self.run.call(self.function.flush)

    def start(self, *args: Any, **kwargs: Any) -> Any:
        """Begin a call; return when it waits for company or has ended."""
        waiting = self.batcher.waiting
        call = self.run.start(self.function, *args, **kwargs)
        self.run.until(lambda: self.batcher.waiting != waiting or call.done())
        return call
