"""Who waits in a queue, and the order in which they stand there."""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from typing import Any, Literal

__all__ = ["TIERS", "Fate", "Line", "Ticket", "new_lines"]

TIERS = 3  # HIGH, NORMAL, LOW

Fate = Literal["waiting", "granted", "refused"]


class Ticket:
    """One that waits, or waited.

    Attributes:
        arrival: A number that grows with each arrival; a retried attempt keeps its old one.
        since: When the wait began, in seconds.
        waiter: Whatever the driver needs to wake it.
        fate: What became of it; "refused" as well for one that has gone away.
        at_once: It got its permit without waiting.
        claimed: The call of a job has taken its permit over.
    """

    __slots__ = (
        "arrival",
        "at_once",
        "claimed",
        "fate",
        "is_job",
        "since",
        "tier",
        "waiter",
    )

    def __init__(self, tier: int, arrival: int, since: float, waiter: Any, *, is_job: bool) -> None:
        self.tier = tier
        self.arrival = arrival
        self.since = since
        self.waiter = waiter
        self.is_job = is_job
        self.fate: Fate = "waiting"
        self.at_once = self.claimed = False

    def __lt__(self, other: Ticket) -> bool:
        return self.arrival < other.arrival


class Line:
    """The waiters of one tier in order of arrival; every step is O(1) but a return.

    Those that come back with an old place stand in a short list of their own, in front: whoever
    is still in the line arrived after they were served for the first time.
    """

    __slots__ = ("_fresh", "_returned")

    def __init__(self) -> None:
        self._fresh: OrderedDict[Ticket, None] = OrderedDict()
        self._returned: list[Ticket] = []

    def __len__(self) -> int:
        return len(self._fresh) + len(self._returned)

    def add(self, ticket: Ticket, *, returns: bool) -> None:
        if returns:
            insort(self._returned, ticket)
        else:
            self._fresh[ticket] = None

    def remove(self, ticket: Ticket) -> None:
        if ticket in self._fresh:
            del self._fresh[ticket]
        else:
            self._returned.remove(ticket)

    def head(self) -> Ticket | None:
        return self._returned[0] if self._returned else next(iter(self._fresh), None)

    def oldest(self) -> float:
        """Return when the longest wait of the line began; only for a line that is not empty."""
        heads = [*self._returned, *([next(iter(self._fresh))] if self._fresh else ())]
        since: float = min(ticket.since for ticket in heads)
        return since

    def clear(self) -> list[Ticket]:
        tickets = [*self._returned, *self._fresh]
        self._returned.clear()
        self._fresh.clear()
        return tickets


def new_lines() -> dict[bool, list[Line]]:
    """Return a line for each tier, of calls and of jobs."""
    return {is_job: [Line() for _ in range(TIERS)] for is_job in (False, True)}
