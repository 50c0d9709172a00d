"""Threads that run submitted calls: made on demand, kept for a while, waited for at exit."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue

from resilience import _fork

__all__ = ["Workers"]

_IDLE = 10.0  # seconds that a thread without work stays

Run = Callable[[], object]

_all: weakref.WeakSet[Workers] = weakref.WeakSet()


class Workers:
    """Runs what it is given at once, in an idle thread or a new one.

    How many run at a time is the affair of whoever submits: a queue starts no more calls than it
    has permits. The threads are daemons, so that an idle one holds up nobody; at exit the
    interpreter waits for those that work.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.renew_after_fork()
        _fork.renew_after(self)
        _all.add(self)

    def renew_after_fork(self) -> None:
        """Begin without threads: a child has none of its parent's."""
        self._lock = threading.Lock()
        self._idle = 0
        self._busy = 0
        self._made = 0
        self._rest = threading.Event()
        self._rest.set()
        self._work: SimpleQueue[Run] = SimpleQueue()

    def submit(self, run: Run) -> None:
        """Run this in a thread."""
        with self._lock:
            self._busy += 1
            self._rest.clear()
            reuse = self._idle > 0
            self._idle -= reuse
            self._made += not reuse
            number = self._made
        if reuse:
            self._work.put(run)
            return
        name = f"resilience-{self._name}-{number}"
        threading.Thread(target=self._live, args=(run,), name=name, daemon=True).start()

    def join(self) -> None:
        """Wait until nobody works."""
        self._rest.wait()

    def _live(self, run: Run) -> None:
        while True:
            run()
            del run  # an idle thread keeps nothing of its last call alive
            with self._lock:
                self._idle += 1
                self._busy -= 1
                if not self._busy:
                    self._rest.set()
            try:
                run = self._work.get(timeout=_IDLE)
            except Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        return
                run = self._work.get()  # somebody has counted on this thread just now


@atexit.register
def _join_all() -> None:
    """Let accepted work end before the interpreter does."""
    for workers in list(_all):
        workers.join()
