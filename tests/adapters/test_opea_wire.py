"""OPEA's wire: the bodies of its own tables; there is no client of its own.

The openai SDK works with the service of the model, so that there it is the judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import openai as sdk
import pytest

from adapters import opea
from tests.adapters.flavours import Make
from tests.adapters.oracle import comparable
from tests.adapters.recorder import Recorder, answer, event_stream

USER = [{"role": "user", "content": "Grüße 😀"}]
CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }
    ],
}
CHUNK = {
    "id": "c",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}],
}
VECTOR = {"data": [{"index": 0, "embedding": [0.5]}], "usage": None}
DOCUMENTS = {"retrieved_docs": [{"id": "1", "text": "a"}]}
DIFFERENCES = {
    "authorization": "their library wants a key; no service looks at it",
    "x-request-id": "ours: for proxies; the services read none",
}

Ask = Callable[[Any], Any]
OPERATIONS: dict[str, tuple[object, Ask, str, object]] = {
    "chatqna": (
        answer(CHAT),
        lambda ours: ours.chatqna("Hi", max_tokens=5),
        "/chatqna",
        {"messages": "Hi", "stream": False, "max_tokens": 5},
    ),
    "another gateway": (
        answer(CHAT),
        lambda ours: ours.chatqna(USER, gateway="codegen"),
        "/codegen",
        {"messages": USER, "stream": False},
    ),
    "stream of a gateway": (
        event_stream("b'Hello'", "[DONE]"),
        lambda ours: list(ours.stream_chatqna("Hi", k=2)),
        "/chatqna",
        {"messages": "Hi", "stream": True, "k": 2},
    ),
    "chat of a text": (
        answer(CHAT),
        lambda ours: ours.chat("Hi", model="m"),
        "/chat/completions",
        {"messages": "Hi", "model": "m", "stream": False},
    ),
    "embed": (
        answer(VECTOR),
        lambda ours: ours.embed("a"),
        "/embeddings",
        {"input": "a"},
    ),
    "embed with a model": (
        answer(VECTOR),
        lambda ours: ours.embed(["a"], model="m", dimensions=1),
        "/embeddings",
        {"input": ["a"], "model": "m", "dimensions": 1},
    ),
    "rerank": (
        answer({"reranked_docs": [{"text": "a", "score": 0.5}]}),
        lambda ours: ours.rerank("q", ["a", "b"]),
        "/reranking",
        {"input": "q", "retrieved_docs": [{"text": "a"}, {"text": "b"}], "top_n": 2},
    ),
    "rerank with top_n": (
        answer({"reranked_docs": [{"text": "a", "score": 0.5}]}),
        lambda ours: ours.rerank("q", ["a"], top_n=1),
        "/reranking",
        {"input": "q", "retrieved_docs": [{"text": "a"}], "top_n": 1},
    ),
    "retrieve": (
        answer(DOCUMENTS),
        lambda ours: ours.retrieve("q", [0.5], k=2, search_type="mmr"),
        "/retrieval",
        {"text": "q", "embedding": [0.5], "k": 2, "search_type": "mmr"},
    ),
    "guardrails": (
        answer({"text": "a"}),
        lambda ours: ours.guardrails("a"),
        "/guardrails",
        {"text": "a"},
    ),
}


@pytest.mark.parametrize(("script", "ask", "path", "body"), OPERATIONS.values(), ids=OPERATIONS)
def test_what_is_sent(server: Recorder, make: Make, script: Any, ask: Ask, path: str, body: object):
    """Every operation is a POST below `/v1`; gateways are told whether to stream."""
    server.play([script] if isinstance(script, bytes) else script)

    ask(make(opea, base_url=server.url))

    (sent,) = server.requests
    assert ("POST", f"/v1{path}", body) == (sent.method, sent.path, sent.json)
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("stream", [False, True])
def test_the_model_is_asked_as_openais_client_asks(server: Recorder, make: Make, stream: bool):
    """The same method, path, body and headers; what the service streams by itself is said."""
    server.play(event_stream(CHUNK, "[DONE]") if stream else answer(CHAT))
    with sdk.OpenAI(base_url=server.url, api_key="any", max_retries=0) as theirs:
        asked: Any = {"model": "m", "messages": USER, "stream": stream}
        found = theirs.chat.completions.create(**asked)
        if stream:
            list(found)
    ours = make(opea, base_url=server.url)
    list(ours.stream(USER, model="m")) if stream else ours.chat(USER, model="m")

    expected, sent = (comparable(request, DIFFERENCES) for request in server.requests)
    expected["headers"] = {
        name: value for name, value in expected["headers"].items() if "stainless" not in name
    }
    assert expected == sent


def test_documents_go_in_as_a_form(server: Recorder, make: Make):
    """Files and fields are parts; links are a list in one of them."""
    server.play(answer({"status": 200}))
    client = make(opea, base_url=server.url)

    client.ingest([("a.txt", b"hi"), ("b.txt", b"ho")], chunk_size=500, extra_body={"more": 1})
    client.ingest(links=["http://x/ä"])

    files, links = server.requests
    assert files.headers["content-type"].startswith("multipart/form-data; boundary=")
    names = re.findall(rb'name="(\w+)"(?:; filename="([\w.]+)")?', files.body)
    assert [
        (b"files", b"a.txt"),
        (b"files", b"b.txt"),
        (b"chunk_size", b""),
        (b"more", b""),
    ] == names
    assert b"\r\n\r\n500\r\n" in files.body
    assert 'name="link_list"\r\n\r\n["http://x/ä"]\r\n'.encode() in links.body


def test_an_address_for_each_operation(server: Recorder, make: Make, monkeypatch):
    """From an argument or a variable; all others go to the client's."""
    other = server.url.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("OPEA_RERANK_URL", other)
    server.play(
        answer(VECTOR), answer({"reranked_docs": []}), answer({"text": "a"}), answer({"status": 1})
    )
    client = make(opea, base_url=server.url, embed_url=f"{other}/", ingest_url=other)

    client.embed("a")
    client.rerank("q", [])
    client.guardrails("a")
    client.ingest(("a.txt", b"hi"))

    assert ["localhost", "localhost", "127.0.0.1", "localhost"] == [
        request.headers["host"].partition(":")[0] for request in server.requests
    ]
    assert "/v1/embeddings" == server.requests[0].path


@pytest.mark.parametrize("variable", ["OPEA_BASE_URL", "OPEA_API_ENDPOINT"])
def test_the_environment(server: Recorder, monkeypatch, variable: str):
    """The older framework's address ends with a version; a key is that of a proxy."""
    monkeypatch.setenv(variable, server.url)
    monkeypatch.setenv("OPEA_API_KEY", "proxy-key")
    server.play(answer({"Version": "1.5"}))

    assert "1.5" == opea.Client().info()["Version"]
    assert ("/v1/health_check", "Bearer proxy-key") == (
        server.requests[0].path,
        server.requests[0].headers["authorization"],
    )
