"""Calls under a permit of a queue: the drivers of `@prioritized`, sync and async.

A call that finds a permit free passes without the queue's lock (`_core.queue` says how), and pays
for nothing that nobody uses: what is empty is not searched. Both ways to a permit, and the steps of
the one through the line, stand in one function: a frame between them would take 400 bytes of each
task that waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resilience._context import Priority, as_priority, check_deadline, deadlines
from resilience._site import parameters_of
from resilience._switches import is_off
from resilience._waiters import LoopWaiter, ThreadWaiter, holder, running_loop, this_thread

if TYPE_CHECKING:
    from resilience._queue import PriorityQueue
    from resilience._site import Site

__all__ = [
    "TakePriority",
    "priority_taker",
    "stream_under_permit",
    "stream_under_permit_async",
    "under_permit",
    "under_permit_async",
]

TakePriority = Callable[[dict[str, Any]], Priority | None]


def under_permit(  # noqa: C901 - two ways in one
    queue: PriorityQueue, inner: Callable[..., Any], site: Site, take_priority: TakePriority
) -> Callable[..., Any]:
    """Return `inner` under a permit, which it gives back at its end."""
    repeats, name = site.repeats, site.name
    machine, holders, away = queue.gate
    passing, arrivals = machine.passing, machine.arrivals

    def call(*args: Any, **kwargs: Any) -> Any:  # noqa: C901 - the same
        tier = take_priority(kwargs) if kwargs and "priority" in kwargs else None
        if deadlines.in_use:
            check_deadline(name)
            if is_off("prioritized"):
                return inner(*args, **kwargs)
        me = this_thread.token if running_loop() is None else holder()  # a frame less
        if machine.room and not (
            (passing and me in passing) or (holders and me in holders) or (away and me in away)
        ):
            number = 0
            try:
                passing[me] = number = next(arrivals)
                if len(passing) <= machine.room:
                    result = inner(*args, **kwargs) if kwargs else inner(*args)
                    if holders and me in holders:  # a stream shares the permit
                        queue.leave(me, number)
                    else:
                        del passing[me]
                        if machine.waiting or queue.drains:
                            queue.hand_on()
                    return result
                queue.leave(me, number)
            except BaseException as error:  # a Ctrl-C just after the success as well
                queue.leave(me, number, returns=repeats and isinstance(error, Exception))
                raise
        turn = queue.line_up(me, tier, ThreadWaiter)
        if turn is None:
            return inner(*args, **kwargs)
        number = 0
        try:
            queue.wait_for(turn)
            number = queue.admit(me, turn)
            result = inner(*args, **kwargs)
            queue.leave(me, number)
        except BaseException as error:
            if number:
                queue.leave(me, number, returns=repeats and isinstance(error, Exception))
            else:
                queue.give_up(me, turn)
            raise
        return result

    return call


def under_permit_async(  # noqa: C901 - two ways in one
    queue: PriorityQueue, inner: Callable[..., Any], site: Site, take_priority: TakePriority
) -> Callable[..., Any]:
    """Return the coroutine function `inner` under a permit; as `under_permit`, but for `await`."""
    repeats, name = site.repeats, site.name
    machine, holders, away = queue.gate
    passing, arrivals = machine.passing, machine.arrivals

    async def call(*args: Any, **kwargs: Any) -> Any:  # noqa: C901 - the same
        tier = take_priority(kwargs) if kwargs and "priority" in kwargs else None
        if deadlines.in_use:
            check_deadline(name)
            if is_off("prioritized"):
                return await inner(*args, **kwargs)
        me = holder()
        if machine.room and not (
            (passing and me in passing) or (holders and me in holders) or (away and me in away)
        ):
            number = 0
            try:
                passing[me] = number = next(arrivals)
                if len(passing) <= machine.room:
                    result = await (inner(*args, **kwargs) if kwargs else inner(*args))
                    if holders and me in holders:  # a stream shares the permit
                        queue.leave(me, number)
                    else:
                        del passing[me]
                        if machine.waiting or queue.drains:
                            queue.hand_on()
                    return result
                queue.leave(me, number)
            except BaseException as error:  # a Ctrl-C just after the success as well
                queue.leave(me, number, returns=repeats and isinstance(error, Exception))
                raise
        turn = queue.line_up(me, tier, LoopWaiter)
        if turn is None:
            return await inner(*args, **kwargs)
        number = 0
        try:
            await queue.wait_for_async(turn)
            number = queue.admit(me, turn)
            result = await inner(*args, **kwargs)
            queue.leave(me, number)
        except BaseException as error:
            if number:
                queue.leave(me, number, returns=repeats and isinstance(error, Exception))
            else:
                queue.give_up(me, turn)
            raise
        return result

    return call


def stream_under_permit(
    queue: PriorityQueue, inner: Callable[..., Any], site: Site, take_priority: TakePriority
) -> Callable[..., Any]:
    """Return `inner`, which opens a stream, under a permit that is held until the stream ends."""
    repeats, name = site.repeats, site.name

    def call(*args: Any, **kwargs: Any) -> Any:
        tier = take_priority(kwargs) if "priority" in kwargs else None
        if deadlines.in_use:
            check_deadline(name)
            if is_off("prioritized"):
                return inner(*args, **kwargs)
        me = holder()
        arrival = queue.enter(me, tier)
        if arrival is None:
            arrival = queue.share(me)
        if arrival is None:
            return inner(*args, **kwargs)
        try:
            opened = inner(*args, **kwargs)
            opened.on_end(lambda _: queue.leave(me, arrival))
        except BaseException as error:  # a Ctrl-C just after the success as well
            queue.leave(me, arrival, returns=repeats and isinstance(error, Exception))
            raise
        return opened

    return call


def stream_under_permit_async(
    queue: PriorityQueue, inner: Callable[..., Any], site: Site, take_priority: TakePriority
) -> Callable[..., Any]:
    """Return the coroutine function `inner`, which opens a stream, under a permit; as above."""
    repeats, name = site.repeats, site.name

    async def call(*args: Any, **kwargs: Any) -> Any:
        tier = take_priority(kwargs) if "priority" in kwargs else None
        if deadlines.in_use:
            check_deadline(name)
            if is_off("prioritized"):
                return await inner(*args, **kwargs)
        me = holder()
        arrival = await queue.enter_async(me, tier)
        if arrival is None:
            arrival = queue.share(me)
        if arrival is None:
            return await inner(*args, **kwargs)
        try:
            opened = await inner(*args, **kwargs)
            opened.on_end(lambda _: queue.leave(me, arrival))
        except BaseException as error:  # a Ctrl-C just after the success as well
            queue.leave(me, arrival, returns=repeats and isinstance(error, Exception))
            raise
        return opened

    return call


def priority_taker(function: Callable[..., Any]) -> TakePriority:
    """Return what takes `priority=` out of a call's arguments, unless it is the function's own."""
    is_own = "priority" in (parameters_of(function) or ())
    return _leave_priority if is_own else _take_priority


def _take_priority(kwargs: dict[str, Any]) -> Priority | None:
    value = kwargs.pop("priority")
    return None if value is None else as_priority(value)


def _leave_priority(_: dict[str, Any]) -> None:
    return None
