"""Whoever waits for something that another thread or task will hand over: a thread or a task.

No primitive of asyncio is kept by the shared objects, so that one object serves several event
loops and threads at once: a waiter belongs to one wait, and is woken by a callback.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable
from typing import Protocol

from resilience import _clock

__all__ = [
    "LoopWaiter",
    "ThreadWaiter",
    "Waiter",
    "holder",
    "is_gone",
    "running_loop",
    "this_thread",
]

running_loop = asyncio._get_running_loop  # noqa: SLF001 - documented for loop implementers


class _Thread(threading.local):
    """Stands for the thread that asks; the number of a thread is given again when it has ended."""

    def __init__(self) -> None:
        self.token = object()


this_thread = _Thread()


def holder() -> object:
    """Return who is calling: the current task, or the thread where no task runs.

    A task is not kept alive by it: one that its closed loop has forgotten must be collected, since
    that is what gives back the permit it holds.
    """
    loop = running_loop()
    task = None if loop is None else asyncio.current_task(loop)
    return this_thread.token if task is None else weakref.ref(task)


def is_gone(me: object) -> bool:
    """Return whether a holder is a task that nobody can run any more."""
    return isinstance(me, weakref.ref) and me() is None


class Waiter(Protocol):
    """What the shared objects keep of somebody who waits."""

    def wake(self) -> bool:
        """Wake it, from any thread; False where it cannot wake any more."""
        ...


class ThreadWaiter:
    """A thread that blocks."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def wake(self) -> bool:
        """Wake the thread."""
        self._event.set()
        return True

    def wait(self, timeout: float | None, *, rests: bool = False) -> None:
        """Block until it is woken or `timeout` seconds are over.

        With `rests` it is the time that is waited for: a sleep, to a clock that skips those.
        """
        if rests and timeout is not None and _clock.current.skips_sleeps:
            _clock.sleep(timeout)
        else:
            _clock.wait(self._event, timeout)


class LoopWaiter:
    """A task that awaits."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(self) -> bool:
        """Wake the task; False where its loop has been closed."""
        loop = self._future.get_loop()
        if running_loop() is loop:
            self._resolve()
            return True
        try:
            loop.call_soon_threadsafe(self._resolve)
        except RuntimeError:  # the loop is closed: nobody will ever resume the task
            return False
        return True

    def wait(self, timeout: float | None, *, rests: bool = False) -> Awaitable[None]:
        """Suspend until it is woken or `timeout` seconds are over; as that of a thread.

        Without a time-out what is awaited is the future itself: most wait so, and a coroutine
        around it would take 400 bytes of each.
        """
        if timeout is None:
            return self._future
        if rests and _clock.current.skips_sleeps:
            return _clock.sleep_async(timeout)
        return self._wait_at_most(timeout)

    async def _wait_at_most(self, timeout: float) -> None:
        timer = _clock.call_later(self._future.get_loop(), timeout, self._resolve)
        try:
            await self._future
        finally:
            timer.cancel()

    def _resolve(self) -> None:
        if not self._future.done():
            self._future.set_result(None)
