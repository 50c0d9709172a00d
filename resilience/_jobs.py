"""A call that was submitted: it waits in a queue without a thread of its own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from contextvars import Context, copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from resilience._context import permit_reserved
from resilience._core.queue_lines import JobTicket
from resilience._future import SubmittedFuture
from resilience._waiters import holder

if TYPE_CHECKING:
    from resilience._queue import PriorityQueue

__all__ = ["Handover", "Job", "Submitter"]


class Submitter:
    """What all submitted calls of one function have in common.

    Attributes:
        call: What a job calls.
        executor: Runs the jobs; None: the queue's own workers.
        keeps_permit: A job has its permit until it ends. Else its call gives it back, since it
            may rest and come back.
        place: Where jobs run: those of one place can follow each other in one worker.
    """

    __slots__ = ("call", "executor", "keeps_permit", "place", "queue")

    def __init__(
        self,
        queue: PriorityQueue,
        call: Callable[..., Any],
        executor: Executor | None = None,
        *,
        keeps_permit: bool = False,
    ) -> None:
        self.queue = queue
        self.call = call
        self.executor = executor
        self.keeps_permit = keeps_permit
        self.place: object = executor or queue


def _no_call() -> Any:
    """Stand for a call that has been made."""


class Job(SubmittedFuture[Any], JobTicket):
    """One submitted call: its future, and its ticket in the line.

    Woken with its permit, it runs in a worker, in its caller's context.
    All that is one object, since many may wait; its lock is that of the queue.
    """

    __slots__ = ("_args", "_call", "_context", "submitter")

    def __init__(self, submitter: Submitter, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        # What the base classes set as well: to call them would take as long as all of this.
        self._state = "PENDING"
        self._result = self._exception = self.audience = None
        self.fate = "new"
        self.at_once = self.claimed = False
        self.submitter = submitter
        self._call = partial(submitter.call, **kwargs) if kwargs else submitter.call
        self._args = args
        self._context = copy_context() or None  # an empty one is made when it runs

    @property
    def place(self) -> object:
        """Where it runs."""
        return self.submitter.place

    def _lock(self) -> Any:
        return self.submitter.queue.lock

    # -- in the line ---------------------------------------------------------------------------

    def _leave_line(self) -> bool:
        if self.fate != "waiting" or not self.submitter.queue.forget_job(self):
            return False
        self.give_back(None, None)
        return True

    def wake(self) -> bool:
        """Start the call, now that it has a permit, or fail it if the queue was closed."""
        if self.fate == "refused":
            self.fail(self.submitter.queue.closed_error())
            return True
        try:
            self.start()
        except RuntimeError as error:  # an executor that was shut down, a loop that was closed
            self.fail(error)
            return False
        return True

    def start(self) -> None:
        """Hand the call to a worker."""
        submitter = self.submitter
        if submitter.executor is None:
            submitter.queue.start_worker(partial(_run_all, self))
        else:
            Handover(self).submit(submitter.executor)

    # -- in a worker ---------------------------------------------------------------------------

    def run(self, me: object) -> Job | None:
        """Run the call in this thread, which is `me`; return the job that it may go on with."""
        submitter = self.submitter
        if self._state != "RUNNING" and not self.set_running_or_notify_cancel():
            return self.give_back(None, submitter.place)
        context = self._context or Context()
        if self.fate == "granted":
            submitter.queue.reserve(me, self)
            if not submitter.keeps_permit:
                context.run(permit_reserved, submitter.queue)
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(self._call, *self._args)
        except BaseException as caught:  # noqa: BLE001 - the future's owner gets it
            error = caught
        following = self.give_back(me, submitter.place, result, error)
        if self._state == "RUNNING":
            self.settle(result, error)
        try:
            return following
        finally:
            del self, error, following  # the error holds this frame

    def give_back(
        self,
        me: object,
        place: object,
        result: Any = None,
        error: BaseException | None = None,
    ) -> Job | None:
        """Give back what is held, before the future's owner hears of the end.

        Returns:
            A job that can follow at this place.
        """
        self._call, self._args, self._context = _no_call, (), None  # it may outlive the arguments
        if self.fate != "granted":
            return None
        return self.submitter.queue.job_done(me, self, place, result, error)

    def follows(self) -> None:
        """Take note that it runs next in this thread; the lock is held."""
        if self._state == "PENDING":
            self._state = "RUNNING"

    def end_unheard(self, result: Any, error: BaseException | None) -> None:
        """End if it has not yet, since nobody has asked to hear of it; the lock is held."""
        if self._state == "RUNNING":
            self._result, self._exception = result, error
            self._state = "FINISHED"

    def drop(self, error: BaseException) -> None:
        """Give up, and give back what is held."""
        self.fail(error)
        self.give_back(None, None)

    def fail(self, error: BaseException) -> None:
        """Give up, since nobody can run the call, or go on with it."""
        if isinstance(error, CancelledError):
            self.cancel()
        if self.running() or self.set_running_or_notify_cancel():
            self.end(None, error)


def _run_all(job: Job) -> Callable[[], object] | None:
    """Run a job in this thread, and then those that it may go on with: no hop between.

    Returns:
        What tells who waits in a thread for the last one: to be called as the last thing.
    """
    me = holder()
    following: Job | None = None
    try:
        while (following := job.run(me)) is not None:
            if job.audience is not None:
                job.tell()
            job = following
    except BaseException:  # of a callback that ends the thread: others go on
        if following is not None and following is not job:
            following.wake()
        raise
    else:
        if job.can_tell_later:
            return job.tell
        job.tell()
        return None
    finally:
        del job, following  # an error holds its frame, and that holds this one


class Handover:
    """A job on its way through somebody else's hands; dropped there, it fails."""

    def __init__(self, job: Job) -> None:
        self._job: Job | None = job

    def take(self) -> Job | None:
        """Return the job for whoever settles it, once."""
        job, self._job = self._job, None
        return job

    def submit(self, executor: Executor) -> None:
        """Let an executor run the job."""
        try:
            executor.submit(self._run).add_done_callback(self._look)
        except RuntimeError:  # it was shut down
            self.take()
            raise

    def _run(self) -> None:
        job = self.take()
        tell = None if job is None else _run_all(job)
        del job
        if tell is not None:
            tell()
        del tell

    def _look(self, handed: Future[None]) -> None:
        """Give up if the executor never runs the call: it was shut down, or cannot take it.

        In another thread: an executor tells of it with its lock held, and who is next in line may
        be handed to this very executor.
        """
        error = CancelledError() if handed.cancelled() else handed.exception()
        if error is not None and self._job is not None:
            give_up = partial(self._give_up, error)
            try:
                self._job.submitter.queue.start_apart(give_up)
            except RuntimeError:  # no thread can be started any more
                give_up()

    def _give_up(self, error: BaseException) -> None:
        job = self.take()
        if job is not None and not job.submitter.queue.puts_off(partial(job.drop, error)):
            job.drop(error)

    def __del__(self) -> None:
        """Give up if nobody can run the call any more: its event loop or its executor has gone."""
        self._give_up(CancelledError())
