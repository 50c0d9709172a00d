"""vLLM and the older LLVM routes: the openai SDK reads the former, the latter are read by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from adapters.emulator import Emulator, expected_answer, expected_vector
from adapters.emulator.answers import count_tokens, expected_score

from .conftest import SEED, Wire

CHAT_MODEL, EMBED_MODEL = "Qwen/Qwen3-8B", "BAAI/bge-small-en-v1.5"
USER: Any = [{"role": "user", "content": "hi"}]
ANSWER = expected_answer("hi", seed=SEED)


@pytest.fixture
def sdk(server: Emulator) -> Iterator[openai.OpenAI]:
    """OpenAI's client, as vLLM's documentation uses it."""
    key = server.keys("llvm")["production"]
    with openai.OpenAI(
        base_url=f"{server.base_url('llvm')}/v1", api_key=key, max_retries=0, timeout=20
    ) as client:
        yield client


@pytest.fixture
def wire(server: Emulator) -> Wire:
    """Requests by hand."""
    return Wire(server, provider="llvm")


def test_chat(sdk: openai.OpenAI) -> None:
    """The answer is that of the prompt, with usage; `n` is honoured."""
    found = sdk.chat.completions.create(model=CHAT_MODEL, messages=USER, n=2)

    texts = [expected_answer("hi", seed=SEED, choice=number) for number in range(2)]
    assert texts == [choice.message.content for choice in found.choices]
    assert found.usage is not None
    assert sum(map(count_tokens, texts)) == found.usage.completion_tokens
    assert found.id.startswith("chatcmpl-")


def test_chat_as_a_stream(sdk: openai.OpenAI) -> None:
    """The deltas are the answer, the usage comes last where it is asked for."""
    with sdk.chat.completions.create(
        model=CHAT_MODEL, messages=USER, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream

    assert ANSWER == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert ("", "stop") == (chunks[0].choices[0].delta.content, chunks[-1].choices[0].finish_reason)
    assert last.usage is not None


def test_completions(sdk: openai.OpenAI) -> None:
    """Choice `prompt · n + k`; sixteen tokens unless the request says more."""
    found = sdk.completions.create(model=CHAT_MODEL, prompt=["hi", "ho"], n=2, max_tokens=99)
    short = sdk.completions.create(model=CHAT_MODEL, prompt="ho")

    assert [
        expected_answer(prompt, seed=SEED, choice=k) for prompt in ("hi", "ho") for k in range(2)
    ] == [choice.text for choice in found.choices]
    assert short.usage is not None
    assert 16 >= short.usage.completion_tokens


def test_embeddings(sdk: openai.OpenAI) -> None:
    """Vectors in base64, and the tokens of all inputs."""
    found = sdk.embeddings.create(model=EMBED_MODEL, input=["a b", "c"])

    assert pytest.approx(expected_vector("c", 384, seed=SEED)) == found.data[1].embedding
    assert 3 == found.usage.prompt_tokens


def test_a_batch_of_chats(wire: Wire) -> None:
    """A choice for each conversation, in order, and one usage for all."""
    talks = [[{"role": "user", "content": text}] for text in ("hi", "ho")]
    found = wire.send({"messages": talks}, "/v1/chat/completions/batch").json

    texts = [expected_answer(text, seed=SEED) for text in ("hi", "ho")]
    assert texts == [choice["message"]["content"] for choice in found["choices"]]
    assert sum(map(count_tokens, texts)) == found["usage"]["completion_tokens"]


def test_scores_and_ranks(wire: Wire) -> None:
    """Scores keep the order of the pairs, ranks put the best first, at most `top_n`."""
    scores = wire.send({"text_1": "q", "text_2": ["a", "b"]}, "/score").json
    ranked = wire.send({"query": "q", "documents": ["a", "b", "c"], "top_n": 2}, "/v1/rerank").json

    assert [expected_score("q", text, seed=SEED) for text in "ab"] == [
        item["score"] for item in scores["data"]
    ]
    best = sorted("abc", key=lambda text: -expected_score("q", text, seed=SEED))[:2]
    assert best == [result["document"]["text"] for result in ranked["results"]]
    assert {"prompt_tokens", "total_tokens"} == set(ranked["usage"])


def test_tokens_and_classes(wire: Wire) -> None:
    """Text becomes ids and back; a class comes with the probability of each."""
    found = wire.send({"prompt": "hello world", "return_token_strs": True}, "/tokenize").json
    (classed,) = wire.send({"input": "x"}, "/classify").json["data"]

    assert (2, ["hello", " world"]) == (found["count"], found["token_strs"])
    assert "7 8" == wire.send({"tokens": [7, 8]}, "/detokenize").json["prompt"]
    assert pytest.approx(1) == sum(classed["probs"])


def test_the_state_of_the_server(wire: Wire) -> None:
    """Health, version, load and models are told."""
    assert b"" == wire.send(None, "/health", "GET").body
    assert {"version": "0.33.0"} == wire.send(None, "/version", "GET").json
    assert {"server_load": 0} == wire.send(None, "/load", "GET").json
    models = wire.send(None, "/v1/models", "GET").json["data"]
    assert {CHAT_MODEL: 32_768, EMBED_MODEL: 512} == {m["id"]: m["max_model_len"] for m in models}


def test_request_ids_come_back(wire: Wire) -> None:
    """A client's id is echoed in the header and stands in the id of the answer."""
    reply = wire.send({"messages": USER}, "/v1/chat/completions", headers={"x-request-id": "q7"})

    assert ("q7", "chatcmpl-q7") == (reply.headers["x-request-id"], reply.json["id"])


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/v1/chat/completions", {"model": "x", "messages": USER}, 404, "NotFoundError"),
        ("/v1/chat/completions", {"model": EMBED_MODEL, "messages": USER}, 400, "BadRequestError"),
        ("/v1/chat/completions", {"messages": []}, 400, "BadRequestError"),
        ("/v1/chat/completions", {"messages": USER, "stream_options": {}}, 400, "BadRequestError"),
        (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "w " * 40_000}]},
            400,
            "BadRequestError",
        ),
        ("/v1/chat/completions", b"{", 400, "BadRequestError"),
        ("/v1/chat/completions/batch", {"messages": [USER], "n": 2}, 400, "BadRequestError"),
        ("/v1/embeddings", {"model": CHAT_MODEL, "input": "a"}, 400, "BadRequestError"),
        ("/tokenize", {"model": CHAT_MODEL}, 400, "BadRequestError"),
        ("/score", {"text_1": ["a", "b"], "text_2": "c"}, 400, "BadRequestError"),
        ("/v1/nope", {}, 404, "NotFoundError"),
    ],
)
def test_refusals(wire: Wire, path: str, body: object, status: int, kind: str) -> None:
    """The code of an error is its status; what other servers call 422 is 400 here."""
    reply = wire.send(body, path)

    assert (status, kind, status) == (reply.status, reply.error["type"], reply.error["code"])


