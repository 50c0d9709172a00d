"""The client of OPEA: gateways, services, their streams and their errors."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import opea
from adapters._exchange import CallOptions, Exchange
from adapters._messages import Request
from adapters._opea_streams import unquoted
from adapters._telemetry import describe_call
from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import expected_score
from adapters.errors import (
    AdapterError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ServerError,
    SettingsError,
    StreamInterruptedError,
)
from resilience.testing import no_waiting
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, event_stream

USER = [{"role": "user", "content": "hi"}]
ANSWER = expected_answer("hi", seed=7)
BLOCKED = "Violated policies: Violent Crimes, please check your input."


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    return make(opea, base_url=emulator.base_url("opea"), max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(opea, base_url=server.url, max_retries=0)


@pytest.mark.parametrize("gateway", ["chatqna", "codegen", "searchqna", "docsum"])
def test_gateways(client: Any, gateway: str):
    """Whole and as a stream, bytes in Python's text or patches to a log: the same text."""
    whole = client.chatqna("hi", gateway=gateway)
    with client.stream_chatqna(USER, gateway=gateway) as stream:
        list(stream)

    assert ANSWER == whole.text == str(whole) == stream.text
    assert not whole.usage  # zeros mean that nobody has counted


@pytest.mark.parametrize("messages", ["hi", USER])
def test_the_service_of_the_model(client: Any, messages: Any):
    """A text gets completions and messages a chat; both are read, streamed too."""
    whole = client.chat(messages)
    with client.stream(messages) as stream:
        list(stream)

    assert ANSWER == whole.text == stream.text
    assert "stop" == whole.finish_reason == stream.finish_reason
    assert whole.usage.output_tokens > 0


def test_the_other_services(client: Any):
    """Vectors in parts, ranks by text, documents, and what guards say."""
    texts = [str(number) for number in range(40)]
    found = client.embed(texts)
    ranking = client.rerank("q", ["a", "b", "a"])
    documents = client.retrieve("q", found.vectors[0], k=2)

    assert [list(expected_vector(text, 384, seed=7)) for text in texts] == found.vectors
    assert (2, None, False) == (found.attempts, found.model, bool(found.usage))
    scores = {text: expected_score("q", text, seed=7) for text in "ab"}
    assert {0, 1, 2} == set(ranking.order)
    assert sorted([scores["a"], scores["b"], scores["a"]], reverse=True) == list(ranking.scores)
    assert 1 == len(client.rerank("q", ["a", "b"], top_n=1).order)
    assert (2, 2) == (len(documents), len(list(documents)))
    assert all(documents.ids)
    assert {"source": "emulator"} == documents.metadata[0]
    assert ((True,), (False,)) == tuple(client.guardrails(text).flagged for text in ("kill", "hi"))
    assert "Data preparation succeeded" == client.ingest(("a.txt", b"hi"))["message"]
    assert client.health()


def test_documents_with_metadata_beside_them(scripted: Any, server: Recorder):
    """The newer form has them there, and no ids."""
    server.play(answer({"retrieved_docs": [{"text": "a", "metadata": {"page": 3}}, {"text": "b"}]}))

    found = scripted.retrieve("q", [0.1])

    assert (("a", "b"), ("", ""), ({"page": 3}, {})) == (found.texts, found.ids, found.metadata)


def test_a_guard_may_answer_with_a_status_of_its_own(scripted: Any, server: Recorder):
    """466 is a verdict, and no error."""
    server.play(answer({"detail": "blocked"}, 466), answer(b"[]"), answer(b"[1]", 466))

    assert (True,) == scripted.guardrails("x").flagged
    for _ in range(2):
        with pytest.raises(InvalidResponseError):
            scripted.guardrails("x")


