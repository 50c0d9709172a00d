"""Who gets the next permit: by tier, then by arrival; a wait of `aging` seconds lifts by one tier.

Permits are handed over, never merely freed: the machine counts the permit of the next waiter
before anybody wakes, so nobody can slip in between (a textbook semaphore loses or doubles it).
After every step no waiter that may run is left waiting while a permit is free.

Nearly every call finds a permit free and nobody waiting, and passes without a step of the machine
and its lock, which would cost as much as all the rest. Two who meet at the last permit must not
both pass, and nobody must be left waiting for one that was given back unseen:

- whoever passes enters `passing` first and looks at `room` after that: with more in `passing` than
  there is room for, it leaves again and takes the step;
- a step lowers `room` first, to 0 while anybody waits, and counts those in `passing` after that: so
  at least one of the two sees the other;
- whoever leaves `passing` looks after that whether somebody waits, and a step that lets somebody
  wait counts those in `passing` after that;
- between the two, or in the midst of somebody else's step, such a permit is free while somebody
  waits: whose turn it is gets it from any step, and a newcomer that sees it first leaves it.

Both sides only write and then read, in an order that the interpreter keeps for all threads
(Dekker's algorithm, of which this is the entry alone).

Jobs are waiters without a thread of their own (`submit`): they also need a worker, of which
there are as many as permits, and a worker stays busy while its call sleeps between retries.
"""

from __future__ import annotations

import math
from itertools import count
from typing import TYPE_CHECKING, Any

from resilience._core.queue_lines import TIERS, CallTicket, new_lines

if TYPE_CHECKING:
    from resilience._core.queue_lines import Line, Ticket

__all__ = ["QueueMachine"]


