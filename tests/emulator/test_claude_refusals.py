"""Requests that break the protocol of Claude are refused as the real API refuses them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.emulator import Emulator
from adapters.emulator.claude_style.errors import OLD_VERSION, VERSION

MESSAGE: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "hi"}],
}
OLDER = {"model": "claude-sonnet-4-5"}
TEXT = {"type": "text", "text": "hi"}
DOCUMENT = {"type": "document", "source": {"type": "text", "data": "x"}}

Ask = Callable[..., Any]


@pytest.fixture
def ask(wire: Any, server: Emulator) -> Ask:
    """Give a function that sends a request with this version and key."""

    def send(
        body: object,
        path: str = "/v1/messages",
        method: str = "POST",
        version: str | None = VERSION,
        **headers: str | None,
    ) -> Any:
        found: dict[str, str | None] = {
            "authorization": None,
            "x-api-key": server.keys("claude")["production"],
            "anthropic-version": version,
        }
        found |= {name.replace("_", "-"): value for name, value in headers.items()}
        return wire.send(body, path, method, root="/claude", headers=found)

    return send


def said(*content: object, role: str = "user") -> dict[str, object]:
    """Give a conversation of one message with these blocks."""
    return {"messages": [{"role": role, "content": list(content)}]}


def using(tool: object, **choice: object) -> dict[str, object]:
    """Give a tool, and what may be done with it."""
    return {"tools": [tool], "tool_choice": {"type": "tool", **choice}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"messages": None}, "messages: Field required"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"mood": "good"}, "mood: Extra inputs are not permitted"),
        ({"max_tokens": 64_001}, "max_tokens: 64001 > 64000, which"),
        ({"max_tokens": -1}, "max_tokens: Invalid 'max_tokens'"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages.0.role: Invalid value"),
        (said({"text": "x"}), "messages.0.content.0.type: Field required"),
        (said({"type": "text"}), "messages.0.content.0.text.text: Field required"),
        (said({"type": "text", "text": ""}), "messages.0.content.0.text.text: Invalid"),
        (said({"type": "tool_result"}), "messages.0.content.0.tool_result.tool_use_id: Field"),
        ({"thinking": {"type": "enabled"}}, "thinking.enabled.budget_tokens: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5}}, "thinking.budget_tokens: Invalid"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "`max_tokens` must be greater"),
        ({"tool_choice": {"type": "any"}}, "tool_choice: may only be specified while"),
        ({"tools": [{"name": "f"}]}, "tools.0.custom.input_schema: Field required"),
        ({"tools": [{"name": "f", "input_schema": {}}]}, "tools.0.custom.input_schema.type: Field"),
        (using({"name": "f", "input_schema": {"type": "object"}}, name="g"), "Tool 'g' not found"),
        (said({"type": "text", "text": "x" * 1_700_000}), "prompt is too long: 2125"),
        ({"temperature": 1}, "temperature: `temperature` is not supported here"),
        ({**OLDER, "top_k": 5}, "top_k: `top_k` is not supported here"),
        (said(DOCUMENT, role="assistant"), "messages.0.content.0: `document` blocks are not"),
        (said({**TEXT, "citations": [{}]}), "messages.0.content.0.text.citations: Extra inputs"),
    ],
)
def test_a_bad_message_names_what_is_wrong(ask: Ask, change: dict[str, Any], message: str) -> None:
    """Status 400, type `invalid_request_error`, and the path to the fault in the message."""
    reply = ask({**MESSAGE, **change})

    assert (400, "invalid_request_error") == (reply.status, reply.error["type"])
    assert reply.error["message"].startswith(message)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({**OLDER, "temperature": 0.3}, 200),
        ({**OLDER, "top_k": 5}, 200),
        ({"temperature": 1}, 200),
        ({"temperature": 0.3}, 400),
        (said(DOCUMENT, role="assistant"), 200),
        (said({**TEXT, "citations": [{}]}), 200),
    ],
)
def test_the_older_version_allows_more(ask: Ask, change: dict[str, Any], status: int) -> None:
    """Until 2026-10-21 older models may be sampled, and newer ones be told the default."""
    assert status == ask({**MESSAGE, **change}, version=OLD_VERSION).status


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (None, "anthropic-version: header is required"),
        ("2024-01-01", 'anthropic-version: "2024-01-01" is not a valid version'),
    ],
)
@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/messages", "POST"),
        ("/v1/messages/count_tokens", "POST"),
        ("/v1/models", "GET"),
        ("/v1/models/claude-sonnet-5-5", "GET"),
    ],
)
def test_a_version_has_to_be_named(
    ask: Ask, version: str | None, message: str, path: str, method: str
) -> None:
    """Without a version that the API knows no operation answers."""
    reply = ask(MESSAGE, path, method, version=version)

    assert (400, message) == (reply.status, reply.error["message"])


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_an_unknown_model_is_not_found(ask: Ask, path: str) -> None:
    """Status 404 and the name; a count does not take `max_tokens` at all."""
    body = {"model": "claude-1", "messages": MESSAGE["messages"]}
    body |= {} if path.endswith("count_tokens") else {"max_tokens": 1}

    reply = ask(body, path)

    assert (404, "not_found_error", "model: claude-1") == (
        reply.status,
        reply.error["type"],
        reply.error["message"],
    )
    assert 400 == ask(MESSAGE, "/v1/messages/count_tokens").status


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x"])
def test_a_page_has_bounds(ask: Ask, query: str) -> None:
    """A page holds 1 to 1000 models; a cursor has to be one of them."""
    assert 400 == ask(None, f"/v1/models?{query}", "GET").status
    assert 404 == ask(None, "/v1/models?after_id=claude-1", "GET").status
    assert 404 == ask(None, "/v1/models/claude-1", "GET").status


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"x_api_key": None}, "x-api-key header is required"),
        ({"x_api_key": "sk-ant-nonsense"}, "invalid x-api-key"),
        ({"x_api_key": None, "authorization": "Bearer sk-ant-x"}, "invalid bearer token"),
        ({"x_api_key": None, "authorization": "Basic abc"}, "x-api-key header is required"),
    ],
)
def test_a_key_is_needed(ask: Ask, headers: dict[str, str | None], message: str) -> None:
    """Both headers are read; a stranger learns no more than that."""
    reply = ask(MESSAGE, **headers)

    assert (401, "authentication_error") == (reply.status, reply.error["type"])
    assert message == reply.error["message"]


def test_a_key_may_come_in_either_header(ask: Ask, server: Emulator) -> None:
    """A bearer token is as good as `x-api-key`; the log says whose it was."""
    secret = server.keys("claude")["backup"]

    assert 200 == ask(MESSAGE).status
    assert 200 == ask(MESSAGE, x_api_key=None, authorization=f"Bearer {secret}").status
    assert ["production", "backup"] == [record.key for record in server.log()]


def test_routes_that_there_are_not(ask: Ask) -> None:
    """404 and 405 have the shape of every other error."""
    assert [(404, "not_found_error"), (405, "invalid_request_error")] == [
        (reply.status, reply.error["type"])
        for reply in (ask(MESSAGE, "/v1/complete"), ask(None, "/v1/messages", "GET"))
    ]
