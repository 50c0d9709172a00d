"""The future of something that was submitted and waits for its turn."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

__all__ = ["SubmittedFuture"]


T = TypeVar("T")


class _Waiting(Protocol):
    def forget(self) -> bool: ...


class SubmittedFuture(Future[T]):
    """A `concurrent.futures.Future` that can be awaited as well, in any event loop.

    Cancelled while it waits, its call leaves the line at once.

    Attributes:
        waiting: What stands in line for it, as long as it does.
    """

    waiting: _Waiting | None = None

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
