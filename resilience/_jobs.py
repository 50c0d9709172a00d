"""A call that was submitted: it waits in a queue without a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from typing import TYPE_CHECKING, Any

from resilience._future import SubmittedFuture
from resilience._waiters import holder, running_loop

if TYPE_CHECKING:
    from resilience._core.queue_lines import Ticket
    from resilience._queue import PriorityQueue

__all__ = ["CoroutineJob", "Job"]


class Job:
    """One submitted call; woken with its permit, it runs in a worker, in its caller's context.

    Attributes:
        place: Where it runs: jobs of one place can follow each other in one worker.
    """

    __slots__ = (
        "_context",
        "_executor",
        "_holder",
        "_in_hand",
        "args",
        "call",
        "future",
        "kwargs",
        "place",
        "queue",
        "ticket",
    )

    def __init__(
        self,
        queue: PriorityQueue,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        executor: Executor | None,
    ) -> None:
        self._in_hand = False  # whether somebody is going to settle it
        self.queue = queue
        self.call = call
        self.args = args
        self.kwargs = kwargs
        self.future: SubmittedFuture[Any] = SubmittedFuture()
        self.future.waiting = self
        self.ticket: Ticket | None = None  # None: the queue is disabled, no permit is needed
        self.place: object = executor or queue
        self._context = contextvars.copy_context()
        self._executor = executor
        self._holder: object = None

    def wake(self) -> bool:
        """Start the call, now that it has a permit, or fail it if the queue was closed."""
        self._leave_line()
        if self.ticket is not None and self.ticket.fate == "refused":
            self._fail(self.queue.closed_error())
            return True
        try:
            self.start()
        except RuntimeError as error:  # an executor that was shut down, a loop that was closed
            self._fail(error)
            return False
        return True

    def forget(self) -> bool:
        """Leave the line, since the future was cancelled; return whether it stood there."""
        return self.queue.forget_job(self)

    def start(self) -> None:
        """Hand the call to a worker."""
        if self._executor is None:
            self.queue.start_worker(self._run_all)
        else:
            self._executor.submit(self._run_all).add_done_callback(self._handed_over)

    def _run_all(self) -> None:
        """Run this call, and then those that the same worker may go on with: no hop between."""
        job: Job | None = self
        while job is not None:
            job = job.run()

    def run(self) -> Job | None:
        """Run the call in this thread; return the job that this thread may go on with."""
        self._in_hand = True
        self._leave_line()
        if not self.future.set_running_or_notify_cancel():
            return self._give_back(self.place)
        result: Any = None
        error: BaseException | None = None
        try:
            result = self._context.run(self._run)
        except BaseException as caught:  # noqa: BLE001 - the future's owner gets it
            error = caught
        following = self._give_back(self.place)
        self._resolve(result, error)
        del error  # it holds this frame
        return following

    def _run(self) -> Any:
        self._begin()
        return self.call(*self.args, **self.kwargs)

    def _begin(self) -> None:
        """Keep the permit for the call that this thread or task is about to make."""
        self._holder = holder()
        if self.ticket is not None:
            self.queue.reserve(self._holder, self.ticket)

    def _leave_line(self) -> None:
        """Forget who knew it while it waited, so that nothing outlives the call."""
        self.future.waiting = None
        if self.ticket is not None:
            self.ticket.waiter = None

    def _give_back(self, place: object) -> Job | None:
        """Give back what is held, before the future's owner hears of the end."""
        if self.ticket is None:
            return None
        return self.queue.job_done(self._holder, self.ticket, place)

    def _resolve(self, result: Any, error: BaseException | None) -> None:
        """Tell the future's owner, who cannot cancel it since it runs."""
        future = self.future
        del self.future  # an error holds the frames that hold this object
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _fail(self, error: BaseException) -> None:
        """Give up before the call has begun."""
        self._in_hand = True
        if isinstance(error, CancelledError):
            self.future.cancel()
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)

    def _handed_over(self, handed: Future[None]) -> None:
        """Give up if the executor never runs the call: it was shut down, or cannot take it."""
        error = CancelledError() if handed.cancelled() else handed.exception()
        if error is not None and not self._in_hand:
            self._fail(error)
            self._give_back(None)

    def __del__(self) -> None:
        """Give up if nobody can run the call any more: its event loop or its queue has gone."""
        if self._in_hand or self.ticket is None or self.ticket.fate == "refused":
            return
        if self.future.running():
            self.future.set_exception(CancelledError())
        else:
            self._fail(CancelledError())
        if self.ticket.fate == "granted":
            self._give_back(None)


class CoroutineJob(Job):
    """A submitted coroutine function: a task of the loop that submitted it.

    Submitted outside a running loop, it gets a loop of its own in a worker.
    """

    __slots__ = ("_loop", "_task")

    def __init__(
        self,
        queue: PriorityQueue,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        executor: Executor | None,
    ) -> None:
        super().__init__(queue, call, args, kwargs, executor)
        self._loop = running_loop()
        self._task: asyncio.Task[Any] | None = None  # kept: a loop holds its tasks weakly
        if self._loop is not None:
            self.place = self._loop

    def start(self) -> None:
        """Start the task in its loop, from any thread; without a loop, in a worker."""
        if self._loop is None:
            super().start()
        else:
            self._loop.call_soon_threadsafe(self._start_task, context=self._context)

    def _run(self) -> Any:
        """Run the coroutine in a loop of this thread's own."""
        return asyncio.run(self._run_task())

    async def _run_task(self) -> Any:
        self._begin()
        return await self.call(*self.args, **self.kwargs)

    def _start_task(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            self._in_hand = True
            self._give_back(None)
            return
        self._task = asyncio.get_running_loop().create_task(self._run_task())
        # Not a `finally` in the task: one that is cancelled before its first step never runs.
        self._task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[Any]) -> None:
        self._in_hand = True
        self._give_back(None)
        if task.cancelled():
            self._resolve(None, CancelledError())
        else:
            error = task.exception()
            self._resolve(None if error else task.result(), error)
        self._task = None
