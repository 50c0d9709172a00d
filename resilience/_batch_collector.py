"""Collects single calls into batches, and sees to it that each batch is run when it is due.

Who runs a batch: the caller who fills it, in its own thread. Else the thread whose item is the
oldest wakes when the batch is due; if it leaves before, the next one takes over. Where no thread
waits (submitted items), a timer hands the batch to a worker. Tasks wait for a task in their loop.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager

from resilience import _clock
from resilience._batch_intake import Intake
from resilience._batch_items import Item, ThreadItem
from resilience._batch_run import Batch
from resilience._timers import timers

__all__ = ["Collector"]


class Collector(Intake):
    """The batches of one function; thread-safe."""

    # -- in time -----------------------------------------------------------------------------

    def see_to(self, batch: Batch) -> None:
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
            self.see_to(batch)

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
            self.see_to(batch)
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
