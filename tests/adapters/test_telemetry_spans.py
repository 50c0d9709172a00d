"""The spans of every API: one for the call, one for each request on the wire, and nothing else."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import SpanKind, StatusCode

from adapters import errors, gemini, openai, s3
from adapters._messages import StreamEvent
from adapters._notes import Notes
from adapters._wire import shown_url
from resilience import CircuitOpenError
from resilience.testing import FakeClock, no_waiting
from tests.adapters.every_api import APIS, KEY, STREAMING, Api
from tests.adapters.flavours import Make
from tests.adapters.recorder import Do, Recorder, answer, event_stream
from tests.adapters.seen import Seen, attributes_of, definition_of

COUNTED = {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 1}
STOPPED = {"gen_ai.response.finish_reasons": ("stop",)}
ANSWERED = {"gen_ai.response.model": "m", **STOPPED}

# What is on the span of a call beside what all calls have: method, path, name and attributes.
CALLS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "openai": ("POST", "/v1/chat/completions", "chat m", {**ANSWERED, **COUNTED}),
    "claude": (
        "POST",
        "/v1/messages",
        "chat m",
        {**ANSWERED, **COUNTED, "gen_ai.request.max_tokens": 4096},
    ),
    "groq": ("POST", "/openai/v1/chat/completions", "chat m", {**ANSWERED, **COUNTED}),
    "gemini": ("POST", "/v1/models/m:generateContent", "generate_content m", ANSWERED),
    "ollama": ("POST", "/api/chat", "chat m", {"gen_ai.response.model": "m"}),
    "tgi": ("POST", "/generate", "text_completion", STOPPED),
    "tei": ("POST", "/embed", "embeddings", {"gen_ai.embeddings.dimension.count": 2}),
    "llvm": ("POST", "/v1/chat/completions", "chat m", {**ANSWERED, **COUNTED}),
    "ovms": ("POST", "/v2/models/m/infer", "infer m", {"gen_ai.response.model": "m"}),
    "opea": (
        "POST",
        "/v1/chatqna",
        "chat",
        {**ANSWERED, **COUNTED},
    ),
    "s3": ("GET", "/", "S3/buckets", {"rpc.system": "aws-api", "rpc.service": "S3"}),
}
OPERATIONS = {
    "gemini": "generate_content",
    "tgi": "text_completion",
    "tei": "embeddings",
    "ovms": "infer",
}
PROVIDERS = {"claude": "anthropic", "gemini": "gcp.gemini"}
WITHOUT_MODEL = ("tgi", "tei", "opea", "s3")
LAST_WORDS: dict[str, dict[str, Any]] = {
    "claude": {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 2},
    "tgi": {"gen_ai.usage.input_tokens": 1, "gen_ai.usage.output_tokens": 2},
}


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Seen]:
    """The spans of the program; all of them are held against their definitions in the end."""
    found = Seen()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", found.provider)
    yield found
    assert [] == list(found.misfits())


@pytest.fixture(params=APIS.values(), ids=APIS)
def api(request: pytest.FixtureRequest) -> Api:
    """Every API."""
    return request.param


@pytest.fixture(params=STREAMING.values(), ids=STREAMING)
def streaming(request: pytest.FixtureRequest) -> Api:
    """Every API that streams."""
    return request.param


def common(api: Api, port: int, **more: Any) -> dict[str, Any]:
    """What every successful call of an API has on its span."""
    found: dict[str, Any] = {
        "server.address": "127.0.0.1",
        "server.port": port,
        "resilience.request_id": "mine",
        "resilience.attempts": 1,
        "resilience.outcome": "success",
        "resilience.key.name": "default",
    }
    if api.name == "s3":
        return {**found, "rpc.method": "buckets", **more}
    found["gen_ai.operation.name"] = OPERATIONS.get(api.name, "chat")
    found["gen_ai.provider.name"] = PROVIDERS.get(api.name, api.name)
    if api.name not in WITHOUT_MODEL:
        found["gen_ai.request.model"] = "m"
    return {**found, **more}


def client_of(api: Api, make: Make, server: Recorder, **settings: Any) -> Any:
    """A client that sends each call by itself."""
    return api.client(make, server.url, enable_batching=False, **settings)


def port_of(server: Recorder) -> int:
    """The port that it listens to."""
    return int(server.url.removesuffix("/v1").rpartition(":")[2])


def asking(client: Any, api: Api) -> Any:
    """Make the call of an API under an id that is known."""

    class Asking:
        def __getattr__(self, name: str) -> Any:
            method = getattr(client, name)
            return lambda *args, **kwargs: method(*args, request_id="mine", **kwargs)

    return (api.call, api.stream, Asking())


def test_a_call_is_a_span_and_its_request_another(make: Make, server: Recorder, seen: Seen, api):
    """Name, kind, parent and all attributes of both; a success has no status."""
    method, path, name, more = CALLS[api.name]
    server.play(api.good)

    call, _, client = asking(client_of(api, make, server), api)
    call(client)

    port = port_of(server)
    request = {
        "http.request.method": method,
        "server.address": "127.0.0.1",
        "server.port": port,
        "url.full": f"http://127.0.0.1:{port}{path}",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }
    assert [method, name] == seen.names()
    assert common(api, port, **more) == attributes_of(seen.call)
    # The connection may have been given back before somebody could ask where it leads to.
    peer = {"network.peer.address": "127.0.0.1", "network.peer.port": port}
    assert request == {n: v for n, v in attributes_of(seen.request).items() if n not in peer}
    assert attributes_of(seen.request).items() <= {**request, **peer}.items()
    assert [SpanKind.CLIENT] * 2 == [span.kind for span in seen]
    assert [StatusCode.UNSET] * 2 == [span.status.status_code for span in seen]
    assert (None, seen.call.context.span_id) == (seen.call.parent, seen.request.parent.span_id)


def test_a_stream_is_a_span_and_its_request_another(
    make: Make, server: Recorder, seen: Seen, streaming: Api
):
    """Both end with the stream, and the time to its first chunk is told."""
    server.play(streaming.good_stream)

    _, stream, client = asking(client_of(streaming, make, server), streaming)
    events = stream(client)
    next(events)
    assert [] == seen.names()
    list(events)

    found = attributes_of(seen.call)
    assert 0 <= found.pop("gen_ai.response.time_to_first_chunk") < 60
    expected = common(streaming, port_of(server), **{"gen_ai.request.stream": True})
    expected |= LAST_WORDS.get(streaming.name, {})
    if streaming.name == "ovms":
        expected["gen_ai.operation.name"] = "chat"
    if streaming.name not in ("opea", "tgi"):
        expected["gen_ai.response.model"] = "m"
    if streaming.name != "opea":
        expected |= STOPPED
    if streaming.name == "claude":
        expected["gen_ai.request.max_tokens"] = 4096
    assert expected == found
    assert ["POST", seen.call.name] == seen.names()
    assert 200 == attributes_of(seen.request)["http.response.status_code"]


def test_a_failure_is_an_error_on_both(make: Make, server: Recorder, seen: Seen, api: Api):
    """The status as text on the one, what the server or the class says on the other."""
    server.play(answer(b"", status=500))

    client = client_of(api, make, server, max_retries=0)
    with pytest.raises(errors.ServerError):
        api.call(client)

    assert [StatusCode.ERROR] * 2 == [span.status.status_code for span in seen]
    assert ("500", "ServerError") == tuple(attributes_of(s)["error.type"] for s in seen)
    assert "failure" == attributes_of(seen.call)["resilience.outcome"]


def test_what_was_recovered_is_an_error_of_its_request_alone(
    make: Make, server: Recorder, seen: Seen, api: Api
):
    """Each attempt is a span; from the second on it says which resend it is."""
    server.play(answer(b"", status=500), answer(b"", status=503), api.good)

    with no_waiting():
        api.call(client_of(api, make, server))

    found = [attributes_of(span) for span in seen.requests]
    assert ["500", "503", None] == [each.get("error.type") for each in found]
    assert [None, 1, 2] == [each.get("http.request.resend_count") for each in found]
    assert {seen.call.context.span_id} == {span.parent.span_id for span in seen.requests}
    assert StatusCode.UNSET is seen.call.status.status_code
    assert "error.type" not in attributes_of(seen.call)
    assert 3 == attributes_of(seen.call)["resilience.attempts"]
    assert ["retry", "retry"] == [event.name for event in seen.call.events]


def test_a_change_of_key_is_a_resend_too(make: Make, server: Recorder, seen: Seen, api: Api):
    """The call names the key that served it; neither key shows anywhere."""
    server.play(answer(b"", status=429, headers={"Retry-After": "60"}), api.good)
    keys = {"one": "AKIAONE:sk-one-0123456789", "two": "AKIATWO:sk-two-0123456789"}
    if api.name != "s3":
        keys = {name: key.partition(":")[2] for name, key in keys.items()}

    api.call(client_of(api, make, server, api_key=None, keys=keys))

    assert [None, 1] == [
        attributes_of(span).get("http.request.resend_count") for span in seen.requests
    ]
    assert {"resilience.key.name": "two", "resilience.attempts": 1}.items() <= (
        attributes_of(seen.call).items()
    )
    assert ["key.cooldown"] == [event.name for event in seen.call.events]
    assert "0123456789" not in "".join(span.to_json() for span in seen)


def test_without_an_answer_the_class_of_the_error_is_its_type(
    make: Make, server: Recorder, seen: Seen
):
    """There is no status to tell; a connection that was refused or reset is one class."""
    server.play([Do.RESET])

    client = make(openai, KEY, base_url=server.url, max_retries=0)
    with pytest.raises(errors.ConnectionFailedError):
        client.chat("m", "hi")

    assert ["ConnectionFailedError"] * 2 == [attributes_of(s)["error.type"] for s in seen]
    assert "http.response.status_code" not in attributes_of(seen.request)


def test_an_answer_that_breaks_off_is_an_error_of_the_request(
    make: Make, server: Recorder, seen: Seen
):
    """Status and class of the error stand side by side."""
    server.play([answer({"choices": []}, headers={"Content-Length": "999"}), Do.CLOSE])

    client = make(openai, KEY, base_url=server.url, max_retries=0)
    with pytest.raises(errors.ConnectionFailedError):
        client.chat("m", "hi")

    expected = {"http.response.status_code": 200, "error.type": "ConnectionFailedError"}
    assert expected.items() <= attributes_of(seen.request).items()


def test_what_an_answer_says_is_no_error_of_the_request(
    make: Make, server: Recorder, seen: Seen, streaming: Api
):
    """An error inside a stream belongs to the call: HTTP has done its work."""
    server.play(streaming.failing_stream)

    client = client_of(streaming, make, server, max_retries=0)
    with pytest.raises(errors.StreamInterruptedError):
        list(streaming.stream(client))

    assert "error.type" not in attributes_of(seen.request)
    assert "error.type" in attributes_of(seen.call)
    assert StatusCode.ERROR is seen.call.status.status_code


def test_a_choice_whose_reason_never_came_ended_with_an_error(
    make: Make, server: Recorder, seen: Seen
):
    """One reason for each choice, in their order."""
    events = [
        {"id": "c-1", "choices": [{"index": 0, "delta": {"content": "a"}}]},
        {"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": "stop"}]},
    ]
    server.play(event_stream(*events))

    with pytest.raises(errors.StreamInterruptedError):
        list(make(openai, KEY, base_url=server.url).stream("m", "hi", n=2))

    found = attributes_of(seen.call)
    assert ("error", "stop") == found["gen_ai.response.finish_reasons"]
    assert ("c-1", 2) == (found["gen_ai.response.id"], found["gen_ai.request.choice.count"])
    assert {"error.type": "ConnectionFailedError"}.items() <= attributes_of(seen.request).items()


@pytest.mark.parametrize("leave", ["left", "forgotten"])
def test_a_stream_that_is_left_is_no_error(make: Make, server: Recorder, seen: Seen, leave: str):
    """Neither of the call nor of the request, and both end then."""
    delta = {"index": 0, "delta": {"content": "a"}}
    server.play([*event_stream({"choices": [delta]}, end=False), Do.HANG])
    client = make(openai, KEY, base_url=server.url)
    stream = client.stream("m", "hi")
    next(stream)
    if leave == "left":
        stream.close()
    del stream
    gc.collect()
    assert client.queue.active == 0  # the loop goes round

    assert ["POST", "chat m"] == seen.names()
    assert [StatusCode.UNSET] * 2 == [span.status.status_code for span in seen]
    assert "cancelled" == attributes_of(seen.call)["resilience.outcome"]
    assert [False, False] == ["error.type" in attributes_of(span) for span in seen]
    peer = {"network.peer.address": "127.0.0.1", "network.peer.port": port_of(server)}
    assert peer.items() <= attributes_of(seen.request).items()


def test_a_refusal_has_no_request(make: Make, server: Recorder, seen: Seen):
    """Nothing was sent, so that the call has no child."""
    client = make(openai, KEY, base_url=server.url)
    client.circuit_breaker.open()
    with pytest.raises(CircuitOpenError):
        client.chat("m", "hi")

    assert ["chat m"] == seen.names()
    assert "refused" == attributes_of(seen.call)["resilience.outcome"]


def test_the_servers_own_id_is_told(make: Make, server: Recorder, seen: Seen):
    """On the span of the call, of the last attempt; not on that of the request."""
    server.play(
        answer(b"", status=500, headers={"x-request-id": "first"}),
        answer({"choices": [{"message": {"content": "a"}}]}, headers={"x-request-id": "second"}),
    )

    with no_waiting():
        make(openai, KEY, base_url=server.url).chat("m", "hi")

    assert "second" == attributes_of(seen.call)["resilience.server_request_id"]


def test_a_replica_names_the_server_that_answered(make: Make, server: Recorder, seen: Seen):
    """The address at the start is the client's; at the end it is that of the entry."""
    server.play(answer({"choices": [{"message": {"content": "a"}}]}))
    client = make(openai, KEY, base_url="http://nowhere.invalid/v1")
    client.keys.add("replica", "sk-replica-0123456789", base_url=server.url)
    client.chat("m", "hi", key="replica")

    assert {"server.address": "127.0.0.1", "server.port": port_of(server)}.items() <= (
        attributes_of(seen.call).items()
    )


