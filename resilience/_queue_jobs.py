"""The part of a queue that `submit()` uses: calls that wait without a thread of their own."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from resilience import _clock
from resilience._context import permit_reserved, place_kept
from resilience._core.queue_lines import Ticket
from resilience._queue_state import QueueState
from resilience._switches import is_off
from resilience._waiters import holder
from resilience._workers import Run, Workers
from resilience.errors import QueueTimeoutError

if TYPE_CHECKING:
    from resilience._jobs import Job

__all__ = ["QueueJobs"]


class QueueJobs(QueueState):
    """Lets jobs stand in line, and passes their permits to the calls that they make."""

    _workers: Workers

    def start_worker(self, run: Run) -> None:
        """Run this in a worker thread, of which there are at most as many as permits."""
        self._workers.submit(run, self._machine.limit if self._enabled else math.inf)

    def enqueue(self, job: Job, tier: int | None) -> None:
        """Let `job` stand in line; it is started with its permit. A full queue refuses at once."""
        if not self._enabled or is_off("prioritized"):
            job.wake()
            return
        try:
            with self._lock:
                ticket = job.ticket = self._stand_in_line(tier, None, job, is_job=True)
        finally:
            if self._late:
                self._catch_up()
        if ticket.at_once:
            self._wake([ticket], [])

    def forget_job(self, job: Job) -> bool:
        """Take a job that was cancelled out of the line; return whether it was there."""
        return job.ticket is not None and self._abandon(job.ticket, if_waiting=True)

    def reserve(self, me: object, ticket: Ticket) -> None:
        """Keep the permit of a job for the call that `me` is about to make.

        Where `me` holds one already, for a stream that it left open, the call inherits that one.
        """
        if me not in self._machine.passing and self._holders.setdefault(me, ticket) is ticket:
            permit_reserved(self)

    def lend_permit(self) -> None:
        """Let others use the permit of a job whose call has not asked for it; it comes back."""
        me = holder()
        ticket = self._holders.get(me)
        if not isinstance(ticket, Ticket):
            return
        with self._step():
            del self._holders[me]
            ticket.claimed = True
            self._away[me] = ticket.arrival
            granted = self._machine.leave(_clock.now())
        place_kept(self)
        self._wake(granted, [])

    def _claim(self, me: object) -> int | None:
        """Return the permit that was reserved for this call, or None: it has one already.

        A submitted call has no thread that could wake when its time is over, so it learns of that
        here, when its turn comes.
        """
        held = self._holders[me]
        if isinstance(held, int):
            return None
        if not held.at_once:
            waited = max(0.0, _clock.now() - held.since)
            limit = self.queue_timeout if self._enabled else None
            if limit is not None and waited > limit:
                raise self._too_late(QueueTimeoutError)
            self._publish_wait(held)
        held.claimed = True
        self._holders[me] = held.arrival
        return held.arrival

    def job_done(self, me: object, ticket: Ticket, place: object) -> Job | None:
        """Take note that a job has ended; return one that can go on at the same place."""
        if self._puts_off(partial(self.job_done, me, ticket, None)):
            return None
        with self._lock:
            now = _clock.now()
            granted = []
            if self._holders.get(me) is ticket:
                del self._holders[me]
            if self._away.get(me) == ticket.arrival:  # lent, and not asked for any more
                del self._away[me]
            if not ticket.claimed:  # the call never asked for its permit
                granted = self._machine.leave(now)
            granted += self._machine.worker_done(now)
            drained = self._take_drained()
        following: Job | None = None
        others = []
        for each in granted:
            if following is None and each.is_job and each.waiter.place is place:
                following = each.waiter
            else:
                others.append(each)
        if others or drained or self._late:
            self._wake(others, drained)
        return following
