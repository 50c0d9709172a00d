"""Collects single calls into batches, and sees to it that each batch is run when it is due.

Who runs a batch: the caller who fills it, in its own thread. Else the thread whose item is the
oldest wakes when the batch is due; if it leaves before, the next one takes over. Where no thread
waits (submitted items), a timer hands the batch to a worker. Tasks wait for a task in their loop.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from typing import Any

from resilience import _clock, _fork
from resilience._batch_items import Item, ThreadItem
from resilience._batch_options import BatchOptions
from resilience._batch_run import Batch
from resilience._context import deadlines
from resilience._core.batch import Flush
from resilience._switches import Switch, disabled_features
from resilience._timers import timers
from resilience._waiters import Waiter, running_loop
from resilience._workers import Run, Workers

__all__ = ["Collector"]

Function = Callable[..., Any]


class Collector:
    """The batches of one function.

    A key is the user's object, and its `__hash__` and `__eq__` may do anything: so the batches by
    key stand in a dict without a lock, single operations of which are atomic. The worst that a
    race does there is that a batch is found by nobody any more; it is run in time all the same.
    All else is guarded by a lock, which is re-entrant because of the garbage collector: it may
    close a forgotten coroutine at any point, and that one leaves its batch.

    Attributes:
        function: Calls the function with a list, under a permit where these are limited.
        bare: The same without the limit: for calls within a running batch, which holds a permit.
    """

    def __init__(
        self,
        name: str,
        options: BatchOptions,
        functions: tuple[Function, Function],
        *,
        is_async: bool,
        is_observed: bool,
    ) -> None:
        self.name = name
        self.options = options
        self.function, self.bare = functions
        self.is_async = is_async
        self.is_observed = is_observed
        self.switch = Switch("batched")
        if not options.enable_batching:
            self.switch.disable()
        self._open: dict[Any, Batch] = {}
        self._waiting: dict[Batch, None] = {}
        self._running: set[Batch] = set()
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

    @property
    def waiting(self) -> int:
        """How many items wait for company."""
        with self._lock:
            return sum(len(batch.machine) for batch in self._waiting)

    @property
    def is_off(self) -> bool:
        """Whether nobody waits for company."""
        return deadlines.in_use and self.switch.is_off

    def start_worker(self, run: Run) -> None:
        """Run this in a worker thread."""
        self._workers.submit(run, self.options.most_workers)

    # -- in ----------------------------------------------------------------------------------

    def put(self, item: Item) -> Batch | None:
        """Let an item wait for company; return its batch if that is to be run now."""
        loop = running_loop() if self.is_async else None
        key = item.options.key
        if loop is not None:
            key = loop if key is None else (key, loop)
        if deadlines.in_use and (features := disabled_features()):
            key = (key, features)  # the batch does without these
        while True:
            batch = self._open.get(key)
            if batch is None or batch.machine.flush is not None:
                batch = self._renew(key, batch, loop)
            with self._lock:
                machine = batch.machine
                if machine.flush is not None:
                    continue
                item.batch, now = batch, _clock.now()
                count = machine.add(item, now)
                is_full = count >= machine.size
                if count == 1:
                    self._waiting[batch] = None
                is_urgent = item.end is not None and item.end - now < self.options.batch_timeout
                runs_now = is_full or is_urgent or (deadlines.in_use and self.is_off)
                if runs_now:
                    flush: Flush = "size" if is_full else "time" if is_urgent else "explicit"
                    self._take(batch, flush, now, item)
            if runs_now:
                self._taken(batch)
                return batch
            if count == 1:
                self._see_to(batch)
            return None

    def _renew(self, key: Any, old: Batch | None, loop: asyncio.AbstractEventLoop | None) -> Batch:
        """Return the batch of this key that collects."""
        if old is not None:
            self._forget(old)
        if loop is not None and self._last_loop() is not loop:
            self._last_loop = weakref.ref(loop)
            self._drop_closed_loops()
        return self._open.setdefault(key, Batch(self, key, loop))

    def _see_to(self, batch: Batch) -> None:
        """See to it that somebody comes when the batch is due: its leader, or a timer."""
        with self._lock:
            leader, due = batch.machine.oldest, batch.machine.due
        if batch.is_taken or leader is None:
            return
        if batch.loop is not None:
            seconds = max(0.0, due - _clock.now())
            batch.timer = _clock.call_later(batch.loop, seconds, lambda: self._on_time(batch))
        elif leader.has_thread:
            leader.wake()
        else:
            try:
                batch.timer = timers.at(due, lambda: self._on_time(batch))
            except RuntimeError:  # no thread can be started any more
                self._on_time(batch, at_once=True)

    def _on_time(self, batch: Batch, *, at_once: bool = False) -> None:
        """Take the batch if it is due; come back if its oldest item has left meanwhile."""
        now = _clock.now()
        with self._lock:
            if batch.is_taken or not batch.machine:
                return
            is_due = at_once or batch.machine.is_due(now)
            if is_due:
                self._take(batch, "time", now, None)
        if is_due:
            self._taken(batch)
            batch.start()
        else:
            self._see_to(batch)

    # -- out ---------------------------------------------------------------------------------

    def wait(self, item: ThreadItem) -> None:
        """Block until the item is answered, and run its batch if that falls to this thread.

        Raises:
            DeadlineExceededError: the item's deadline has passed before.
        """
        batch = item.batch
        assert batch is not None  # noqa: S101 - for the checker
        while not item.answered:
            until, mine = item.end, False
            with self._lock:
                machine, now = batch.machine, _clock.now()
                if not batch.is_taken and machine.oldest is item:
                    mine = machine.is_due(now)
                    if mine:
                        self._take(batch, "time", now, item)
                    else:
                        until = machine.due if until is None else min(until, machine.due)
            if mine:
                self._taken(batch)
                batch.run()
            elif item.end is not None and item.end <= now:
                raise item.too_late(self.name)
            else:
                item.wait(until)

    def leave(self, item: Item) -> bool:
        """Take note that the item's caller has gone; return whether it still waited."""
        item.gone = True
        batch = item.batch
        if batch is None or item.answered or self._is_mid_step():
            return False  # the garbage collector's: the batch drops the item when it runs
        with self._lock:
            waits = not batch.is_taken
            leads = waits and batch.machine.remove(item)
            is_empty = waits and not batch.machine
            if is_empty:
                self._take(batch, "explicit", _clock.now(), None)
        if not waits:
            batch.left()
        elif is_empty:
            self._taken(batch)
        elif leads and batch.loop is None:
            self._see_to(batch)
        return waits

    def abandon(self, item: Item, error: BaseException) -> None:
        """Leave in a hurry: what this caller was about to do for the others is done, or undone."""
        self.leave(item)
        batch = item.batch
        if batch is not None and batch.is_taken and batch.runner is item:
            batch.end(error)

    def take_all(self, *, loops: bool = True) -> list[Batch]:
        """Take all that waits, that of event loops perhaps; the caller runs it."""
        with self._lock:
            now = _clock.now()
            batches = [each for each in self._waiting if each.machine and (loops or not each.loop)]
            for batch in batches:
                self._take(batch, "explicit", now, None)
        for batch in batches:
            self._taken(batch)
        return batches

    def take(self, item: Item) -> Batch | None:
        """Take the batch of this item, if it still collects."""
        batch = item.batch
        with self._lock:
            if batch is None or batch.is_taken:
                return None
            self._take(batch, "explicit", _clock.now(), None)
        self._taken(batch)
        return batch

    def _take(self, batch: Batch, flush: Flush, now: float, runner: Item | None) -> None:
        """Close a batch; the lock is held."""
        batch.runner = runner
        batch.machine.take(flush, now)
        self._waiting.pop(batch, None)

    def _taken(self, batch: Batch) -> None:
        """Forget a batch that has been taken, after the lock was let go."""
        self._forget(batch)
        timer, batch.timer = batch.timer, None
        # The timer of a loop is cancelled in its thread; elsewhere it finds nothing to do.
        if timer is not None and (batch.loop is None or batch.loop is running_loop()):
            timer.cancel()

    def _forget(self, batch: Batch) -> None:
        if self._open.get(batch.key) is batch:
            self._open.pop(batch.key, None)

    def _drop_closed_loops(self) -> None:
        """Give up what waits in loops that were closed: nobody will ever run it."""
        with self._lock:
            batches = [*self._waiting, *self._running]
            gone = [each for each in batches if each.loop is not None and each.loop.is_closed()]
            for batch in gone:
                self._take(batch, "explicit", _clock.now(), None)
        for batch in gone:
            batch.end(asyncio.CancelledError())

    # -- the end -----------------------------------------------------------------------------

    def began(self, batch: Batch) -> None:
        """Keep a batch that runs as a task: a loop holds its tasks weakly."""
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
