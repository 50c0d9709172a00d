"""A coroutine function that was submitted: a task of the loop that submitted it."""

from __future__ import annotations

import asyncio
from concurrent.futures import CancelledError
from contextvars import Context
from typing import Any, cast

from resilience._context import permit_reserved
from resilience._jobs import Handover, Job, Submitter
from resilience._waiters import holder, running_loop

__all__ = ["CoroutineJob"]


class CoroutineJob(Job):
    """A submitted coroutine function: a task of the loop that submitted it.

    Submitted outside a running loop, it gets a loop of its own in a worker.
    """

    __slots__ = ("_holder", "_loop")

    def __init__(self, submitter: Submitter, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(submitter, args, kwargs)
        self._loop = running_loop()
        self._holder: object = None  # the task, once it runs

    @property
    def place(self) -> object:
        """Where it runs."""
        return self._loop or self.submitter.place

    def start(self) -> None:
        """Start the task in its loop, from any thread; without a loop, in a worker."""
        if self._loop is None:
            super().start()
        else:
            _LoopHandover(self).start(self._loop, self._context or Context())

    def run(self, me: object) -> Job | None:
        """Run the call in this thread, in a loop of its own; as that of a plain function."""
        context, place = self._context or Context(), self.place
        if self._state != "RUNNING" and not self.set_running_or_notify_cancel():
            return self.give_back(None, place)
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(asyncio.run, self.steps())
        except BaseException as caught:  # noqa: BLE001 - the future's owner gets it
            error = caught
        following = self.give_back(None, place, result, error)
        if self._state == "RUNNING":
            self.settle(result, error)
        try:
            return following
        finally:
            del self, error, following  # the error holds this frame

    async def steps(self) -> Any:
        """Make the call, in the task that holds its permit."""
        submitter, call, args = self.submitter, self._call, self._args
        self._holder = holder()
        if self.fate == "granted":
            submitter.queue.reserve(self._holder, self)
            if not submitter.keeps_permit:
                permit_reserved(submitter.queue)
        del self  # an error of the call holds this frame
        return await call(*args)

    def give_back(
        self,
        me: object,
        place: object,
        result: Any = None,
        error: BaseException | None = None,
    ) -> Job | None:
        """Give back what the task holds, if it has begun."""
        return super().give_back(self._holder or me, place, result, error)


class _LoopHandover(Handover):
    """A job on its way through an event loop, which forgets it when it is closed."""

    def start(self, loop: asyncio.AbstractEventLoop, context: Context) -> None:
        """Let the loop run the job, from any thread."""
        try:
            loop.call_soon_threadsafe(self._start_task, context=context)
        except RuntimeError:  # it is closed
            self.take()
            raise

    def _start_task(self) -> None:
        job = cast("CoroutineJob", self._job)
        if not job.set_running_or_notify_cancel():
            self.take()
            job.give_back(None, None)
            return
        # Kept, since a loop holds its tasks weakly.
        self._task = asyncio.get_running_loop().create_task(job.steps())
        # Not a `finally` in the task: one that is cancelled before its first step never runs.
        self._task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[Any]) -> None:
        del self._task
        job = cast("CoroutineJob", self.take())
        error = CancelledError() if task.cancelled() else task.exception()
        result = None if error else task.result()
        job.give_back(None, None, result, error)
        if job.running():
            job.end(result, error)
