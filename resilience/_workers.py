"""Threads that run submitted calls: made on demand, waited for at exit.

One of those that work for a queue stays as long as that, the others while there is work for them.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from collections.abc import Callable

from resilience import _fork

__all__ = ["Run", "Workers"]

_IDLE = 10.0  # seconds that a thread without work stays

# Some work; what it returns is done when its thread is known to have nothing to do: see `_Crew`.
Run = Callable[[], Callable[[], object] | None]

_all: weakref.WeakSet[Workers] = weakref.WeakSet()


class Workers:
    """Runs what it is given in threads that there are already, or in new ones.

    The threads are daemons, so that an idle one holds up nobody; at exit the interpreter waits for
    those that work.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._recruit()
        _fork.renew_after(self)
        _all.add(self)

    def renew_after_fork(self) -> None:
        """Begin without threads: a child has none of its parent's."""
        self._crew.renew_after_fork()
        self._recruit()

    def _recruit(self) -> None:
        self._crew = _Crew(self._name)
        self.submit = self._crew.submit

    @property
    def busy(self) -> int:
        """How many threads work."""
        return self._crew.busy

    def join(self) -> None:
        """Wait until nobody works."""
        self._crew.join()

    def __del__(self) -> None:
        """Let the threads go."""
        self._crew.dismiss()


class _Worker:
    """A thread of a crew.

    Attributes:
        gate: A lock that it has closed in front of itself, while it has nothing to do.
        run: What it does when the gate opens; None: it ends.
    """

    __slots__ = ("gate", "run")

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.run: Run | None = None


class _Crew:
    """The threads of one `Workers`, which they do not keep alive.

    There and back takes 20 µs and more, nearly all of it until threads wake. So one of those that
    have nothing to do stays as long as the crew, and is given work first: it waits without a
    time-out, which is 2 µs cheaper. And the end of some work is told as the last thing before its
    thread waits again: who wakes must not wait for the interpreter, which costs 9 µs.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.RLock()  # the garbage collector may submit something in between
        self._threads = 0
        self._steady: _Worker | None = None
        self._is_steady_idle = False
        self._idle: list[_Worker] = []
        self._backlog: deque[Run] = deque()
        self._rest: threading.Event | None = None
        self._is_dismissed = False

    @property
    def busy(self) -> int:
        return self._threads - len(self._idle) - self._is_steady_idle

    def submit(self, run: Run, most: float) -> None:
        """Run this in one of `most` threads at most; if all are busy, as soon as one is not.

        Raises:
            RuntimeError: no thread can be started, and there is none yet.
        """
        with self._lock:
            worker = self._take_idle()
            is_new = worker is None
            if worker is None:
                if self._threads >= most:
                    self._backlog.append(run)
                    return
                worker = self._hire()
        worker.run = run
        if is_new:
            self._start(worker, run)
        else:
            worker.gate.release()

    def _hire(self) -> _Worker:
        """Return a new one, which has no thread yet; the lock is held."""
        self._threads += 1  # first: the garbage collector may submit something in between
        worker = _Worker()
        if self._steady is None:
            self._steady = worker
        return worker

    def _take_idle(self) -> _Worker | None:
        """Return one that has nothing to do; the lock is held."""
        if self._is_steady_idle:
            self._is_steady_idle = False
            return self._steady
        return self._idle.pop() if self._idle else None

    def _start(self, worker: _Worker, run: Run) -> None:
        name = f"resilience-{self._name}-{self._threads}"
        try:
            threading.Thread(target=self._live, args=(worker,), name=name, daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._forget(worker)
                if not self._threads:
                    self._tell_rest()
                    raise
            self.submit(run, max(1, self._threads))  # the others may be gone by now, too

    def _live(self, worker: _Worker) -> None:
        try:
            while (run := worker.run) is not None:
                worker.run = tell = None
                try:
                    tell = run()
                finally:
                    del run  # an idle thread keeps nothing of its last call alive
                is_idle = self._has_nothing(worker)
                if tell is not None:
                    tell()
                    tell = None
                if is_idle:
                    self._wait(worker)
        except BaseException:
            with self._lock:
                self._forget(worker)
                run = self._backlog.popleft() if self._backlog else None
                if run is None:
                    self._tell_rest()
            if run is not None:
                self.submit(run, self._threads + 1)
            raise

    def _has_nothing(self, worker: _Worker) -> bool:
        """Give it what waits for a thread; else count it among the idle, until it is dismissed."""
        with self._lock:
            if self._backlog:
                worker.run = self._backlog.popleft()
                return False
            if self._is_dismissed:
                self._forget(worker)
                return False
            if worker is self._steady:
                self._is_steady_idle = True
            else:
                self._idle.append(worker)
            if self._rest is not None:
                self._tell_rest()
            return True

    def _wait(self, worker: _Worker) -> None:
        """Wait until it is given something to do, or is not needed any more."""
        if worker is self._steady:
            worker.gate.acquire()
        elif not worker.gate.acquire(timeout=_IDLE) and not self._gives_up(worker):
            worker.gate.acquire()  # it was chosen in the last moment

    def _gives_up(self, worker: _Worker) -> bool:
        """Count one out that had nothing to do for long; False if it was chosen meanwhile."""
        with self._lock:
            if worker not in self._idle:
                return False
            self._idle.remove(worker)
            self._forget(worker)
            return True

    def _forget(self, worker: _Worker) -> None:
        """Count one out; the lock is held."""
        self._threads -= 1
        if worker is self._steady:
            self._steady, self._is_steady_idle = None, False

    def join(self) -> None:
        with self._lock:
            if not self.busy:
                return
            if self._rest is None or self._rest.is_set():
                self._rest = threading.Event()
            rest = self._rest
        rest.wait()

    def _tell_rest(self) -> None:
        """Let those go who wait until nobody works, if nobody does; the lock is held."""
        if self._rest is not None and not self.busy:
            self._rest.set()

    def dismiss(self) -> None:
        """Let the threads end, as soon as they have nothing to do."""
        with self._lock:
            self._is_dismissed = True
            idle, self._idle = self._idle, []
            if self._is_steady_idle and self._steady is not None:
                idle.append(self._steady)
            for worker in idle:
                self._forget(worker)
        for worker in idle:
            worker.gate.release()

    def renew_after_fork(self) -> None:
        """In a child: of the threads none is left, but perhaps the one that has forked."""
        self._lock = threading.RLock()
        self._is_dismissed = True


@atexit.register
def _join_all() -> None:
    """Let accepted work end before the interpreter does."""
    for workers in list(_all):
        workers.join()
