"""What a fake clock has to do, and when: its wake-ups in the order of time."""

from __future__ import annotations

import asyncio
import bisect
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter

__all__ = ["Wakeup", "Wakeups"]

_numbers = itertools.count()
_order = attrgetter("order")


@dataclass(slots=True, eq=False)
class Wakeup:
    """One moment at which a thread or a task is woken.

    Attributes:
        deadline: The moment, in the clock's seconds; infinite for one that never comes.
        fire: Wakes; is called under the clock's lock, so it only sets something.
        guard: It bounds something that may well end before (a time-out); False for a sleep.
        loop: The event loop of the task; None for a thread.
        pending: It has been neither fired nor removed.
    """

    deadline: float
    fire: Callable[[], object]
    guard: bool
    loop: asyncio.AbstractEventLoop | None = None
    pending: bool = True
    order: tuple[float, bool, int] = field(init=False)

    def __post_init__(self) -> None:
        # Of those due at one moment sleeps come first: a time-out must not hold up a sleep.
        self.order = (self.deadline, self.guard, next(_numbers))


class Wakeups:
    """The pending ones."""

    def __init__(self) -> None:
        self._sorted: list[Wakeup] = []

    def add(self, wakeup: Wakeup) -> None:
        """Plan it."""
        bisect.insort(self._sorted, wakeup, key=_order)

    def remove(self, wakeup: Wakeup) -> bool:
        """Drop it; False if it is not pending any more."""
        if not wakeup.pending:
            return False
        wakeup.pending = False
        del self._sorted[bisect.bisect_left(self._sorted, wakeup.order, key=_order)]
        return True

    def earliest(self) -> Wakeup | None:
        """The next one; None if nothing is planned for any finite moment."""
        while self._sorted:
            wakeup = self._sorted[0]
            if wakeup.loop is None or not wakeup.loop.is_closed():
                return wakeup if wakeup.deadline < math.inf else None
            self.remove(wakeup)  # a loop that ended without cancelling its timers needs none
        return None

    def pop_due(self, moment: float) -> Iterator[Wakeup]:
        """Take out all that are due by then, one after another."""
        while self._sorted and self._sorted[0].deadline <= moment:
            wakeup = self._sorted[0]
            self.remove(wakeup)
            yield wakeup