def test_keys(wire: Wire) -> None:
    """A wrong key is refused below `/v1`, with a text for an error; other routes are open."""
    wrong = {"authorization": "Bearer x"}
    refused = wire.send({"messages": USER}, "/v1/chat/completions", headers=wrong)

    assert (401, "Unauthorized") == (refused.status, refused.error)
    assert 200 == wire.send({"prompt": "a"}, "/tokenize", headers=wrong).status


def test_the_sdk_knows_the_errors(server: Emulator, sdk: openai.OpenAI, wire: Wire) -> None:
    """An error inside a stream is raised, though the end marker follows it."""
    server.script(["503:stream=false", "stream_error:after=2"])
    with pytest.raises(openai.InternalServerError):
        sdk.chat.completions.create(model=CHAT_MODEL, messages=USER)
    with pytest.raises(openai.APIError, match="EngineCore"):
        list(sdk.chat.completions.create(model=CHAT_MODEL, messages=USER, stream=True))

    body = wire.send({"messages": USER, "stream": True}, "/v1/chat/completions").body
    assert body.endswith(b"data: [DONE]\n\n")


def test_the_older_routes(wire: Wire) -> None:
    """Inference alone and in batches, whose results keep their order and number."""
    one = wire.send({"input": "hi"}, "/models/default/infer").json
    many = wire.send({"inputs": ["hi", "ho"], "parameters": {}}, "/models/default/batch_infer").json

    assert {"model_id": "default", "outputs": ANSWER} == one
    assert [ANSWER, expected_answer("ho", seed=SEED)] == many["results"]
    assert {"models": ["default", "llama-ir"]} == wire.send(None, "/models", "GET").json
    assert "ready" == wire.send(None, "/models/default", "GET").json["status"]
    assert "ok" == wire.send(None, "/status", "GET").json["status"]
    assert ANSWER == wire.send({"input": "hi"}, "/execute").json["output"]
    assert "hi" == wire.send({"input": "hi"}, "/optimize").json["optimized_code"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/models/nope/infer", {"input": "a"}, 404),
        ("/models/default/infer", {"x": 1}, 400),
        ("/models/default/batch_infer", {"inputs": []}, 400),
        ("/models/default/optimize", {"optimization_type": "size"}, 400),
        ("/models/default/infer", b"{", 400),
    ],
)
def test_older_errors_are_texts(wire: Wire, path: str, body: object, status: int) -> None:
    """There an error is a text and nothing more."""
    reply = wire.send(body, path)

    assert status == reply.status
    assert {"error"} == set(reply.json)
    assert isinstance(reply.error, str)
