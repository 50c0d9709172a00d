"""Content for traces: every API's messages in the one form of the conventions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters import claude
from adapters._content import content_of
from adapters._content_parts import messages_of
from adapters._exchange import CallOptions, Exchange
from adapters._messages import Request
from tests.adapters.test_telemetry_spans import KEY

TEXT = {"type": "text", "content": "a"}
CALL = {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}}
RESULT = {"type": "tool_call_response", "id": "c1", "response": "b"}

# What an API is sent as one message, and what that is for everybody.
MESSAGES: dict[str, tuple[Any, str, list[Any]]] = {
    "a text": ("a", "user", [TEXT]),
    "a list of texts": (["a"], "user", [TEXT]),
    "openai, a text": ([{"role": "system", "content": "a"}], "system", [TEXT]),
    "openai, parts": (
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png"}},
                    {"type": "input_audio", "input_audio": {"format": "wav", "data": "QQ=="}},
                    {"type": "file", "file": {"file_id": "f1"}},
                    {"type": "refusal", "refusal": "no"},
                ],
            }
        ],
        "user",
        [
            TEXT,
            {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "QQ=="},
            {"type": "uri", "modality": "image", "uri": "https://x/y.png"},
            {"type": "blob", "mime_type": "audio/wav", "modality": "audio", "content": "QQ=="},
            {"type": "file", "modality": "document", "file_id": "f1"},
            {"type": "refusal", "refusal": "no"},
        ],
    ),
    "openai, tools": (
        [
            {
                "role": "assistant",
                "content": None,
                "reasoning_content": "hm",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "look", "arguments": '{"at": 1}'}},
                    {"id": "c1", "function": {"name": "look", "arguments": "{"}},
                ],
            }
        ],
        "assistant",
        [{"type": "reasoning", "content": "hm"}, CALL, {**CALL, "arguments": "{"}],
    ),
    "openai, a result": (
        [{"role": "tool", "tool_call_id": "c1", "content": "b"}],
        "tool",
        [RESULT],
    ),
    "responses, a message": (
        [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}],
        "user",
        [TEXT],
    ),
    "responses, a picture": (
        [{"role": "user", "content": [{"type": "input_image", "file_id": "f1"}]}],
        "user",
        [{"type": "file", "modality": "image", "file_id": "f1"}],
    ),
    "responses, a file": (
        [{"role": "user", "content": [{"type": "input_file", "file_url": "https://x/y"}]}],
        "user",
        [{"type": "uri", "modality": "document", "uri": "https://x/y"}],
    ),
    "responses, a call": (
        [{"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": 1}'}],
        "assistant",
        [CALL],
    ),
    "responses, a result": (
        [{"type": "function_call_output", "call_id": "c1", "output": "b"}],
        "tool",
        [RESULT],
    ),
    "responses, thoughts": (
        [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}],
        "assistant",
        [{"type": "reasoning", "content": "hm"}],
    ),
    "claude": (
        [
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "a"},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": 1}},
                ],
            }
        ],
        "assistant",
        [{"type": "reasoning", "content": "hm"}, TEXT, CALL],
    ),
    "claude, results and files": (
        [
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "b"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "QQ=="},
                    },
                    {"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}},
                    {"type": "document", "source": {"type": "file", "file_id": "f1"}},
                ],
            }
        ],
        "user",
        [
            RESULT,
            {"type": "blob", "mime_type": "image/png", "modality": "image", "content": "QQ=="},
            {"type": "uri", "modality": "document", "uri": "https://x/y.pdf"},
            {"type": "file", "modality": "document", "file_id": "f1"},
        ],
    ),
    "gemini": (
        [
            {
                "role": "model",
                "parts": [
                    {"text": "hm", "thought": True},
                    {"text": "a"},
                    {"functionCall": {"id": "c1", "name": "look", "args": {"at": 1}}},
                    {"functionResponse": {"id": "c1", "name": "look", "response": "b"}},
                    {"inlineData": {"mimeType": "video/mp4", "data": "QQ=="}},
                    {"executableCode": {"code": "1"}},
                ],
            }
        ],
        "model",
        [
            {"type": "reasoning", "content": "hm"},
            TEXT,
            CALL,
            RESULT,
            {"type": "blob", "mime_type": "video/mp4", "modality": "video", "content": "QQ=="},
            {"type": "executableCode", "executableCode": {"code": "1"}},
        ],
    ),
    "ollama": (
        [{"role": "user", "content": "a", "images": ["QQ=="]}],
        "user",
        [TEXT, {"type": "blob", "modality": "image", "content": "QQ=="}],
    ),
    "ollama, a result": (
        [{"role": "tool", "tool_name": "c1", "content": "b"}],
        "tool",
        [RESULT],
    ),
}
# Fields without which a part is none, by its type.
REQUIRED = {
    "blob": ("modality", "content"),
    "file": ("modality", "file_id"),
    "reasoning": ("content",),
    "text": ("content",),
    "tool_call": ("name",),
    "tool_call_response": ("response",),
    "uri": ("modality", "uri"),
}


def content(body: Any) -> dict[str, Any]:
    """The content of a call with this body, which nobody has answered."""
    sent = Request(operation="chat", method="POST", path="x", body=json.dumps(body).encode())
    return content_of(Exchange(claude.Client.provider, sent, CallOptions({}, None)), None)


@pytest.mark.parametrize(("given", "role", "parts"), MESSAGES.values(), ids=MESSAGES)
def test_a_message_of_any_api(given: Any, role: str, parts: list[Any]):
    """Role and parts as the conventions want them; no part lacks a field that it must have."""
    assert [{"role": role, "parts": parts}] == messages_of(given)
    assert [] == [
        (part, name)
        for part in parts
        for name in REQUIRED.get(part["type"], ())
        if name not in part
    ]


def test_a_name_goes_along():
    """Of the one who speaks."""
    expected = [{"role": "user", "name": "Ann", "parts": [TEXT]}]

    assert expected == messages_of([{"role": "user", "name": "Ann", "content": "a"}])


@pytest.mark.parametrize(
    "body",
    [
        {"system": "a"},
        {"system": [{"type": "text", "text": "a"}]},
        {"instructions": "a"},
        {"systemInstruction": {"parts": [{"text": "a"}]}},
    ],
)
def test_instructions_apart_from_the_messages(body: dict[str, Any]):
    """Those that stand among the messages stay there."""
    assert {"gen_ai.system_instructions": [TEXT]} == content(body)


@pytest.mark.parametrize("name", ["messages", "contents", "input", "prompt", "inputs"])
def test_the_input_has_many_names(name: str):
    """Whichever it is, it is the input."""
    assert {"gen_ai.input.messages": [{"role": "user", "parts": [TEXT]}]} == content({name: "a"})


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"type": "function", "function": {"name": "look"}}, {"type": "function", "name": "look"}),
        ({"type": "function", "name": "look"}, {"type": "function", "name": "look"}),
        ({"name": "look", "input_schema": {}}, {"type": "function", "name": "look"}),
        ({"functionDeclarations": [{"name": "look"}]}, {"type": "function", "name": "look"}),
        ({"type": "web_search"}, {"type": "web_search", "name": "web_search"}),
        ({"googleSearch": {}}, {"type": "googleSearch", "name": "googleSearch"}),
    ],
)
def test_a_tool_is_kind_and_name(tool: dict[str, Any], expected: dict[str, Any]):
    """What it takes and does would be large, and is left out."""
    assert {"gen_ai.tool.definitions": [expected]} == content({"tools": [tool, 7]})


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": 3}]}]},
        {"messages": {"a": 1}, "tools": "x", "system": 7},
        {"messages": [{"role": "assistant", "tool_calls": [1]}]},
        {"contents": [{"parts": [{"functionCall": 1}]}]},
        {"messages": [None, 1, [2]]},
    ],
)
def test_nonsense_harms_nobody(body: Any):
    """The server will refuse it; that is not for traces to do."""
    assert isinstance(content(body), dict)


def test_a_secret_of_any_pool_is_hidden():
    """Also one that belongs to another client than that of the call."""
    claude.Client(KEY)

    assert KEY not in str(content({"messages": f"my key is {KEY}"}))
