"""The part of a queue that `submit()` uses: calls that wait without a thread of their own."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from resilience import _clock
from resilience._context import current_priority, deadlines, place_kept
from resilience._jobs import Job
from resilience._queue_state import QueueState
from resilience._switches import is_off
from resilience._waiters import holder
from resilience._workers import Run, Workers

__all__ = ["QueueJobs"]


class QueueJobs(QueueState):
    """Lets jobs stand in line, and passes their permits to the calls that they make."""

    _workers: Workers

    def start_worker(self, run: Run) -> None:
        """Run this in a worker thread, of which there are at most as many as permits."""
        self._workers.submit(run, self._machine.limit if self._enabled else math.inf)

    def start_apart(self, run: Run) -> None:
        """Run this in a thread at once, however many work."""
        self._workers.submit(run, math.inf)

    def enqueue(self, job: Job, tier: int | None) -> None:
        """Let `job` stand in line; it is started with its permit. A full queue refuses at once."""
        if not self._enabled or (deadlines.in_use and is_off("prioritized")):
            job.wake()
            return
        machine = self._machine
        try:
            with self._lock:
                if machine.waiting or not machine.take_job(job):
                    self._line_up(job, tier)
                elif job.place is self:  # nobody but its worker knows it yet
                    job.follows()
        finally:
            if self._late:
                self._catch_up()
        if job.at_once and not job.wake():
            self._abandon(job)

    def _line_up(self, job: Job, tier: int | None) -> None:
        """Let a job wait; the lock is held, and the caller catches up after it."""
        machine, now = self._machine, _clock.now()
        if machine.waiting >= machine.size or machine.closed or machine.draining:
            self._make_room(now)
        machine.stand(job, current_priority() if tier is None else tier, now)
        if machine.can_grant:
            self._grant_others(now, job)
            job.at_once = job.fate == "granted"

    def _make_room(self, now: float) -> None:
        """Refuse a job that may not wait, unless that has changed meanwhile."""
        if self._machine.can_grant:
            self._grant_others(now)
        if not self._machine.disabled:
            self._check_room(None, is_job=True)

    def forget_job(self, job: Job) -> bool:
        """Take a job that was cancelled out of the line; return whether it was there."""
        return self._abandon(job, if_waiting=True)

    def reserve(self, me: object, job: Job) -> None:
        """Keep the permit of a job for the call that `me` is about to make.

        Where `me` holds one already, for a stream that it left open, the call inherits that one.
        """
        if me in self._machine.passing:
            return
        # Of a wait there is something to tell once the call has begun, and a permit that is not
        # kept is for the call to take over. Else the call finds that it has one.
        is_settled = job.at_once and job.submitter.keeps_permit
        self._holders.setdefault(me, job.arrival if is_settled else job)

    def lend_permit(self) -> None:
        """Let others use the permit of a job whose call has not asked for it; it comes back."""
        me = holder()
        job = self._holders.get(me)
        if not isinstance(job, Job):
            return
        with self._step():
            del self._holders[me]
            job.claimed = True
            self._away[me] = job.arrival
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
            limit = self.queue_timeout if self._enabled else None
            if limit is not None and _clock.now() - held.since > limit:
                raise self._too_late(held.since)
            self._publish_wait(held)
        self._holders[me] = held.arrival
        if held.submitter.keeps_permit:
            return None
        held.claimed = True
        return held.arrival

    def job_done(
        self, me: object, job: Job, place: object, result: Any, error: BaseException | None
    ) -> Job | None:
        """Take note that a job has ended; return one that can go on at the same place.

        All in one step: the lock is taken once for each job that follows another one.
        """
        if self._is_mid_step():
            self._late.append(partial(self.job_done, me, job, None, None, None))
            return None
        machine = self._machine
        following: Job | None = None
        with self._lock:
            now = _clock.now() if machine.aging else 0.0
            granted = machine.worker_done(now, self._take_permit(me, job))
            drained = self._take_drained() if self.drains else []
            is_heard = job.audience is not None
            if not is_heard:
                job.end_unheard(result, error)
            first = granted[0] if granted else None
            if isinstance(first, Job) and first.place is place:
                following = first
                del granted[0]
                if not is_heard:  # else callbacks may run before it does
                    following.follows()
        if granted or drained or self._late:
            self._wake(granted, drained)
        return following

    def _take_permit(self, me: object, job: Job) -> int:
        """Return how many permits a job gives back that has ended: one or none."""
        held = self._holders.get(me)
        if held == job.arrival and job.submitter.keeps_permit:
            if self._shares and self._drop_share(job.arrival):
                return 0
            del self._holders[me]
        elif held is job:  # its call never asked for it
            del self._holders[me]
        elif self._away.get(me) == job.arrival:  # lent, and not asked for any more
            del self._away[me]
        return 0 if job.claimed else 1
