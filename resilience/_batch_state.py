"""What the parts of a collector share: the batches that wait and run, and the lock around them."""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resilience import _clock, _fork
from resilience._batch_loops import LoopTimers
from resilience._batch_options import BatchOptions
from resilience._core.batch import Flush
from resilience._switches import Switch
from resilience._waiters import Waiter, running_loop
from resilience._workers import Run, Workers

if TYPE_CHECKING:
    from resilience._batch_items import Item
    from resilience._batch_run import Batch
    from resilience.telemetry.calls import Recorder
    from resilience.telemetry.statistics import CallStatistics

__all__ = ["BatchState"]

Function = Callable[..., Any]


class BatchState(ABC):
    """The batches of one function, the lock, and what a batch calls.

    A key is the user's object, and its `__hash__` and `__eq__` may do anything: so the batches by
    key stand in a dict without a lock, single operations of which are atomic. The worst that a
    race does there is that a batch is found by nobody any more; it is run in time all the same.
    All else is guarded by a lock, which is re-entrant because of the garbage collector: it may
    close a forgotten coroutine at any point, and that one leaves its batch.

    Attributes:
        function: Calls the function with a list, under a permit where these are limited.
        has_submitted: There have been items whose futures are to be told when they run.
        bare: The same without the limit: for calls within a running batch, which holds a permit.
    """

    def __init__(
        self,
        name: str,
        options: BatchOptions,
        functions: tuple[Function, Function],
        *,
        is_async: bool,
        statistics: CallStatistics | None,
        counter: Recorder | None,
    ) -> None:
        self.name = name
        self.options = options
        self._size = options.max_batch_size
        self.has_submitted = False
        self.function, self.bare = functions
        self.is_async = is_async
        self._statistics = statistics
        self._counter = counter
        self.switch = Switch("batched")
        if not options.enable_batching:
            self.switch.disable()
        self._open: dict[Any, Batch] = {}
        self._waiting: dict[Batch, None] = {}
        self._running: set[Batch] = set()
        self._timers = LoopTimers(self, self.on_loop_time)
        self._last_loop: Callable[[], object] = lambda: None
        self._workers = Workers(name)
        self._new_lock()
        _fork.renew_after(self)

    def _new_lock(self) -> None:
        lock = threading.RLock()
        self._lock = lock
        # Whether this thread is in the midst of a step; `threading.Condition` asks the same.
        self._is_mid_step: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined] # noqa: SLF001

    def renew_after_fork(self) -> None:
        """Forget the calls of threads that do not exist in the child; its own loop's stay."""
        self._new_lock()
        loop = running_loop()
        self._running = {each for each in self._running if loop and each.loop is loop}
        self._waiting = {each: None for each in self._waiting if loop and each.loop is loop}
        self._open = {each.key: each for each in self._waiting}
        self._timers.keep_only(loop)

    @property
    def is_observed(self) -> bool:
        """Whether a batch that runs now has a span and is measured."""
        return self._statistics is not None and not self._statistics.switch.is_off

    @property
    def waiting(self) -> int:
        """How many items wait for company."""
        with self._lock:
            return sum(len(batch.machine) for batch in self._waiting)

    def count(self, items: list[Item]) -> None:
        """Count the calls that have just succeeded, but for those that others record."""
        if self._counter is not None:
            began = [
                item.since
                for item in items
                if item.around is None and item.answered and item.raised is None
            ]
            if began:
                self._counter.succeeded(began)

    def start_worker(self, run: Run) -> None:
        """Run this in a worker thread."""
        self._workers.submit(run, self.options.most_workers)

    def began(self, batch: Batch) -> None:
        """Keep a batch that its loop runs, or is about to: a loop holds its tasks weakly."""
        self._running.add(batch)

    def ended(self, batch: Batch) -> list[Waiter]:
        """Forget a batch that has ended, and return who waits for that."""
        self._running.discard(batch)
        self._forget(batch)
        with self._lock:
            self._waiting.pop(batch, None)
            return batch.take_watchers()

    def watch(self, batch: Batch, waiter: Waiter) -> bool:
        """Wake this when the batch has ended; False if it has."""
        with self._lock:
            return batch.watch(waiter)

    def _take(self, batch: Batch, flush: Flush, now: float, runner: object) -> None:
        """Close a batch; the lock is held."""
        batch.runner = runner
        batch.machine.take(flush, now)
        self._waiting.pop(batch, None)

    def _taken(self, batch: Batch) -> None:
        """Forget a batch that has been taken, after the lock was let go."""
        self._forget(batch)
        timer, batch.timer = batch.timer, None
        if timer is not None:
            timer.cancel()

    def _forget(self, batch: Batch) -> None:
        if self._open.get(batch.key) is batch:
            self._open.pop(batch.key, None)

    @abstractmethod
    def on_loop_time(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the batches of this loop that are due, and come back for the others."""

    def drop_closed_loops(self) -> None:
        """Give up what waits in loops that were closed: nobody will ever run it."""
        if self._is_mid_step():  # the garbage collector's: the next loop that comes does it
            return
        self._timers.drop_closed()
        with self._lock:
            batches = [*self._waiting, *self._running]
            gone = [each for each in batches if each.loop is not None and each.loop.is_closed()]
            for batch in gone:
                if not batch.is_taken:
                    self._take(batch, "explicit", _clock.now(), None)
        for batch in gone:
            batch.end(asyncio.CancelledError())
