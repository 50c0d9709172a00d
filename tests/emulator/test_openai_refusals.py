"""Requests that break OpenAI's protocol are refused as the real API refuses them."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from adapters.emulator import Emulator
from adapters.emulator.openai_style.errors import go_duration

USER = [{"role": "user", "content": "hi"}]
CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": USER}
EMBED: dict[str, Any] = {"model": "text-embedding-3-small", "input": "a"}
COMPLETE: dict[str, Any] = {"model": "davinci-002", "prompt": "a"}
RESPOND: dict[str, Any] = {"model": "gpt-4o-mini", "input": "a"}
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "f"}}


MISSING = "missing_required_parameter"
TYPE = "invalid_type"
VALUE = "invalid_value"
UNKNOWN = "unknown_parameter"
EMPTY = "empty_array"
TOO_LONG = "array_above_max_length"
CONTEXT = "context_length_exceeded"
SMALL = "integer_below_min_value"
LOST = "previous_response_not_found"


def said(**message: object) -> dict[str, object]:
    """Give a conversation of one message."""
    return {"messages": [message]}


def using(tool: object, choice: object = "auto") -> dict[str, object]:
    """Give a tool, and what may be done with it."""
    return {"tools": [tool], "tool_choice": choice}


def refused(wire: Any, path: str, body: object) -> tuple[object, ...]:
    """Send a request that is refused, and give the parameter and the code that are named."""
    reply = wire.send(body, path)

    assert (400, "invalid_request_error") == (reply.status, reply.error["type"])
    assert {"message", "type", "param", "code"} == set(reply.error)
    return reply.error["param"], reply.error["code"]


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", MISSING),
        ({"messages": None}, "messages", MISSING),
        ({"messages": []}, "messages", EMPTY),
        ({"messages": "hi"}, "messages", TYPE),
        ({"messages": ["hi"]}, "messages[0]", TYPE),
        (said(role="king"), "messages[0].role", VALUE),
        (said(role="user"), "messages[0].content", MISSING),
        (said(role="user", content=5), "messages[0].content", TYPE),
        (said(role="user", content=[]), "messages[0].content", EMPTY),
        (said(role="user", content=[{"type": "x"}]), "messages[0].content[0].type", VALUE),
        (said(role="tool", content="x"), "messages[0].tool_call_id", MISSING),
        (said(role="user", content="x", mood="good"), "messages[0].mood", UNKNOWN),
        (said(role="user", content="x" * 1_100_000), "messages", CONTEXT),
        ({"temperature": "hot"}, "temperature", TYPE),
        ({"temperature": True}, "temperature", TYPE),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"n": 0}, "n", SMALL),
        ({"n": 1.5}, "n", TYPE),
        ({"stream": "yes"}, "stream", TYPE),
        ({"stream_options": {}}, "stream_options", None),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options.x", UNKNOWN),
        ({"top_logprobs": 2}, "top_logprobs", None),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", TOO_LONG),
        ({"tool_choice": "required"}, "tool_choice", None),
        (using({"type": "function"}), "tools[0].function", MISSING),
        (using(TOOL | {"function": {"name": ""}}), "tools[0].function.name", "empty_string"),
        (using(TOOL, {"type": "function", "function": {"name": "g"}}), "tool_choice", None),
        ({"response_format": {"type": "json_object"}}, "messages", None),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", MISSING),
        ({"model": "o3", "max_tokens": 5}, "max_tokens", "unsupported_parameter"),
        ({"max_token": 5}, "max_token", UNKNOWN),
    ],
)
def test_a_bad_chat_names_its_parameter(
    wire: Any, change: dict[str, Any], param: str, code: str | None
) -> None:
    """Status 400, type `invalid_request_error`, and where the API has them parameter and code."""
    assert (param, code) == refused(wire, "/chat/completions", CHAT | change)


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"input": None}, "input", MISSING),
        ({"input": ""}, "input", "empty_string"),
        ({"input": []}, "input", EMPTY),
        ({"input": ["a", ""]}, "input[1]", "empty_string"),
        ({"input": ["a", 5]}, "input[1]", TYPE),
        ({"input": [[1], "a"]}, "input[1]", TYPE),
        ({"input": {"a": 1}}, "input", TYPE),
        ({"input": ["a"] * 2049}, "input", TOO_LONG),
        ({"input": "x" * 80_000}, "input", CONTEXT),
        ({"input": ["x" * 64_000] * 40}, "input", "max_tokens_per_request"),
        ({"dimensions": 1537}, "dimensions", None),
        ({"model": "text-embedding-ada-002", "dimensions": 5}, "dimensions", None),
        ({"encoding_format": "hex"}, "encoding_format", VALUE),
    ],
)
def test_bad_embeddings_name_their_parameter(
    wire: Any, change: dict[str, Any], param: str, code: str | None
) -> None:
    """Inputs of the wrong form, too many or too long, and dimensions that a model has not."""
    assert (param, code) == refused(wire, "/embeddings", EMBED | change)


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("/completions", {"model": "davinci-002"}, "prompt", MISSING),
        ("/completions", COMPLETE | {"n": 3, "best_of": 2}, "best_of", None),
        ("/completions", COMPLETE | {"prompt": "x" * 140_000}, "prompt", CONTEXT),
        ("/moderations", {"input": [{"type": "sound"}]}, "input[0].type", VALUE),
        ("/moderations", {"model": "omni-moderation-latest"}, "input", MISSING),
        ("/responses", RESPOND | {"max_output_tokens": 5}, "max_output_tokens", SMALL),
        ("/responses", RESPOND | {"previous_response_id": "r"}, "previous_response_id", LOST),
        ("/responses", RESPOND | {"tools": [{"type": "function"}]}, "tools[0].name", MISSING),
        ("/responses", RESPOND | {"messages": USER}, "messages", UNKNOWN),
        ("/responses/input_tokens", {"model": "gpt-4o"}, "input", MISSING),
    ],
)
def test_other_bad_requests_name_their_parameter(
    wire: Any, path: str, body: object, param: str, code: str | None
) -> None:
    """Every operation checks its body in the same way."""
    assert (param, code) == refused(wire, path, body)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_refused(wire: Any, body: bytes) -> None:
    """Nothing, half of it, a list, other bytes: 400, and the emulator goes on."""
    reply = wire.send(body)

    assert (400, "invalid_request_error") == (reply.status, reply.error["type"])
    assert 200 == wire.send(CHAT).status


def test_a_body_that_says_it_is_text_is_refused(wire: Any) -> None:
    """JSON has to be announced as JSON."""
    reply = wire.send(CHAT, headers={"content-type": "text/plain"})

    assert (400, "invalid_request_error") == (reply.status, reply.error["type"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/chat/completions", CHAT | {"model": "gpt-9"}),
        ("/embeddings", EMBED | {"model": "gpt-9"}),
        ("/moderations", {"model": "gpt-9", "input": "a"}),
        ("/responses", RESPOND | {"model": "gpt-9"}),
    ],
)
def test_an_unknown_model_is_not_found(wire: Any, path: str, body: object) -> None:
    """Status 404, code `model_not_found`."""
    reply = wire.send(body, path)

    assert (404, "model_not_found") == (reply.status, reply.error["code"])


def test_a_model_serves_its_own_operations_only(wire: Any) -> None:
    """A model for chat makes no vectors."""
    reply = wire.send(EMBED | {"model": "gpt-4o"}, "/embeddings")

    assert (404, "model") == (reply.status, reply.error["param"])


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, None),
        ("Basic abc", None),
        ("Bearer ", None),
        ("Bearer sk-emulator-wrong-and-long", "invalid_api_key"),
    ],
)
def test_a_bad_key_is_refused(wire: Any, authorization: str | None, code: str | None) -> None:
    """Status 401, and never the whole key in the message."""
    reply = wire.send(CHAT, headers={"authorization": authorization})

    assert (401, "invalid_request_error", code) == (
        reply.status,
        reply.error["type"],
        reply.error["code"],
    )
    assert b"sk-emulator-wrong-and-long" not in reply.body


def test_every_key_is_good_under_its_name(wire: Any, server: Emulator) -> None:
    """The log knows keys by their names."""
    for secret in server.keys().values():
        assert 200 == wire.send(CHAT, headers={"authorization": f"bearer {secret}"}).status

    assert ["production", "backup"] == [record.key for record in server.log()]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("POST", "/nonsense", 404, None),
        ("POST", "", 404, None),
        ("GET", "/models/gpt-9", 404, "model_not_found"),
        ("GET", "/chat/completions", 405, "method_not_supported"),
        ("POST", "/models", 405, "method_not_supported"),
        ("DELETE", "/models/gpt-4o", 405, "method_not_supported"),
    ],
)
def test_routes(wire: Any, method: str, path: str, status: int, code: str | None) -> None:
    """Unknown routes are 404 and wrong methods 405, in the shape of every other error."""
    reply = wire.send(CHAT if method == "POST" else None, path, method)

    assert (status, code) == (reply.status, reply.error["code"])


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"model": "gpt-9", "messages": USER}, openai.NotFoundError),
        ({"model": "gpt-4o", "messages": []}, openai.BadRequestError),
    ],
)
def test_the_sdk_raises_its_own_errors(
    client: openai.OpenAI, body: dict[str, Any], error: type[openai.APIStatusError]
) -> None:
    """The vendor's client finds status, code and request id where it looks for them."""
    with pytest.raises(error) as caught:
        client.chat.completions.create(**body)

    assert caught.value.request_id is not None
    assert caught.value.body is not None


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0ms"),
        (0.012, "12ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (60, "1m0s"),
        (360, "6m0s"),
        (3600, "1h0m0s"),
        (3723.5, "1h2m3.5s"),
        (-1, "0ms"),
    ],
)
def test_times_are_written_as_go_does(seconds: float, expected: str) -> None:
    """The form in which the API tells when a limit is reset."""
    assert expected == go_duration(seconds)


def test_headers_of_an_answer(wire: Any) -> None:
    """Ids, version, time and limits are there, in the vendor's forms."""
    headers = wire.send(CHAT).headers

    assert headers["x-request-id"].startswith("req_")
    assert "2020-10-01" == headers["openai-version"]
    assert headers["openai-processing-ms"].isdecimal()
    assert ("10000", "9999", "6ms") == tuple(
        headers[f"x-ratelimit-{name}-requests"] for name in ("limit", "remaining", "reset")
    )
