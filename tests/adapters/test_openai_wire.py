"""The wire: what this adapter sends is what OpenAI's own client sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import openai as sdk
import pytest

from adapters.openai import Client
from tests.adapters.recorder import Recorded, Recorder, answer, event_stream

KEY = "sk-test-1234"
MODEL = "gpt-4o-mini"
MESSAGES = [
    {"role": "system", "content": "Be brief. Grüße!"},
    {"role": "user", "content": [{"type": "text", "text": "Hi 😀"}]},
]
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": MODEL,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "finish_reason": "stop",
        }
    ],
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
VECTOR = {"object": "embedding", "index": 0, "embedding": "AAAAPwAAoL8="}  # 0.5, -1.25
EMBEDDING = {"object": "list", "model": "e", "data": [VECTOR], "usage": USAGE}
MODERATION = {
    "id": "modr-1",
    "model": "m",
    "results": [{"flagged": False, "categories": {}, "category_scores": {"violence": 0.1}}],
}
MODELS = {
    "object": "list",
    "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "openai"}],
}

Ask = Callable[[Any], Any]
OPERATIONS: dict[str, tuple[object, Ask, Ask]] = {
    "chat": (
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(model=MODEL, messages=MESSAGES),
        lambda ours: ours.chat(MODEL, MESSAGES),
    ),
    "chat with everything": (
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(
            model=MODEL,
            messages=MESSAGES,
            temperature=0.2,
            n=2,
            stop=["\n"],
            tools=TOOLS,
            user=None,
            extra_body={"not_yet_invented": {"a": [1, None]}},
            extra_headers={"X-Extra": "yes"},
        ),
        lambda ours: ours.chat(
            MODEL,
            MESSAGES,
            temperature=0.2,
            n=2,
            stop=["\n"],
            tools=TOOLS,
            user=None,
            extra_body={"not_yet_invented": {"a": [1, None]}},
            extra_headers={"X-Extra": "yes"},
        ),
    ),
    "stream": (
        event_stream(CHUNK, "[DONE]"),
        lambda theirs: list(
            theirs.chat.completions.create(
                model=MODEL,
                messages=MESSAGES,
                stream=True,
                stream_options={"include_usage": True},
            )
        ),
        lambda ours: list(ours.stream(MODEL, MESSAGES)),
    ),
    "completions": (
        answer(COMPLETION),
        lambda theirs: theirs.completions.create(model=MODEL, prompt=["a", "b"], max_tokens=5),
        lambda ours: ours.completions(MODEL, ["a", "b"], max_tokens=5),
    ),
    "embeddings": (
        answer(EMBEDDING),
        lambda theirs: theirs.embeddings.create(model="e", input=["Grüße"], dimensions=2),
        lambda ours: ours.embed("e", ["Grüße"], dimensions=2),
    ),
    "embeddings as numbers": (
        answer({**EMBEDDING, "data": [{**VECTOR, "embedding": [0.5]}]}),
        lambda theirs: theirs.embeddings.create(model="e", input="a", encoding_format="float"),
        lambda ours: ours.embed("e", "a", encoding_format="float"),
    ),
    "moderations": (
        answer(MODERATION),
        lambda theirs: theirs.moderations.create(input=["a"], model="m"),
        lambda ours: ours.moderations(["a"], model="m"),
    ),
    "models": (
        answer(MODELS),
        lambda theirs: list(theirs.models.list()),
        lambda ours: ours.models(),
    ),
    "any other path": (
        answer({"id": "x"}),
        lambda theirs: theirs.get("/files", cast_to=object, options={"params": {"limit": 2}}),
        lambda ours: ours.request("GET", "/files", params={"limit": 2}),
    ),
}

# Headers in which the two may differ, and why.
DIFFERENCES = {
    "accept-encoding": "each offers what its own HTTP library can unpack",
    "connection": "their library says what HTTP/1.1 assumes anyway",
    "user-agent": "each names itself",
    "x-client-request-id": "ours: so that a request can be found in the provider's logs",
}


def comparable(request: Recorded) -> dict[str, Any]:
    """What has to be the same in two requests."""
    headers = {
        name: value
        for name, value in request.headers.items()
        if name not in DIFFERENCES and not name.startswith("x-stainless-")  # their telemetry
    }
    # The order of the fields of a JSON object means nothing; the length may tell how it is spaced.
    headers.pop("content-length", None)
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "json": request.json,
        "headers": headers,
    }


@pytest.fixture
def both(server: Recorder) -> Iterator[tuple[Any, Client]]:
    """Their client and ours, set up alike."""
    arguments = {
        "api_key": KEY,
        "base_url": server.url,
        "organization": "org-1",
        "project": "proj-1",
    }
    with sdk.OpenAI(max_retries=0, **arguments) as theirs, Client(**arguments) as ours:
        yield theirs, ours


@pytest.mark.parametrize(("script", "ask_them", "ask_us"), OPERATIONS.values(), ids=OPERATIONS)
def test_we_send_what_the_vendors_client_sends(
    server: Recorder, both: tuple[Any, Client], script: Any, ask_them: Ask, ask_us: Ask
):
    """The same method, path, query, body and headers for the same question."""
    theirs, ours = both
    server.play(script)

    ask_them(theirs)
    ask_us(ours)

    expected, sent = map(comparable, server.requests)
    assert expected == sent


def test_the_usage_of_a_stream_is_asked_for_unless_the_caller_decides(
    server: Recorder, both: tuple[Any, Client]
):
    """The one difference in a body: without it OpenAI does not count what it streams."""
    _, ours = both
    server.play(event_stream(CHUNK, "[DONE]"))

    list(ours.stream(MODEL, "Hi"))
    list(ours.stream(MODEL, "Hi", stream_options={"include_obfuscation": False}))

    assert [{"include_usage": True}, {"include_obfuscation": False}] == [
        request.json["stream_options"] for request in server.requests
    ]


def test_both_read_the_same_answer(server: Recorder, both: tuple[Any, Client]):
    """Text, usage and vectors are what the vendor's client makes of the same bytes."""
    theirs, ours = both
    server.play(answer(CHAT), answer(CHAT), answer(EMBEDDING), answer(EMBEDDING))
    expected = theirs.chat.completions.create(model=MODEL, messages=MESSAGES)
    found = ours.chat(MODEL, MESSAGES)
    expected_vectors = theirs.embeddings.create(model="e", input=["a"])
    vectors = ours.embed("e", ["a"])

    assert expected.choices[0].message.content == found.text
    assert expected.usage.total_tokens == found.usage.total_tokens
    assert expected.to_dict() == found.raw
    assert expected_vectors.data[0].embedding == vectors.vectors[0]


def test_both_read_the_same_environment(server: Recorder, monkeypatch):
    """Key, address, organization and project come from the same variables."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-2")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    server.play(answer(MODELS))

    with sdk.OpenAI() as theirs, Client() as ours:
        list(theirs.models.list())
        ours.models()

    expected, sent = map(comparable, server.requests)
    assert expected == sent
    assert ("org-2", "proj-2") == (
        sent["headers"]["openai-organization"],
        sent["headers"]["openai-project"],
    )
