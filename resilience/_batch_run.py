"""One batch: it collects items, runs once, and answers every item whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import suppress
from types import coroutine
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._batch_loops import LoopCall
from resilience._batch_scene import Scene
from resilience._batch_work import BatchWork
from resilience._core.batch import BatchMachine
from resilience._turnstile import Turnstile
from resilience._waiters import Waiter, running_loop

if TYPE_CHECKING:
    from contextvars import Context

    from resilience._batch_intake import Intake
    from resilience._batch_items import Item
    from resilience._timers import Timer

__all__ = ["Batch"]


@coroutine
def _first_step() -> Generator[None, None, None]:
    """Let the others run once; `asyncio.sleep` cannot be begun without a loop."""
    yield


class Batch(BatchWork):
    """Items with one key.

    Attributes:
        machine: Who is in it, and whether it still collects; to be touched under the lock, or in
            its loop's thread.
        context: That of the call that began it.
        has_left: Some of the items in it may have been left by their callers.
        loop: The event loop whose tasks wait for it, or None.
        runner: Stands for the caller who runs it or is about to start it; None without one.
        timer: What takes it when it is due, where no thread and no loop does.
    """

    __slots__ = (
        "_ended",
        "_items",
        "_task",
        "_watchers",
        "context",
        "has_left",
        "key",
        "loop",
        "machine",
        "runner",
        "timer",
    )

    def __init__(
        self,
        collector: Intake,
        key: object,
        loop: asyncio.AbstractEventLoop | None,
        function: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(
            collector, function or collector.function, Turnstile() if loop is None else None
        )
        options = collector.options
        self.machine = BatchMachine(options.max_batch_size, options.batch_timeout)
        self.key = key
        self.loop = loop
        self.runner: object = None
        self.timer: Timer | None = None
        self.context: Context | None = None
        self.has_left = False
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
                self.collector.start_worker(self.run_in_worker)
            except RuntimeError:  # no thread can be started any more
                self.run_in_worker()
        elif self.loop is running_loop():
            self.start_in_loop()
        else:
            try:
                self.collector.began(self)
                call = LoopCall(self.collector, self.loop, self.start_in_loop)
                self.loop.call_soon_threadsafe(call)
            except RuntimeError:  # the loop is closed: nobody will ever run it
                self.end(asyncio.CancelledError())
        self.runner = None  # it is in other hands now

    def start_in_loop(self) -> None:
        """Run it as a task of its loop, which is the running one."""
        if self._begin():
            assert self.loop is not None  # noqa: S101 - for the checker
            self.collector.began(self)
            running = self.run_async()
            running.send(None)  # so that it hears of it if its task is cancelled before it is run
            self._task = self.loop.create_task(running, context=self._scenery())
        else:
            self.end(None)
        self.runner = None  # it is in other hands now

    def _scenery(self) -> Context:
        """Return the context to run in: that of the call that began it, if that has not left."""
        around = self._items[0].around
        context = self.context if around is None else around.context
        assert context is not None  # noqa: S101 - for the checker
        return context

    def run_in_worker(self) -> None:
        """Run it in this thread, which survives whatever the function raises."""
        with suppress(BaseException):
            if self.collector.is_async:
                self._run_in_new_loop()
            else:
                self.run()

    def _run_in_new_loop(self) -> None:
        try:
            if self._begin():
                self._scenery().run(asyncio.run, self.run_async())
        finally:
            self.end(asyncio.CancelledError())

    # -- the run -----------------------------------------------------------------------------

    def run(self) -> None:
        """Run it in this thread; what is no `Exception` comes out, once all are answered."""
        try:
            if self._begin():
                self._scenery().run(self._work)
        except BaseException as error:
            self.end(error)
            raise
        self.end(None)

    async def run_async(self) -> None:
        """Run it in this task, after `_begin`; as `run`, but for `await`."""
        try:
            await _first_step()
            if self.loop is not None:
                self.collector.settle(self.loop)
            with Scene(self.collector, self.machine, self._items) as scene:
                scene.failed = await self.serve_async(self._items)
        except BaseException as error:
            self.end(error)
            raise
        self.end(None)

    def _work(self) -> None:
        with Scene(self.collector, self.machine, self._items) as scene:
            scene.failed = self.serve(self._items)

    def _begin(self) -> bool:
        """Drop the items that nobody waits for; return whether others are left."""
        items = self.machine.items
        if self.has_left or self.collector.has_submitted:
            items = [
                item for item in items if (item.starts() if item.is_submitted else not item.gone)
            ]
        self._items = items
        return bool(items)

    # -- the end -----------------------------------------------------------------------------

    def end(self, error: BaseException | None) -> None:
        """Answer who has none yet, since the batch ended with this; twice is once."""
        items = self._items or self.machine.items
        if error is not None:
            self.answer_all([item for item in items if not item.answered], error)
            for item in items:  # the wake-up may have been what was interrupted
                item.wake()
        if self.turnstile is not None:
            self.turnstile.open()
        self._items, self._task, self.context = [], None, None
        self.machine.forget()
        for waiter in self.collector.ended(self):
            waiter.wake()
        self.runner = None  # last: until then its owner ends the batch if this is interrupted

    def fail(self, error: BaseException) -> None:
        """End it from any thread; in its loop, if it has one that can still do that."""
        if self.loop is None or self.loop is running_loop():
            self.end(error)
            return
        try:
            self.loop.call_soon_threadsafe(self.end, error)
        except RuntimeError:  # the loop is closed
            self.end(error)

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
