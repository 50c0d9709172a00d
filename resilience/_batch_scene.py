"""What a batch sees while it runs, on behalf of all its items: priority, deadline and span."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from resilience._context import Priority, act_for, priorities_in
from resilience._request_id import forget_request_id
from resilience.telemetry.events import BatchFlushed, is_wanted, publish
from resilience.telemetry.opentelemetry import SpanDescription, begin_span, is_tracing

if TYPE_CHECKING:
    from resilience._batch_collector import Collector
    from resilience._batch_items import Item
    from resilience._core.batch import BatchMachine
    from resilience.telemetry._otel import CallSpan

__all__ = ["RUNNING", "runs_within", "scene"]


class Running:
    """A batch that runs just now; what it starts and leaves behind may outlive it."""

    __slots__ = ("collector", "is_over")

    def __init__(self, collector: Collector) -> None:
        self.collector = collector
        self.is_over = False


# The batches within which the code runs, of all collectors.
RUNNING: ContextVar[tuple[Running, ...]] = ContextVar("resilience.batches", default=())


def runs_within(collector: Collector) -> bool:
    """Return whether the caller is, directly or not, part of a batch of this collector."""
    running = RUNNING.get()
    return bool(running) and any(
        each.collector is collector and not each.is_over for each in running
    )


@contextmanager
def scene(
    collector: Collector, machine: BatchMachine, items: list[Item]
) -> Generator[list[Exception]]:
    """Set up the context for a run; give the list that takes what the function raises."""
    act_for(_most_urgent(items), _latest_end(items))
    forget_request_id()
    running = Running(collector)
    # All items': what waits for one of them must not be waited for by the batch.
    outer = {each: None for item in items for each in item.context.get(RUNNING, ())}
    RUNNING.set((*outer, running))
    failed: list[Exception] = []
    error: BaseException | None = None
    span = None
    try:
        if collector.is_observed and is_tracing():
            span = _begin_span(collector.name, machine, items)
        if is_wanted(BatchFlushed):
            _publish(collector, machine, len(items))
        yield failed
        error = failed[0] if failed else None
    except BaseException as caught:
        error = caught
        raise
    finally:
        running.is_over = True
        if span is not None:
            span.end(error)
        del error  # its traceback holds this frame
        failed.clear()


def _begin_span(name: str, machine: BatchMachine, items: list[Item]) -> CallSpan | None:
    attributes = {
        "resilience.name": name,
        "resilience.flush": machine.flush,
        "resilience.batch.size": len(items),
    }
    linked = [item.context for item in items]
    return begin_span(SpanDescription(name=f"batch {name}", attributes=attributes, linked=linked))


def _publish(collector: Collector, machine: BatchMachine, size: int) -> None:
    flushed = BatchFlushed(
        name=collector.name,
        measured=collector.is_observed,
        size=size,
        flush=machine.flush or "explicit",
        waited=machine.waited,
    )
    publish(flushed)


def _most_urgent(items: list[Item]) -> Priority | None:
    around = priorities_in(item.context for item in items)
    tiers = {
        each if item.tier is None else item.tier for item, each in zip(items, around, strict=True)
    }
    if tiers == {None}:
        return None
    return min(Priority.NORMAL if tier is None else tier for tier in tiers)


def _latest_end(items: list[Item]) -> float | None:
    ends = [item.end for item in items if item.end is not None]
    return max(ends) if len(ends) == len(items) else None
