"""One thread of the process that calls something at a moment, for whatever has no thread itself."""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
from collections.abc import Callable

from resilience import _clock, _fork
from resilience._secrets import log_failure

__all__ = ["Timer", "timers"]

_logger = logging.getLogger("resilience.timers")


class Timer:
    """A call at a moment; `cancel` may come from any thread."""

    __slots__ = ("_number", "call", "due", "seconds")

    _numbers = itertools.count()

    def __init__(self, due: float, call: Callable[[], object]) -> None:
        self.due = due
        self.seconds = due - _clock.now()
        self.call: Callable[[], object] | None = call
        self._number = next(self._numbers)

    def __lt__(self, other: Timer) -> bool:
        return (self.due, self._number) < (other.due, other._number)

    def cancel(self) -> None:
        """Make sure that it is not called, unless that has begun."""
        if self.call is not None:
            self.call = None
            timers.cancelled()


class Timers:
    """A heap of timers, and a daemon thread that is started with the first one.

    What is called must not block for long.
    """

    def __init__(self) -> None:
        self.renew_after_fork()
        _fork.renew_after(self)

    def renew_after_fork(self) -> None:
        """Begin without a thread and without timers: both belong to the parent."""
        self._lock = threading.RLock()
        self._heap: list[Timer] = []
        self._cancelled = 0
        self._looked = -math.inf
        self._changed = threading.Event()
        self._thread: threading.Thread | None = None

    def at(self, due: float, call: Callable[[], object]) -> Timer:
        """Call this at `due`, in seconds of the clock, or soon after.

        Raises:
            RuntimeError: the thread cannot be started, as at the interpreter's exit.
        """
        timer = Timer(due, call)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._live, name="resilience-timers", daemon=True)
                thread.start()
                self._thread = thread
            heapq.heappush(self._heap, timer)
            # The thread may look only when the clock has been set back again.
            self._looked = max(self._looked, due - timer.seconds)
            is_next = self._heap[0] is timer
        if is_next:
            self._changed.set()
        return timer

    def cancelled(self) -> None:
        """Take note that a timer is not needed any more; the thread forgets them in bulk.

        The garbage collector may cancel one in the midst of any step: that is found in its time.
        """
        if self._lock._is_owned():  # type: ignore[attr-defined] # noqa: SLF001 - as `Condition` asks
            return
        with self._lock:
            self._cancelled += 1
            is_next = bool(self._heap) and self._heap[0].call is None
            if 2 * self._cancelled > len(self._heap):
                self._heap = [timer for timer in self._heap if timer.call is not None]
                heapq.heapify(self._heap)
                self._cancelled = 0
        if is_next:  # a fake clock would run towards it
            self._changed.set()

    def _live(self) -> None:
        changed = self._changed
        while True:
            changed.clear()
            if (call := self._pop_due()) is not None:
                try:
                    call()
                except Exception as error:  # noqa: BLE001 - the thread serves others too
                    log_failure(_logger, f"{call!r} failed", error)
                del call  # while it waits it keeps nothing alive
            else:
                _clock.wait(changed, self._seconds_left())

    def _pop_due(self) -> Callable[[], object] | None:
        now = _clock.now()
        with self._lock:
            if now < self._looked:
                self._set_back(now)
            self._looked = now
            while self._heap and (self._heap[0].call is None or self._heap[0].due <= now):
                timer = heapq.heappop(self._heap)
                call, timer.call = timer.call, None
                if call is not None:
                    return call
                self._cancelled = max(0, self._cancelled - 1)
            return None

    def _set_back(self, now: float) -> None:
        """Let no timer wait for longer than it was set for: the clock went back."""
        for timer in self._heap:
            timer.due = min(timer.due, now + timer.seconds)
        heapq.heapify(self._heap)

    def _seconds_left(self) -> float | None:
        """Return how long to wait for the first timer, or None where there is none.

        No longer than it was set for: the clock may have gone back since the last look.
        """
        with self._lock:
            if not self._heap:
                return None
            first = self._heap[0]
            return max(0.0, min(first.due - _clock.now(), first.seconds))


timers = Timers()
