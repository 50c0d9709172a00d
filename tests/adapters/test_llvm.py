"""The client of vLLM and of the older routes: answers, batches, dialects and errors."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import llvm
from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, expected_score
from adapters.errors import (
    AdapterError,
    AuthenticationError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    OverloadedError,
    RateLimitError,
    ServerError,
    SettingsError,
    StreamInterruptedError,
)
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, event_stream

CHAT_MODEL, EMBED_MODEL = "Qwen/Qwen3-8B", "BAAI/bge-small-en-v1.5"
ANSWERS = tuple(expected_answer(text, seed=7) for text in ("hi", "ho"))
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
ROUTE_MISSING = {"error": {"message": "Not Found", "type": "Not Found", "param": None, "code": 404}}


def completion(text: str) -> dict[str, Any]:
    """A chat completion with one choice."""
    message = {"role": "assistant", "content": text}
    return {
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    }


@pytest.fixture
def client(emulator: Emulator, make: Make) -> Any:
    """A client of the emulator that repeats nothing."""
    address = emulator.base_url("llvm")
    return make(llvm, keys=emulator.keys("llvm"), base_url=address, max_retries=0)


@pytest.fixture
def older(emulator: Emulator, make: Make) -> Any:
    """A client of the older routes."""
    return make(llvm, base_url=emulator.base_url("llvm"), dialect="llvm", max_retries=0)


@pytest.fixture
def scripted(server: Recorder, make: Make) -> Any:
    """A client of the scripted server that repeats nothing."""
    return make(llvm, base_url=server.url, max_retries=0)


def test_chat(client: Any):
    """Whole and as a stream: the same text and usage, and ids that the client has chosen."""
    whole = client.chat(CHAT_MODEL, "hi", request_id="q7")
    with client.stream(CHAT_MODEL, "hi") as stream:
        list(stream)

    assert ANSWERS[0] == whole.text == stream.text
    assert (5, count_tokens(ANSWERS[0])) == (whole.usage.input_tokens, whole.usage.output_tokens)
    assert whole.usage == stream.usage
    assert ("q7", "chatcmpl-q7") == (whole.server_request_id, whole.raw["id"])


def test_a_batch_of_chats_is_one_request(client: Any, emulator: Emulator):
    """A text for each conversation, and one usage for all."""
    found = client.chat_batch(CHAT_MODEL, ["hi", [{"role": "user", "content": "ho"}]])

    assert ANSWERS == found.texts
    assert sum(map(count_tokens, ANSWERS)) == found.usage.output_tokens
    assert ["chat_batch"] == [record.operation for record in emulator.log()]


@pytest.mark.parametrize("more", [{"tools": [TOOL]}, {"n": 2}])
def test_what_a_batch_cannot_hold_is_sent_singly(client: Any, emulator: Emulator, more: Any):
    """With tools or several choices each conversation is a request; the result is one."""
    found = client.chat_batch(CHAT_MODEL, ["hi", "ho"], **more)

    assert (ANSWERS, 2) == (found.texts, found.attempts)
    assert ["chat", "chat"] == [record.operation for record in emulator.log()]


def test_a_batch_of_one_is_a_chat(client: Any, emulator: Emulator):
    """There is nothing to put together."""
    assert ANSWERS[0] == client.chat_batch(CHAT_MODEL, ["hi"]).text
    assert ["chat"] == [record.operation for record in emulator.log()]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, ROUTE_MISSING),
        (404, {"detail": "Not Found"}),
        (404, {"object": "error", "message": "Not Found", "param": None, "code": 404}),
        (405, {"detail": "Method Not Allowed"}),
        (404, b"nothing here"),
    ],
)
def test_an_older_server_gets_single_requests(
    scripted: Any, server: Recorder, status: int, body: object
):
    """Where the route for batches is missing, the conversations are sent one by one."""
    server.play(answer(body, status), answer(completion("a")), answer(completion("a")))

    found = scripted.chat_batch("m", ["hi", "ho"])

    assert (("a", "a"), 6, 2) == (found.texts, found.usage.total_tokens, found.attempts)
    assert ["/v1/chat/completions/batch", *["/v1/chat/completions"] * 2] == [
        request.path for request in server.requests
    ]


@pytest.mark.parametrize("flat", [False, True])
def test_an_unknown_model_is_no_missing_route(scripted: Any, server: Recorder, flat: bool):
    """The server names the parameter then; nothing more is asked."""
    error = {"message": "no such model", "type": "NotFoundError", "param": "model", "code": 404}
    server.play(answer({"object": "error", **error} if flat else {"error": error}, 404))

    with pytest.raises(NotFoundError):
        scripted.chat_batch("m", ["hi", "ho"])
    assert 1 == len(server.requests)


def test_a_batch_that_lacks_an_answer(scripted: Any, server: Recorder):
    """Nobody knows whose it is that is there."""
    server.play(answer(completion("a")))

    with pytest.raises(InvalidResponseError, match="1 choices for 2 conversations"):
        scripted.chat_batch("m", ["hi", "ho"])


def test_the_other_operations(client: Any):
    """Completions, vectors, ranks, scores, tokens, and the state of the server."""
    assert ANSWERS == client.completions(CHAT_MODEL, ["hi", "ho"], max_tokens=99).texts
    assert [list(expected_vector("a", 384, seed=7))] == client.embed(EMBED_MODEL, "a").vectors
    scores = [expected_score("q", text, seed=7) for text in "ab"]
    assert scores == list(client.score(EMBED_MODEL, "q", ["a", "b"]).scores)
    ranking = client.rerank(EMBED_MODEL, "q", ["a", "b"], top_n=1)
    assert ((scores.index(max(scores)),), (max(scores),)) == (ranking.order, ranking.scores)
    assert 4 == ranking.usage.input_tokens
    tokens = client.tokenize(CHAT_MODEL, "a b", return_token_strs=True)
    assert (("a", " b"),) == tokens.texts
    assert tokens.ids == client.tokenize(CHAT_MODEL, [{"role": "user", "content": "a b"}]).ids
    assert () == client.tokenize(CHAT_MODEL, "a b").texts
    assert [CHAT_MODEL, EMBED_MODEL] == list(client.models())
    assert "0.33.0" == client.info()["version"]
    assert client.health()


def test_a_server_that_is_not_well(client: Any, emulator: Emulator):
    """It says so with 503, which is an answer here."""
    emulator.script(["503"])

    assert not client.health()


def test_the_older_dialect(older: Any):
    """Inference alone and in batches, models and state."""
    assert {"output": ANSWERS[0]} == older.infer("default", "hi").outputs
    assert {"output": list(ANSWERS)} == older.batch_infer("default", ["hi", "ho"]).outputs
    assert ["default", "llama-ir"] == list(older.models())
    assert "ok" == older.info()["status"]
    assert older.health()
    with pytest.raises(NotFoundError, match="Model nope not found"):
        older.infer("nope", "hi")


def test_the_forms_of_the_older_answers(server: Recorder, make: Make):
    """Outputs may have names, models may be objects; a result that is missing is an error."""
    client = make(llvm, base_url=server.url, dialect="llvm", max_retries=0)
    server.play(
        answer({"model_id": "m", "outputs": {"a": 1}}),
        answer({"models": [{"model_id": "m", "status": "ready"}]}),
        answer({"results": ["x"]}),
    )

    assert ({"a": 1}, "m") == (client.infer("m", 1).outputs, "m")
    assert ["m"] == list(client.models())
    with pytest.raises(InvalidResponseError, match="1 results for 2 inputs"):
        client.batch_infer("m", [1, 2])


@pytest.mark.parametrize(
    ("dialect", "call"),
    [
        ("llvm", lambda client: client.chat("m", "hi")),
        ("llvm", lambda client: client.stream("m", "hi")),
        ("llvm", lambda client: client.embed("m", "hi")),
        ("vllm", lambda client: client.infer("m", "hi")),
        ("vllm", lambda client: client.batch_infer("m", ["hi"])),
    ],
)
def test_an_operation_belongs_to_a_dialect(make: Make, dialect: str, call: Any):
    """An operation that a dialect does not have is refused before anything is sent."""
    client = make(llvm, base_url="http://localhost:1", dialect=dialect)
    other = {"llvm": "vllm", "vllm": "llvm"}[dialect]

    with pytest.raises(SettingsError, match=f"dialect must be '{other}' for this operation"):
        call(client)


def test_an_unknown_dialect():
    """There are two."""
    with pytest.raises(SettingsError, match="dialect must be 'vllm' or 'llvm', not 'v1'"):
        llvm.Client(dialect="v1")


def error_body(kind: str, code: int) -> dict[str, Any]:
    """An error as newer servers write it."""
    return {"error": {"message": "No.", "type": kind, "param": None, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, error_body("BadRequestError", 400), BadRequestError),
        (400, {"object": "error", "message": "No.", "code": 400}, BadRequestError),
        (401, {"error": "Unauthorized"}, AuthenticationError),
        (404, error_body("NotFoundError", 404), NotFoundError),
        (422, error_body("UnprocessableEntityError", 422), BadRequestError),
        (429, b"", RateLimitError),
        (500, error_body("InternalServerError", 500), ServerError),
        (501, error_body("NotImplementedError", 501), ServerError),
        (503, error_body("ServiceUnavailableError", 503), OverloadedError),
        (503, {"error": "Scaling"}, OverloadedError),
    ],
)
def test_errors_by_status(
    scripted: Any, server: Recorder, status: int, body: object, error: type[AdapterError]
):
    """All three forms of a body are read; a task that the model lacks is not tried again."""
    server.play(answer(body, status))

    with pytest.raises(error) as caught:
        scripted.chat("m", "hi")

    assert (error, status) == (type(caught.value), caught.value.status_code)
    assert caught.value.retryable == (status in {429, 500, 503})


@pytest.mark.parametrize(
    ("kind", "code", "error"),
    [
        ("InternalServerError", 500, ServerError),
        ("BadRequestError", 400, BadRequestError),
        ("ServiceUnavailableError", 503, OverloadedError),
        ("New", 429, RateLimitError),
    ],
)
def test_an_error_inside_a_stream(
    scripted: Any, server: Recorder, kind: str, code: int, error: type[AdapterError]
):
    """It is raised, though the end marker follows."""
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}]}
    server.play(event_stream(chunk, error_body(kind, code), "[DONE]"))

    with pytest.raises(StreamInterruptedError) as caught:
        list(scripted.stream("m", "hi"))

    assert ("Hel", error) == (caught.value.partial, type(caught.value.__cause__))


def test_thoughts(scripted: Any, server: Recorder):
    """Newer servers call them `reasoning`, older ones `reasoning_content`."""
    for name in ("reasoning", "reasoning_content"):
        body = completion("a")
        body["choices"][0]["message"][name] = "hm"
        server.play(answer(body))

        assert "hm" == scripted.chat("m", "hi").reasoning


def test_the_module_has_a_client_of_its_own(emulator: Emulator, monkeypatch):
    """Its functions find the server in the environment."""
    monkeypatch.setenv("VLLM_API_URL", emulator.base_url("llvm"))
    llvm.configure()
    try:
        assert ANSWERS[0] == llvm.chat(CHAT_MODEL, "hi").text
    finally:
        llvm.configure()
