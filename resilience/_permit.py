"""A permit as a context manager, for using a queue without decorating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from resilience._waiters import holder

if TYPE_CHECKING:
    from resilience._context import Priority
    from resilience._queue import PriorityQueue

__all__ = ["Permit"]


class Permit:
    """Holds a permit inside `with` or `async with`; for one use at a time."""

    __slots__ = ("_arrival", "_holder", "_priority", "_queue")

    def __init__(self, queue: PriorityQueue, priority: Priority | None) -> None:
        self._queue = queue
        self._priority = priority
        self._arrival: int | None = None
        self._holder: object = None

    def __enter__(self) -> Self:
        self._arrival = self._queue.enter(self._priority)
        self._holder = holder()
        return self

    def __exit__(self, *_: object) -> None:
        if self._arrival is not None:
            self._queue.leave(self._holder, self._arrival)

    async def __aenter__(self) -> Self:
        self._arrival = await self._queue.enter_async(self._priority)
        self._holder = holder()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
