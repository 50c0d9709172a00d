"""The wire: what this adapter sends is what OpenAI's own client sends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai as sdk
import pytest

from adapters import openai
from tests.adapters.flavours import Make
from tests.adapters.oracle import Question, sent_by
from tests.adapters.recorder import Recorder, answer, event_stream

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

RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": MODEL,
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
SOUND = bytes(range(256))

QUESTIONS = {
    "chat": Question(
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(model=MODEL, messages=MESSAGES),
        lambda ours: ours.chat(MODEL, MESSAGES),
    ),
    "chat with everything": Question(
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
    "stream": Question(
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
    "completions": Question(
        answer(COMPLETION),
        lambda theirs: theirs.completions.create(model=MODEL, prompt=["a", "b"], max_tokens=5),
        lambda ours: ours.completions(MODEL, ["a", "b"], max_tokens=5),
    ),
    "embeddings": Question(
        answer(EMBEDDING),
        lambda theirs: theirs.embeddings.create(model="e", input=["Grüße"], dimensions=2),
        lambda ours: ours.embed("e", ["Grüße"], dimensions=2),
    ),
    "embeddings as numbers": Question(
        answer({**EMBEDDING, "data": [{**VECTOR, "embedding": [0.5]}]}),
        lambda theirs: theirs.embeddings.create(model="e", input="a", encoding_format="float"),
        lambda ours: ours.embed("e", "a", encoding_format="float"),
    ),
    "moderations": Question(
        answer(MODERATION),
        lambda theirs: theirs.moderations.create(input=["a"], model="m"),
        lambda ours: ours.moderations(["a"], model="m"),
    ),
    "models": Question(
        answer(MODELS),
        lambda theirs: list(theirs.models.list()),
        lambda ours: ours.models(),
    ),
    "response": Question(
        answer(RESPONSE),
        lambda theirs: theirs.responses.create(model=MODEL, input="Hi", instructions="Be brief."),
        lambda ours: ours.responses(MODEL, "Hi", instructions="Be brief."),
    ),
    "response from items": Question(
        answer(RESPONSE),
        lambda theirs: theirs.responses.create(model=MODEL, input=MESSAGES, max_output_tokens=9),
        lambda ours: ours.responses(MODEL, MESSAGES, max_output_tokens=9),
    ),
    "stream of a response": Question(
        event_stream({"type": "response.completed", "response": RESPONSE, "sequence_number": 0}),
        lambda theirs: list(theirs.responses.create(model=MODEL, input="Hi", stream=True)),
        lambda ours: list(ours.stream_responses(MODEL, "Hi")),
    ),
    "count of tokens": Question(
        answer({"object": "response.input_tokens", "input_tokens": 2}),
        lambda theirs: theirs.responses.input_tokens.count(model=MODEL, input="Hi"),
        lambda ours: ours.count_tokens(MODEL, "Hi"),
    ),
    "transcription": Question(
        answer({"text": "Hello"}),
        lambda theirs: theirs.audio.transcriptions.create(
            model="whisper-1", file=("a.mp3", SOUND), language="en", temperature=0.5
        ),
        lambda ours: ours.transcribe("whisper-1", ("a.mp3", SOUND), language="en", temperature=0.5),
    ),
    "any other path": Question(
        answer({"id": "x"}),
        lambda theirs: theirs.get("/files", cast_to=object, options={"params": {"limit": 2}}),
        lambda ours: ours.request("GET", "/files", params={"limit": 2}),
    ),
}

DIFFERENCES = {
    "x-client-request-id": "ours: so that a request can be found in the provider's logs",
    "x-stainless-": "the vendor's telemetry",
}


@pytest.fixture
def both(server: Recorder, make: Make) -> Iterator[tuple[Any, Any]]:
    """Their client and ours, set up alike."""
    arguments = {
        "api_key": KEY,
        "base_url": server.url,
        "organization": "org-1",
        "project": "proj-1",
    }
    with sdk.OpenAI(max_retries=0, **arguments) as theirs:
        yield theirs, make(openai, **arguments)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_we_send_what_the_vendors_client_sends(server: Recorder, both, question: Question):
    """The same method, path, query, body and headers for the same question."""
    expected, sent = sent_by(server, question, *both, DIFFERENCES)

    assert expected == sent


def test_the_usage_of_a_stream_is_asked_for_unless_the_caller_decides(
    server: Recorder, both: tuple[Any, Any]
):
    """The one difference in a body: without it OpenAI does not count what it streams."""
    _, ours = both
    server.play(event_stream(CHUNK, "[DONE]"))

    list(ours.stream(MODEL, "Hi"))
    list(ours.stream(MODEL, "Hi", stream_options={"include_obfuscation": False}))

    assert [{"include_usage": True}, {"include_obfuscation": False}] == [
        request.json["stream_options"] for request in server.requests
    ]


def test_both_read_the_same_answer(server: Recorder, both: tuple[Any, Any]):
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


def test_both_read_the_same_environment(server: Recorder, make: Make, monkeypatch):
    """Key, address, organization and project come from the same variables."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_ORG_ID", "org-2")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-2")
    server.play(answer(MODELS))

    with sdk.OpenAI() as theirs:
        expected, sent = sent_by(server, QUESTIONS["models"], theirs, make(openai), DIFFERENCES)

    assert expected == sent
    assert ("org-2", "proj-2") == (
        sent["headers"]["openai-organization"],
        sent["headers"]["openai-project"],
    )
