"""`PriorityQueue`: permits, and whoever waits for one. Its machine is `_core.queue`."""

from __future__ import annotations

import threading
from typing import Any, cast

from resilience import _clock, _fork
from resilience._context import PLACES, Priority, as_priority, current_priority, deadline
from resilience._core.queue import QueueMachine, Ticket
from resilience._jobs import Job
from resilience._permit import Permit
from resilience._queue_control import QueueControl
from resilience._rules import check_all
from resilience._waiters import LoopWaiter, ThreadWaiter, Waiter, holder
from resilience.errors import (
    DeadlineExceededError,
    QueueClosedError,
    QueueFullError,
    QueueTimeoutError,
    RefusedError,
)
from resilience.settings import reject_unknown
from resilience.telemetry.events import Queued, publish

__all__ = ["PriorityQueue"]


class PriorityQueue(QueueControl):
    """At most `max_concurrent_requests` run; the others wait by priority, then by arrival.

    A permit that comes free is handed to the next waiter, in O(1) at any length and without
    polling. Threads, coroutines of several event loops and `submit()` share one queue.
    Give one object to all functions that share a limit: `@prioritized(queue)`; or use it alone:
    `with queue.permit():` and `async with queue.permit():`.
    Whoever holds a permit and asks again (the function calls itself, or another one of the same
    queue) goes on under the permit it has; a task that it starts asks for one of its own.

    Args:
        max_concurrent_requests: Permits, at least 1 (5).
        queue_size: How many may wait, at least 0 (100); one more is refused at once.
        aging: Seconds of waiting that lift a waiter by one priority, more than 0 (None: never).
        queue_timeout: The longest wait in seconds, at least 0 (None: no limit).
        queue_enabled: False: everybody passes at once (True).
        name: The name in errors, logs and telemetry.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule.
    """

    def __init__(self, **settings: Any) -> None:
        reject_unknown(settings, KNOWN, "PriorityQueue")
        check_all(settings)
        self.name: str = settings.get("name") or "queue"
        self.queue_timeout: float | None = settings.get("queue_timeout")
        self.enabled: bool = settings.get("queue_enabled", True)
        self._lock = threading.Lock()
        self._machine = QueueMachine(
            settings.get("max_concurrent_requests", 5),
            settings.get("queue_size", 100),
            settings.get("aging"),
        )
        # Who holds a permit, and which: re-entry finds it here. The number is the arrival; a
        # negative one was taken by `submit` for a call that has not claimed it yet.
        self._holders: dict[object, int] = {}
        self._drained: list[Waiter] = []
        _fork.renew_after(self)

    # -- a permit for the caller -------------------------------------------------------------

    def permit(self, *, priority: Priority | int | str | None = None) -> Permit:
        """Return a context manager, sync and async, inside which a permit is held."""
        return Permit(self, None if priority is None else as_priority(priority))

    def enter(self, tier: int | None) -> int | None:
        """Wait for a permit in this thread; None where nothing has to be given back.

        Raises:
            QueueFullError: as many wait already as `queue_size` allows.
            QueueTimeoutError: no permit within `queue_timeout`.
            QueueClosedError: the queue is closed or draining, or was closed meanwhile.
            DeadlineExceededError: the deadline passed in the queue.
        """
        me = holder()
        if me in self._holders:
            return self._claim(me)
        if not self.enabled:
            return None
        with self._lock:
            if self._machine.open:
                self._holders[me] = arrival = self._machine.take()
                return arrival
            waiter = ThreadWaiter()
            ticket = self._stand_in_line(tier, waiter)
        began, end = ticket.since, self._end_of_wait(ticket.since)
        try:
            while ticket.fate == "waiting" and (end is None or _clock.now() < end):
                waiter.wait(None if end is None else end - _clock.now())
        except BaseException:
            self._abandon(ticket)
            raise
        return self._served(ticket, me, began)

    async def enter_async(self, tier: int | None) -> int | None:
        """Wait for a permit in this task; as `enter`, but for `await`."""
        me = holder()
        if me in self._holders:
            return self._claim(me)
        if not self.enabled:
            return None
        with self._lock:
            if self._machine.open:
                self._holders[me] = arrival = self._machine.take()
                return arrival
            waiter = LoopWaiter()
            ticket = self._stand_in_line(tier, waiter)
        began, end = ticket.since, self._end_of_wait(ticket.since)
        try:
            await waiter.wait(None if end is None else end - began)
        except BaseException:
            # Cancelled, perhaps in the very moment between being handed a permit and running.
            self._abandon(ticket)
            raise
        return self._served(ticket, me, began)

    def leave(self, me: object, arrival: int) -> None:
        """Give back the permit that `me` got from `enter`, from any thread."""
        machine = self._machine
        with self._lock:
            if self._holders.get(me) == arrival:
                del self._holders[me]
            granted = machine.leave(_clock.now() if machine.waiting else 0.0)
            drained = self._take_drained()
        self._wake(granted, drained)

    def keep_place(self, arrival: int) -> None:
        """Leave the number in the context: a retried attempt comes back with its old place."""
        places = PLACES.get()
        if places is None:
            PLACES.set({self: arrival})
        else:
            places.setdefault(self, arrival)

    def _stand_in_line(self, tier: int | None, waiter: Waiter, *, is_job: bool = False) -> Ticket:
        """Become a waiter, or be refused; the lock is held."""
        machine = self._machine
        place = (PLACES.get() or {}).get(self)
        if machine.closed or (machine.draining and place is None):
            raise self.closed_error()
        runs_at_once = is_job and machine.open and machine.busy_workers < machine.limit
        if place is None and machine.waiting >= machine.size and not runs_at_once:
            raise self._refusal(QueueFullError, f"is full: {machine.waiting} calls wait already")
        tier = current_priority() if tier is None else tier
        now = _clock.now()
        ticket = machine.wait(tier, now, waiter, place=place, is_job=is_job)
        machine.grant(now)  # one that comes back may pass while newcomers may not
        return ticket

    def _end_of_wait(self, began: float) -> float | None:
        limits = (self.queue_timeout, deadline.remaining())
        shortest = min((limit for limit in limits if limit is not None), default=None)
        return None if shortest is None else began + shortest

    def _served(self, ticket: Ticket, me: object, began: float) -> int:
        """Return the arrival of a ticket that was granted, or raise why it was not."""
        if ticket.fate == "waiting":  # the time is over, unless a permit comes in this moment
            with self._lock:
                if ticket.fate == "waiting":
                    self._machine.abandon(ticket, _clock.now())
        if ticket.fate == "granted":
            self._holders[me] = ticket.arrival
            waited = max(0.0, _clock.now() - began)
            publish(Queued(name=self.name, priority=ticket.tier, waited=waited))
            return ticket.arrival
        if self._machine.closed:
            raise self.closed_error()
        if deadline.remaining() == 0:
            raise self._refusal(DeadlineExceededError, "gave no permit before the deadline")
        raise self._refusal(QueueTimeoutError, f"gave no permit in {self.queue_timeout:g} s")

    def _claim(self, me: object) -> int | None:
        """Return the permit that `submit` took for this call, or None: it has one already."""
        arrival = self._holders[me]
        if arrival > 0:
            return None
        self._holders[me] = -arrival
        return -arrival

    def closed_error(self) -> RefusedError:
        """Return the error for whoever comes, or waits, when the queue is closed."""
        return self._refusal(QueueClosedError, "is closed and takes no more work")

    def _refusal(self, kind: type[RefusedError], text: str) -> RefusedError:
        return kind(f"queue {self.name!r} {text}", name=self.name)

    # -- a permit for a job (`submit`) -------------------------------------------------------

    def enqueue(self, job: Job, tier: int | None) -> None:
        """Let `job` stand in line; it is started with its permit. A full queue refuses at once."""
        if not self.enabled:
            job.wake()
            return
        with self._lock:
            ticket = job.ticket = self._stand_in_line(tier, job, is_job=True)
        if ticket.fate == "granted":
            self._wake([ticket], [])

    def forget(self, job: Job) -> None:
        """Take a job that was cancelled out of the line."""
        if job.ticket is not None and job.ticket.fate == "waiting":
            self._abandon(job.ticket)

    def reserve(self, me: object, arrival: int) -> None:
        """Keep the permit of a job for the call that `me` is about to make."""
        self._holders[me] = -arrival

    def job_done(self, me: object, arrival: int) -> Job | None:
        """Take note that a worker is free; return the job that it may go on with."""
        with self._lock:
            now = _clock.now()
            granted = []
            if self._holders.get(me) == -arrival:  # the call never asked for its permit
                del self._holders[me]
                granted = self._machine.leave(now)
            granted += self._machine.worker_done(now)
            drained = self._take_drained()
        mine = next((ticket for ticket in granted if ticket.is_job), None)
        self._wake([ticket for ticket in granted if ticket is not mine], drained)
        return None if mine is None else cast("Job", mine.waiter)


KNOWN = frozenset(
    {"aging", "max_concurrent_requests", "name", "queue_enabled", "queue_size", "queue_timeout"}
)
