"""Who waits in a queue, and the order in which they stand there."""

from __future__ import annotations

from bisect import insort
from collections import deque
from typing import Any, ClassVar, Literal

__all__ = ["TIERS", "CallTicket", "Fate", "JobTicket", "Line", "Ticket", "new_lines"]

TIERS = 3  # HIGH, NORMAL, LOW

Fate = Literal["new", "waiting", "granted", "refused"]


class Ticket:
    """One that waits, or waited.

    Attributes:
        arrival: A number that grows with each arrival; a retried attempt keeps its old one.
        since: When the wait began, in seconds.
        fate: What became of it; "refused" as well for one that has gone away.
        at_once: It got its permit without waiting.
        is_job: It also needs a worker.
    """

    __slots__ = ("arrival", "at_once", "fate", "since", "tier")

    is_job: ClassVar[bool] = False

    arrival: int
    since: float
    tier: int

    def __init__(self) -> None:
        self.fate: Fate = "new"
        self.at_once = False

    def __lt__(self, other: Ticket) -> bool:
        return self.arrival < other.arrival

    def wake(self) -> bool:
        """Tell its owner what became of it; False where nobody can hear it any more."""
        raise NotImplementedError  # not abstract: a job is a future too, whose class is a plain one


class CallTicket(Ticket):
    """A call that waits in its own thread or task.

    Attributes:
        waiter: What the driver wakes it by.
    """

    __slots__ = ("waiter",)

    def __init__(self, waiter: Any) -> None:
        Ticket.__init__(self)  # a third of the time of `super()`, for each call that waits
        self.waiter = waiter

    def wake(self) -> bool:
        """Wake whoever waits."""
        woken: bool = self.waiter.wake()
        return woken


class JobTicket(Ticket):
    """A call that waits without a thread of its own, until there is a worker for it.

    Attributes:
        claimed: The call has taken the permit over, and gives it back itself.
    """

    __slots__ = ("claimed",)

    is_job = True

    def __init__(self) -> None:
        super().__init__()
        self.claimed = False


class Line:
    """The waiters of one tier in order of arrival; every step is O(1) but a return.

    Those that come back with an old place stand in a short list of their own, in front: whoever
    is still in the line arrived after they were served for the first time.
    Who goes away from the midst leaves a gap. The first is never one, and gaps are closed when
    there are more of them than waiters: so a waiter costs a pointer, and each step little.

    Attributes:
        head: The first in line, or None.
    """

    __slots__ = ("_fresh", "_gaps", "_returned", "head")

    def __init__(self) -> None:
        self._fresh: deque[Ticket] = deque()
        self._returned: list[Ticket] = []
        self._gaps = 0
        self.head: Ticket | None = None

    def __len__(self) -> int:
        return len(self._fresh) - self._gaps + len(self._returned)

    def add(self, ticket: Ticket) -> None:
        self._fresh.append(ticket)
        if self.head is None:
            self.head = ticket

    def come_back(self, ticket: Ticket) -> None:
        insort(self._returned, ticket)
        self.head = self._returned[0]

    def take(self) -> Ticket:
        """Take the first one out; only of a line that is not empty."""
        fresh = self._fresh
        if self._returned:
            ticket = self._returned.pop(0)
            self._find_head()
            return ticket
        ticket = fresh.popleft()
        if self._gaps:
            self._close_gaps_in_front()
        self.head = fresh[0] if fresh else None
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Forget one that does not wait any more, as its fate says already."""
        if ticket is self.head:
            self.take()
        elif ticket in self._returned:
            self._returned.remove(ticket)
        else:
            self._gaps += 1
            self._close_gaps_in_front()
            if self._gaps > len(self._fresh) // 2:
                self._fresh = deque(each for each in self._fresh if each.fate == "waiting")
                self._gaps = 0

    def _close_gaps_in_front(self) -> None:
        fresh = self._fresh
        while self._gaps and fresh[0].fate != "waiting":
            fresh.popleft()
            self._gaps -= 1

    def _find_head(self) -> None:
        if self._returned:
            self.head = self._returned[0]
        else:
            self.head = self._fresh[0] if self._fresh else None

    def oldest(self) -> float:
        """Return when the longest wait of the line began; only for a line that is not empty."""
        heads = [*self._returned, *([self._fresh[0]] if self._fresh else ())]
        since: float = min(ticket.since for ticket in heads)
        return since

    def clear(self) -> list[Ticket]:
        tickets = [*self._returned, *(each for each in self._fresh if each.fate == "waiting")]
        self.__init__()  # type: ignore[misc]
        return tickets


def new_lines() -> dict[bool, list[Line]]:
    """Return a line for each tier, of calls and of jobs."""
    return {is_job: [Line() for _ in range(TIERS)] for is_job in (False, True)}