class QueueMachine:
    """Permits, waiters and the rules between them; its driver holds a lock around each method.

    Methods that free something return the tickets that were granted by it; the driver wakes
    them after it has let go of its lock. After it has set an attribute itself it calls `settle`,
    or a method that grants.

    Attributes:
        arrivals: Gives each arrival its number.
        passing: Who holds a permit without a step, with its arrival; changed without the lock.
        room: How many may be in `passing`.
        taken: Permits that were given by steps.
    """

    __slots__ = (
        "aging",
        "arrivals",
        "busy_workers",
        "closed",
        "disabled",
        "draining",
        "limit",
        "lines",
        "passing",
        "paused",
        "room",
        "size",
        "taken",
        "waiting",
        "waiting_jobs",
    )

    def __init__(self, limit: int, size: int, aging: float | None) -> None:
        self.limit = limit
        self.size = size
        self.aging = aging
        self.passing: dict[object, int] = {}
        self.arrivals = count(1)
        self.taken = 0
        self.waiting = self.waiting_jobs = 0
        self.busy_workers = 0
        self.paused = self.draining = self.closed = False
        self.disabled = False  # everybody who comes here gets a permit at once
        self.lines = new_lines()
        self.settle()

    @property
    def active(self) -> int:
        """How many permits are held."""
        return self.taken + len(self.passing)

    @property
    def open(self) -> bool:
        """Whether a permit can be had at once by a newcomer."""
        is_free = self.taken + len(self.passing) < self.limit
        return is_free and not (self.paused or self.draining or self.closed)

    @property
    def takes_job(self) -> bool:
        """Whether a new job can start at once."""
        return self.busy_workers < self.limit and self.open

    @property
    def is_full(self) -> bool:
        """Whether as many wait as may."""
        return self.waiting >= self.size

    def take_job(self, job: Ticket) -> bool:
        """Give a new job a permit and a worker if both are free; only where nobody waits."""
        self.room = 0
        if not self.takes_job:
            self.settle()
            return False
        job.arrival, job.fate, job.at_once = next(self.arrivals), "granted", True
        self.taken += 1
        self.busy_workers += 1
        self.room = 0 if self.disabled else self.limit - self.taken
        return True

    def take(self) -> int:
        """Take a free permit and return the number of the arrival; 0 unless it is `open`.

        And 0 where somebody waits whose turn it is: who left without a step has not said so yet.
        Question and step in one. Once the permit is taken nothing is called any more: Ctrl-C could
        come there.
        """
        self.room = 0
        is_free = self.open and not (self.waiting and self._is_anybodys_turn)
        arrival = next(self.arrivals) if is_free else 0
        if not arrival:
            if not self.waiting:
                self.settle()
            return 0
        self.taken += 1
        self.room = 0 if self.waiting or self.disabled else self.limit - self.taken
        return arrival

    @property
    def _is_anybodys_turn(self) -> bool:
        """Whether one of those who wait lacks nothing but a permit."""
        return self.waiting > self.waiting_jobs or self.busy_workers < self.limit

    def settle(self) -> None:
        """Let newcomers pass again, as many as there is room for; at the end of each step."""
        shut = self.waiting or self.paused or self.draining or self.closed or self.disabled
        self.room = 0 if shut else self.limit - self.taken

    def adopt(self, holder: object) -> int:
        """Count a permit without a step as if it had been taken by one; return its arrival.

        Nothing is called on the way, as in `take`: the driver notes the holder, and then settles.
        """
        self.room = 0
        arrival = self.passing[holder]
        self.taken += 1
        del self.passing[holder]
        return arrival

    def wait(self, tier: int, now: float, waiter: Any, *, place: int | None) -> CallTicket:
        """Let a call stand in line; `place` is the arrival that a retried attempt had, else None.

        Whether there is room is the driver's question (`is_full`): one that comes back was
        accepted long ago and is not refused.
        """
        ticket = CallTicket(waiter)
        self.stand(ticket, tier, now, place)
        return ticket

    def stand(self, ticket: Ticket, tier: int, now: float, place: int | None = None) -> None:
        """Let a new ticket stand in line; as `wait`."""
        ticket.tier, ticket.since, ticket.fate = tier, now, "waiting"
        ticket.arrival = next(self.arrivals)
        line = self.lines[ticket.is_job][tier]
        if place is None:
            line.add(ticket)
        else:
            ticket.arrival = place
            line.come_back(ticket)
        self.waiting += 1
        self.waiting_jobs += ticket.is_job
        self.room = 0

    def leave(self, now: float) -> list[Ticket]:
        """Give a permit back."""
        self.taken -= 1
        return self.grant(now)

    def worker_done(self, now: float, permits: int = 0) -> list[Ticket]:
        """Take note that a worker is free again, and perhaps the permit of its call as well."""
        self.busy_workers -= 1
        self.taken -= permits
        return self.grant(now)

    def abandon(self, ticket: Ticket, now: float) -> list[Ticket]:
        """Forget a ticket whose owner has gone; a permit that it had been handed goes on."""
        if ticket.fate == "waiting":
            ticket.fate = "refused"
            self.lines[ticket.is_job][ticket.tier].remove(ticket)
            self.waiting -= 1
            self.waiting_jobs -= ticket.is_job
        elif ticket.fate == "granted":
            ticket.fate = "refused"
            self.taken -= 1
            self.busy_workers -= ticket.is_job
        return self.grant(now)

    def grant(self, now: float) -> list[Ticket]:
        """Hand free permits to waiters, the best first."""
        if not self.waiting:
            self.settle()
            return []
        self.room = 0
        granted: list[Ticket] = []
        free = self._free  # who passes and leaves later looks for itself
        while free > 0 and self.waiting:
            line = self._next_line(now)
            if line is None:
                break
            free -= 1
            ticket = line.take()
            ticket.fate = "granted"
            self.waiting -= 1
            self.taken += 1
            if ticket.is_job:
                self.waiting_jobs -= 1
                self.busy_workers += 1
            granted.append(ticket)
        if not self.waiting:
            self.settle()
        return granted

    @property
    def _free(self) -> int:
        """How many of those who wait may have a permit."""
        if self.disabled:
            return self.waiting
        if self.paused or self.closed:
            return 0
        return self.limit - self.taken - len(self.passing)

    @property
    def can_grant(self) -> bool:
        """Whether there is a permit for somebody who waits."""
        return self.waiting > 0 and self._free > 0

    def refuse_all(self) -> list[Ticket]:
        """Empty the lines and return everybody who waited."""
        lines = [line for lines in self.lines.values() for line in lines]
        tickets = [ticket for line in lines for ticket in line.clear()]
        for ticket in tickets:
            ticket.fate = "refused"
        self.waiting = self.waiting_jobs = 0
        self.settle()
        return tickets

    def renew(self, *, taken: int) -> None:
        """Forget everybody who waits and works, but for `taken` permits: in a forked process."""
        self.lines = new_lines()
        self.taken = taken
        self.waiting = self.waiting_jobs = self.busy_workers = 0
        self.draining = False
        self.settle()

    def sizes(self) -> list[int]:
        """Return how many wait in each tier."""
        return [len(a) + len(b) for a, b in zip(*self.lines.values(), strict=True)]

    def oldest(self) -> float | None:
        """Return when the longest wait began."""
        lines = [line for lines in self.lines.values() for line in lines if line]
        return min((line.oldest() for line in lines), default=None)

    def _next_line(self, now: float) -> Line | None:
        """Return the line whose head has its turn; jobs only while a worker is free for them."""
        lines = self.lines[False] if self.waiting > self.waiting_jobs else []
        if self.waiting_jobs and (self.busy_workers < self.limit or self.disabled):
            if lines:
                return self._best_line(lines + self.lines[True], now)
            lines = self.lines[True]
        if self.aging:
            return self._best_line(lines, now)
        for line in lines:
            if line.head is not None:
                return line
        return None

    def _best_line(self, lines: list[Line], now: float) -> Line | None:
        best, best_tier, first = None, TIERS, 0
        for line in lines:
            head = line.head
            if head is None:
                continue
            tier = self._tier_by_age(line, head, now) if self.aging else head.tier
            if tier < best_tier or (tier == best_tier and head.arrival < first):
                best, best_tier, first = line, tier, head.arrival
        return best

    def _tier_by_age(self, line: Line, head: Ticket, now: float) -> int:
        waited = max(0.0, now - line.oldest())
        return max(0, head.tier - int(waited / (self.aging or math.inf)))
