"""One batch: it collects items, runs once, and answers every item whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._batch_results import answers_of, failures, lost, may_split, unlisted
from resilience._batch_scene import scene
from resilience._batch_state import LoopCall
from resilience._core.batch import BatchMachine
from resilience._turnstile import Turnstile
from resilience._waiters import Waiter, running_loop
from resilience.errors import MissingResultError

if TYPE_CHECKING:
    from resilience._batch_collector import Collector
    from resilience._batch_items import Item
    from resilience._timers import Timer

__all__ = ["Batch"]


class Batch:
    """Items with one key.

    Attributes:
        machine: Who is in it, and whether it still collects; to be touched under the lock.
        loop: The event loop whose tasks wait for it, or None.
        function: What it calls with a list.
        runner: Stands for the caller who runs it or is about to start it; None without one.
        timer: What takes it when it is due, where no thread does.
        turnstile: Where threads wait for their answers, or until they have to look after it.
    """

    __slots__ = (
        "_collector",
        "_ended",
        "_items",
        "_task",
        "_watchers",
        "function",
        "key",
        "loop",
        "machine",
        "runner",
        "timer",
        "turnstile",
    )

    def __init__(
        self,
        collector: Collector,
        key: object,
        loop: asyncio.AbstractEventLoop | None,
        function: Callable[..., Any] | None = None,
    ) -> None:
        options = collector.options
        self.machine = BatchMachine(options.max_batch_size, options.batch_timeout)
        self.key = key
        self.loop = loop
        self.function = function or collector.function
        self.runner: object = None
        self.timer: Timer | _clock.Handle | None = None
        self.turnstile = Turnstile()
        self._collector = collector
        self._items: list[Item] = []
        self._task: asyncio.Task[None] | None = None
        self._watchers: list[Waiter] = []
        self._ended = False

    def hold(self, items: list[Item]) -> None:
        """Take these items at once, and no others."""
        for item in items:
            self.machine.add(item, _clock.now())
        self.machine.take("explicit", _clock.now())

    @property
    def is_taken(self) -> bool:
        """Whether it takes no more items."""
        return self.machine.flush is not None

    # -- who runs it -------------------------------------------------------------------------

    def start(self) -> None:
        """Run it without blocking: as a task where tasks wait for it, else in a worker."""
        if self.loop is None:
            try:
                self._collector.start_worker(self.run_in_worker)
            except RuntimeError:  # no thread can be started any more
                self.run_in_worker()
        elif self.loop is running_loop():
            self._start_task()
        else:
            try:
                self._collector.began(self)
                call = LoopCall(self._collector, self.loop, self._start_task)
                self.loop.call_soon_threadsafe(call)
            except RuntimeError:  # the loop is closed: nobody will ever run it
                self.end(asyncio.CancelledError())
        self.runner = None  # it is in other hands now

    def _start_task(self) -> None:
        if not self._begin():
            self.end(None)
            return
        assert self.loop is not None  # noqa: S101 - for the checker
        self._collector.began(self)
        context = self._items[0].context
        self._task = self.loop.create_task(self.run_async(), context=context)
        # A task that is cancelled before its first step never runs.
        self._task.add_done_callback(lambda _: self.end(asyncio.CancelledError()))

    def run_in_worker(self) -> None:
        """Run it in this thread, which survives whatever the function raises."""
        with suppress(BaseException):
            if self._collector.is_async:
                self._run_in_new_loop()
            else:
                self.run()

    def _run_in_new_loop(self) -> None:
        try:
            if self._begin():
                self._items[0].context.run(asyncio.run, self.run_async())
        finally:
            self.end(asyncio.CancelledError())

    # -- the run -----------------------------------------------------------------------------

    def run(self) -> None:
        """Run it in this thread; what is no `Exception` comes out, once all are answered."""
        try:
            if self._begin():
                self._items[0].context.run(self._work)
        except BaseException as error:
            self.end(error)
            raise
        self.end(None)

    async def run_async(self) -> None:
        """Run it in this task, after `_begin`; as `run`, but for `await`."""
        try:
            with scene(self._collector, self.machine, self._items) as failed:
                failed.extend(await self.serve_async(self._items))
        except BaseException as error:
            self.end(error)
            raise
        self.end(None)

    def _work(self) -> None:
        with scene(self._collector, self.machine, self._items) as failed:
            failed.extend(self.serve(self._items))

    def _begin(self) -> bool:
        """Drop the items that nobody waits for; return whether others are left."""
        self._items = [
            item
            for item in self.machine.items
            if (item.starts() if item.is_submitted else not item.gone)
        ]
        return bool(self._items)

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
        return len(items) > 1 and self._collector.options.on_error == "split" and may_split(error)

    def _fail(self, items: list[Item], error: Exception) -> list[Exception]:
        for item, own in zip(items, failures(error), strict=False):
            item.answer(None, own)
        return [error]

    def _hand_out(
        self, items: list[Item], results: list[Any], wrong: str | None
    ) -> list[Exception]:
        name = self._collector.name
        if wrong is not None:
            for item in items:
                item.answer(None, MissingResultError(f"{name} {wrong}"))
            return []
        if len(results) == len(items) and not any(
            isinstance(each, BaseException) for each in results
        ):
            for item, result in zip(items, results, strict=True):
                item.answer(result)
            return []
        answers = answers_of(results, len(items), name)
        for item, (result, error) in zip(items, answers, strict=True):
            item.answer(result, error)
        return []

    # -- the end -----------------------------------------------------------------------------

    def end(self, error: BaseException | None) -> None:
        """Answer who has none yet, since the batch ended with this; twice is once."""
        items = self._items or self.machine.items
        if error is not None:
            self._answer_all([item for item in items if not item.answered], error)
            for item in items:  # the wake-up may have been what was interrupted
                item.wake()
        self.turnstile.open()
        self._items, self._task = [], None
        self.machine.forget()
        for waiter in self._collector.ended(self):
            waiter.wake()
        self.runner = None  # last: until then its owner ends the batch if this is interrupted

    def wake_threads(self) -> None:
        """Let the threads look that wait: some are answered, or another one leads."""
        self.turnstile.open()  # first: who is interrupted here ends the batch, and that opens this
        self.turnstile = Turnstile()

    def _answer_all(self, items: list[Item], error: BaseException) -> None:
        if isinstance(error, Exception):
            self._fail(items, error)
            return
        for item in items:
            item.answer(None, lost(error, self._collector.name))

    def left(self) -> None:
        """Take note that somebody has left while it runs; the last one cancels its task."""
        task, loop = self._task, self.loop
        if task is None or loop is None or not all(item.gone for item in self._items):
            return
        if loop is running_loop():
            task.cancel()
        else:  # the garbage collector, in any thread
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(task.cancel)

    def watch(self, waiter: Waiter) -> bool:
        """Wake this at the end; False if that has come already. Under the lock."""
        if not self._ended:
            self._watchers.append(waiter)
        return not self._ended

    def take_watchers(self) -> list[Waiter]:
        """Return who waits for the end, which has come. Under the lock."""
        self._ended = True
        watchers, self._watchers = self._watchers, []
        return watchers
