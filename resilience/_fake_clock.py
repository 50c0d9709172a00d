"""The clock behind `resilience.testing.FakeClock`."""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from resilience import _clock
from resilience._fake_autojump import Autojump
from resilience._fake_wakeups import Wakeup

__all__ = ["FakeTime"]


class FakeTime:
    """A clock for `_clock.install`, for any number of threads and loops; thread-safe."""

    skips_sleeps = False

    def __init__(self, start: float, *, autojump: bool) -> None:
        self.moves = Autojump(start, enabled=autojump)
        self._wall_offset = _clock.wall() - start

    def now(self) -> float:
        """The fake time; who asks shows that it is there."""
        self.moves.parties.appear()
        return self.moves.time

    def wall(self) -> float:
        """The date at which the clock was made, moved by as much as the clock."""
        return self._wall_offset + self.moves.time

    def sleep(self, seconds: float) -> None:
        """Block this thread until time has moved."""
        if seconds > 0:
            event = threading.Event()
            self.moves.block(event, Wakeup(self.moves.time + seconds, event.set, guard=False))

    def wait(self, event: _clock.Event, timeout: float | None) -> None:
        """Block this thread until the event is set or time has moved."""
        seconds = math.inf if timeout is None else timeout
        self.moves.block(event, Wakeup(self.moves.time + seconds, _nothing, guard=True))
        if timeout is None:
            event.wait()  # for ever is longer than this clock is used

    async def sleep_async(self, seconds: float) -> None:
        """Suspend this task until time has moved."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        timer = _Timer(self.moves, loop, partial(_resolve, future))
        timer.start(seconds, guard=False)
        try:
            await future
        finally:
            timer.cancel()

    def call_later(
        self, loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[[], object]
    ) -> _clock.Handle:
        """Run `callback` in `loop` when time has moved; it counts as a time-out."""
        timer = _Timer(self.moves, loop, callback)
        timer.start(seconds, guard=True)
        return timer


class _Timer:
    """A callback that a loop will run, in the context of whoever set it."""

    def __init__(
        self, moves: Autojump, loop: asyncio.AbstractEventLoop, callback: Callable[[], object]
    ) -> None:
        self._moves = moves
        self._loop = loop
        self._callback: Callable[[], object] | None = callback
        self._context = contextvars.copy_context()

    def start(self, seconds: float, *, guard: bool) -> None:
        self._wakeup = Wakeup(self._moves.time + seconds, self._fire, guard=guard, loop=self._loop)
        with self._moves.lock:
            party = self._moves.parties.current()
            party.attach(self._loop)
            self._moves.plan(self._wakeup)
            self._moves.probe(party)

    def cancel(self) -> None:
        self._callback = None  # it may have been fired already, but not been run
        self._moves.drop(self._wakeup)

    def _fire(self) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._run, context=self._context)

    def _run(self) -> None:
        if self._callback is not None:
            self._callback()


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():  # it may have been cancelled in the same round
        future.set_result(None)


def _nothing() -> None:
    """Whoever waits for an event looks at the clock by itself."""
