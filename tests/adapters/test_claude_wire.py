"""The wire: what this adapter sends is what Anthropic's own client sends."""

from __future__ import annotations

from typing import Any

import anthropic as sdk
import pytest

from adapters import claude
from adapters.errors import InvalidResponseError
from tests.adapters.flavours import Make
from tests.adapters.oracle import Question, sent_by
from tests.adapters.recorder import Recorder, answer, chunked

KEY = "sk-ant-test-1234"
MODEL = "claude-sonnet-5-5"
MESSAGES = [
    {"role": "user", "content": [{"type": "text", "text": "Grüße! 😀"}]},
    {"role": "assistant", "content": "Yes?"},
    {"role": "user", "content": "Hi"},
]
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": MODEL,
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 2},
}
STREAM = chunked(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
MODELS = {
    "data": [
        {
            "type": "model",
            "id": MODEL,
            "display_name": "Claude",
            "lifecycle": "active",
            "created_at": "2026-09-01T00:00:00Z",
        }
    ],
    "has_more": False,
    "first_id": MODEL,
    "last_id": MODEL,
}
EVERYTHING: dict[str, Any] = {
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "thinking": {"type": "adaptive"},
    "tools": [{"name": "look", "input_schema": {"type": "object"}}],
    "tool_choice": {"type": "auto"},
    "stop_sequences": ["\n"],
    "metadata": {"user_id": "u"},
    "extra_body": {"not_yet_invented": {"a": [1, None]}},
    "extra_headers": {"X-Extra": "yes"},
}

QUESTIONS = {
    "chat": Question(
        answer(MESSAGE),
        lambda theirs: theirs.messages.create(
            model=MODEL, max_tokens=claude.MAX_TOKENS, messages=MESSAGES
        ),
        lambda ours: ours.chat(MODEL, MESSAGES),
    ),
    "chat with everything": Question(
        answer(MESSAGE),
        lambda theirs: theirs.messages.create(
            model=MODEL, max_tokens=5, messages=MESSAGES, **EVERYTHING
        ),
        lambda ours: ours.chat(MODEL, MESSAGES, max_tokens=5, **EVERYTHING),
    ),
    "stream": Question(
        STREAM,
        lambda theirs: list(
            theirs.messages.create(model=MODEL, max_tokens=5, messages=MESSAGES, stream=True)
        ),
        lambda ours: _drained(ours.stream(MODEL, MESSAGES, max_tokens=5)),
    ),
    "count": Question(
        answer({"input_tokens": 3}),
        lambda theirs: theirs.messages.count_tokens(model=MODEL, messages=MESSAGES, system="Be."),
        lambda ours: ours.count_tokens(MODEL, MESSAGES, system="Be."),
    ),
    "models": Question(
        answer(MODELS),
        lambda theirs: list(theirs.models.list(limit=1000)),
        lambda ours: ours.models(),
    ),
    "any other path": Question(
        answer({"id": "x"}),
        lambda theirs: theirs.get("/v1/files", cast_to=object, options={"params": {"limit": 2}}),
        lambda ours: ours.request("GET", "/v1/files", params={"limit": 2}),
    ),
}
DIFFERENCES = {"x-stainless-": "the vendor's telemetry"}


def _drained(stream: Any) -> None:
    """Read a stream in which nothing is said."""
    with pytest.raises(InvalidResponseError), stream:
        list(stream)


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_we_send_what_the_vendors_client_sends(server: Recorder, make: Make, question: Question):
    """The same method, path, query, body and headers for the same question."""
    host = server.url.removesuffix("/v1")
    ours = make(claude, KEY, base_url=host, max_retries=0)

    with sdk.Anthropic(api_key=KEY, base_url=host, max_retries=0) as theirs:
        expected, sent = sent_by(server, question, theirs, ours, DIFFERENCES)

    assert expected == sent


def test_settings_travel_in_headers(server: Recorder, make: Make):
    """Version, betas and workspace are what the vendor's client sends for them."""
    host = server.url.removesuffix("/v1")
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "a-1,b-2",
        "anthropic-workspace-id": "w",
    }
    settings = {"api_version": "2023-06-01", "beta": "a-1,b-2", "workspace": "w"}
    ours = make(claude, KEY, base_url=host, **settings)

    with sdk.Anthropic(api_key=KEY, base_url=host, default_headers=headers) as theirs:
        expected, sent = sent_by(server, QUESTIONS["chat"], theirs, ours, DIFFERENCES)

    assert expected == sent
    assert headers.items() <= sent["headers"].items()


@pytest.mark.parametrize("both", [False, True])
def test_both_read_the_same_environment(server: Recorder, make: Make, monkeypatch, both: bool):
    """Key and address come from the same variables; a key wins over a token."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url.removesuffix("/v1"))
    if both:
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)

    with sdk.Anthropic() as theirs:
        expected, sent = sent_by(server, QUESTIONS["models"], theirs, make(claude), DIFFERENCES)

    assert expected == sent
    assert f"Bearer {KEY if both else 'token'}" == sent["headers"]["authorization"]
