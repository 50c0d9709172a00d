"""The wire: what this adapter sends is what Groq's own client sends."""

from __future__ import annotations

from typing import Any

import groq as sdk
import pytest

from adapters import groq
from tests.adapters.flavours import Make
from tests.adapters.oracle import Question, sent_by
from tests.adapters.recorder import Recorder, answer, event_stream

KEY = "gsk_test_1234"
MODEL = "llama-3.1-8b-instant"
MESSAGES = [{"role": "system", "content": "Be brief. Grüße!"}, {"role": "user", "content": "Hi 😀"}]
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
    "x_groq": {"id": "req_1"},
}
CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": MODEL,
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}],
}
VECTOR = {"object": "embedding", "index": 0, "embedding": [0.5, -1.25]}
EMBEDDING = {"object": "list", "model": "e", "data": [VECTOR], "usage": USAGE}
MODELS = {
    "object": "list",
    "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "Meta"}],
}
SOUND = bytes(range(256))
EVERYTHING: dict[str, Any] = {
    "temperature": 0.2,
    "reasoning_format": "parsed",
    "stop": ["\n"],
    "user": None,
    "extra_body": {"not_yet_invented": {"a": [1, None]}},
    "extra_headers": {"X-Extra": "yes"},
}
SPOKEN: dict[str, Any] = {
    "language": "en",
    "temperature": 0.5,
    "response_format": "verbose_json",
    "timestamp_granularities": ["word", "segment"],
}

QUESTIONS = {
    "chat": Question(
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(model=MODEL, messages=MESSAGES),
        lambda ours: ours.chat(MODEL, MESSAGES),
    ),
    "chat with everything": Question(
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(model=MODEL, messages=MESSAGES, **EVERYTHING),
        lambda ours: ours.chat(MODEL, MESSAGES, **EVERYTHING),
    ),
    "stream": Question(
        event_stream(CHUNK, "[DONE]"),
        lambda theirs: list(
            theirs.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        ),
        lambda ours: list(ours.stream(MODEL, MESSAGES)),
    ),
    "embeddings": Question(
        answer(EMBEDDING),
        lambda theirs: theirs.embeddings.create(model="e", input=["Grüße"]),
        lambda ours: ours.embed("e", ["Grüße"]),
    ),
    "transcription": Question(
        answer({"text": "Hello"}),
        lambda theirs: theirs.audio.transcriptions.create(
            model="whisper-large-v3", file=("a.mp3", SOUND), **SPOKEN
        ),
        lambda ours: ours.transcribe("whisper-large-v3", ("a.mp3", SOUND), **SPOKEN),
    ),
    "transcription of plain bytes": Question(
        answer({"text": "Hello"}),
        lambda theirs: theirs.audio.transcriptions.create(model="whisper-large-v3", file=SOUND),
        lambda ours: ours.transcribe("whisper-large-v3", SOUND),
    ),
    "transcription of an address": Question(
        answer({"text": "Hello"}),
        lambda theirs: theirs.audio.transcriptions.create(
            model="whisper-large-v3", url="https://example.org/a.mp3"
        ),
        lambda ours: ours.transcribe("whisper-large-v3", url="https://example.org/a.mp3"),
    ),
    "models": Question(
        answer(MODELS),
        lambda theirs: theirs.models.list(),
        lambda ours: ours.models(),
    ),
}
DIFFERENCES = {"x-stainless-": "the vendor's telemetry"}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_we_send_what_the_vendors_client_sends(server: Recorder, make: Make, question: Question):
    """The same method, path, query, body and headers; each takes the address in its own form."""
    host = server.url.removesuffix("/v1")
    ours = make(groq, KEY, base_url=f"{host}/openai/v1")

    with sdk.Groq(api_key=KEY, base_url=host, max_retries=0) as theirs:
        expected, sent = sent_by(server, question, theirs, ours, DIFFERENCES)

    assert expected == sent


def test_both_read_the_same_environment(server: Recorder, make: Make, monkeypatch):
    """Key and address come from the same variables; there the address is the host alone."""
    monkeypatch.setenv("GROQ_API_KEY", KEY)
    monkeypatch.setenv("GROQ_BASE_URL", server.url.removesuffix("/v1"))

    with sdk.Groq() as theirs:
        expected, sent = sent_by(server, QUESTIONS["models"], theirs, make(groq), DIFFERENCES)

    assert expected == sent
    assert ("/openai/v1/models", f"Bearer {KEY}") == (
        sent["path"],
        sent["headers"]["authorization"],
    )