def test_no_secret_is_in_an_address(make: Make, server: Recorder, seen: Seen):
    """Neither the key wherever it stands, nor others in a query, nor the parts of a signature."""
    address = server.url.removesuffix("/v1")
    params = {
        "key": "sk-other-0123456789",
        "X-Amz-Signature": "f00",
        "sig": "",
        "x-api-key": "k",
        "pageSize": 5,
    }
    server.play(answer({"models": []}))

    make(gemini, KEY, base_url=address).request("GET", f"v1/models/{KEY}", params=params)

    assert attributes_of(seen.request)["url.full"].endswith(
        f":{port_of(server)}/v1/models/[masked]"
        "?key=REDACTED&X-Amz-Signature=REDACTED&sig=&x-api-key=REDACTED&pageSize=5"
    )
    assert "0123456789" not in seen.request.to_json()


def test_the_trace_goes_on_at_the_server(make: Make, server: Recorder, seen: Seen, api: Api):
    """The program's propagator writes its headers: by default W3C's, of the request's span."""
    server.play(answer(b"", status=500), api.good)

    with no_waiting():
        api.call(client_of(api, make, server))

    found = [span.context for span in seen.requests]
    assert [f"00-{c.trace_id:032x}-{c.span_id:016x}-{c.trace_flags:02x}" for c in found] == [
        request.headers["traceparent"] for request in server.requests
    ]


