"""vLLM's wire: what this adapter sends is what the openai SDK sends, which vLLM's documents use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai as sdk
import pytest

from adapters import llvm
from tests.adapters.flavours import Make
from tests.adapters.oracle import comparable
from tests.adapters.recorder import Recorder, answer, event_stream

KEY = "token-abc123"
MODEL = "Qwen/Qwen3-8B"
USER = [{"role": "user", "content": "Grüße 😀"}]
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": MODEL,
    "choices": [CHOICE],
    "usage": USAGE,
}
CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": MODEL,
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}],
}
COMPLETION = {
    "id": "cmpl-1",
    "object": "text_completion",
    "created": 1,
    "model": MODEL,
    "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop", "logprobs": None}],
    "usage": USAGE,
}
VECTORS = {
    "object": "list",
    "model": "e",
    "data": [{"object": "embedding", "index": 0, "embedding": "AAAAPwAAoL8="}],
    "usage": {"prompt_tokens": 1, "total_tokens": 1},
}
MODELS = {"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1}]}

DIFFERENCES = {"x-request-id": "ours: the server puts it into the ids of its answers"}

Ask = Callable[[Any], Any]
OPERATIONS: dict[str, tuple[object, Ask, Ask]] = {
    "chat": (
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(
            model=MODEL, messages=USER, temperature=0.5, extra_body={"top_k": 5}
        ),
        lambda ours: ours.chat(MODEL, USER, temperature=0.5, top_k=5),
    ),
    "stream": (
        event_stream(CHUNK, "[DONE]"),
        lambda theirs: list(
            theirs.chat.completions.create(
                model=MODEL, messages=USER, stream=True, stream_options={"include_usage": True}
            )
        ),
        lambda ours: list(ours.stream(MODEL, USER)),
    ),
    "completions": (
        answer(COMPLETION),
        lambda theirs: theirs.completions.create(model=MODEL, prompt=["a", "b"], max_tokens=5),
        lambda ours: ours.completions(MODEL, ["a", "b"], max_tokens=5),
    ),
    "embeddings": (
        answer(VECTORS),
        lambda theirs: theirs.embeddings.create(model="e", input=["a"]),
        lambda ours: ours.embed("e", ["a"]),
    ),
    "models": (
        answer(MODELS),
        lambda theirs: list(theirs.models.list()),
        lambda ours: ours.models(),
    ),
    "rerank": (
        answer({"results": [{"index": 0, "relevance_score": 0.5}]}),
        lambda theirs: theirs.post(
            "/rerank", body={"model": "e", "query": "q", "documents": ["a"]}, cast_to=object
        ),
        lambda ours: ours.rerank("e", "q", ["a"]),
    ),
    "score": (
        answer({"data": [{"index": 0, "score": 0.5}]}),
        lambda theirs: theirs.post(
            "/score", body={"model": "e", "text_1": "q", "text_2": ["a"]}, cast_to=object
        ),
        lambda ours: ours.score("e", "q", ["a"]),
    ),
}


@pytest.mark.parametrize(("script", "ask_them", "ask_us"), OPERATIONS.values(), ids=OPERATIONS)
def test_we_send_what_the_openai_sdk_sends(
    server: Recorder, make: Make, script: Any, ask_them: Ask, ask_us: Ask
):
    """The same method, path, query, body and headers for the same question."""
    server.play([script] if isinstance(script, bytes) else script)

    with sdk.OpenAI(base_url=server.url, api_key=KEY, max_retries=0) as theirs:
        ask_them(theirs)
    ask_us(make(llvm, api_key=KEY, base_url=server.url))

    expected, sent = (comparable(request, DIFFERENCES) for request in server.requests)
    expected["headers"] = {
        name: value for name, value in expected["headers"].items() if "stainless" not in name
    }
    assert expected == sent


@pytest.mark.parametrize("key", ["LLVM_API_KEY", "VLLM_API_KEY"])
@pytest.mark.parametrize(
    "address", ["LLVM_BASE_URL", "LLVM_API_URL", "VLLM_BASE_URL", "VLLM_API_URL"]
)
def test_the_environment(server: Recorder, monkeypatch, key: str, address: str):
    """Address and key come from variables, the older framework's among them."""
    monkeypatch.setenv(address, server.url)
    monkeypatch.setenv(key, KEY)
    server.play(answer(MODELS))

    assert [MODEL] == list(llvm.Client().models())
    assert ("/v1/models", f"Bearer {KEY}") == (
        server.requests[0].path,
        server.requests[0].headers["authorization"],
    )


# Operation of the older dialect: what it sends, as the older framework's class does.
OLDER: dict[str, tuple[object, Ask, str, str, object]] = {
    "infer": (
        {"model_id": "m", "outputs": "x"},
        lambda ours: ours.infer("m", {"a": 1}),
        "POST",
        "/v1/models/m/infer",
        {"input": {"a": 1}},
    ),
    "infer with parameters": (
        {"model_id": "m", "outputs": "x"},
        lambda ours: ours.infer("a/b", "x", temperature=0.5, parameters={"top_k": 3}),
        "POST",
        "/v1/models/a%2Fb/infer",
        {"input": "x", "parameters": {"temperature": 0.5, "top_k": 3}},
    ),
    "batch_infer": (
        {"results": ["x", "y"]},
        lambda ours: ours.batch_infer("m", ["a", "b"]),
        "POST",
        "/v1/models/m/batch_infer",
        {"inputs": ["a", "b"]},
    ),
    "models": ({"models": ["m"]}, lambda ours: ours.models(), "GET", "/v1/models", None),
    "health": ({"status": "ok"}, lambda ours: ours.health(), "GET", "/v1/status", None),
    "info": ({"status": "ok"}, lambda ours: ours.info(), "GET", "/v1/status", None),
}


@pytest.mark.parametrize(("found", "ask", "method", "path", "body"), OLDER.values(), ids=OLDER)
def test_the_older_dialect(
    server: Recorder, make: Make, found: object, ask: Ask, method: str, path: str, body: object
):
    """Paths and bodies are those that the older framework sent."""
    server.play(answer(found))

    ask(make(llvm, api_key=KEY, base_url=server.url, dialect="llvm"))

    (sent,) = server.requests
    # Here the version is taken off an address, since in this dialect it has none.
    assert (method, path.removeprefix("/v1"), body) == (sent.method, sent.path, sent.json)
    assert f"Bearer {KEY}" == sent.headers["authorization"]
