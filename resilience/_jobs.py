"""A call that was submitted: it waits in a queue without a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import TYPE_CHECKING, Any

from resilience._waiters import holder, running_loop
from resilience._workers import Workers

if TYPE_CHECKING:
    from resilience._core.queue import Ticket
    from resilience._queue import PriorityQueue

__all__ = ["CoroutineJob", "Job", "JobFuture"]


class JobFuture(Future[Any]):
    """The future of a job; cancelled while it waits, it leaves the line at once."""

    job: Job

    def cancel(self) -> bool:
        """Cancel the call if it does not run yet."""
        if not super().cancel():
            return False
        self.job.queue.forget(self.job)
        return True


class Job:
    """One submitted call; woken with its permit, it runs in a worker, in its caller's context."""

    __slots__ = ("_context", "_executor", "args", "call", "future", "kwargs", "queue", "ticket")

    def __init__(
        self,
        queue: PriorityQueue,
        call: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        executor: Executor | Workers,
    ) -> None:
        self.queue = queue
        self.call = call
        self.args = args
        self.kwargs = kwargs
        self.future = JobFuture()
        self.future.job = self
        self.ticket: Ticket | None = None  # None: the queue is disabled, no permit is needed
        self._context = contextvars.copy_context()
        self._executor = executor

    def wake(self) -> bool:
        """Start the call, now that it has a permit, or fail it if the queue was closed."""
        if self.ticket is not None and self.ticket.fate == "refused":
            self.fail(self.queue.closed_error())
            return True
        try:
            self.start()
        except RuntimeError as error:  # an executor that was shut down, a loop that was closed
            self.fail(error)
            return False
        return True

    def start(self) -> None:
        """Hand the call to a worker."""
        self._executor.submit(self._run_all)

    def fail(self, error: BaseException) -> None:
        """Give up before the call has begun."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)

    def _run_all(self) -> None:
        """Run this call, and then those that the same worker may go on with: no hop between."""
        job: Job | None = self
        while job is not None:
            job = job.run()

    def run(self) -> Job | None:
        """Run the call in this thread; return the job that this thread may go on with."""
        me = self.begin()
        result, error = None, None
        if self.future.set_running_or_notify_cancel():
            try:
                result = self._context.run(self.call, *self.args, **self.kwargs)
            except BaseException as caught:  # noqa: BLE001 - the future's owner gets it
                error = caught
        return self.finish(me, result, error)

    def begin(self) -> object:
        """Keep the permit for the call that is about to be made here; return its holder."""
        me = holder()
        if self.ticket is not None:
            self.queue.reserve(me, self.ticket.arrival)
        return me

    def finish(self, me: object, result: Any, error: BaseException | None) -> Job | None:
        """Give back what is held, then tell the future's owner; return the job that is next."""
        following = None
        if self.ticket is not None:
            following = self.queue.job_done(me, self.ticket.arrival)
        if self.future.cancelled():
            return following
        if error is None:
            self.future.set_result(result)
        else:
            self.future.set_exception(error)
        return following


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
        executor: Executor | Workers,
    ) -> None:
        super().__init__(queue, call, args, kwargs, executor)
        self._loop = running_loop()
        self._task: asyncio.Task[Any] | None = None  # kept: a loop holds its tasks weakly

    def start(self) -> None:
        """Start the task in its loop, from any thread; without a loop, in a worker."""
        if self._loop is None:
            super().start()
        else:
            self._loop.call_soon_threadsafe(self._start_task, context=self._context)

    def run(self) -> Job | None:
        """Run the coroutine in a loop of this thread's own."""
        self._context.run(asyncio.run, self._main())
        return None

    async def _main(self) -> None:
        self._start_task()
        assert self._task is not None  # noqa: S101 - for the type checker
        await asyncio.wait([self._task])

    def _start_task(self) -> None:
        if not self.future.set_running_or_notify_cancel():
            self._settle(None)
            return
        self._task = asyncio.get_running_loop().create_task(self._run_task())
        # Not a `finally` in the task: one that is cancelled before its first step never runs.
        self._task.add_done_callback(self._settle)

    async def _run_task(self) -> Any:
        self.begin()
        return await self.call(*self.args, **self.kwargs)

    def _settle(self, task: asyncio.Task[Any] | None) -> None:
        result: Any = None
        error: BaseException | None = None
        if task is not None and task.cancelled():
            error = asyncio.CancelledError()
        elif task is not None:
            error = task.exception()
            result = None if error else task.result()
        following = self.finish(task, result, error)
        if following is not None:
            following.wake()