def test_documents_are_handed_in_once(server: Recorder, make: Make):
    """Twice would double them: what may have been done is not repeated, a refusal is."""
    server.play(answer(b"Internal Server Error", 500))
    with no_waiting():
        with pytest.raises(ServerError) as caught:
            make(opea, base_url=server.url).ingest(("a.txt", b"hi"))
        assert (1, False, 1) == (
            caught.value.attempts,
            caught.value.retryable,
            len(server.requests),
        )
        server.play(answer(b"", 429), answer({"status": 200}))
        found = make(opea, base_url=server.url).ingest(("a.txt", b"hi"))
        assert (200, 2) == (found["status"], found.attempts)


@pytest.mark.parametrize("arguments", [{}, {"files": ("a", b""), "links": ["b"]}])
def test_documents_are_files_or_links(arguments: dict[str, Any]):
    """One of the two."""
    with pytest.raises(SettingsError, match="files must be given, or links"):
        opea.Client().ingest(**arguments)


@pytest.mark.parametrize(
    ("expected", "events"),
    [
        ("It's", ['b"It\'s"']),
        ('It\'s "so"', ["b'It\\'s \"so\"'"]),
        ("a\nb\t\\", ["b'a\\nb\\t\\\\'"]),
        ("Grüße", ["b'Gr\\xc3\\xbc\\xc3\\x9fe'"]),
        ("ü", ["b'\\xc3'", "b'\\xbc'"]),
        (BLOCKED, [f"b'{BLOCKED}'"]),
        ("It's blöd", ["b'It's blöd'"]),
        ("C:\\new", ["b'C:\\\\new'"]),
        ("plain text", ["plain text"]),
        ("ab", ["b''", "b'a'", "b'b'"]),
        ("Hello", [{"choices": [{"index": 0, "delta": {"content": "Hello"}}]}]),
        ("Hello", [{"choices": [{"index": 0, "text": "Hello"}]}]),
        (
            "Hello",
            [
                {"ops": [{"op": "replace", "path": "", "value": {"streamed_output": []}}]},
                {"ops": [{"op": "add", "path": "/streamed_output/-", "value": "Hello"}]},
                {"ops": [{"op": "add", "path": "/logs/x", "value": "no"}]},
                {"ops": [{"op": "add", "path": "/streamed_output/-", "value": {"a": 1}}]},
            ],
        ),
    ],
)
def test_every_kind_of_frame(scripted: Any, server: Recorder, expected: str, events: list[Any]):
    """Bytes as Python writes them, what a guard has not escaped, chunks, patches, plain text."""
    server.play(event_stream(*events, "[DONE]"))

    with scripted.stream_chatqna("hi") as stream:
        list(stream)

    assert expected == stream.text


@given(st.binary(max_size=64))
def test_pythons_text_for_bytes_is_read_exactly(content: bytes):
    """Whatever the bytes are, and whichever quote Python takes."""
    assert content == unquoted(repr(content))


@given(st.text(max_size=64))
def test_what_is_not_escaped_is_taken_as_it_stands(text: str):
    """No text makes the reading of it fail."""
    assert isinstance(unquoted(f"b'{text}'"), bytes)


@pytest.mark.parametrize("events", [["[DONE]"], ["b''", "[DONE]"], [{"ops": []}, "[DONE]"]])
def test_an_empty_stream_is_an_error(server: Recorder, make: Make, events: list[Any]):
    """A gateway says no more than that where the model behind it has failed: it is tried again."""
    server.play(event_stream(*events), event_stream("b'Hello'", "[DONE]"))

    with no_waiting(), make(opea, base_url=server.url).stream_chatqna("hi") as stream:
        list(stream)

    assert ("Hello", 2) == (stream.text, stream.attempts)


def test_a_stream_that_breaks_off(client: Any, emulator: Emulator):
    """Nothing marks it but the missing end marker."""
    emulator.script(["stream_error:after=2"])

    with pytest.raises(StreamInterruptedError, match="without its end marker") as caught:
        list(client.stream_chatqna("hi"))
    assert ANSWER.startswith(caught.value.partial)


