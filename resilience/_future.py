"""The future of something that was submitted and waits for its turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

__all__ = ["SubmittedFuture"]


T = TypeVar("T")


class _Waiting(Protocol):
    def forget(self) -> bool: ...


class _Signal:
    """What a future needs of a `threading.Condition`, which takes 1.2 kB even if nobody waits."""

    __slots__ = ("_condition", "_lock")

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._condition: threading.Condition | None = None

    def __enter__(self) -> bool:
        return self._lock.__enter__()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def acquire(self) -> bool:
        return self._lock.acquire()

    def release(self) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        if self._condition is None:
            self._condition = threading.Condition(self._lock)
        return self._condition.wait(timeout)

    def notify_all(self) -> None:
        if self._condition is not None:
            self._condition.notify_all()


class SubmittedFuture(Future[T]):
    """A `concurrent.futures.Future` that can be awaited as well, in any event loop.

    Cancelled while it waits, its call leaves the line at once.

    Attributes:
        waiting: What stands in line for it, as long as it does.
    """

    waiting: _Waiting | None = None

    def __init__(self) -> None:
        # The attributes of the base class, from Python 3.2 on, but for the first one.
        self._condition: Any = _Signal()
        self._state = "PENDING"
        self._result = None
        self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks: list[Any] = []

    def cancel(self) -> bool:
        """Cancel the call if it does not run yet."""
        if not super().cancel():
            return False
        waiting = self.waiting
        if waiting is not None and waiting.forget():
            self.set_running_or_notify_cancel()  # tells those who wait for several futures
        return True

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the result in the running loop; a cancelled wait cancels the call."""
        return asyncio.wrap_future(self).__await__()
