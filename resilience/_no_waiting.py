"""The clock behind `resilience.testing.no_waiting`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from resilience import _clock

__all__ = ["NoWaiting"]


class NoWaiting:
    """A clock on which a sleep takes no time: it moves the clock instead; thread-safe.

    Whatever ends otherwise than by time alone, an event or a time-out, takes real time: to be
    over at once would be the wrong answer there.
    """

    skips_sleeps = True

    def __init__(self, base: _clock.Clock) -> None:
        self._base = base
        self._slept = 0.0
        self._lock = threading.Lock()

    def now(self) -> float:
        """The time of the clock beneath, and all that was slept."""
        return self._base.now() + self._slept

    def wall(self) -> float:
        """The date, moved likewise."""
        return self._base.wall() + self._slept

    def sleep(self, seconds: float) -> None:
        """Be that much later."""
        with self._lock:
            self._slept += max(0.0, seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Be that much later, once the other tasks have had their turn."""
        self.sleep(seconds)
        await asyncio.sleep(0)

    def wait(self, event: _clock.Event, timeout: float | None) -> None:
        """Wait for real."""
        self._base.wait(event, timeout)

    def call_later(
        self, loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], object]
    ) -> _clock.Handle:
        """Set a real timer."""
        return self._base.call_later(loop, seconds, callback)
