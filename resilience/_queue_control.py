"""The outside of a queue: what it shows, and how it is changed, paused, drained and closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from resilience import _clock
from resilience._context import Priority
from resilience._core.queue import QueueMachine, Ticket
from resilience._rules import check
from resilience._waiters import LoopWaiter, ThreadWaiter, Waiter, holder

__all__ = ["QueueControl"]


class QueueControl:
    """What a `PriorityQueue` has beside handing out permits; all of it is thread-safe."""

    name: str
    _lock: threading.Lock
    _machine: QueueMachine
    _holders: dict[object, int]
    _drained: list[Waiter]

    @property
    def size(self) -> int:
        """How many wait."""
        return self._machine.waiting

    @property
    def active(self) -> int:
        """How many permits are held."""
        return self._machine.active

    @property
    def sizes(self) -> dict[Priority, int]:
        """How many wait, for each priority."""
        with self._lock:
            return dict(zip(Priority, self._machine.sizes(), strict=True))

    @property
    def oldest_wait(self) -> float:
        """Seconds that the longest waiter has waited; 0 where nobody waits."""
        with self._lock:
            began = self._machine.oldest()
        return 0.0 if began is None else max(0.0, _clock.now() - began)

    @property
    def max_concurrent_requests(self) -> int:
        """How many permits there are."""
        return self._machine.limit

    @property
    def queue_size(self) -> int:
        """How many may wait."""
        return self._machine.size

    def resize(
        self, *, max_concurrent_requests: int | None = None, queue_size: int | None = None
    ) -> None:
        """Change the limits: growing wakes waiters at once, shrinking lets the others finish.

        Whoever waits already stays, even where fewer may wait from now on.

        Raises:
            SettingsError: for a value that breaks its rule; nothing is changed then.
        """
        limit = self._machine.limit if max_concurrent_requests is None else max_concurrent_requests
        size = self._machine.size if queue_size is None else queue_size
        check("max_concurrent_requests", limit)
        check("queue_size", size)

        def change() -> None:
            self._machine.limit, self._machine.size = limit, size

        self._change(change)

    def pause(self) -> None:
        """Hand out no permit until `resume()`; new calls wait, running ones go on."""
        self._change(lambda: setattr(self._machine, "paused", True))

    def resume(self) -> None:
        """Hand out permits again, and take new work again after `drain()`."""

        def change() -> None:
            self._machine.paused = self._machine.draining = False

        self._change(change)

    def close(self) -> None:
        """Refuse new work, and whoever waits, with `QueueClosedError`; for good."""
        with self._lock:
            self._machine.closed = True
            refused = self._machine.refuse_all()
            drained = self._take_drained()
        for ticket in refused:
            ticket.waiter.wake()
        self._wake([], drained)

    def drain(self, timeout: float | None = None) -> bool:
        """Refuse new work and wait until all that was accepted has ended.

        Returns:
            Whether it ended within `timeout` seconds (None: no limit). Work that is left goes on;
            `close()` refuses it, `resume()` takes new work again.
        """
        waiter = ThreadWaiter()
        if self._begin_to_drain(waiter):
            return True
        end = None if timeout is None else _clock.now() + timeout
        while waiter in self._drained and (end is None or _clock.now() < end):
            waiter.wait(None if end is None else end - _clock.now())
        return self._is_drained(waiter)

    async def adrain(self, timeout: float | None = None) -> bool:
        """Drain without blocking the event loop; as `drain`, but awaited."""
        waiter = LoopWaiter()
        if self._begin_to_drain(waiter):
            return True
        try:
            await waiter.wait(timeout)
        finally:
            drained = self._is_drained(waiter)
        return drained

    def _begin_to_drain(self, waiter: Waiter) -> bool:
        with self._lock:
            self._machine.draining = True
            if not self._machine.active and not self._machine.waiting:
                return True
            self._drained.append(waiter)
            return False

    def _is_drained(self, waiter: Waiter) -> bool:
        with self._lock:
            if waiter not in self._drained:
                return True
            self._drained.remove(waiter)
            return False

    def _change(self, change: Callable[[], None]) -> None:
        with self._lock:
            change()
            granted = self._machine.grant(_clock.now())
        self._wake(granted, [])

    def _take_drained(self) -> list[Waiter]:
        if not self._drained or self._machine.active or self._machine.waiting:
            return []
        drained, self._drained = self._drained, []
        return drained

    def _abandon(self, ticket: Ticket) -> None:
        """Forget a waiter; a permit that it was handed goes on to the next one."""
        with self._lock:
            granted = self._machine.abandon(ticket, _clock.now())
            drained = self._take_drained()
        self._wake(granted, drained)

    def _wake(self, tickets: list[Ticket], drained: list[Waiter]) -> None:
        """Wake those who were granted something, after the lock was let go."""
        for ticket in tickets:
            if not ticket.waiter.wake():
                self._abandon(ticket)  # its event loop is gone: the permit goes on
        for waiter in drained:
            waiter.wake()

    def renew_after_fork(self) -> None:
        """Forget the threads that do not exist in the child; its own permit stays with it."""
        self._lock = threading.Lock()
        me = holder()
        self._holders = {me: self._holders[me]} if me in self._holders else {}
        old = self._machine
        self._machine = QueueMachine(old.limit, old.size, old.aging)
        self._machine.active = len(self._holders)
        self._machine.arrivals = old.arrivals
        self._machine.closed, self._machine.paused = old.closed, old.paused
        self._drained = []

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        return {"queue_size": self.size, "active_requests": self.active}

    def __repr__(self) -> str:
        machine = self._machine
        counts = f"{machine.active} of {machine.limit} active, {machine.waiting} wait"
        return f"<{type(self).__name__} {self.name!r}: {counts}>"
