"""What waits in a batch: one call, and how its caller is told of the answer."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import Priority, deadline, deadlines
from resilience._future import SubmittedFuture
from resilience.errors import DeadlineExceededError

if TYPE_CHECKING:
    from resilience._batch_collector import Collector
    from resilience._batch_key import Batchable
    from resilience._batch_run import Batch
    from resilience.telemetry.calls import OpenCall

__all__ = ["Item", "SubmittedItem", "TaskItem", "ThreadItem", "deadline_end"]


class Item:
    """One call in a batch.

    Attributes:
        call: Its arguments.
        tier: The `priority=` of the call, or None.
        end: The moment at which its deadline passes, or None.
        context: The context in which it was called.
        batch: The batch that it is in, once it is in one.
        gone: Its caller does not wait any more.
        answered: It has its result or its error.
    """

    __slots__ = (
        "_error",
        "_record",
        "_result",
        "answered",
        "batch",
        "call",
        "context",
        "end",
        "gone",
        "tier",
    )

    has_thread = False  # a thread waits that can run the batch when it is due

    def __init__(
        self, call: Batchable, tier: Priority | None, record: OpenCall | None = None
    ) -> None:
        self.call = call
        self.tier = tier
        self.end = deadline_end() if deadlines.in_use else None
        self.context = contextvars.copy_context() if record is None else record.context
        self.batch: Batch | None = None
        self.gone = self.answered = False
        self._record = record
        self._result: Any = None
        self._error: BaseException | None = None

    def starts(self) -> bool:
        """Take note that its batch is about to run; False if nobody wants the result any more."""
        return not self.gone

    def answer(self, result: Any, error: BaseException | None = None) -> None:
        """Hand over the result or the error; the first answer counts, and each one wakes."""
        if not self.answered:
            self._result, self._error = result, error
            self.answered = True
            if self._record is not None:
                self._record.finish(error)
        self.wake()

    def wake(self) -> None:
        """Wake whoever waits: there is an answer, or a batch to look after."""

    def outcome(self) -> Any:
        """Return the result or raise the error; once."""
        error, self._error = self._error, None
        if error is None:
            return self._result
        try:
            raise error
        finally:
            del error  # its traceback holds this frame

    def too_late(self, name: str) -> DeadlineExceededError:
        """Return the error for a caller whose deadline has passed."""
        state = "gave no result" if self.batch and self.batch.is_taken else "was not run"
        return DeadlineExceededError(f"{name}: the batch {state} before the deadline", name=name)


def deadline_end() -> float | None:
    """Return the moment at which the surrounding deadline passes, or None without one."""
    left = deadline.remaining()
    return None if left is None else _clock.now() + left


class ThreadItem(Item):
    """The call of a thread, which waits and may run the batch."""

    __slots__ = ("_event",)

    has_thread = True

    def __init__(
        self, call: Batchable, tier: Priority | None, record: OpenCall | None = None
    ) -> None:
        super().__init__(call, tier, record)
        self._event = threading.Event()

    def wake(self) -> None:
        """Wake the thread."""
        self._event.set()

    def wait(self, until: float | None) -> None:
        """Block until it is woken or the moment has come; may return early."""
        _clock.wait(self._event, None if until is None else max(0.0, until - _clock.now()))
        self._event.clear()


class TaskItem(Item):
    """The call of a task; its batch runs in the same loop."""

    __slots__ = ("_future",)

    def __init__(
        self, call: Batchable, tier: Priority | None, record: OpenCall | None = None
    ) -> None:
        super().__init__(call, tier, record)
        self._future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(self) -> None:
        """Wake the task."""
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self, name: str) -> None:
        """Suspend until the answer is there.

        Raises:
            DeadlineExceededError: the deadline has passed before.
        """
        if self.end is None:
            await self._future
            return
        loop = asyncio.get_running_loop()
        timer = _clock.call_later(loop, max(0.0, self.end - _clock.now()), self.wake)
        try:
            await self._future
        finally:
            timer.cancel()
        if not self.answered:
            raise self.too_late(name)


class SubmittedItem(Item):
    """A submitted call: nobody waits here, and a future gets the answer."""

    __slots__ = ("_collector", "future")

    def __init__(
        self,
        call: Batchable,
        tier: Priority | None,
        record: OpenCall | None,
        collector: Collector,
    ) -> None:
        super().__init__(call, tier, record)
        self._collector = collector
        self.future: SubmittedFuture[Any] = SubmittedFuture()
        self.future.waiting = self

    def forget(self) -> bool:
        """Leave the batch, since the future was cancelled; return whether that came in time."""
        if not self._collector.leave(self):
            return False
        if self._record is not None:
            self._record.finish(asyncio.CancelledError())
        return True

    def starts(self) -> bool:
        """Take note that it runs, so that it cannot be cancelled any more."""
        self.future.waiting = None
        return self.future.set_running_or_notify_cancel()

    def wake(self) -> None:
        """Give the future its result."""
        future = self.future
        if not self.answered or future.done():
            return
        if self._error is None:
            future.set_result(self._result)
        else:
            error, self._error = self._error, None
            future.set_exception(error)
            del error
