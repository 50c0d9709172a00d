"""What a batch sees while it runs, on behalf of all its items: priority, deadline and span."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Self

from resilience._context import Priority, act_for, priority_in
from resilience._request_id import forget_request_id
from resilience.telemetry.events import BatchFlushed, publish
from resilience.telemetry.opentelemetry import SpanDescription, begin_span, is_tracing

if TYPE_CHECKING:
    from contextvars import Context

    from resilience._batch_intake import Intake
    from resilience._batch_items import Item
    from resilience._core.batch import BatchMachine, Flush
    from resilience.telemetry._otel import CallSpan

__all__ = ["RUNNING", "Scene", "runs_within"]


class Running:
    """A batch that runs just now; what it starts and leaves behind may outlive it."""

    __slots__ = ("collector", "is_over")

    def __init__(self, collector: Intake) -> None:
        self.collector = collector
        self.is_over = False


# The batches within which the code runs, of all collectors.
RUNNING: ContextVar[tuple[Running, ...]] = ContextVar("resilience.batches", default=())


def runs_within(collector: Intake) -> bool:
    """Return whether the caller is, directly or not, part of a batch of this collector."""
    running = RUNNING.get()
    return bool(running) and any(
        each.collector is collector and not each.is_over for each in running
    )


class Scene:
    """The context of a run, in which it is entered; `failed` takes what the function raises."""

    __slots__ = ("_collector", "_items", "_machine", "_running", "_span", "failed")

    def __init__(self, collector: Intake, machine: BatchMachine, items: list[Item]) -> None:
        self._collector = collector
        self._machine = machine
        self._items = items
        self._running = Running(collector)
        self._span: CallSpan | None = None
        self.failed: list[Exception] = []

    def __enter__(self) -> Self:
        contexts = [item.around.context for item in self._items if item.around is not None]
        outer: dict[Running, None] = {}
        if contexts:
            _act_for(self._items)
            # All items': what waits for one of them must not be waited for by the batch.
            outer = {each: None for context in contexts for each in context.get(RUNNING, ())}
        else:
            act_for(None, None)
        forget_request_id()
        RUNNING.set((*outer, self._running))
        try:
            self._tell(contexts)
        except BaseException as error:
            self._leave(error)
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        self._leave(error or (self.failed[0] if self.failed else None))

    def _tell(self, contexts: list[Context]) -> None:
        """Begin a span, and publish that the batch runs."""
        if self._collector.is_observed and is_tracing():
            name, machine, size = self._collector.name, self._machine, len(self._items)
            self._span = _begin_span(name, machine.flush, size, contexts)
        if BatchFlushed.is_wanted():
            _publish(self._collector, self._machine, len(self._items))

    def _leave(self, error: BaseException | None) -> None:
        self._running.is_over = True
        if self._span is not None:
            self._span.end(error)
        self.failed.clear()  # the tracebacks hold this frame


def _begin_span(
    name: str, flush: Flush | None, size: int, linked: list[Context]
) -> CallSpan | None:
    attributes = {
        "resilience.name": name,
        "resilience.flush": flush,
        "resilience.batch.size": size,
    }
    return begin_span(SpanDescription(name=f"batch {name}", attributes=attributes, linked=linked))


def _publish(collector: Intake, machine: BatchMachine, size: int) -> None:
    flushed = BatchFlushed(
        name=collector.name,
        measured=collector.is_observed,
        size=size,
        flush=machine.flush or "explicit",
        waited=machine.waited,
    )
    publish(flushed)


def _act_for(items: list[Item]) -> None:
    """Go on with the most urgent priority and the latest deadline; with none, if one has none."""
    tiers = {_tier_of(item) for item in items}
    ends = [item.end for item in items if item.end is not None]
    tier = None if tiers == {None} else min(Priority.NORMAL if t is None else t for t in tiers)
    act_for(tier, max(ends) if len(ends) == len(items) else None)


def _tier_of(item: Item) -> Priority | None:
    around = item.around
    if around is None:
        return None
    return priority_in(around.context) if around.tier is None else around.tier
