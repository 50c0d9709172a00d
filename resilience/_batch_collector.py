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
from contextvars import copy_context
from typing import Any

from resilience import _clock
from resilience._batch_items import Item, ThreadItem
from resilience._batch_run import Batch
from resilience._batch_state import BatchState
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
                self._see_to(batch)
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
            return self._claim(batch, flush, item)
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
            self._waiting.pop(batch, None)  # the last one that is due
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

    def _claim(self, batch: Batch, flush: Flush, runner: Item | None) -> Batch | None:
        """Take a batch, unless somebody else has done so; return it then."""
        with self._lock:
            if batch.is_taken:
                return None
            self._take(batch, flush, _clock.now(), runner)
        self._taken(batch)
        return batch

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
        due, then = self._due_in(loop, _clock.now())
        if then < math.inf:
            self._timers.set(loop, then)
        for batch in due:
            if self._claim(batch, "time", None):
                batch.start()

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

    def _see_to(self, batch: Batch) -> None:
        """See to it that somebody comes when the batch is due: its leader, or a timer."""
        with self._lock:
            is_over = batch.is_taken
            leader, due = batch.machine.oldest, batch.machine.due
        if is_over or leader is None:
            return
        if leader.has_thread:
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
            turnstile = batch.turnstile  # before the look: it is opened when an answer is there
            if item.answered:
                return
            seconds = None
            # Whoever comes to lead is woken, and what has no surroundings has no deadline.
            if batch.machine.oldest is item or item.around is not None:
                seconds = self._look_after(batch, item)
            if turnstile is not None and seconds != 0:
                _clock.wait(turnstile, seconds)

    def _look_after(self, batch: Batch, item: ThreadItem) -> float | None:
        """Return for how long this thread may wait; run the batch if it leads and that is due."""
        end, now = item.end, _clock.now()
        due = self._due(batch, item, now)
        if due <= now:
            self._taken(batch)
            batch.run()
            return 0
        if end is not None and end <= now:
            raise item.too_late(self.name)
        until = due if end is None else min(due, end)
        return None if until == math.inf else until - now

    def _due(self, batch: Batch, item: Item, now: float) -> float:
        """Return when this item's thread has to look after the batch; with that, take it if due."""
        machine = batch.machine
        with self._lock:
            if batch.is_taken or machine.oldest is not item:
                return math.inf
            if not machine.is_due(now):
                return machine.due
            self._take(batch, "time", now, item)
            return now

    def leave(self, item: Item, *, is_own_step: bool = False) -> bool:
        """Take note that the item's caller has gone; return whether it still waited.

        An empty batch of a loop is dropped only in a step of that loop: anywhere else something
        may just be on its way into it.
        """
        item.gone = True
        batch = item.batch
        if batch is not None:
            batch.has_left = True
        if batch is None or item.answered or self._is_mid_step():
            return False  # the garbage collector's: the batch drops the item when it runs
        with self._lock:
            waits = not batch.is_taken
            leads = waits and batch.machine.remove(item)
            is_over = waits and not batch.machine and (batch.loop is None or is_own_step)
            if is_over:
                self._take(batch, "explicit", _clock.now(), None)
        if not waits:
            batch.left()
        elif is_over:
            self._taken(batch)
            if batch.loop is not None:
                self.settle(batch.loop)
        elif leads and batch.loop is None:
            self._see_to(batch)
        return waits

    def abandon(self, item: Item, error: BaseException) -> None:
        """Leave in a hurry: what this caller was about to do for the others is done, or undone."""
        # What is forgotten is closed at any point, in any thread.
        self.leave(item, is_own_step=not isinstance(error, GeneratorExit))
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
                    batch.fail(error)
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
