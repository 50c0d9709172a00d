"""What telemetry shows of batches: a call for each item, and a span for each batch."""

from __future__ import annotations

import asyncio
import logging

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from resilience import batched, explain, get_stats, prioritized, retry
from resilience.testing import no_waiting
from tests.support.faults import failing


def items_and_batch(spans, name="fetch"):
    """The spans of the items, and the one of their batch."""
    (batch,) = spans.named(f"batch {name}")
    return spans.named(name), batch


def linked_to(span):
    """The ids of the spans that it is linked to."""
    return [link.context.span_id for link in span.links]


def start_batch(run, fetch, *values):
    """Call with these values, so that they share a batch in this order; what came of each."""
    calls = []
    for count, value in enumerate(values[:-1], start=1):
        calls.append(run.start(fetch, value))
        run.until(lambda count=count: fetch.batcher.waiting == count)
    calls.append(run.start(fetch, values[-1]))
    run.until(lambda: all(call.done() for call in calls))
    return calls


def test_a_batch_is_a_span_linked_to_those_of_its_items(run, spans):
    """INTERNAL, within the first item's span, current while the function runs."""
    current = []

    def body(items):
        current.append(trace.get_current_span().get_span_context().span_id)
        return items

    fetch = batched(max_batch_size=2, batch_timeout=60, name="fetch")(run.function(body))
    start_batch(run, fetch, 1, 2)
    items, batch = items_and_batch(spans)
    ids = {item.context.span_id for item in items}

    assert (SpanKind.INTERNAL, StatusCode.UNSET) == (batch.kind, batch.status.status_code)
    assert [batch.context.span_id] == current
    assert ids == set(linked_to(batch))
    assert linked_to(batch)[0] == batch.parent.span_id
    assert ("fetch", "size", 2, "success") == tuple(
        batch.attributes[f"resilience.{name}"]
        for name in ("name", "flush", "batch.size", "outcome")
    )
    assert trace.get_current_span() is trace.INVALID_SPAN


@pytest.mark.parametrize("way", ["submit", "map"])
def test_submitted_items_have_spans_too(run, spans, way):
    """Each is a call whose span ends with its answer, and is current nowhere else."""
    fetch = batched(max_batch_size=2, name="fetch")(run.function(lambda items: items))
    with spans.tracer.start_as_current_span("caller") as caller:
        if way == "map":
            run.call(fetch.map, [1, 2])
        else:
            for future in [fetch.submit(1), fetch.submit(2)]:
                future.result()

        assert caller is trace.get_current_span()
    items, batch = items_and_batch(spans)

    assert {item.context.span_id for item in items} == set(linked_to(batch))
    assert {caller.get_span_context().span_id} == {item.parent.span_id for item in items}
    assert {"success"} == {item.attributes["resilience.outcome"] for item in items}


def test_what_happens_in_a_batch_is_on_its_span(run, spans):
    """Retries of the batch are its events, and a batch that recovered is no error."""
    body = run.function(failing(OSError, ["a", "b"]))
    fetch = batched(max_batch_size=2, batch_timeout=60, name="fetch")(retry(body))
    with no_waiting():
        start_batch(run, fetch, 1, 2)
    items, batch = items_and_batch(spans)

    assert ["retry"] == [event.name for event in batch.events]
    assert (2, StatusCode.UNSET) == (
        batch.attributes["resilience.attempts"],
        batch.status.status_code,
    )
    assert [[], []] == [list(item.events) for item in items]


def test_a_failed_batch_is_an_error_and_so_are_its_items(run, spans):
    """With the type of the error on each."""
    fetch = batched(max_batch_size=2, batch_timeout=60, name="fetch")(
        run.function(failing(OSError))
    )
    start_batch(run, fetch, 1, 2)
    items, batch = items_and_batch(spans)

    assert {StatusCode.ERROR} == {span.status.status_code for span in (*items, batch)}
    assert {"OSError"} == {span.attributes["error.type"] for span in (*items, batch)}


def test_without_metrics_there_are_no_spans(run, spans):
    """`metrics_enabled=False` is for calls and batches."""
    fetch = batched(batch_timeout=0, metrics_enabled=False)(run.function(lambda items: items))

    assert 1 == run.call(fetch, 1)
    assert [] == spans.names()


def test_a_cancelled_future_is_a_cancelled_call(run, spans):
    """In statistics and on its span; its batch is not run."""
    name = f"cancelled, {run.flavour}"
    fetch = batched(batch_timeout=60, name=name)(run.function(lambda items: items))
    fetch.submit(1).cancel()

    assert (1, 1) == tuple(get_stats(fetch)[f"{each}_requests"] for each in ("total", "cancelled"))
    assert "cancelled" == spans.one().attributes["resilience.outcome"]


def test_a_flush_is_a_line_at_debug(run, caplog):
    """Name, size, wait and reason, of the logger `resilience.batched`."""
    fetch = batched(max_batch_size=1, name="fetch")(run.function(lambda items: items))
    with caplog.at_level(logging.DEBUG, "resilience"):
        run.call(fetch, 1)
    (record,) = (each for each in caplog.records if each.name == "resilience.batched")

    assert "fetch: a batch of 1 after 0 s (size)" == record.getMessage()
    assert (1, "size", 0) == (
        record.resilience_size,
        record.resilience_flush,
        round(record.resilience_waited),
    )


def test_what_waits_is_counted(run):
    """By name, and added up over all functions."""
    name = f"waits, {run.flavour}"

    @batched(batch_timeout=60, name=name)
    def fetch(items):
        return items

    before = get_stats()["batch_waiting"]
    futures = [fetch.submit(number) for number in range(3)]

    assert (3, before + 3) == (get_stats(name)["batch_waiting"], get_stats()["batch_waiting"])
    fetch.flush()
    for future in futures:
        future.result()


def test_explain_shows_the_settings():
    """One line for the layer; a batcher that is off says so."""
    fetch = batched(max_concurrent_batches=2)(prioritized(len))
    fetch.batcher.disable()
    lines = explain(fetch).splitlines()
    expected = "batched: max_batch_size=8, batch_timeout=0.1 s, on_error=raise"

    assert f"  1. {expected}, max_concurrent_batches=2 (disabled)" == lines[1]


def test_spans_of_a_loop_are_current_in_no_other_task(spans):
    """While items wait, nothing of their spans is seen by others."""

    @batched(max_batch_size=2, batch_timeout=60)
    async def fetch(items):
        return items

    async def main():
        task = asyncio.create_task(fetch(1))
        await asyncio.sleep(0)
        seen = trace.get_current_span()
        await fetch(2)
        await task
        return seen

    assert asyncio.run(main()) is trace.INVALID_SPAN
