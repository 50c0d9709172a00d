"""What a forked child must not inherit: locks that were held, waiters of threads that are gone."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["renew_after"]


class _Renewable(Protocol):
    def renew_after_fork(self) -> None: ...


_objects: weakref.WeakSet[_Renewable] = weakref.WeakSet()


def renew_after(thing: _Renewable) -> None:
    """Call `thing.renew_after_fork()` in every forked child, as long as the object lives."""
    _objects.add(thing)


def _renew_all() -> None:
    for thing in list(_objects):
        thing.renew_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_renew_all)
