"""Which span is whose child: nested calls, tasks, threads, streams."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
import threading

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from resilience import circuit_breaker, prioritized, resilient, retry
from resilience.testing import no_waiting
from tests.support.decorators import pool_of
from tests.support.keys import throttled


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


# -- streams ---------------------------------------------------------------------------------


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


# -- programs without an SDK -----------------------------------------------------------------

PROGRAM = """
    import asyncio, sys
    import resilience
    from resilience import KeyPool, resilient

    pool = KeyPool({"a": "made up"})

    @resilient(keys=pool, max_retries=1, initial_retry_delay=0)
    def fetch(fails=False, *, api_key):
        if fails:
            raise OSError

    @resilient(keys=pool)
    async def later(*, api_key):
        return api_key

    @resilient
    def stream():
        yield 1

    def use_everything():
        fetch()
        fetch.submit().result()
        asyncio.run(later())
        assert [1] == list(stream())
        fetch.circuit_breaker.open()
        for call in (lambda: fetch(True), fetch):
            try:
                call()
            except (OSError, resilience.CircuitOpenError):
                pass
"""


def run_program(text):
    """Run it in a process of its own, and give what it prints."""
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", textwrap.dedent(PROGRAM) + textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stderr)
    return done.stdout.split()


def test_without_an_sdk_the_api_is_not_even_imported():
    """A program that has nothing to do with OpenTelemetry does not load it."""
    assert ["[]"] == run_program("""
        use_everything()
        print([name for name in sys.modules if name.startswith("opentelemetry")])
    """)


def test_trap_17_without_a_provider_the_api_is_not_asked():
    """A program that has imported the API alone, as libraries do, pays for no empty span."""
    assert ["unasked"] == run_program("""
        from opentelemetry import context, trace
        for module in (context, trace):
            for name in ("get_tracer", "get_tracer_provider", "get_current_span", "attach"):
                if hasattr(module, name):
                    setattr(module, name, None)
        use_everything()
        print("unasked")
    """)
