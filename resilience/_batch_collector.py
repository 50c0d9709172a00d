"""Collects single calls into batches, and sees to it that each batch is run when it is due.

Who runs a batch: the caller who fills it, in its own thread. Else the thread whose item is the
oldest wakes when the batch is due; if it leaves before, the next one takes over. Where no thread
waits (submitted items), a timer hands the batch to a worker. Tasks wait for a task in their loop.
"""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from resilience import _clock
from resilience._batch_items import Item, ThreadItem
from resilience._batch_run import Batch
from resilience._batch_state import BatchState, LoopCall, LoopTimer
from resilience._context import deadlines
from resilience._core.batch import Flush
from resilience._switches import disabled_features
from resilience._timers import timers
from resilience._waiters import running_loop

__all__ = ["Collector"]


class Collector(BatchState):
    """The batches of one function; thread-safe."""

    @property
    def is_off(self) -> bool:
        """Whether nobody waits for company."""
        return deadlines.in_use and self.switch.is_off

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
            if count == 1 and not item.has_thread:  # that one comes by itself
                self._see_to(batch)
            return None

    def _renew(self, key: Any, old: Batch | None, loop: asyncio.AbstractEventLoop | None) -> Batch:
        """Return the batch of this key that collects."""
        if old is not None:
            self._forget(old)
        if loop is not None and self._last_loop() is not loop:
            self._last_loop = weakref.ref(loop)
            self.drop_closed_loops()
        return self._open.setdefault(key, Batch(self, key, loop))

    def _see_to(self, batch: Batch) -> None:
        """See to it that somebody comes when the batch is due: its leader, or a timer."""
        with self._lock:
            is_over = batch.is_taken
            leader, due = batch.machine.oldest, batch.machine.due
        if is_over or leader is None:
            return
        if batch.loop is not None:
            seconds = max(0.0, due - _clock.now())
            call = LoopCall(self, batch.loop, lambda: self._on_time(batch))
            batch.timer = LoopTimer(_clock.call_later(batch.loop, seconds, call))
        elif leader.has_thread:
            batch.wake_threads()
        else:
            try:
                timer = batch.timer = timers.at(due, lambda: self._on_time(batch))
                if batch.is_taken:  # by somebody who did not know the timer yet
                    timer.cancel()
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
        while True:
            turnstile = batch.turnstile  # before the look: it is opened after an answer is there
            if item.answered:
                return
            end, now = item.end, _clock.now()
            due = self._due(batch, item, now)
            if due <= now:
                self._taken(batch)
                batch.run()
            elif end is not None and end <= now:
                raise item.too_late(self.name)
            else:
                until = due if end is None else min(due, end)
                _clock.wait(turnstile, None if until == math.inf else until - now)

    def _due(self, batch: Batch, item: Item, now: float) -> float:
        """Return when this item's thread has to look after the batch; with that, take it if due."""
        machine = batch.machine
        if machine.oldest is not item:  # whoever comes to lead is woken
            return math.inf
        with self._lock:
            if batch.is_taken or machine.oldest is not item:
                return math.inf
            if not machine.is_due(now):
                return machine.due
            self._take(batch, "time", now, item)
            return now

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

    @contextmanager
    def all_taken(self, *, loops: bool = True) -> Generator[list[Batch]]:
        """Take all that waits, that of event loops perhaps; what is not started inside, ends."""
        batches: list[Batch] = []
        try:
            with self._lock:
                batches += [b for b in self._waiting if b.machine and (loops or not b.loop)]
                for batch in batches:
                    self._take(batch, "explicit", _clock.now(), batch)
            for batch in batches:
                self._taken(batch)
            yield batches
        except BaseException as error:
            for batch in batches:
                if batch.runner is batch:
                    batch.end(error)
            raise

    def take(self, item: Item) -> Batch | None:
        """Take the batch of this item, if it still collects."""
        batch = item.batch
        with self._lock:
            if batch is None or batch.is_taken:
                return None
            self._take(batch, "explicit", _clock.now(), item)
        self._taken(batch)
        return batch