@pytest.mark.parametrize(
    ("event", "error"),
    [
        ({"error": {"message": "gone", "type": "server_error"}}, ServerError),
        ({"detail": "gone"}, ServerError),
        ({"x": 1}, InvalidResponseError),
        ("[1]", InvalidResponseError),
        ('{"broken": ', InvalidResponseError),
    ],
)
def test_other_events_of_a_stream(
    scripted: Any, server: Recorder, event: object, error: type[AdapterError]
):
    """Errors of the server behind a service, and what nobody promised."""
    server.play(event_stream(event, "[DONE]"))

    with pytest.raises(error):
        list(scripted.stream("hi"))


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (
            422,
            {"detail": [{"type": "missing", "loc": ["body", "input"], "msg": "Field required"}]},
            BadRequestError,
            "body.input: Field required",
        ),
        (422, {"detail": ["odd", {"msg": "No."}]}, BadRequestError, "No."),
        (400, {"detail": "No file."}, BadRequestError, "No file."),
        (404, {"detail": "Not Found"}, NotFoundError, "Not Found"),
        (429, b"<html>busy</html>", RateLimitError, "Too Many Requests"),
        (466, {"detail": "blocked"}, AdapterError, "blocked"),
        (500, b"Internal Server Error", ServerError, "Internal Server Error"),
        (502, b"<html>nginx</html>", ServerError, "Bad Gateway"),
        (503, b"<html>nginx</html>", OverloadedError, "Service Unavailable"),
    ],
)
def test_errors_by_status(
    scripted: Any,
    server: Recorder,
    status: int,
    body: object,
    error: type[AdapterError],
    message: str,
):
    """Every row of the table of errors has its class, and a sentence where there is one."""
    server.play(answer(body, status))

    with pytest.raises(error) as caught:
        scripted.chatqna("hi")

    assert (error, status, message) == (
        type(caught.value),
        caught.value.status_code,
        caught.value.message,
    )


@pytest.mark.parametrize(
    "ranked", [[{"text": "c", "score": 1}], [{"text": "a", "score": 1}] * 2, [{"text": "a"}], 5]
)
def test_a_ranking_of_other_documents(scripted: Any, server: Recorder, ranked: object):
    """A text that was not sent, or not so often, has no place."""
    server.play(answer({"reranked_docs": ranked}))

    with pytest.raises(InvalidResponseError):
        scripted.rerank("q", ["a", "b"])


@pytest.mark.parametrize(
    ("operation", "name"),
    [("chatqna", "chat"), ("retrieve", "retrieval"), ("embed", "embeddings"), ("rerank", "rerank")],
)
def test_the_names_of_spans(operation: str, name: str):
    """Those of the conventions where they have one, ours where they have none."""
    request = Request(operation=operation, method="POST", path="x")
    exchange = Exchange(opea.Client.provider, request, CallOptions({}, None))

    assert name == describe_call("http://localhost:8888", exchange, streams=False).name


@pytest.mark.parametrize("call", ["chat", "chatqna"])
def test_streams_have_names_of_their_own(client: Any, call: str):
    """`stream=True` is refused where a whole answer is read."""
    with pytest.raises(SettingsError, match="stream cannot be set here"):
        getattr(client, call)("hi", stream=True)


def test_the_address_of_an_operation_is_checked():
    """As that of the client is."""
    with pytest.raises(SettingsError, match="embed_url must be an address"):
        opea.Client(embed_url="localhost:6000")


def test_the_module_has_a_client_of_its_own(emulator: Emulator, monkeypatch):
    """Its functions find the server in the environment."""
    monkeypatch.setenv("OPEA_API_ENDPOINT", f"{emulator.base_url('opea')}/v1")
    opea.configure()
    try:
        assert ANSWER == opea.chatqna("hi").text
    finally:
        opea.configure()
