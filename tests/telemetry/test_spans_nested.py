"""Which span is whose child: nested calls, tasks, threads, streams."""

from __future__ import annotations

import asyncio
import threading

from opentelemetry import trace

from resilience import prioritized, resilient, retry
from resilience.testing import no_waiting


def parents(spans):
    """The names of the parents by the names of their children."""
    names = {span.context.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent and span.parent.span_id) for span in spans}


def current():
    """The name of the current span; None outside."""
    return getattr(trace.get_current_span(), "name", None)


def test_nested_calls_are_children(run, spans):
    """A decorated function that calls another one, with the user's own span in between."""

    @run.drive
    @retry(name="inner")
    @run.steps
    def inner():
        yield run.function(lambda: None)()

    @run.drive
    @resilient(name="outer")
    @run.steps
    def outer():
        with spans.tracer.start_as_current_span("own"):
            yield inner.function()

    with spans.tracer.start_as_current_span("request"):
        outer()
        assert "request" == current()

    expected = {"inner": "own", "own": "outer", "outer": "request", "request": None}
    assert expected == parents(spans)


def test_retried_attempts_share_one_span(run, spans):
    """What an attempt starts is a child of the one span of the call."""
    tries = []

    @run.decorate(retry(name="call"))
    def fetch():
        tries.append(1)
        with spans.tracer.start_as_current_span(f"attempt {len(tries)}"):
            if len(tries) < 3:
                raise OSError

    with no_waiting():
        fetch()
    expected = {f"attempt {number}": "call" for number in (1, 2, 3)} | {"call": None}

    assert expected == parents(spans)


def test_tasks_have_spans_of_their_own(spans):
    """Calls that run at the same time do not become children of one another."""

    @retry(name="call")
    async def fetch(number):
        for _ in range(3):
            await asyncio.sleep(0)
            assert "call" == current()
        with spans.tracer.start_as_current_span(f"child {number}"):
            await asyncio.sleep(0)

    async def main():
        with spans.tracer.start_as_current_span("request"):
            await asyncio.gather(*(fetch(number) for number in range(5)))
            return current()

    assert "request" == asyncio.run(main())
    (request,) = spans.named("request")
    calls = {span.context.span_id for span in spans.named("call")}
    assert {request.context.span_id} == {span.parent.span_id for span in spans.named("call")}
    children = [span.parent.span_id for span in spans if span.name.startswith("child")]
    assert (5, calls) == (len(children), set(children))


def test_trap_5_submitted_calls_are_children_of_whoever_submits(run, spans):
    """A worker thread, or a task of the loop, runs a call in the context of its submitter."""
    queued = prioritized(name="call", max_concurrent_requests=2)(run.function(lambda: None))

    def submit_all():
        return [queued.submit() for _ in range(3)]

    async def submit_and_await():
        await asyncio.gather(*map(asyncio.wrap_future, submit_all()))

    with spans.tracer.start_as_current_span("request") as request:
        if run.flavour == "sync":
            for future in submit_all():
                future.result()
        else:
            run.call(submit_and_await)

    assert 3 == len(spans.named("call"))
    assert {request.context.span_id} == {span.parent.span_id for span in spans.named("call")}


def test_a_thread_of_the_users_begins_anew(spans):
    """A thread without a copy of the context has no parent; its call leaves nothing behind."""
    seen = []

    def work():
        retry(name="call")(lambda: None)()
        seen.append(current())

    with spans.tracer.start_as_current_span("request"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert [None] == seen
    assert {"call": None, "request": None} == parents(spans)
