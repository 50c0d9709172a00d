"""The one place that reads time and sleeps; nobody else in the packages imports `time`.

Callers write `from resilience import _clock` and `_clock.now()`, so that the name is looked up at
call time: `install` puts another clock in its place for everybody, wrappers made earlier included.
The real clock asks `time.monotonic()` through its module at call time, so that freezegun moves it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any, Final, Protocol

__all__ = ["Clock", "Event", "Handle", "SystemClock", "install", "system", "timeout"]


class Event(Protocol):
    """What a thread waits for: a `threading.Event`, or what can do the same."""

    def is_set(self) -> bool:
        """Whether it has come."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Block until it comes or `timeout` seconds are over; return whether it has come."""
        ...


class Handle(Protocol):
    """A timer that has been set."""

    def cancel(self) -> None:
        """Make sure that the callback does not run any more; only in the loop's own thread."""


class Clock(Protocol):
    """What a clock can do; all but `sleep_async` and `call_later` in any thread.

    Attributes:
        skips_sleeps: Whether a sleep returns at once, and `wait` does not.
    """

    skips_sleeps: bool

    def now(self) -> float:
        """Seconds since some moment in the past; never goes backwards."""
        ...

    def wall(self) -> float:
        """Seconds since 1970, which may be set back: for dates in HTTP, never for elapsed time."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block this thread for so many seconds; not at all for 0 or less."""

    async def sleep_async(self, seconds: float) -> None:
        """Suspend this task for so many seconds; for 0 or less, let the others run once."""

    def wait(self, event: Event, timeout: float | None) -> None:
        """Block this thread until the event is set or `timeout` seconds are over (None: for ever).

        It says nothing about which of the two it was, and may return early where clocks change:
        the caller looks at its own state.
        """

    def call_later(
        self, loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], object]
    ) -> Handle:
        """Run `callback` in `loop` after so many seconds; only in the loop's own thread."""
        ...


class Source(Protocol):
    """Where the time comes from; a protocol of the module `time`."""

    def monotonic(self) -> float:
        """Seconds since some moment in the past; never goes backwards."""
        ...


class SystemClock:
    """Real time."""

    skips_sleeps = False

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Block this thread."""
        if seconds > 0:  # time.sleep(0) costs 100 µs
            time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        """Suspend this task."""
        await asyncio.sleep(seconds)

    def wait(self, event: Event, timeout: float | None) -> None:
        """Block this thread until the event is set or the time is over."""
        # A lock refuses what is longer than TIMEOUT_MAX (292 years): "for ever" may be infinite.
        event.wait(None if timeout is None else min(timeout, threading.TIMEOUT_MAX))

    def call_later(
        self, loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], object]
    ) -> Handle:
        """Set a timer of the loop."""
        return loop.call_later(seconds, callback)


system: Final = SystemClock()

# Bound methods under the module's own names: reading time costs one frame more than
# `time.monotonic()` itself, and a clock that is not installed costs nothing.
current: Clock = system
now: Callable[[], float] = system.now
wall: Callable[[], float] = system.wall
sleep: Callable[[float], None] = system.sleep
sleep_async: Callable[[float], Coroutine[Any, Any, None]] = system.sleep_async
wait: Callable[[Event, float | None], None] = system.wait
call_later: Callable[[asyncio.AbstractEventLoop, float, Callable[[], object]], Handle] = (
    system.call_later
)

# `source.monotonic()` is `now()` without the frame, for the hot path: 36 ns instead of 73. It is
# the module `time` itself, so that freezegun moves it, or what stands in for it.
source: Source = time

_NAMES = ("now", "wall", "sleep", "sleep_async", "wait", "call_later")


def install(clock: Clock) -> Clock:
    """Make `clock` the clock of the whole process and return the one before it.

    Whoever sleeps or waits already does so on the clock that it began with.
    """
    module = globals()
    previous: Clock = module["current"]
    module.update({name: getattr(clock, name) for name in _NAMES}, current=clock)
    module["source"] = time if clock is system else SimpleNamespace(monotonic=clock.now)
    return previous


def timeout(seconds: float) -> AbstractAsyncContextManager[object]:
    """Bound what is awaited inside: `TimeoutError` after so many seconds of the current clock.

    A cancellation from outside passes through as `CancelledError`. Only inside a task.
    """
    return asyncio.timeout(seconds) if current is system else _timeout(seconds)


@contextlib.asynccontextmanager
async def _timeout(seconds: float) -> AsyncGenerator[None, None]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as scope:
        timer = call_later(loop, seconds, lambda: scope.reschedule(loop.time()))
        try:
            yield
        finally:
            timer.cancel()
