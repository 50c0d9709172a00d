"""When circuits changed their state and keys were sent to rest: the latest of each, by name."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

from resilience import _clock, _fork
from resilience._record import record
from resilience.telemetry.events import Event, KeyRested, Transition, subscribe

__all__ = ["MOST_CHANGES", "MOST_NAMES", "Changes", "History", "listen", "name_of_entry"]

MOST_CHANGES = 100  # of one circuit or key
MOST_NAMES = 500  # circuits, and keys; who was quiet for longest is forgotten first


def name_of_entry(pool: str, entry: str) -> str:
    """Return what the circuit, the line and the rests of a pool's entry are called."""
    return f"{pool}[{entry}]"


class History:
    """The latest changes of each name, with their times; thread-safe."""

    def __init__(self) -> None:
        self._changes: dict[str, deque[tuple[float, dict[str, Any]]]] = {}
        self.renew_after_fork()
        _fork.renew_after(self)

    def renew_after_fork(self) -> None:
        """Take a new lock: the old one may have been held by a thread that does not exist here.

        It is re-entrant for the reason that the lock of statistics is.
        """
        self._lock = threading.RLock()

    def add(self, name: str, change: dict[str, Any]) -> None:
        """Take note of a change that happens now."""
        now = _clock.now()
        with self._lock:
            changes = self._changes.pop(name, None)
            if changes is None:
                changes = deque(maxlen=MOST_CHANGES)
            changes.append((now, change))
            self._changes[name] = changes  # behind all others
            while len(self._changes) > MOST_NAMES:
                del self._changes[next(iter(self._changes))]

    def of(self, names: Iterable[str] | None, offset: float) -> dict[str, list[dict[str, Any]]]:
        """Return the changes of these names, or of all: plain, the oldest first.

        Args:
            names: Those that have none are left out.
            offset: What to add to a time of the monotonic clock for the one that `at` shows.
        """
        with self._lock:
            chosen = self._changes if names is None else dict.fromkeys(names)
            found = {each: tuple(self._changes[each]) for each in chosen if each in self._changes}
        return {
            name: [{"at": at + offset, **change} for at, change in changes]
            for name, changes in found.items()
        }

    def forget(self, names: Iterable[str] | None = None) -> None:
        """Forget the changes of these names, or of all."""
        with self._lock:
            for name in tuple(self._changes if names is None else names):
                self._changes.pop(name, None)


_circuits, _keys = History(), History()


@record
class Changes:
    """The changes of some circuits and keys; None: of all of them."""

    circuits: Iterable[str] | None = None
    keys: Iterable[str] | None = None

    def as_dict(self, offset: float) -> dict[str, Any]:
        """Return what `generate_report` shows of them."""
        return {
            "circuits": _circuits.of(self.circuits, offset),
            "cooldowns_of_keys": _keys.of(self.keys, offset),
        }

    def forget(self) -> None:
        """Forget them."""
        _circuits.forget(self.circuits)
        _keys.forget(self.keys)


def listen() -> None:
    """Take note of what is published from now on."""
    subscribe(_note, KeyRested, Transition)


def _note(event: Event) -> None:
    if isinstance(event, Transition):
        _circuits.add(event.name, {"from": event.from_, "to": event.to, "reason": event.reason})
    elif isinstance(event, KeyRested):
        name = name_of_entry(event.name, event.key_name)
        _keys.add(name, {"seconds": event.seconds, "reason": event.reason})
