"""What waits in a batch: one call, and how its caller is told of the answer."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self

from resilience import _clock
from resilience._context import Priority, deadline, deadlines
from resilience._future import SubmittedFuture
from resilience.errors import DeadlineExceededError

if TYPE_CHECKING:
    from contextvars import Context

    from resilience._batch_collector import Collector
    from resilience._batch_key import Options
    from resilience._batch_run import Batch
    from resilience.telemetry._observed import OpenCall

__all__ = ["BareItem", "Item", "SubmittedItem", "TaskItem", "ThreadItem", "deadline_end"]


class Item:
    """One call in a batch; its subclasses differ in who waits for the answer.

    Attributes:
        value: What becomes one of the list.
        options: The other arguments.
        is_counted: Its batch counts it, if it succeeds; else whoever called does, or nobody.
        since: The moment at which it joined its batch.
        tier: The `priority=` of the call, or None.
        end: The moment at which its deadline passes, or None.
        context: The context in which it was called; None where nothing in it is the batch's
            business.
        batch: The batch that it is in, once it is in one.
        gone: Its caller does not wait any more.
        answered: It has its answer: what was `returned`, or `raised` for it.
    """

    __slots__ = (
        "answered",
        "batch",
        "context",
        "end",
        "gone",
        "is_counted",
        "options",
        "raised",
        "returned",
        "since",
        "tier",
        "value",
    )

    has_thread = False  # a thread waits that can run the batch when it is due
    is_submitted = False  # a future is to know when it can be cancelled no more

    def __init__(self, value: Any, options: Options, *, is_counted: bool = False) -> None:
        self.value = value
        self.options = options
        self.is_counted = is_counted
        self.since = 0.0
        self.tier: Priority | None = None
        self.end: float | None = None
        self.context: Context | None = None
        self.batch: Batch | None = None
        self.gone = self.answered = False
        self.returned: Any = None
        self.raised: BaseException | None = None

    def within(self, tier: Priority | None) -> Self:
        """Take note of what surrounds the call."""
        self.tier = tier
        self.end = deadline_end() if deadlines.in_use else None
        self.context = copy_context()
        return self

    @property
    def has_succeeded(self) -> bool:
        """Whether it has a result."""
        return self.answered and self.raised is None

    def answer(self, returned: Any, raised: BaseException | None = None) -> None:
        """Hand over the result or the error; the first answer counts, and each one wakes."""
        if not self.answered:
            self.returned, self.raised = returned, raised
            self.answered = True
        self.wake()

    def wake(self) -> None:
        """Wake whoever waits for this item alone; threads wait for the batch."""

    def outcome(self) -> Any:
        """Return the result or raise the error; once."""
        error, self.raised = self.raised, None
        if error is None:
            return self.returned
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

    __slots__ = ()

    has_thread = True


class TaskItem(Item):
    """The call of a task, which awaits its future; its batch runs in the same loop.

    The future itself always ends well: an error that nobody fetches is nobody's.
    """

    __slots__ = ("future",)

    future: asyncio.Future[None]

    def answer(self, returned: Any, raised: BaseException | None = None) -> None:
        """Hand over the result or the error, and wake the task, unless it was cancelled."""
        if not self.answered and not self.future.cancelled():
            self.returned, self.raised = returned, raised
            self.answered = True
            self.wake()

    def wake(self) -> None:
        """Wake the task."""
        try:
            if not self.future.done():
                self.future.set_result(None)
        except RuntimeError:  # the loop is closed: nobody will ever resume the task
            self.gone = True

    async def wait(self, name: str) -> None:
        """Suspend until the answer is there or the deadline, which there is, has passed.

        Raises:
            DeadlineExceededError: the deadline has passed.
        """
        assert self.end is not None  # noqa: S101 - for the checker
        loop = asyncio.get_running_loop()
        timer = _clock.call_later(loop, max(0.0, self.end - _clock.now()), self.wake)
        try:
            await self.future
        finally:
            timer.cancel()
        if not self.answered:
            raise self.too_late(name)


class BareItem(Item):
    """One of several calls of one caller, who waits for the batches."""

    __slots__ = ("record",)

    record: OpenCall | None

    def recorded(self, record: OpenCall | None) -> Self:
        """Take note of the record of its own that the call has, and of the context within that."""
        self.record = record
        if record is not None:
            self.context = record.context
        return self

    def answer(self, returned: Any, raised: BaseException | None = None) -> None:
        """Hand over the result or the error, and finish the record."""
        if not self.answered:
            self.returned, self.raised = returned, raised
            self.answered = True
            if self.record is not None:
                self.record.finish(raised)
        self.wake()


class SubmittedItem(BareItem):
    """A submitted call: nobody waits here, and a future gets the answer."""

    __slots__ = ("_collector", "future")

    is_submitted = True

    def __init__(self, value: Any, options: Options, collector: Collector) -> None:
        super().__init__(value, options)
        self._collector = collector
        self.future: SubmittedFuture[Any] = SubmittedFuture()
        self.future.waiting = self

    def forget(self) -> bool:
        """Leave the batch, since the future was cancelled; return whether that came in time."""
        if not self._collector.leave(self):
            return False
        if self.record is not None:
            self.record.finish(asyncio.CancelledError())
        return True

    def starts(self) -> bool:
        """Take note that it runs, so that it cannot be cancelled any more; False if it was."""
        self.future.waiting = None
        return self.future.set_running_or_notify_cancel()

    def wake(self) -> None:
        """Give the future its result."""
        future = self.future
        if not self.answered or future.done():
            return
        if self.raised is None:
            future.set_result(self.returned)
        else:
            error, self.raised = self.raised, None
            future.set_exception(error)
            del error