def test_a_callers_own_trace_wins(make: Make, server: Recorder, seen: Seen):
    """Whoever sets the header himself knows why."""
    server.play(answer({"choices": [{"message": {"content": "a"}}]}))

    client = make(openai, KEY, base_url=server.url)
    client.chat("m", "hi", extra_headers={"TraceParent": "mine"})

    assert "mine" == server.requests[0].headers["traceparent"]
    assert 2 == len(seen)


@pytest.mark.parametrize("name", ["suppress_http_instrumentation", "suppress_instrumentation"])
def test_whoever_wants_no_spans_of_requests_gets_none(
    make: Make, server: Recorder, seen: Seen, name: str
):
    """The contexts in which other instrumentations keep quiet hold for these as well."""
    server.play(answer({"choices": [{"message": {"content": "a"}}]}))
    client = make(openai, KEY, base_url=server.url)
    key = getattr(context, f"_{name.upper()}_KEY")
    token = context.attach(context.set_value(key, True))
    try:
        client.chat("m", "hi")
    finally:
        context.detach(token)

    assert ["chat m"] == seen.names()


class Asked(Sampler):
    """Takes everything, and notes what it was asked with."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def should_sample(
        self, parent_context: Any, trace_id: Any, name: Any, *more: Any, **named: Any
    ):
        attributes = named.get("attributes") or (more[1] if len(more) > 1 else {})
        self.asked.append((name, dict(attributes)))
        return ALWAYS_ON.should_sample(parent_context, trace_id, name)

    def get_description(self) -> str:
        return "asked"


def test_a_sampler_knows_what_it_needs(make: Make, server: Recorder, monkeypatch, api: Api):
    """What the conventions want at the start of a span is there then."""
    sampler = Asked()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    server.play(api.good)

    api.call(client_of(api, make, server))

    (name, call), (method, request) = sampler.asked
    expected = common(api, port_of(server))
    late = {"resilience.outcome", "resilience.key.name"}
    assert {*expected} - late <= {*call}
    assert (CALLS[api.name][2], CALLS[api.name][0]) == (name, method)
    assert {"http.request.method", "server.address", "server.port", "url.full"} == {*request}


def test_without_a_tracer_nothing_is_noted(
    make: Make, server: Recorder, monkeypatch: pytest.MonkeyPatch, api: Api
):
    """No note is taken, no body read again, no header added."""

    def unasked(*_: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(Notes, "__init__", unasked)
    monkeypatch.setattr("adapters._wire.begin_request", unasked)
    server.play(api.good)

    api.call(client_of(api, make, server))

    assert "traceparent" not in server.requests[0].headers


def test_keys_of_objects_are_in_the_address_alone(make: Make, server: Recorder, seen: Seen):
    """The conventions of HTTP want the whole address; the call tells the bucket."""
    server.play(answer(b"x", headers={"ETag": '"e"'}))

    client = make(s3, access_key="AKIAEVERY", secret_key=KEY, base_url=server.url[:-3])
    client.get("bucket", "folder/key")

    assert attributes_of(seen.request)["url.full"].endswith("/bucket/folder/key")
    assert "folder" not in seen.call.to_json()
    assert "S3/{rpc.method}" == definition_of(seen.call).name


def test_a_method_of_its_own_has_few_values(make: Make, server: Recorder, seen: Seen):
    """Names of spans and metrics are bounded; the word itself stands beside."""
    server.play(answer({}))

    make(openai, KEY, base_url=server.url).request("PURGE", "x")

    expected = {"http.request.method": "_OTHER", "http.request.method_original": "PURGE"}
    assert "HTTP" == seen.request.name
    assert expected.items() <= attributes_of(seen.request).items()


def test_a_mistake_of_the_caller_is_an_error_too(make: Make, server: Recorder, seen: Seen):
    """Whoever has sent it wants to see 4xx as well as 5xx."""
    server.play(answer(b"", status=404))

    with pytest.raises(errors.NotFoundError):
        make(openai, KEY, base_url=server.url).chat("m", "hi")

    assert "404" == attributes_of(seen.request)["error.type"]
    assert StatusCode.ERROR is seen.request.status.status_code


def test_the_user_of_an_address_is_not_shown():
    """Nor a password, where one got in."""
    assert "https://host:1/v1/x?a=b" == shown_url("https://me:secret@host:1/v1", "x?a=b", ())


def test_a_key_that_a_server_echoes_is_masked(make: Make, server: Recorder, seen: Seen):
    """That of the attempt, also after a change of keys."""
    keys = {"one": "sk-one-0123456789", "two": "sk-two-0123456789"}
    echoed = {
        "id": "id-sk-two-0123456789",
        "model": "m-sk-two-0123456789",
        "choices": [{"message": {"content": "a"}, "finish_reason": "f-sk-two-0123456789"}],
    }
    server.play(answer({"error": {"message": "sk-one-0123456789"}}, status=429), answer(echoed))

    make(openai, keys=keys, base_url=server.url).chat("m", "hi")

    assert ("id-[masked]", "m-[masked]", ("f-[masked]",)) == tuple(
        attributes_of(seen.call)[f"gen_ai.response.{name}"]
        for name in ("id", "model", "finish_reasons")
    )


def test_the_time_between_chunks_is_that_since_the_last_one():
    """And the first is timed from the beginning of the call."""
    with FakeClock() as clock:
        notes = Notes()
        for seconds in (1, 2, 3):
            clock.advance(seconds)
            notes.arrived(StreamEvent())

    assert (1, [2, 3]) == (notes.first_after, notes.gaps)


def test_vectors(make: Make, server: Recorder, seen: Seen):
    """What was asked, how long they are, and the tokens of the input; there are no others."""
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    server.play(answer({"model": "e-1", "data": [{"embedding": [0.5, 1, 2]}], "usage": usage}))

    make(openai, KEY, base_url=server.url).embed("e", ["hi"], request_id="mine", user="me")

    assert "embeddings e" == seen.call.name
    assert {
        **common(APIS["openai"], port_of(server)),
        "gen_ai.operation.name": "embeddings",
        "gen_ai.request.model": "e",
        "gen_ai.request.encoding_formats": ("base64",),
        "gen_ai.response.model": "e-1",
        "gen_ai.embeddings.dimension.count": 3,
        "gen_ai.usage.input_tokens": 5,
    } == attributes_of(seen.call)
