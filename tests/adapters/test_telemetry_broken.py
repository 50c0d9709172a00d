"""Whatever is broken in a program's telemetry, or in ours, the calls of its clients go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import propagate, trace
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from adapters import errors
from resilience.telemetry import _otel_http
from tests.adapters.every_api import APIS, KEY
from tests.adapters.flavours import Make
from tests.adapters.measured import Measured
from tests.adapters.recorder import Recorder, answer
from tests.adapters.seen import Seen, attributes_of

OPENAI = APIS["openai"]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The spans of the program."""
    found = Seen()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", found.provider)
    return found


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Measured:
    """The metrics of the program."""
    found = Measured()
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", found.provider)
    return found


def fail(*_: Any, **__: Any) -> Any:
    """What is broken."""
    msg = "broken on purpose"
    raise LookupError(msg)


def complaints(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """The lines that say so."""
    return (record.name for record in caplog.records if "on purpose" in record.getMessage())


def call_and_stream(make: Make, server: Recorder) -> None:
    """A call and a stream of one client, both good."""
    client = OPENAI.client(make, server.url)
    server.play(OPENAI.good)
    assert "Hello" == OPENAI.call(client).text
    server.play(OPENAI.good_stream)
    assert "Hello" == "".join(event.text for event in OPENAI.stream(client))


@pytest.mark.parametrize("step", ["on_start", "on_end"])
def test_a_processor_of_spans(
    make: Make, server: Recorder, monkeypatch: pytest.MonkeyPatch, step: str
):
    """The SDK lets its errors out: they end at the span, of a call and of a request."""

    class Broken(SpanProcessor):
        pass

    setattr(Broken, step, fail)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken())
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    call_and_stream(make, server)
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_propagator(
    make: Make, server: Recorder, seen: Seen, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    """Requests go without its headers."""

    class Broken(TextMapPropagator):
        inject = extract = fail
        fields = frozenset()

    monkeypatch.setattr(propagate, "_HTTP_TEXT_FORMAT", Broken())

    call_and_stream(make, server)
    assert ["POST", "chat m"] * 2 == seen.names()
    assert "traceparent" not in server.requests[0].headers
    assert ["resilience.telemetry"] == list(complaints(caplog))  # once is enough


def test_a_propagator_that_is_misspelt(
    make: Make, server: Recorder, seen: Seen, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    """The API itself fails to import then: requests go without its headers as well."""
    monkeypatch.setattr(_otel_http, "_propagate", fail)

    call_and_stream(make, server)
    assert ["POST", "chat m"] * 2 == seen.names()
    assert ["resilience.telemetry"] == list(complaints(caplog))


@pytest.mark.parametrize("part", ["asked_of_model", "answered_by_model", "measurements"])
def test_a_bug_of_ours(
    make: Make,
    server: Recorder,
    seen: Seen,
    measured: Measured,
    monkeypatch: pytest.MonkeyPatch,
    caplog: Any,
    part: str,
):
    """The log tells it, and the span is there with what else there is."""
    monkeypatch.setattr(f"adapters._telemetry.{part}", fail)

    call_and_stream(make, server)

    assert ["chat m"] * 2 == [span.name for span in seen.calls]
    assert "success" == attributes_of(seen.calls[0])["resilience.outcome"]
    assert ["resilience.telemetry"] * 2 == list(complaints(caplog))


def test_a_processor_of_log_records(
    make: Make, server: Recorder, seen: Seen, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    """The call fails with its own error."""

    class Broken(LogRecordProcessor):
        on_emit = shutdown = force_flush = fail

    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(Broken())
    monkeypatch.setattr("opentelemetry._logs._internal._LOGGER_PROVIDER", provider)
    server.play(answer({"error": {"message": "no", "code": "bad"}}, status=400))

    with pytest.raises(errors.BadRequestError):
        OPENAI.call(OPENAI.client(make, server.url))

    assert {"error.type": "bad"}.items() <= attributes_of(seen.call).items()
    assert ["resilience.telemetry"] == list(complaints(caplog))


@pytest.mark.parametrize("body", [b'{"messages": 1e999}', b"[[[[", b'{"tools": [{}], "stop": {}}'])
def test_a_body_that_is_strange(make: Make, server: Recorder, seen: Seen, body: bytes):
    """It is sent as it is, and its span has what can be read of it."""
    server.play(answer({"id": 7, "choices": "?", "usage": {"prompt_tokens_details": []}}))

    client = OPENAI.client(make, server.url)
    client.request("POST", "chat/completions", data=body, extra_headers={"Authorization": KEY})

    assert body == server.requests[0].body
    assert ["POST", "request"] == seen.names()
