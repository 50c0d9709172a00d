"""Calls of models and requests are measured as the conventions want it, for every API."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import _internal as metrics_api

from adapters import errors, gemini, openai
from resilience import CircuitOpenError
from resilience.telemetry import _older_metrics, _otel_instruments, conventions
from resilience.testing import no_waiting
from tests.adapters.every_api import APIS, KEY, STREAMING, Api
from tests.adapters.flavours import Make
from tests.adapters.measured import Measured
from tests.adapters.recorder import Do, Recorder, answer, event_stream
from tests.adapters.seen import Seen, attributes_of
from tests.adapters.test_telemetry_spans import OPERATIONS, PROVIDERS, client_of, port_of

HTTP = "http.client.request.duration"
G = "gen_ai.client"
TOKENS = {
    f"{G}.inference.usage.{name}"
    for name in (
        *("input_tokens", "output_tokens", "cache_read.input_tokens"),
        *("cache_write.input_tokens", "reasoning.output_tokens"),
    )
}
OF_A_CALL = {f"{G}.inference.operation.{name}" for name in ("input_tokens", "output_tokens")}
OF_A_STREAM = {f"{G}.inference.{name}" for name in ("time_to_first_chunk", "time_per_output_chunk")}
INFERENCE = {f"{G}.inference.duration", *TOKENS, *OF_A_CALL}
EMBEDDINGS = {f"{G}.embeddings.duration", f"{G}.embeddings.operation.input_tokens"}
OLDER = {f"{G}.operation.duration", f"{G}.token.usage"}
CHOICE = {"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[Measured]:
    """The metrics of the program; all of them are held against their definitions in the end."""
    found = Measured()
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", found.provider)
    monkeypatch.setattr(_older_metrics, "_said", [])
    yield found
    assert [] == list(found.misfits())


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """The spans of the same program."""
    found = Seen()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", found.provider)
    return found


@pytest.fixture(params=APIS.values(), ids=APIS)
def api(request: pytest.FixtureRequest) -> Api:
    """Every API."""
    return request.param


def family_of(api: Api) -> set[str]:
    """The metrics that a call of this API has."""
    if api.name == "s3":
        return set()
    operation = OPERATIONS.get(api.name, "chat")
    families = {"embeddings": EMBEDDINGS, "infer": {f"{G}.operation.duration"}}
    return families.get(operation, INFERENCE)


def asked(api: Api, server: Recorder, **more: Any) -> dict[str, Any]:
    """The attributes that every metric of a call has."""
    found = {
        "gen_ai.operation.name": OPERATIONS.get(api.name, "chat"),
        "gen_ai.provider.name": PROVIDERS.get(api.name, api.name),
        "server.address": "127.0.0.1",
        "server.port": port_of(server),
    }
    return (
        found | ({} if api.name in ("tgi", "tei", "opea") else {"gen_ai.request.model": "m"}) | more
    )


def test_a_call_is_measured(make: Make, server: Recorder, measured: Measured, api: Api):
    """By the metrics of its kind and no others, once each; its request by one."""
    server.play(api.good)

    api.call(client_of(api, make, server))

    assert {HTTP, *family_of(api)} == measured.names()
    for name in {HTTP, *family_of(api)} - TOKENS:
        (count, total) = measured.one(name)[1]
        assert 1 == count
        assert 0 < total < 60 or name.endswith("tokens")
    for name in family_of(api):
        assert asked(api, server).items() <= measured.one(name)[0].items()
    assert {
        "http.request.method": "GET" if api.name == "s3" else "POST",
        "server.address": "127.0.0.1",
        "server.port": port_of(server),
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    } == measured.one(HTTP)[0]


def test_a_failure_is_measured_as_well(make: Make, server: Recorder, measured: Measured, api: Api):
    """With the type of its error; tokens that nobody has counted are 0, of a kind unknown."""
    server.play(answer(b"", status=500))

    with pytest.raises(errors.ServerError):
        api.call(client_of(api, make, server, max_retries=0))

    assert {HTTP, *family_of(api)} == measured.names()
    for name in family_of(api):
        attributes, value = measured.one(name)
        unknown = {"gen_ai.token.modality": "unknown"} if name in TOKENS else {}
        failed = {} if name in TOKENS else {"error.type": "ServerError"}
        assert asked(api, server, **unknown, **failed) == attributes
        if name in TOKENS:
            assert 0 == value
        elif name.endswith("tokens"):
            assert (1, 0) == value
    assert {"error.type": "500"}.items() <= measured.one(HTTP)[0].items()


@pytest.mark.parametrize("api", STREAMING.values(), ids=STREAMING)
def test_a_stream_is_measured(make: Make, server: Recorder, measured: Measured, api: Api):
    """Also the time to its first chunk, and that between its chunks."""
    server.play(api.good_stream)

    events = list(api.stream(client_of(api, make, server)))

    assert {HTTP, *INFERENCE, *OF_A_STREAM} == measured.names()
    _, (count, seconds) = measured.one(f"{G}.inference.time_to_first_chunk")
    assert (1, True) == (count, 0 <= seconds < 60)
    _, (gaps, _) = measured.one(f"{G}.inference.time_per_output_chunk")
    assert len(events) - 1 == gaps


def test_every_attempt_is_a_request(make: Make, server: Recorder, measured: Measured):
    """The call is one, and no failure."""
    server.play(answer(b"", status=500), [Do.RESET], APIS["openai"].good)

    with no_waiting():
        make(openai, KEY, base_url=server.url).chat("m", "hi")

    found = {
        (attributes.get("http.response.status_code"), attributes.get("error.type"))
        for attributes, (count, _) in measured.told(HTTP)
        if count == 1
    }
    assert {(500, "500"), (None, "ConnectionFailedError"), (200, None)} == found
    attributes, (count, _) = measured.one(f"{G}.inference.duration")
    assert (1, False) == (count, "error.type" in attributes)


def test_a_refusal_is_measured(make: Make, server: Recorder, measured: Measured):
    """It has failed, but nothing was sent."""
    client = make(openai, KEY, base_url=server.url)
    client.circuit_breaker.open()
    with pytest.raises(CircuitOpenError):
        client.chat("m", "hi")

    attributes, (count, _) = measured.one(f"{G}.inference.duration")
    assert (1, "CircuitOpenError") == (count, attributes["error.type"])
    assert INFERENCE == measured.names()


@pytest.mark.parametrize("leave", ["left", "forgotten"])
def test_a_stream_that_is_left_is_measured(
    make: Make, server: Recorder, measured: Measured, leave: str
):
    """It is no failure; what had been counted is counted."""
    usage = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}
    delta = {"index": 0, "delta": {"content": "a"}}
    event = {"choices": [delta], "usage": usage}
    server.play([*event_stream(event, end=False), Do.HANG])
    client = make(openai, KEY, base_url=server.url)
    stream = client.stream("m", "hi")
    next(stream)
    if leave == "left":
        stream.close()
    del stream
    gc.collect()
    assert client.queue.active == 0  # the loop goes round

    attributes, (count, _) = measured.one(f"{G}.inference.duration")
    assert (1, False) == (count, "error.type" in attributes)
    assert 7 == measured.one(f"{G}.inference.usage.input_tokens")[1]


def by_kind(measured: Measured, name: str) -> dict[str, int]:
    """The counts of one kind of tokens."""
    points = measured.told(f"{G}.inference.usage.{name}")
    return {attributes["gen_ai.token.modality"]: value for attributes, value in points}


OPENAI_USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"audio_tokens": 60, "cached_tokens": 30, "cache_write_tokens": 5},
    "completion_tokens_details": {"audio_tokens": 20, "text_tokens": 30, "reasoning_tokens": 10},
}
GEMINI_USAGE = {
    "promptTokenCount": 100,
    "candidatesTokenCount": 40,
    "thoughtsTokenCount": 10,
    "cachedContentTokenCount": 30,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 60},
        {"modality": "IMAGE", "tokenCount": 30},
        {"modality": "DOCUMENT", "tokenCount": 10},
    ],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 40}],
}


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_tokens_of_each_kind(
    make: Make, server: Recorder, measured: Measured, seen: Seen, streams: bool
):
    """As far as the provider tells them apart; together they are what it counted."""
    client = make(openai, KEY, base_url=server.url)
    if streams:
        delta = {"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}
        server.play(
            event_stream({"choices": [delta]}, {"choices": [], "usage": OPENAI_USAGE}, "[DONE]")
        )
        list(client.stream("m", "hi"))
    else:
        server.play(answer({"choices": [CHOICE], "usage": OPENAI_USAGE}))
        client.chat("m", "hi")

    assert {"audio": 60, "unknown": 40} == by_kind(measured, "input_tokens")
    assert {"audio": 20, "text": 30} == by_kind(measured, "output_tokens")
    assert {"unknown": 30} == by_kind(measured, "cache_read.input_tokens")
    assert {"unknown": 5} == by_kind(measured, "cache_write.input_tokens")
    assert {"unknown": 10} == by_kind(measured, "reasoning.output_tokens")
    assert (1, 100) == measured.one(f"{G}.inference.operation.input_tokens")[1]
    usage = {n: v for n, v in attributes_of(seen.call).items() if n.startswith("gen_ai.usage.")}
    assert {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 30,
        "gen_ai.usage.cache_write.input_tokens": 5,
        "gen_ai.usage.reasoning.output_tokens": 10,
        "gen_ai.usage.audio.input_tokens": 60,
        "gen_ai.usage.audio.output_tokens": 20,
        "gen_ai.usage.text.output_tokens": 30,
    } == usage
    assert [] == list(seen.misfits())


def test_tokens_of_each_kind_as_gemini_has_them(make: Make, server: Recorder, measured: Measured):
    """A document has no kind of its own in the conventions."""
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}
    server.play(answer({"candidates": [candidate], "usageMetadata": GEMINI_USAGE}))

    make(gemini, KEY, base_url=server.url[:-3]).chat("m", "hi")

    assert {"text": 60, "image": 30, "unknown": 10} == by_kind(measured, "input_tokens")
    assert {"text": 40, "unknown": 10} == by_kind(measured, "output_tokens")
    assert {"text": 30} == by_kind(measured, "cache_read.input_tokens")


def test_a_provider_that_contradicts_itself_is_believed_in_the_sum(
    make: Make, server: Recorder, measured: Measured
):
    """Its kinds come to more than all of it: then none is told."""
    details = {"audio_tokens": 200}
    usage = {**OPENAI_USAGE, "prompt_tokens_details": details}
    server.play(answer({"choices": [CHOICE], "usage": usage}))

    make(openai, KEY, base_url=server.url).chat("m", "hi")

    assert {"unknown": 100} == by_kind(measured, "input_tokens")


def test_the_duration_is_that_of_the_span(
    make: Make, server: Recorder, measured: Measured, seen: Seen
):
    """To the nanosecond, of the call and of its request."""
    server.play(APIS["openai"].good)

    make(openai, KEY, base_url=server.url).chat("m", "hi")

    for name, span in ((f"{G}.inference.duration", seen.call), (HTTP, seen.request)):
        assert (span.end_time - span.start_time) / 1e9 == measured.one(name)[1][1]


def test_an_example_leads_to_the_span(make: Make, server: Recorder, measured: Measured, seen: Seen):
    """The exemplar of a duration is the span of the call that took so long."""
    server.play(APIS["openai"].good)

    make(openai, KEY, base_url=server.url).chat("m", "hi")

    found = measured.all()  # a second look has no examples any more
    for name, span in ((f"{G}.inference.duration", seen.call), (HTTP, seen.request)):
        (point,) = found[name].data.data_points
        assert [span.context.span_id] == [each.span_id for each in point.exemplars]


@pytest.mark.parametrize("how", ["variable", "call"])
def test_the_older_metrics_on_request(
    make: Make, server: Recorder, measured: Measured, monkeypatch, how: str
):
    """Of every operation, beside the newer ones, until they are turned off."""
    if how == "variable":
        monkeypatch.setenv(_older_metrics.VARIABLE, "true")
    else:
        _older_metrics.turn_on()
    client = make(openai, KEY, base_url=server.url)
    server.play(APIS["openai"].good)
    client.chat("m", "hi")
    assert {HTTP, *INFERENCE, *OLDER} == measured.names()
    server.play(answer({"data": [{"index": 0, "embedding": [0.5]}], "usage": OPENAI_USAGE}))
    client.embed("x", ["hi"])

    tokens = {
        (attributes["gen_ai.operation.name"], attributes["gen_ai.token.type"]): value
        for attributes, value in measured.told(f"{G}.token.usage")
    }
    assert {
        ("chat", "input"): (1, 1),
        ("chat", "output"): (1, 1),
        ("embeddings", "input"): (1, 100),
    } == tokens
    durations = measured.told(f"{G}.operation.duration")
    assert ["chat", "embeddings"] == sorted(a["gen_ai.operation.name"] for a, _ in durations)
    _older_metrics.turn_off()
    client.embed("x", ["hi"])
    assert durations == measured.told(f"{G}.operation.duration")


def test_with_metrics_turned_off_nothing_is_measured(
    make: Make, server: Recorder, measured: Measured, seen: Seen
):
    """Nor traced, not even a request; the same for all of a client, or for a block."""
    server.play(APIS["openai"].good)

    make(openai, KEY, base_url=server.url, metrics_enabled=False).chat("m", "hi")

    assert set() == measured.names()
    assert [] == list(seen)
    assert "traceparent" not in server.requests[0].headers


def test_every_metric_of_the_conventions_is_emitted(
    make: Make, server: Recorder, measured: Measured
):
    """By the calls of this file: none is defined in vain."""
    _older_metrics.turn_on()
    for api in APIS.values():
        client = client_of(api, make, server)
        server.play(api.good)
        api.call(client)
        if api.stream is not None:
            server.play(api.good_stream)
            list(api.stream(client))

    defined = {*conventions.HTTP_METRICS, *conventions.GENAI_METRICS}
    assert {each.name for each in {*defined, *conventions.OLDER_GENAI_METRICS}} == measured.names()


def test_nothing_is_lost_where_nobody_collects_for_long(
    make: Make, server: Recorder, monkeypatch: pytest.MonkeyPatch
):
    """Streams have many chunks: their steps hand on what would be too much to keep."""
    monkeypatch.setattr(_otel_instruments, "MOST_WAITING", 64)
    measured = Measured()
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", measured.provider)
    deltas = [{"choices": [{"index": 0, "delta": {"content": "a"}}]}] * 50
    last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    server.play(event_stream(*deltas, last, "[DONE]"))
    client = make(openai, KEY, base_url=server.url)
    for _ in range(20):
        list(client.stream("m", "hi"))

    assert 20 * 50 == measured.one(f"{G}.inference.time_per_output_chunk")[1][0]
    assert 20 == measured.one(f"{G}.inference.duration")[1][0]


def test_models_that_a_server_invents_are_few(make: Make, server: Recorder, measured: Measured):
    """The SDK would keep each of them for ever; none of the calls is lost."""
    server.play(*(answer({"model": f"m-{n}", "choices": [CHOICE]}) for n in range(110)))
    client = make(openai, KEY, base_url=server.url)
    for _ in range(110):
        client.chat("m", "hi")

    points = measured.told(f"{G}.inference.duration")
    models = [attributes["gen_ai.response.model"] for attributes, _ in points]
    assert (101, 1) == (len(models), models.count("_OTHER"))
    assert 110 == sum(count for _, (count, _) in points)


def test_other_operations_have_their_duration_once(
    make: Make, server: Recorder, measured: Measured
):
    """It is the one metric that both generations have."""
    _older_metrics.turn_on()
    server.play(APIS["ovms"].good)

    APIS["ovms"].call(client_of(APIS["ovms"], make, server))

    assert 1 == measured.one(f"{G}.operation.duration")[1][0]


def test_a_replica_is_the_server_that_answered(make: Make, server: Recorder, measured: Measured):
    """Not the address that the client was made with."""
    server.play(APIS["openai"].good)
    client = make(openai, KEY, base_url="http://nowhere.invalid/v1")
    client.keys.add("replica", "sk-replica-0123456789", base_url=server.url)
    client.chat("m", "hi", key="replica")

    for name in INFERENCE:
        assert {"server.address": "127.0.0.1", "server.port": port_of(server)}.items() <= (
            measured.one(name)[0].items()
        )
