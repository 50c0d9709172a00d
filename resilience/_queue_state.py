"""What the parts of a queue share: who waits, who holds a permit, and how both change hands."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from resilience import _clock
from resilience._context import current_priority, deadline, deadline_end, deadlines
from resilience._core.queue import QueueMachine
from resilience._core.queue_lines import CallTicket, Ticket
from resilience._jobs import Job
from resilience._users import Users
from resilience._waiters import Waiter, holder
from resilience.errors import (
    DeadlineExceededError,
    QueueClosedError,
    QueueFullError,
    QueueTimeoutError,
    RefusedError,
)
from resilience.telemetry.events import Queued, publish

__all__ = ["QueueState"]


class QueueState:
    """A machine, the lock around it, and what the machine need not know.

    Any step may be interrupted by the garbage collector, and that may close a forgotten stream or
    coroutine that gives back a permit of this very queue, in the thread that holds the lock. So
    the lock is re-entrant, and such a step is put off until the interrupted one is over.
    """

    def __init__(
        self, name: str, machine: QueueMachine, queue_timeout: float | None, *, enabled: bool
    ) -> None:
        self.name = name
        self.users = Users()
        self.queue_timeout = queue_timeout
        self._enabled = enabled
        self._new_lock()
        self._machine = machine
        machine.disabled = not enabled
        machine.settle()
        # Who holds a permit, and which: the number of its arrival, or the ticket of a submitted
        # call that has not claimed it yet. Re-entry finds it here.
        self._holders: dict[object, int | Job] = {}
        # How many hold a permit together, where it is more than one.
        self._shares: dict[int, int] = {}
        # Whose attempt failed and who may come back, with the place that is kept.
        self._away: dict[object, int] = {}
        self.drains: list[Waiter] = []  # who waits for the end of all work
        self._late: deque[Callable[[], object]] = deque()

    def _stand_in_line(self, tier: int | None, me: object, waiter: Waiter) -> CallTicket:
        """Become a waiter, or be refused; the lock is held, and the caller catches up after it."""
        machine = self._machine
        now = _clock.now()
        if machine.can_grant:
            self._grant_others(now)
        place = self._away.get(me)
        if not machine.disabled:  # it may have been turned off since the caller looked
            self._check_room(place)
        if place is not None:
            del self._away[me]
        tier = current_priority() if tier is None else tier
        ticket = machine.wait(tier, now, waiter, place=place)
        if machine.can_grant:
            self._grant_others(now, ticket)
        ticket.at_once = ticket.fate == "granted"  # who comes back passes where a newcomer may not
        return ticket

    def _grant_others(self, now: float, own: Ticket | None = None) -> None:
        """Grant what was given back without the lock; the others are woken when it is let go."""
        granted = self._machine.grant(now)
        if granted and granted != [own]:
            others = [ticket for ticket in granted if ticket is not own]
            self._late.append(partial(self._wake, others, []))

    def _check_room(self, place: int | None, *, is_job: bool = False) -> None:
        machine = self._machine
        if machine.closed or (machine.draining and place is None):
            raise self.closed_error()
        if place is None and machine.is_full and not (is_job and machine.takes_job):
            raise self._refusal(QueueFullError, f"is full: {machine.waiting} calls wait already")

    def _longest_wait(self) -> float | None:
        """Return how many seconds the caller may wait from now on, or None."""
        limit = self.queue_timeout
        remaining = deadline.remaining() if deadlines.in_use else None
        if remaining is None or limit is None:
            return limit if remaining is None else remaining
        return min(limit, remaining)

    def _too_late(self, since: float) -> RefusedError:
        """Return the error for a call that has waited since then for as long as it might."""
        limit, end = self.queue_timeout, deadline_end()
        if limit is None or (end is not None and end <= since + limit):
            return self._refusal(DeadlineExceededError, "gave no permit before the deadline")
        return self._refusal(QueueTimeoutError, f"gave no permit within {limit:g} s")

    def _publish_wait(self, ticket: Ticket) -> None:
        """Tell that a call has waited for its permit; no lock is held."""
        if not Queued.is_wanted():
            return
        measured, waited = self.users.measure, max(0.0, _clock.now() - ticket.since)
        publish(Queued(name=self.name, measured=measured, priority=ticket.tier, waited=waited))

    def closed_error(self) -> RefusedError:
        """Return the error for whoever comes, or waits, when the queue takes no more work."""
        return self._refusal(QueueClosedError, "is closed and takes no new work")

    def _refusal(self, kind: type[RefusedError], text: str) -> RefusedError:
        return kind(f"queue {self.name!r} {text}", name=self.name)

    def forget_place(self) -> None:
        """Take note that this thread or task does not come back any more."""
        me = holder()
        if me in self._away:
            with self._step():
                self._away.pop(me, None)
                drained = self._take_drained()
            self._wake([], drained)

    # -- steps -------------------------------------------------------------------------------

    @contextmanager
    def _step(self) -> Generator[None]:
        """Hold the lock, and then take the steps that were put off meanwhile."""
        try:
            with self._lock:
                yield
        finally:
            self._catch_up()

    @property
    def lock(self) -> AbstractContextManager[object]:
        """What changes of its state, and of the states of its jobs, are made under."""
        return self._lock

    def _new_lock(self) -> None:
        lock = threading.RLock()
        self._lock = lock
        # Whether this thread is in the midst of a step; `threading.Condition` asks the same.
        self._is_mid_step: Callable[[], bool] = lock._is_owned  # type: ignore[attr-defined] # noqa: SLF001

    def puts_off(self, step: Callable[[], object]) -> bool:
        """Return whether this thread is in the midst of a step; `step` is taken after it, then."""
        if not self._is_mid_step():
            return False
        self._late.append(step)
        return True

    def _catch_up(self) -> None:
        late = self._late
        while late and not self._is_mid_step():
            try:
                step = late.popleft()
            except IndexError:  # another thread was faster
                return
            step()

    def _abandon(self, ticket: Ticket, *, if_waiting: bool = False) -> bool:
        """Forget a waiter, and hand on the permit if it got one; return whether it was waiting."""
        if self.puts_off(partial(self._abandon, ticket, if_waiting=if_waiting)):
            return False
        with self._lock:
            was_waiting = ticket.fate == "waiting"
            if if_waiting and not was_waiting:
                return False
            granted = self._machine.abandon(ticket, _clock.now())
            drained = self._take_drained()
        self._wake(granted, drained)
        return was_waiting

    def _drop_share(self, arrival: int) -> bool:
        """Take one holder off; return whether others have the permit still. The lock is held."""
        if arrival not in self._shares:
            return False
        self._shares[arrival] -= 1
        if self._shares[arrival] == 1:
            del self._shares[arrival]
        return True

    def _wake(self, tickets: list[Ticket], drained: list[Waiter]) -> None:
        """Wake those who were granted something, after the lock was let go."""
        for ticket in tickets:
            if not ticket.wake():  # its event loop is gone: the permit goes on
                with self._lock:
                    tickets += self._machine.abandon(ticket, _clock.now())
                    drained += self._take_drained()
        for waiter in drained:
            waiter.wake()
        if self._late:
            self._catch_up()

    def _take_drained(self) -> list[Waiter]:
        """Return those who wait for the end of all work, if it has ended."""
        if not self.drains or self._has_work():
            return []
        drained, self.drains = self.drains, []
        return drained

    def _has_work(self) -> bool:
        return bool(self._machine.active or self._machine.waiting or self._away)

    def renew_after_fork(self) -> None:
        """Forget the threads that do not exist in the child; its own permit stays with it."""
        self._new_lock()
        me = holder()
        # In place: decorated functions know these dictionaries.
        for mine in (self._holders, self._away, self._machine.passing):
            for other in [each for each in mine if each != me]:
                del mine[other]
        kept = self._holders.values()
        self._shares = {n: shares for n, shares in self._shares.items() if n in kept}
        self._machine.renew(taken=len(self._holders))
        self.drains, self._late = [], deque()
