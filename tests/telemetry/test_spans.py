"""One logical call is one span, whatever the stack, and what happens in it becomes its events."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from resilience import (
    CircuitOpenError,
    circuit_breaker,
    prioritized,
    resilient,
    retry,
)
from resilience._wrapper import decorate
from resilience.telemetry.opentelemetry import SpanDescription
from resilience.testing import FakeClock, no_waiting
from tests.support.decorators import DECORATORS, pool_of
from tests.support.faults import HttpError, failing
from tests.support.keys import KeyServer, rejected, throttled


def events_of(span, name):
    """The attributes of the events of this name."""
    return [dict(event.attributes) for event in span.events if event.name == name]


@pytest.mark.parametrize("decorator", DECORATORS.values(), ids=DECORATORS)
def test_a_call_is_one_span(run, spans, decorator):
    """INTERNAL, by the tracer of the toolkit, named for the function; a success has no status."""

    def fetch(number, key=None):
        return number

    fetch.__qualname__ = "fetch"

    assert 1 == run.decorate(decorator, fetch)(1)
    span = spans.one()
    assert ("fetch", SpanKind.INTERNAL) == (span.name, span.kind)
    assert "resilience" == span.instrumentation_scope.name
    assert StatusCode.UNSET is span.status.status_code
    assert ("success", 1) == tuple(
        span.attributes[f"resilience.{name}"] for name in ("outcome", "attempts")
    )
    assert "error.type" not in span.attributes
    assert () == span.events
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_name_is_the_spans_too(run, spans):
    """`name=` names the span as it does everything else."""
    run.decorate(lambda f: retry(name="outer")(circuit_breaker(name="inner")(f)), failing())()

    assert ["outer"] == spans.names()


def test_retries_are_events_and_a_recovered_call_is_no_error(run, spans):
    """Attempt, delay, source, reason and type of error of each; the attempts are counted."""
    error = HttpError(429, {"Retry-After": "7"})
    fetch = run.decorate(retry(jitter=0), failing(OSError, error, "fine"))
    with FakeClock():
        assert "fine" == fetch()
    span = spans.one()
    first = {
        "resilience.attempt": 1,
        "resilience.delay": 1,
        "resilience.source": "backoff",
        "resilience.reason": "transient",
        "error.type": "OSError",
    }
    second = {
        "resilience.attempt": 2,
        "resilience.delay": 7,
        "resilience.source": "server",
        "resilience.reason": "rate_limit",
        "error.type": "HttpError",
    }

    assert [first, second] == events_of(span, "retry")
    assert 3 == span.attributes["resilience.attempts"]
    assert StatusCode.UNSET is span.status.status_code
    assert "error.type" not in span.attributes


def test_a_failure_is_an_error(run, spans):
    """Status ERROR, the type of the error, and no text of it."""
    fetch = run.decorate(retry(max_retries=1), failing(*[ValueError] * 2))
    with no_waiting(), pytest.raises(ValueError, match="scripted"):
        fetch()
    span = spans.one()

    assert StatusCode.ERROR is span.status.status_code
    assert ("ValueError", "failure", 2) == tuple(
        span.attributes[name]
        for name in ("error.type", "resilience.outcome", "resilience.attempts")
    )
    assert "scripted" not in span.to_json()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("rate_limit_exceeded", "rate_limit_exceeded"),
        ("E11-x.y", "E11-x.y"),
        (7, "HttpError"),
        ("", "HttpError"),
        ("no such key: sk-123", "HttpError"),
        ("x" * 65, "HttpError"),
    ],
)
def test_the_type_of_an_error_has_few_values(run, spans, code, expected):
    """A server's own code where it is one; a text that may hold anything is none."""
    error = HttpError(400)
    error.code = code
    with pytest.raises(HttpError):
        run.decorate(retry(max_retries=0), failing(error))()

    assert expected == spans.one().attributes["error.type"]


def test_a_refusal_is_no_error(run, spans):
    """It is an event and an outcome of the refused call itself; no attempt was made."""
    fetch = run.decorate(circuit_breaker(name="circuit"), failing())
    fetch.circuit_breaker.open()
    with pytest.raises(CircuitOpenError):
        fetch()
    span = spans.one()

    assert [{"resilience.name": "circuit", "resilience.reason": "circuit_open"}] == events_of(
        span, "refused"
    )
    assert ("refused", 0, "CircuitOpenError") == tuple(
        span.attributes[name]
        for name in ("resilience.outcome", "resilience.attempts", "error.type")
    )
    assert StatusCode.UNSET is span.status.status_code


