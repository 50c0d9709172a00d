"""The outside of a queue: what it shows, and how it is changed, paused, drained and closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from resilience import _clock
from resilience._context import Priority
from resilience._queue_state import QueueState
from resilience._rules import check
from resilience._waiters import LoopWaiter, ThreadWaiter, Waiter, is_gone
from resilience.telemetry.gauges import Reading

__all__ = ["QueueControl"]

_SIZE, _ACTIVE, _LIMIT = (f"resilience.queue.{each}" for each in ("size", "active", "limit"))


class QueueControl(QueueState):
    """What a `PriorityQueue` has beside handing out permits; all of it is thread-safe."""

    gauges = frozenset({_SIZE, _ACTIVE, _LIMIT})

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
        return dict(zip(Priority, self._machine.sizes(), strict=True))

    @property
    def oldest_wait(self) -> float:
        """Seconds that the longest waiter has waited; 0 where nobody waits."""
        with self._step():
            began = self._machine.oldest()
        return 0.0 if began is None else max(0.0, _clock.now() - began)

    @property
    def max_concurrent_requests(self) -> int:
        """How many permits there are."""
        return self._machine.limit

    @property
    def aging(self) -> float | None:
        """Seconds of waiting that lift a waiter by one priority, or None."""
        return self._machine.aging

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
        if max_concurrent_requests is not None:
            check("max_concurrent_requests", max_concurrent_requests)
        if queue_size is not None:
            check("queue_size", queue_size)

        def change() -> None:
            if max_concurrent_requests is not None:
                self._machine.limit = max_concurrent_requests
            if queue_size is not None:
                self._machine.size = queue_size

        self._change(change)

    @property
    def enabled(self) -> bool:
        """Whether it works; where it does not, everybody passes at once and is not counted."""
        return self._enabled

    def disable(self) -> None:
        """Let everybody pass, and those who wait go at once, until `enable()`.

        As if there were no queue: neither limits nor `pause`, `drain` and `close` hold.
        """
        self._switch(enabled=False)

    def enable(self) -> None:
        """Work again after `disable()`; calls that passed meanwhile go on uncounted."""
        self._switch(enabled=True)

    def _switch(self, *, enabled: bool) -> None:
        def change() -> None:
            self._enabled = enabled
            self._machine.disabled = not enabled

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
        with self._step():
            self._machine.closed = True
            refused = self._machine.refuse_all()
            drained = self._take_drained()
        for ticket in refused:
            ticket.wake()
        self._wake([], drained)

    def drain(self, timeout: float | None = None) -> bool:
        """Refuse new work and wait until all that was accepted has ended, retries included.

        Returns:
            Whether it ended within `timeout` seconds (None: no limit). Work that is left goes on;
            `close()` refuses it, `resume()` takes new work again.

        Raises:
            SettingsError: if `timeout` is no number of at least 0; nothing is changed then.
        """
        check("timeout", timeout, "drain timeout")
        waiter = ThreadWaiter()
        end = None if timeout is None else _clock.now() + timeout
        if self._begin_to_drain(waiter):
            return True
        try:
            while waiter in self.drains and (end is None or _clock.now() < end):
                waiter.wait(None if end is None else end - _clock.now())
        finally:
            drained = self._is_drained(waiter)
        return drained

    async def adrain(self, timeout: float | None = None) -> bool:
        """Drain without blocking the event loop; as `drain`, but awaited."""
        check("timeout", timeout, "drain timeout")
        waiter = LoopWaiter()
        if self._begin_to_drain(waiter):
            return True
        try:
            await waiter.wait(timeout)
        finally:
            drained = self._is_drained(waiter)
        return drained

    def _begin_to_drain(self, waiter: Waiter) -> bool:
        with self._step():
            self._machine.draining = True
            self._machine.settle()
            # A task whose loop was closed while it slept does not come back to say so.
            for gone in [me for me in self._away if is_gone(me)]:
                del self._away[gone]
            self.drains.append(waiter)  # before the look: who passes may leave without the lock
            if self._has_work():
                return False
            self.drains.remove(waiter)
            return True

    def _is_drained(self, waiter: Waiter) -> bool:
        with self._step():
            if waiter not in self.drains:
                return True
            self.drains.remove(waiter)
            return False

    def _change(self, change: Callable[[], None]) -> None:
        with self._step():
            change()
            granted = self._machine.grant(_clock.now())
        self._wake(granted, [])

    def read(self, gauge: str) -> Iterable[Reading]:
        """Return a gauge's points, without the lock; none where there is no limit."""
        name = {"resilience.name": self.name}
        if not self._enabled:
            return []
        if gauge == _SIZE:
            return [
                ({**name, "resilience.priority": int(tier)}, size)
                for tier, size in self.sizes.items()
            ]
        return [(name, self.active if gauge == _ACTIVE else self.max_concurrent_requests)]

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        return {"queue": self, "queue_size": self.size, "active_requests": self.active}

    def __repr__(self) -> str:
        machine = self._machine
        counts = f"{machine.active} of {machine.limit} active, {machine.waiting} wait"
        return f"<{type(self).__name__} {self.name!r}: {counts}>"
