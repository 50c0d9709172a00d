"""The span of a stream: open until its end, current in its steps, and never between them."""

from __future__ import annotations

import asyncio
import sys
from contextvars import ContextVar

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from resilience import circuit_breaker, prioritized, retry
from tests.support.decorators import pool_of
from tests.support.keys import throttled


def parents(spans):
    """The names of the parents by the names of their children."""
    names = {span.context.span_id: span.name for span in spans}
    return {span.name: names.get(span.parent and span.parent.span_id) for span in spans}


def current():
    """The name of the current span; None outside."""
    return getattr(trace.get_current_span(), "name", None)


def traced(run, spans, *, error=None):
    """A stream under a whole stack that starts a span of its own in each step."""

    @run.drive
    @retry(name="stream")
    @pool_of("a", name="service").inject("key")
    @prioritized
    @circuit_breaker(failure_threshold=1, name="circuit")
    @run.function
    def numbers(*, key):
        for number in range(3):
            with spans.tracer.start_as_current_span(f"step {number}"):
                pass
            yield number
        if error is not None:
            raise error

    return numbers


def test_the_span_of_a_stream_ends_with_it(run, spans):
    """It is current in each step and never between them; what a step starts is its child."""
    stream = traced(run, spans)()
    with spans.tracer.start_as_current_span("request"):
        between = [(current(), len(spans.named("stream"))) for _ in stream]
        assert "request" == current()

    assert [("request", 0)] * 3 == between
    expected = {f"step {number}": "stream" for number in range(3)}
    assert expected | {"stream": "request", "request": None} == parents(spans)
    (span,) = spans.named("stream")
    assert "success" == span.attributes["resilience.outcome"]
    assert "a" == span.attributes["resilience.key.name"]


@pytest.mark.parametrize(
    ("error", "event"), [(OSError, "circuit_breaker.transition"), (None, "key.cooldown")]
)
def test_what_the_end_of_a_stream_causes_is_on_its_span(run, spans, error, event):
    """A circuit that opens, a key that rests: not on whatever span the consumer is in."""
    error = throttled(60) if error is None else error()
    with spans.tracer.start_as_current_span("request"), pytest.raises(type(error)):
        list(traced(run, spans, error=error)())
    (span,), (request,) = spans.named("stream"), spans.named("request")

    assert [event] == [each.name for each in span.events]
    assert StatusCode.ERROR is span.status.status_code
    assert [event for event in request.events if event.name != "exception"] == []


def test_leaving_a_stream_ends_its_span(run, spans):
    """Closed early it is cancelled, and no error."""
    stream = traced(run, spans)()
    next(stream)
    assert [] == spans.named("stream")
    stream.close()
    (span,) = spans.named("stream")

    assert "cancelled" == span.attributes["resilience.outcome"]
    assert StatusCode.UNSET is span.status.status_code
    assert current() is None


def test_a_stream_that_is_never_begun_has_no_span(run, spans):
    """Nothing was asked for."""
    traced(run, spans)().close()

    assert [] == spans.names()


def test_a_traced_stream_can_be_sent_to_and_thrown_into(run, spans):
    """The whole protocol of generators works with a span as without one."""

    @run.decorate(retry(name="stream"))
    def echo():
        received = yield "first"
        try:
            yield received, current()
        except KeyError:
            yield "caught", current()

    stream = echo()

    assert "first" == next(stream)
    assert ("sent", "stream") == stream.send("sent")
    assert ("caught", "stream") == stream.throw(KeyError())
    assert [] == list(stream)
    assert "success" == spans.one().attributes["resilience.outcome"]


def test_trap_4_two_tasks_may_share_a_traced_stream(spans):
    """Begun by one task and closed by another one: no token is detached in the wrong context."""

    @retry(name="stream")
    async def numbers():
        yield 1
        yield 2

    async def main():
        stream = numbers()
        await asyncio.create_task(anext(stream))
        await asyncio.create_task(anext(stream))
        await asyncio.create_task(stream.aclose())

    asyncio.run(main())

    assert ["stream"] == spans.names()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="it comes between two bytecodes only")
@pytest.mark.parametrize("taken", [1, 2])
def test_trap_10_a_forgotten_stream_sets_nothing_in_the_context(spans, taken):
    """The garbage collector may come in the midst of `ContextVar.set`, which does not survive it.

    That ends the process, where a program forgets many streams in cycles; seldom enough that no
    test would find it. So what closes a stream is taken in a copy of the context.
    """
    seen = ContextVar("seen", default=None)

    @retry(name="stream")
    def numbers():
        try:
            yield 1
            yield 2
        finally:
            seen.set(current())

    stream = numbers()
    for _ in range(taken):
        next(stream)
    stream.close()

    assert seen.get() is None
    assert ["stream"] == spans.names()
