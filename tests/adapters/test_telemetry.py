"""What a call shows in spans and counts: the names of the GenAI conventions."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, get_tracer

from adapters import openai, s3
from adapters._exchange import CallOptions, Exchange
from adapters._messages import Request, Usage
from adapters._telemetry import count_usage, describe_call
from adapters.openai import Client
from resilience.telemetry.statistics import CallStatistics
from resilience.testing import no_waiting
from tests.adapters.flavours import Make, Together
from tests.adapters.recorder import Recorder, answer, event_stream


def exchange(operation: str = "chat", model: str | None = "gpt-4o") -> Exchange:
    """One request of a client of OpenAI."""
    request = Request(operation=operation, method="POST", path="x", model=model)
    return Exchange(Client.provider, request, CallOptions({"request_id": "mine"}, None))


@pytest.mark.parametrize(
    ("name", "operation", "model"),
    [
        ("chat gpt-4o", "chat", "gpt-4o"),
        ("embeddings e", "embed", "e"),
        ("text_completion c", "completions", "c"),
        ("models", "models", None),
    ],
)
def test_the_span_is_named_by_the_conventions(name: str, operation: str, model: str | None):
    """`{operation} {model}`, in the words of the conventions; a client's span."""
    description = describe_call(
        "https://api.openai.com/v1", exchange(operation, model), streams=False
    )

    assert (name, True) == (description.name, description.is_client)


@pytest.mark.parametrize(
    ("expected", "base_url", "streams"),
    [
        (
            {"server.address": "api.openai.com", "server.port": 443},
            "https://api.openai.com/v1",
            False,
        ),
        (
            {"server.address": "127.0.0.1", "server.port": 80, "gen_ai.request.stream": True},
            "http://127.0.0.1:80/v1",
            True,
        ),
    ],
)
def test_what_is_known_at_the_start_is_an_attribute(
    expected: dict[str, Any], base_url: str, streams: bool
):
    """The attributes that a sampler may look at, and nothing of the prompt or the key."""
    common = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "resilience.request_id": "mine",
    }
    described = describe_call(base_url, exchange(), streams=streams)

    assert common | expected == described.attributes


def test_what_has_no_models_has_other_conventions():
    """The bucket is told, the key of an object is not."""
    request = Request(operation="get", method="GET", path="a%20b/secret/key?x")
    described = Exchange(s3.Client.provider, request, CallOptions({"request_id": "mine"}, None))

    description = describe_call("http://127.0.0.1:9000", described, streams=False)

    expected = {
        "rpc.system": "aws-api",
        "rpc.service": "S3",
        "rpc.method": "get",
        "aws.s3.bucket": "a b",
        "server.address": "127.0.0.1",
        "server.port": 9000,
        "resilience.request_id": "mine",
    }
    assert ("S3/get", expected) == (description.name, description.attributes)


def test_tokens_are_counted_by_model():
    """What the provider counted; without a record nothing is."""
    statistics = CallStatistics("x")
    usage = Usage(input_tokens=1, output_tokens=2, total_tokens=3)

    count_usage(statistics, exchange(), usage)
    count_usage(None, exchange(), usage)

    counted = statistics.snapshot().as_dict()
    assert ({"gpt-4o": 1}, 3) == (counted["requests_by_model"], counted["total_tokens"])


@pytest.fixture
def spans(monkeypatch) -> InMemorySpanExporter:
    """The spans of a program that has set up the SDK."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", provider)
    return exporter


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """All of its attributes."""
    return dict(span.attributes or {})


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
CHOICE = {"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}
DELTA = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}


def test_a_call_is_one_span_of_a_client(make: Make, server: Recorder, spans: InMemorySpanExporter):
    """Whatever the stack, and however many attempts it takes; no text and no key is on it."""
    body = {"model": "gpt-4o-2024", "choices": [CHOICE], "usage": USAGE}
    server.play(answer(b"", status=500), answer(body))

    with make(openai, "sk-secret-1234", base_url=server.url) as client, no_waiting():
        client.chat("gpt-4o", "What nobody else should read")

    *_, span = spans.get_finished_spans()
    attributes = attributes_of(span)
    assert ("chat gpt-4o", SpanKind.CLIENT) == (span.name, span.kind)
    assert {
        "gen_ai.response.model": "gpt-4o-2024",
        "gen_ai.usage.input_tokens": 9,
        "gen_ai.usage.output_tokens": 3,
        "resilience.attempts": 2,
        "resilience.key.name": "default",
    }.items() <= attributes.items()
    assert "sk-secret" not in str(attributes)
    assert "nobody" not in str(attributes)


def test_an_echoed_key_in_the_models_name_is_not_on_the_span(
    make: Make, server: Recorder, spans: InMemorySpanExporter
):
    """Spans leave the process, and many people read them."""
    body = {"model": "echo-sk-secret-1234", "choices": [CHOICE], "usage": USAGE}
    server.play(answer(body))

    with make(openai, "sk-secret-1234", base_url=server.url) as client:
        client.chat("gpt-4o", "Hi")

    *_, span = spans.get_finished_spans()
    assert "echo-[masked]" == attributes_of(span)["gen_ai.response.model"]


def test_a_stream_is_one_span_too(make: Make, server: Recorder, spans: InMemorySpanExporter):
    """From its first step to its end; nothing is written on the consumer's own span."""
    server.play(event_stream({"choices": [DELTA], "usage": USAGE}, "[DONE]"))

    with (
        make(openai, "sk-secret-1234", base_url=server.url) as client,
        get_tracer("test").start_as_current_span("consumer"),
    ):
        stream = client.stream("gpt-4o", "Hi")
        next(stream)
        assert () == spans.get_finished_spans()
        list(stream)

    _, span, consumer = spans.get_finished_spans()
    assert ("chat gpt-4o", "consumer") == (span.name, consumer.name)
    assert {"gen_ai.request.stream": True, "resilience.key.name": "default"}.items() <= (
        attributes_of(span).items()
    )
    assert {} == attributes_of(consumer)


def test_a_batch_is_a_span_that_its_calls_are_linked_to(
    flavour: str, server: Recorder, spans: InMemorySpanExporter
):
    """Each call has its own, the batch has one, and the request is within that."""
    data = [{"index": index, "embedding": [0.0]} for index in range(2)]
    server.play(answer({"data": data, "usage": USAGE}))
    model = "text-embedding-3-small"
    together = Together(
        flavour, openai, api_key="sk-1234", base_url=server.url, max_batch_size=2, batch_timeout=5
    )

    together(lambda client: client.embed(model, "a"), lambda client: client.embed(model, "b"))

    found = {span.name: span for span in spans.get_finished_spans()}
    batch = found["batch openai.embed"]
    request = found[f"embeddings {model}"]
    assert {"batch openai.embed", f"embeddings {model}", "openai.embed", "POST"} == set(found)
    assert 2 == len(batch.links)
    assert batch.context.span_id == request.parent.span_id
    assert "error.type" not in attributes_of(batch)
