"""A permit as a context manager, for using a queue without decorating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from resilience._switches import is_off
from resilience._waiters import holder
from resilience.telemetry.instruments import meters

if TYPE_CHECKING:
    from resilience._context import Priority
    from resilience._queue import PriorityQueue

__all__ = ["Permit"]


class Permit:
    """Holds a permit inside `with` or `async with`.

    It may be used again, and within itself; each thread and each task needs one of its own.
    """

    __slots__ = ("_held", "_priority", "_queue")

    def __init__(self, queue: PriorityQueue, priority: Priority | None) -> None:
        self._queue = queue
        self._priority = priority
        self._held: list[tuple[object, int | None]] = []  # None: inherited

    def __enter__(self) -> Self:
        me = holder()
        meters()  # a queue that is used alone shows from its first use on
        arrival = None if is_off("prioritized") else self._queue.enter(me, self._priority)
        self._held.append((me, arrival))
        return self

    def __exit__(self, *_: object) -> None:
        me, arrival = self._held.pop()
        if arrival is not None:
            self._queue.leave(me, arrival)

    async def __aenter__(self) -> Self:
        me = holder()
        meters()
        passes = is_off("prioritized")
        arrival = None if passes else await self._queue.enter_async(me, self._priority)
        self._held.append((me, arrival))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()
