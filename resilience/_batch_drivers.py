"""The function of one item that stands before a function of a list: it waits for company.

Most calls are an item and nothing else, with nothing around them that a batch must know of, and
nobody watches. They go a shorter way, on which their batch counts them.
"""

from __future__ import annotations

from asyncio import Future, get_running_loop
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from resilience._batch_items import Item, TaskItem, ThreadItem
from resilience._batch_scene import RUNNING
from resilience._context import Priority, check_deadline, deadlines, priorities, priority
from resilience.telemetry.calls import is_watched, observe_async, observe_sync

if TYPE_CHECKING:
    from resilience._batch_calls import Calls
    from resilience._site import Site

__all__ = ["drive_async", "drive_sync"]


def _within(tier: Priority | None) -> AbstractContextManager[object]:
    return nullcontext() if tier is None else priority(tier)


def drive_sync(calls: Calls, site: Site) -> Callable[..., Any]:
    """Return the function of one item."""
    put, wait, leave, running = calls.collector.put, calls.collector.wait, calls.leave, RUNNING.get
    records = site.statistics is not None
    read, usual_count, usual = calls.arguments.for_most_calls
    any_call = _any_sync(calls)
    if site.statistics is not None and not site.outside:
        any_call = observe_sync(any_call, site, site.statistics)

    def call(*args: Any, **kwargs: Any) -> Any:
        uses = deadlines.in_use or priorities.in_use or (records and is_watched())
        if uses or kwargs or len(args) != usual_count or running():
            return any_call(*args, **kwargs)
        item = ThreadItem(args[-1], usual or read(args, kwargs)[1])
        try:
            batch = put(item)
            if batch is None:
                wait(item)
            else:
                batch.run()
        except BaseException as error:
            leave(item, error)
            raise
        return item.returned if item.raised is None else calls.fail(item)

    return call


def drive_async(calls: Calls, site: Site) -> Callable[..., Any]:
    """Return the coroutine function of one item; as `drive_sync`, but for `await`."""
    put, leave, running = calls.collector.put_in_loop, calls.leave, RUNNING.get
    records = site.statistics is not None
    read, usual_count, usual = calls.arguments.for_most_calls
    any_call = _any_async(calls)
    if site.statistics is not None and not site.outside:
        any_call = observe_async(any_call, site, site.statistics)

    async def call(*args: Any, **kwargs: Any) -> Any:
        uses = deadlines.in_use or priorities.in_use or (records and is_watched())
        if uses or kwargs or len(args) != usual_count or running():
            return await any_call(*args, **kwargs)
        loop = get_running_loop()
        item = TaskItem(args[-1], usual or read(args, kwargs)[1])
        item.future = Future(loop=loop)
        try:
            batch = put(item, loop)
            if batch is not None:
                batch.start_in_loop()
            await item.future
        except BaseException as error:
            leave(item, error)
            raise
        return item.returned if item.raised is None else calls.fail(item)

    return call


def _any_sync(calls: Calls) -> Callable[..., Any]:
    """Return the function of one item for any call; others record it."""
    collector, read, running = calls.collector, calls.arguments.read, RUNNING.get

    def call(*args: Any, **kwargs: Any) -> Any:
        if deadlines.in_use:
            check_deadline(collector.name)
        tier = calls.tier_of(kwargs)
        value, options = read(args, kwargs)
        if (deadlines.in_use or running()) and calls.is_alone():
            alone = Item(value, options).within(tier)
            with _within(tier):
                calls.alone().serve([alone])
            return alone.outcome()
        item = ThreadItem(value, options).within(tier)
        try:
            batch = collector.put(item)
            if batch is None:
                collector.wait(item)
            else:
                batch.run()
        except BaseException as error:
            calls.leave(item, error)
            raise
        return item.outcome()

    return call


def _any_async(calls: Calls) -> Callable[..., Any]:
    """Return the coroutine function of one item; as `_any_sync`, but for `await`."""
    collector, read, running = calls.collector, calls.arguments.read, RUNNING.get

    async def call(*args: Any, **kwargs: Any) -> Any:
        if deadlines.in_use:
            check_deadline(collector.name)
        tier = calls.tier_of(kwargs)
        value, options = read(args, kwargs)
        if (deadlines.in_use or running()) and calls.is_alone():
            alone = Item(value, options).within(tier)
            with _within(tier):
                await calls.alone().serve_async([alone])
            return alone.outcome()
        loop = get_running_loop()
        item = TaskItem(value, options).within(tier)
        item.future = Future(loop=loop)
        try:
            batch = collector.put_in_loop(item, loop)
            if batch is not None:
                batch.start_in_loop()
            await (item.future if item.end is None else item.wait(collector.name))
        except BaseException as error:
            calls.leave(item, error)
            raise
        return item.outcome()

    return call
