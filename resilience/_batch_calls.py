"""The ways into a batch: a call, `submit`, `map` and `flush`, for functions and for coroutines."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from resilience import _clock
from resilience._batch_collector import Collector
from resilience._batch_items import BareItem, Item, SubmittedItem
from resilience._batch_key import Arguments
from resilience._batch_run import Batch
from resilience._batch_scene import runs_within
from resilience._context import Priority, as_priority, check_deadline, deadline_end, deadlines
from resilience._future import SubmittedFuture
from resilience._waiters import LoopWaiter, ThreadWaiter, running_loop
from resilience.errors import DeadlineExceededError
from resilience.telemetry._observed import OpenCall
from resilience.telemetry.calls import Recorder

__all__ = ["AsyncCalls", "Calls", "SyncCalls"]


class Calls:
    """What both kinds of functions share.

    Args:
        collector: Takes the items.
        arguments: Takes a call to pieces.
        recorder: Records calls, or is None.
        counts: Batches count the calls in them, which nobody outside does.
        takes_priority: Whether `priority=` is meant for the queue around the batches.
    """

    def __init__(
        self,
        collector: Collector,
        arguments: Arguments,
        recorder: Recorder | None,
        *,
        counts: bool,
        takes_priority: bool,
    ) -> None:
        self.collector = collector
        self.arguments = arguments
        self._recorder = recorder
        self._counter = recorder if counts else None
        self._takes_priority = takes_priority

    def submit(self, *args: Any, **kwargs: Any) -> SubmittedFuture[Any]:
        """Put an item in and return its future at once."""
        collector = self.collector
        if deadlines.in_use:
            check_deadline(collector.name)
        tier = self.tier_of(kwargs)
        value, options = self.arguments.read(args, dict(kwargs))
        collector.has_submitted = True
        item = SubmittedItem(value, options, collector)
        item.recorded(tier, self._record(args, kwargs))
        future = item.future
        try:
            if runs_within(collector):
                self._submit_within(item)
            elif (batch := collector.put(item)) is not None:
                batch.start()
        except BaseException as error:
            collector.abandon(item, error)
            raise
        return future

    def _submit_within(self, item: SubmittedItem) -> None:
        """Run an item that is submitted by its own batch, which may be about to wait for it."""
        loop = running_loop() if self.collector.is_async else None
        batch = Batch(self.collector, None, loop, function=self.collector.bare)
        batch.hold([item])
        if self.collector.is_async:
            batch.start()
        else:
            batch.run_in_worker()  # this thread is the worker's, or the caller's

    def is_alone(self) -> bool:
        """Return whether a call in this context waits for no company."""
        return runs_within(self.collector) or self.collector.is_off

    def tier_of(self, kwargs: dict[str, Any]) -> Priority | None:
        """Take `priority=` out of a call's arguments."""
        value = kwargs.pop("priority", None) if self._takes_priority else None
        return None if value is None else as_priority(value)

    def _record(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> OpenCall | None:
        return None if self._recorder is None else OpenCall(self._recorder, args, kwargs)

    def _items(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Item]:
        """Yield an item for each value of a `map`."""
        tier = self.tier_of(kwargs)
        before, values, after = self.arguments.split(args, kwargs)
        for value in values:
            args = (*before, value, *after)
            _, options = self.arguments.read(args, dict(kwargs))
            yield BareItem(value, options).recorded(tier, self._record(args, kwargs))

    def alone(self) -> Batch:
        """Return a batch that does not wait for company, and is not seen as one."""
        within = runs_within(self.collector)
        function = self.collector.bare if within else self.collector.function
        return Batch(self.collector, None, None, function=function)

    def leave(self, item: Item, error: BaseException) -> None:
        """Take note that a call ends with this error, which did not come from its batch."""
        self.collector.abandon(item, error)
        if self._counter is not None and item.around is None and not item.has_succeeded:
            since = _clock.now() if item.batch is None else item.since
            self._counter.finish(None, since, error)

    def fail(self, item: Item) -> Any:
        """Raise the error that a call got from its batch."""
        try:
            return item.outcome()
        except BaseException as error:
            if self._counter is not None:
                self._counter.finish(None, item.since, error)
            raise

    def _chunks(self, items: Iterable[Item]) -> Iterator[list[Item]]:
        size, left = self.collector.options.max_batch_size, iter(items)
        while chunk := list(itertools.islice(left, size)):
            yield chunk

    def _put_all(self, items: Iterable[Item], put: list[Item]) -> list[Batch]:
        """Put everything in, start what is full, and return what is left over, taken."""
        for item in items:
            put.append(item)
            if (batch := self.collector.put(item)) is not None:
                batch.start()
        taken = (self.collector.take(item) for item in put)
        return [batch for batch in taken if batch is not None]

    def _too_late(self) -> DeadlineExceededError:
        name = self.collector.name
        text = f"{name}: the batches gave no result before the deadline"
        return DeadlineExceededError(text, name=name)


class SyncCalls(Calls):
    """For functions."""

    def map(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Put all items in, flush them, and return their results in order."""
        if deadlines.in_use:
            check_deadline(self.collector.name)
        items: list[Item] = []
        if runs_within(self.collector):
            for chunk in self._chunks(self._items(args, kwargs)):
                items += chunk
                Batch(self.collector, None, None, function=self.collector.bare).serve(chunk)
        else:
            try:
                self._finish(self._put_all(self._items(args, kwargs), items), items)
            except BaseException as error:
                for item in items:
                    self.collector.abandon(item, error)
                raise
        return [item.outcome() for item in items]

    def flush(self) -> None:
        """Run all that waits for company, and return when that has ended."""
        with self.collector.all_taken() as batches:
            if not runs_within(self.collector):
                self._finish(batches, [])
                return
            for batch in batches:  # a worker would wait for what this batch holds
                batch.function = self.collector.bare
                batch.run()

    def _finish(self, batches: list[Batch], items: list[Item]) -> None:
        """Run these batches, one of them in this thread, and wait for them and for the items."""
        all_batches = dict.fromkeys([*batches, *(item.batch for item in items if item.batch)])
        for batch in batches[1:]:
            batch.start()
        for batch in batches[:1]:
            batch.run()
        end = deadline_end()
        for batch in all_batches:
            waiter = ThreadWaiter()
            while self.collector.watch(batch, waiter):
                if end is not None and _clock.now() >= end:
                    raise self._too_late()
                waiter.wait(None if end is None else end - _clock.now())


class AsyncCalls(Calls):
    """For coroutine functions; as `SyncCalls`, but for `await`."""

    async def map(self, *args: Any, **kwargs: Any) -> list[Any]:
        """Put all items in, flush them, and return their results in order."""
        if deadlines.in_use:
            check_deadline(self.collector.name)
        items: list[Item] = []
        if runs_within(self.collector):
            for chunk in self._chunks(self._items(args, kwargs)):
                items += chunk
                batch = Batch(self.collector, None, None, function=self.collector.bare)
                await batch.serve_async(chunk)
        else:
            try:
                await self._finish(self._put_all(self._items(args, kwargs), items), items)
            except BaseException as error:
                for item in items:
                    self.collector.abandon(item, error)
                raise
        return [item.outcome() for item in items]

    async def flush(self) -> None:
        """Run all that waits for company, and return when that has ended."""
        with self.collector.all_taken() as batches:
            if runs_within(self.collector):
                for batch in batches:
                    batch.function = self.collector.bare
            await self._finish(batches, [])

    async def _finish(self, batches: list[Batch], items: list[Item]) -> None:
        """Start these batches, and wait for them and for the items."""
        all_batches = dict.fromkeys([*batches, *(item.batch for item in items if item.batch)])
        for batch in batches:
            batch.start()
        end = deadline_end()
        for batch in all_batches:
            waiter = LoopWaiter()
            while self.collector.watch(batch, waiter):
                if end is not None and _clock.now() >= end:
                    raise self._too_late()
                await waiter.wait(None if end is None else end - _clock.now())
