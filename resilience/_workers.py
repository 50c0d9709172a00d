"""Threads that run submitted calls: made on demand, kept for a while, waited for at exit."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue

from resilience import _fork

__all__ = ["Run", "Workers"]

_IDLE = 10.0  # seconds that a thread without work stays

Run = Callable[[], object]

_all: weakref.WeakSet[Workers] = weakref.WeakSet()


class Workers:
    """Runs what it is given in threads that there are already, or in new ones.

    The threads are daemons, so that an idle one holds up nobody; at exit the interpreter waits for
    those that work.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.renew_after_fork()
        _fork.renew_after(self)
        _all.add(self)

    def renew_after_fork(self) -> None:
        """Begin without threads: a child has none of its parent's."""
        self._lock = threading.Lock()
        self._threads = 0
        self._accepted = 0  # that have not ended
        self._rest = threading.Event()
        self._rest.set()
        self._work: SimpleQueue[Run] = SimpleQueue()

    def submit(self, run: Run, most: float) -> None:
        """Run this in one of `most` threads at most; if all are busy, as soon as one is not.

        Raises:
            RuntimeError: no thread can be started, and there is none yet.
        """
        with self._lock:
            self._accepted += 1
            self._rest.clear()
            number = self._threads + 1
            grows = number <= min(self._accepted, most)
            self._threads += grows
        if grows:
            name = f"resilience-{self._name}-{number}"
            try:
                threading.Thread(target=self._live, name=name, daemon=True).start()
            except RuntimeError:
                with self._lock:
                    self._threads -= 1
                    if not self._threads:
                        self._end_one()
                        raise
        self._work.put(run)

    def join(self) -> None:
        """Wait until nobody works."""
        self._rest.wait()

    def _live(self) -> None:
        try:
            while (run := self._next()) is not None:
                try:
                    run()
                finally:
                    del run  # an idle thread keeps nothing of its last call alive
                    with self._lock:
                        self._end_one()
        except BaseException:
            with self._lock:
                self._threads -= 1
            raise

    def _next(self) -> Run | None:
        """Return the next work, or None if the thread is not needed any more and counted out."""
        while True:
            try:
                return self._work.get(timeout=_IDLE)
            except Empty:
                with self._lock:
                    if self._threads > self._accepted:
                        self._threads -= 1
                        return None

    def _end_one(self) -> None:
        self._accepted -= 1
        if not self._accepted:
            self._rest.set()


@atexit.register
def _join_all() -> None:
    """Let accepted work end before the interpreter does."""
    for workers in list(_all):
        workers.join()
