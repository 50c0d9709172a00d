"""Tools to test your own program: time that a test controls.

Each is a plain context manager (`with`, in coroutines too) and holds for the whole process: for
every decorator, queue, breaker and pool, those made before included, in all threads and loops.
They nest; whichever was entered last holds.
Only the toolkit's own waiting is meant: your own `time.sleep` and `asyncio.sleep` stay real.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from resilience import _clock
from resilience._capture import capture_events
from resilience._fake_clock import FakeTime
from resilience._no_waiting import NoWaiting
from resilience._rules import fail

__all__ = ["FakeClock", "capture_events", "no_waiting"]


class FakeClock:
    """A clock that stands still while anybody works, and jumps ahead when everybody waits.

    ```python
    with FakeClock() as clock:
        fetch()  # fails five times, backs off for half a minute, takes a millisecond
        assert clock.now == 1 + 2 + 4 + 8 + 16
    ```

    Everybody: the thread that entered it, threads started since, and every other thread or event
    loop that has waited on it. Time then goes to the earliest moment at which one of them wakes.
    Somebody who is busy, or waits for something else (a lock, a thread, a server), holds time up
    for a grace of about 15 ms of real time in which nobody else stirs; so nothing hangs.
    The same grace goes before each time-out, since what it bounds may be about to end: a request
    to a local server can be made, as long as its answers take less.

    Thread-safe, and safe with several event loops. It can be entered again and goes on from where
    it stood. On leaving, the clock before it is back, and whoever still waits is woken as if the
    time had come.

    Args:
        start: What it shows at first, in seconds. Objects that were used in another time (before,
            or under another clock) see time jump, perhaps backwards, as they do under freezegun.
        autojump: False: time moves by `advance` alone. A thread that sleeps, with no other one to
            advance the clock, then sleeps for ever.
    """

    def __init__(self, start: float = 0.0, *, autojump: bool = True) -> None:
        if not _finite(start):
            fail("start", "must be a finite number of seconds", start)
        self._clock = FakeTime(start, autojump=autojump)

    @property
    def now(self) -> float:
        """What it shows, in seconds."""
        return self._clock.moves.time

    def advance(self, seconds: float) -> None:
        """Move time ahead and wake, in order, everybody whose time has come by then.

        From any thread. Those who are woken run as soon as they get their turn, after it returns.

        Raises:
            SettingsError: `seconds` is negative or not finite; time never goes backwards.
        """
        if not (_finite(seconds) and seconds >= 0):
            fail("seconds", "must be a finite number of seconds, at least 0", seconds)
        self._clock.moves.advance(seconds)

    def __enter__(self) -> Self:
        self._clock.moves.open()
        _enter(self._clock)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not _leave(self._clock):
            self._clock.moves.close()


@contextmanager
def no_waiting() -> Generator[None]:
    """Make sleeps cost nothing: each returns at once, and the clock is that much later.

    So the arithmetic holds: after a back-off of 30 s, a key that rests for 30 s is awake.
    Sleeps are the back-off of a retry, and the wait of a pool for a key that rests.
    Waiting for something other than time (a permit, a batch to fill), and its time-out, stay real;
    and no time passes in which nobody sleeps, so an open circuit stays open.
    Thread-safe; sleeps of several threads add up. On leaving, time is back where it was.
    """
    clock = NoWaiting(_clock.current)
    _enter(clock)
    try:
        yield
    finally:
        _leave(clock)


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


# The clocks that have been entered, above the one that was there before them all. They may be left
# in another order than that of a stack, where tests run in threads.
_entered: list[_clock.Clock] = []
_lock = threading.Lock()


def _enter(clock: _clock.Clock) -> None:
    with _lock:
        previous = _clock.install(clock)
        if not _entered:
            _entered.append(previous)
        _entered.append(clock)


def _leave(clock: _clock.Clock) -> bool:
    """Take the clock out once; True if it has been entered more than once."""
    with _lock:
        _entered.reverse()
        _entered.remove(clock)  # the latest time that it was entered
        _entered.reverse()
        _clock.install(_entered[-1])
        if len(_entered) == 1:
            _entered.clear()
        return clock in _entered
