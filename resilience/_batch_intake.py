"""How an item comes into a batch, and how those of event loops are run in time."""

from __future__ import annotations

import asyncio
import math
import weakref
from abc import abstractmethod
from contextvars import copy_context
from typing import Any

from resilience import _clock
from resilience._batch_items import Item
from resilience._batch_run import Batch
from resilience._batch_state import BatchState
from resilience._context import deadlines
from resilience._core.batch import Flush
from resilience._switches import disabled_features
from resilience._waiters import running_loop

__all__ = ["Intake"]


class Intake(BatchState):
    """Finds the batch of each item; thread-safe."""

    @abstractmethod
    def see_to(self, batch: Batch) -> None:
        """See to it that somebody comes when a batch without a loop is due."""

    @property
    def is_off(self) -> bool:
        """Whether nobody waits for company."""
        return deadlines.in_use and self.switch.is_off

    # -- in ----------------------------------------------------------------------------------

    def put(self, item: Item) -> Batch | None:
        """Let an item wait for company; return its batch if that is to be run now."""
        loop = running_loop() if self.is_async else None
        if loop is not None:
            return self.put_in_loop(item, loop)
        key = item.options.key if not deadlines.in_use else self._key_of(item)
        while True:
            batch = self._open.get(key)
            if batch is None or batch.machine.flush is not None:
                batch = self._renew(key, batch, None)
            with self._lock:
                if batch.machine.flush is not None:
                    continue
                item.since = now = _clock.now()
                item.batch = batch
                count = batch.machine.add(item, now)
                if count == 1:
                    self._opened(batch, item)
                flush = self._reason(item, count)
                if flush is not None:
                    self._take(batch, flush, now, item)
            if flush is not None:
                self._taken(batch)
                return batch
            if count == 1 and not item.has_thread:  # that one comes by itself
                self.see_to(batch)
            return None

    def put_in_loop(self, item: Item, loop: asyncio.AbstractEventLoop) -> Batch | None:
        """As `put`, for a batch of the running loop.

        Nobody but its loop puts something in, or looks at what is in it when it runs. So the lock
        is taken where the batch is, which others may do as well, and not for each item.
        """
        uses = deadlines.in_use
        key = self._key_of(item) if uses else item.options.key
        key = loop if key is None else (key, loop)
        batch = self._open.get(key)
        if batch is None or batch.machine.flush is not None:
            batch = self._renew(key, batch, loop)
        item.since = now = _clock.now()
        item.batch = batch
        count = batch.machine.add(item, now)
        if 1 < count < self._size and not uses:
            return None
        if count == 1:
            self._opened(batch, item)
        flush = self._reason(item, count)
        if flush is not None:
            return batch if self._claim(batch, flush, now, item) else None
        if count == 1:
            self._timers.set(loop, batch.machine.due)
        return None

    def _key_of(self, item: Item) -> Any:
        features = disabled_features()  # the batch does without these
        return (item.options.key, features) if features else item.options.key

    def _opened(self, batch: Batch, item: Item) -> None:
        """Take note that a batch has got its first item."""
        batch.context = copy_context() if item.around is None else item.around.context
        with self._lock:
            if not batch.is_taken:  # another thread may have flushed it just now
                self._waiting[batch] = None

    def _reason(self, item: Item, count: int) -> Flush | None:
        """Return why the batch of an item that has joined is to be run now, or None."""
        if count >= self._size:
            return "size"
        if not deadlines.in_use:
            return None
        if item.end is not None and item.end - item.since < self.options.batch_timeout:
            return "time"
        return "explicit" if self.is_off else None

    def _claim(self, batch: Batch, flush: Flush, now: float, runner: Item | None) -> bool:
        """Take a batch, and return whether that was possible: others may have done so."""
        with self._lock:
            if batch.is_taken:
                return False
            self._take(batch, flush, now, runner)
        self._taken(batch)
        return True

    def _renew(self, key: Any, old: Batch | None, loop: asyncio.AbstractEventLoop | None) -> Batch:
        """Return the batch of this key that collects."""
        if old is not None:
            self._forget(old)
        if loop is not None and self._last_loop() is not loop:
            self._last_loop = weakref.ref(loop)
            self.drop_closed_loops()
        return self._open.setdefault(key, Batch(self, key, loop))

    # -- in time -----------------------------------------------------------------------------

    def on_loop_time(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the batches of this loop that are due, and come back for the others."""
        now = _clock.now()
        due, then = self._due_in(loop, now)
        if then < math.inf:
            self._timers.set(loop, then)
        for batch in due:
            if self._claim(batch, "time", now, None):
                batch.start_in_loop()

    def _due_in(self, loop: asyncio.AbstractEventLoop, now: float) -> tuple[list[Batch], float]:
        """Return the batches of a loop that are due, or empty, and when the next one will be."""
        due, then = [], math.inf
        with self._lock:
            for batch in self._waiting:
                machine = batch.machine
                if batch.loop is not loop:
                    continue
                if not machine or machine.is_due(now):
                    due.append(batch)
                    continue
                then = min(then, machine.due)
                if not machine.was_led:  # those behind it have begun later
                    break
        return due, then

    def settle(self, loop: asyncio.AbstractEventLoop) -> None:
        """Cancel the timer of the running loop if nothing waits there any more."""
        if loop in self._timers and not (self._waiting and self._waits_in(loop)):
            self._timers.cancel(loop)

    def _waits_in(self, loop: asyncio.AbstractEventLoop) -> bool:
        with self._lock:
            return any(batch.loop is loop for batch in self._waiting)