def test_a_refusal_is_an_event_of_the_inner_call_alone(run, spans):
    """The caller that it passes through was tried."""
    inner = run.decorate(circuit_breaker(name="inner"), failing())
    inner.circuit_breaker.open()
    outer = run.drive(retry(name="outer")(run.steps(lambda: (yield inner.function()))))
    with pytest.raises(CircuitOpenError):
        outer()

    assert [1, 0] == [len(events_of(spans.named(n)[0], "refused")) for n in ("inner", "outer")]
    assert [0, 1] == [
        spans.named(name)[0].attributes["resilience.attempts"] for name in ("inner", "outer")
    ]


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, GeneratorExit])
def test_a_cancelled_call_is_no_error(run, spans, error):
    """Its outcome says so, and nothing else."""
    with pytest.raises(error):
        run.decorate(resilient(max_retries=1), failing(error))()
    span = spans.one()

    assert "cancelled" == span.attributes["resilience.outcome"]
    assert StatusCode.UNSET is span.status.status_code
    assert "error.type" not in span.attributes


def test_a_change_of_key_stays_within_the_span(run, spans):
    """Each rest is an event; the attribute names the key that answered, and none is shown."""
    server = KeyServer(a=[throttled(20)], b=[rejected()])
    pool = pool_of("abc", name="service")
    run.decorate(lambda f: retry(pool.inject("key")(f)), server.answer)()
    span = spans.one()
    rests = events_of(span, "key.cooldown")

    assert [
        {
            "resilience.pool": "service",
            "resilience.key.name": name,
            "resilience.delay": seconds,
            "resilience.reason": reason,
        }
        for name, seconds, reason in (("a", 20, "rate_limit"), ("b", 300, "key"))
    ] == rests
    assert "c" == span.attributes["resilience.key.name"]
    assert "key of" not in span.to_json()


def test_a_wait_in_the_queue_and_a_transition(run, spans):
    """The wait is an event and, in seconds, an attribute; a transition says from what to what."""
    gate = run.gate()

    @run.drive
    @prioritized(max_concurrent_requests=1, name="line")
    @circuit_breaker(failure_threshold=1, name="circuit")
    @run.steps
    def fetch(error=None):
        yield gate.wait()
        if error:
            raise error

    with FakeClock(autojump=False) as clock:
        first = run.start(fetch)
        run.until(lambda: 1 == gate.arrived)
        second = run.start(fetch, OSError("down"), priority=0)
        run.until(lambda: 1 == fetch.queue.size)
        clock.advance(2.5)
        gate.open()
        first.result()
        with pytest.raises(OSError, match="down"):
            second.result()
    quick, waited = spans

    assert [] == events_of(quick, "queued")
    assert "resilience.queue.wait" not in quick.attributes
    assert [{"resilience.name": "line", "resilience.priority": 0}] == events_of(waited, "queued")
    assert 2.5 == waited.attributes["resilience.queue.wait"]
    assert [
        {
            "resilience.name": "circuit",
            "resilience.from": "CLOSED",
            "resilience.to": "OPEN",
            "resilience.reason": "failure_threshold",
        }
    ] == events_of(waited, "circuit_breaker.transition")


def test_a_span_may_be_described(run, spans):
    """An adapter says kind, name and attributes from the arguments of the call."""

    def describe(*arguments):
        number = arguments[-1]
        return SpanDescription(name=f"chat {number}", is_client=True, attributes={"n": number})

    function = run.function(failing())
    (layer,) = retry(function)._self_layers
    described = decorate(function, lambda _: layer, describe_span=describe)

    class Service:
        method = decorate(classmethod(function), lambda _: layer, describe_span=describe)

    run.call(described, 3)
    run.call(retry(described), 4)
    run.call(Service.method, 5)

    assert ["chat 3", "chat 4", "chat 5"] == spans.names()
    assert [(SpanKind.CLIENT, n) for n in (3, 4, 5)] == [(s.kind, s.attributes["n"]) for s in spans]


def test_a_provider_may_come_and_go(run, spans, monkeypatch):
    """What was decorated before is traced from then on, by whichever provider is there."""
    fetch = run.decorate(retry(name="fetch"), failing())
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    fetch()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider(shutdown_on_exit=False))
    fetch()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)
    fetch()

    assert ["fetch"] == spans.names()


def test_a_span_that_is_not_recorded_costs_no_call(run, spans, monkeypatch):
    """With a sampler that drops everything, or the API's own empty provider, calls go on."""
    nothing = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    for provider in (nothing, trace.NoOpTracerProvider()):
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
        fetch = run.decorate(resilient(keys=pool_of("a")), lambda api_key: api_key)
        with no_waiting():
            assert "key of a" == fetch()
            assert "done" == run.decorate(retry, failing(OSError))()

    assert 0 == len(spans)


def test_no_metrics_no_span(run, spans):
    """`metrics_enabled=False` leaves the function as it is."""
    run.decorate(retry(metrics_enabled=False), failing())()

    assert [] == spans.names()
