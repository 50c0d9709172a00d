"""What waits in a batch: one call, and how its caller is told of the answer."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from resilience import _clock
from resilience._context import Priority, deadline_end, deadlines
from resilience._future import SubmittedFuture
from resilience.errors import DeadlineExceededError

if TYPE_CHECKING:
    from contextvars import Context

    from resilience._batch_collector import Collector
    from resilience._batch_key import Options
    from resilience._batch_run import Batch
    from resilience.telemetry._observed import OpenCall

__all__ = ["BareItem", "Item", "SubmittedItem", "TaskItem", "ThreadItem"]


class Around(NamedTuple):
    """What surrounds a call, as far as it is its batch's business.

    Attributes:
        tier: The `priority=` of the call, or None.
        end: The moment at which its deadline passes, or None.
        context: The context in which it was called.
    """

    tier: Priority | None
    end: float | None
    context: Context


class Item:
    """One call in a batch; its subclasses differ in who waits for the answer.

    Attributes:
        value: What becomes one of the list.
        options: The other arguments.
        around: What surrounds the call; None where that is nothing, and the batch counts the call.
        batch: The batch that it is in, once it is in one.
        since: The moment at which it joined that.
        gone: Its caller does not wait any more.
        answered: It has its answer: what was `returned`, or `raised` for it.
    """

    __slots__ = (
        "answered",
        "around",
        "batch",
        "gone",
        "options",
        "raised",
        "returned",
        "since",
        "value",
    )

    has_thread = False  # a thread waits that can run the batch when it is due
    is_submitted = False  # a future is to know when it can be cancelled no more

    around: Around | None
    batch: Batch | None
    since: float
    returned: Any
    raised: BaseException | None

    def __init__(self, value: Any, options: Options) -> None:
        self.value = value
        self.options = options
        self.around = self.batch = self.raised = None
        self.gone = self.answered = False

    def within(self, tier: Priority | None, context: Context | None = None) -> Self:
        """Take note of what surrounds the call: by default, what surrounds the caller of this."""
        end = deadline_end() if deadlines.in_use else None
        self.around = Around(tier, end, context or copy_context())
        return self

    @property
    def end(self) -> float | None:
        """The moment at which its deadline passes, or None."""
        return None if self.around is None else self.around.end

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


class ThreadItem(Item):
    """The call of a thread, which waits and may run the batch."""

    __slots__ = ()

    has_thread = True

    def answer(self, returned: Any, raised: BaseException | None = None) -> None:
        """Hand over the result or the error; the batch wakes the thread."""
        if not self.answered:
            self.returned = returned
            self.raised = raised
            self.answered = True


class TaskItem(Item):
    """The call of a task, which awaits its future; its batch runs in the same loop.

    The future itself always ends well: an error that nobody fetches is nobody's.
    """

    __slots__ = ("future",)

    future: asyncio.Future[None]

    def answer(self, returned: Any, raised: BaseException | None = None) -> None:
        """Hand over the result or the error, and wake the task, unless it was cancelled."""
        future = self.future
        if not future.done():
            self.returned = returned
            self.raised = raised
            self.answered = True
            try:
                future.set_result(None)
            except RuntimeError:  # the loop is closed: nobody will ever resume the task
                self.gone = True

    def wake(self) -> None:
        """Wake the task, which has its answer, or its deadline has passed."""
        if not self.future.done():
            self.future.set_result(None)

    async def wait(self, name: str) -> None:
        """Suspend until the answer is there or the deadline, which there is, has passed.

        Raises:
            DeadlineExceededError: the deadline has passed.
        """
        end, loop = self.end, asyncio.get_running_loop()
        assert end is not None  # noqa: S101 - for the checker
        timer = _clock.call_later(loop, max(0.0, end - _clock.now()), self.wake)
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

    def recorded(self, tier: Priority | None, record: OpenCall | None) -> Self:
        """Take note of what surrounds the call, and of the record of its own that it has."""
        self.record = record
        return self.within(tier, None if record is None else record.context)

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
