"""What a forked child must not inherit: locks that were held, waiters of threads that are gone."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

__all__ = ["SharedLock", "living", "renew_after"]


class _Renewable(Protocol):
    def renew_after_fork(self) -> None: ...


_objects: weakref.WeakSet[_Renewable] = weakref.WeakSet()


def renew_after(thing: _Renewable) -> None:
    """Call `thing.renew_after_fork()` in every forked child, as long as the object lives."""
    _objects.add(thing)


def living() -> list[object]:
    """Return all that a forked child would renew and that is alive."""
    while True:
        try:
            return list(_objects)
        except RuntimeError:  # another thread has added one just now
            continue


class SharedLock:
    """A lock of a whole module, for what is seldom done; free in a forked child."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self.renew_after_fork()
        renew_after(self)

    def renew_after_fork(self) -> None:
        """Take a new lock."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _renew_all() -> None:
    for thing in list(_objects):
        thing.renew_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_renew_all)
