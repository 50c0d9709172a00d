"""What a batch does with its items: it calls the function, and answers each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resilience._batch_results import answers_of, failures, lost, may_split, unlisted
from resilience._turnstile import Turnstile
from resilience.errors import MissingResultError

if TYPE_CHECKING:
    from resilience._batch_intake import Intake
    from resilience._batch_items import Item

__all__ = ["BatchWork"]


def _all_well(items: list[Item], results: list[Any]) -> bool:
    """Answer items until a result is an exception; return whether none is."""
    for item, result in zip(items, results, strict=True):
        if isinstance(result, BaseException):
            return False
        item.answer(result)
    return True


class BatchWork:
    """The work of one batch.

    Attributes:
        function: What it calls with a list.
        turnstile: Where threads wait for their answers, or until they have to look after the
            batch; None where no thread can.
    """

    __slots__ = ("collector", "function", "turnstile")

    def __init__(
        self, collector: Intake, function: Callable[..., Any], turnstile: Turnstile | None
    ) -> None:
        self.collector = collector
        self.function = function
        self.turnstile = turnstile

    def serve(self, items: list[Item]) -> list[Exception]:
        """Call the function and answer the items; return what it raised."""
        before, after, kwargs, _ = items[0].options
        try:
            values = [item.value for item in items]
            returned = self.function(*before, values, *after, **kwargs)
            wrong = unlisted(returned)
            results = [] if wrong else list(returned)
        except Exception as error:  # noqa: BLE001 - the items' owners get it
            if not self._splits(items, error):
                return self._fail(items, error)
        else:
            return self._hand_out(items, results, wrong)
        half = len(items) // 2
        first = self.serve(items[:half])
        self.wake_threads()
        return first + self.serve(items[half:])

    async def serve_async(self, items: list[Item]) -> list[Exception]:
        """Call the function and answer the items; as `serve`, but for `await`."""
        before, after, kwargs, _ = items[0].options
        try:
            values = [item.value for item in items]
            returned = await self.function(*before, values, *after, **kwargs)
            wrong = unlisted(returned)
            results = [] if wrong else list(returned)
        except Exception as error:  # noqa: BLE001 - the items' owners get it
            if not self._splits(items, error):
                return self._fail(items, error)
        else:
            return self._hand_out(items, results, wrong)
        half = len(items) // 2
        first = await self.serve_async(items[:half])
        return first + await self.serve_async(items[half:])

    def _splits(self, items: list[Item], error: Exception) -> bool:
        return len(items) > 1 and self.collector.options.on_error == "split" and may_split(error)

    def _fail(self, items: list[Item], error: Exception) -> list[Exception]:
        for item, own in zip(items, failures(error), strict=False):
            item.answer(None, own)
        return [error]

    def _hand_out(
        self, items: list[Item], results: list[Any], wrong: str | None
    ) -> list[Exception]:
        name = self.collector.name
        if wrong is not None:
            for item in items:
                item.answer(None, MissingResultError(f"{name} {wrong}"))
            return []
        if len(results) != len(items) or not _all_well(items, results):
            answers = answers_of(results, len(items), name)
            for item, (result, error) in zip(items, answers, strict=True):
                item.answer(result, error)
        self.collector.count(items)
        return []

    def wake_threads(self) -> None:
        """Let the threads look that wait: some are answered, or another one leads."""
        if self.turnstile is not None:
            self.turnstile.open()  # first: who is interrupted here ends the batch, which opens it
            self.turnstile = Turnstile()

    def answer_all(self, items: list[Item], error: BaseException) -> None:
        """Answer these items, since the batch ended with this."""
        if isinstance(error, Exception):
            self._fail(items, error)
            return
        for item in items:
            item.answer(None, lost(error, self.collector.name))
