"""Requests that break the protocol of Gemini are refused as the real API refuses them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from adapters.emulator import Emulator, expected_answer, expected_vector

from .conftest import SEED

MODEL = "/v1/models/gemini-2.0-flash"
EMBEDDER = "/v1/models/gemini-embedding-001"
PARTS = [{"text": "hi"}]
BODY: dict[str, Any] = {"contents": [{"role": "user", "parts": PARTS}]}
ITEM: dict[str, Any] = {"model": "models/gemini-embedding-001", "content": {"parts": PARTS}}

Ask = Callable[..., Any]


@pytest.fixture
def ask(wire: Any, server: Emulator) -> Ask:
    """Give a function that sends a request with a key."""

    def send(
        body: object, path: str = f"{MODEL}:generateContent", method: str = "POST", **headers: Any
    ) -> Any:
        found = {"authorization": None, "x-goog-api-key": server.keys("gemini")["production"]}
        found |= {name.replace("_", "-"): value for name, value in headers.items()}
        return wire.send(body, path, method, root="/gemini", headers=found)

    return send


def said(part: object, role: str = "user") -> dict[str, object]:
    """Give a message of one part."""
    return {"contents": [{"role": role, "parts": [part]}]}


def config(**settings: object) -> dict[str, object]:
    """Give settings of the generation."""
    return {"generationConfig": settings}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contents": None}, "* contents: contents is not specified"),
        ({"contents": []}, "Invalid value at 'contents'"),
        ({"contents": [{"role": "user"}]}, "* contents[0].parts: contents[0].parts is not"),
        (said({"text": "x"}, role="king"), "Please use a valid role: user, model."),
        (said({"text": 5}), "Invalid value at 'contents[0].parts[0].text'"),
        (said({"inlineData": {"data": "eA=="}}), "* contents[0].parts[0].inlineData.mimeType:"),
        ({"mood": 1}, 'Invalid JSON payload received. Unknown name "mood": Cannot find field.'),
        (
            config(maxTokens=1),
            "Invalid JSON payload received. Unknown name \"max_tokens\" at 'generation_config'",
        ),
        (config(temperature=3), "Invalid value at 'generation_config.temperature'"),
        (config(stopSequences=list("abcdef")), "Invalid value at 'generation_config.stop_seq"),
        (config(candidateCount=9), "Invalid value at 'generation_config.candidate_count'"),
        (said({"text": "x" * 8_400_000}), "The input token count (1050001) exceeds the maximum"),
        (
            {
                "tools": [{"functionDeclarations": [{"name": "f"}]}],
                "toolConfig": {
                    "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}
                },
            },
            "Invalid value at 'tool_choice': 'g' is none of",
        ),
    ],
)
def test_a_bad_request_names_what_is_wrong(ask: Ask, change: dict[str, Any], message: str) -> None:
    """Status 400, INVALID_ARGUMENT, and the field in the message and in the details."""
    reply = ask({**BODY, **change})

    assert (400, 400, "INVALID_ARGUMENT") == (
        reply.status,
        reply.error["code"],
        reply.error["status"],
    )
    assert reply.error["message"].startswith(message)


def test_the_field_stands_in_the_details(ask: Ask) -> None:
    """A `BadRequest` names the field."""
    (detail,) = ask({**BODY, "mood": 1}).error["details"]

    assert "type.googleapis.com/google.rpc.BadRequest" == detail["@type"]
    assert "mood" == detail["fieldViolations"][0]["field"]


def test_names_may_have_underscores(ask: Ask) -> None:
    """Both spellings of a name are read, and what the user has named is left alone."""
    schema = {"type": "object", "properties": {"my_word": {"type": "string"}}}
    body = {
        **BODY,
        "generation_config": {"response_mime_type": "application/json", "responseSchema": schema},
        "system_instruction": {"parts": [{"text": "be"}]},
    }

    text = ask(body).json["candidates"][0]["content"]["parts"][0]["text"]

    assert {"my_word": expected_answer("be\nhi", seed=SEED)} == json.loads(text)


def test_one_message_may_stand_alone(ask: Ask) -> None:
    """A list of one may be written without its brackets."""
    reply = ask({"contents": {"parts": PARTS}})

    text = reply.json["candidates"][0]["content"]["parts"][0]["text"]
    assert expected_answer("hi", seed=SEED) == text


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/v1/models/gemini-9:generateContent", BODY, 404, "models/gemini-9 is not found for"),
        (f"{EMBEDDER}:generateContent", BODY, 404, "models/gemini-embedding-001 is not found"),
        (f"{MODEL}:embedContent", {"content": {"parts": PARTS}}, 404, "models/gemini-2.0-flash"),
        (f"{EMBEDDER}:embedContent", {}, 400, "The body of the request is no JSON object"),
        (f"{EMBEDDER}:embedContent", {"title": "x"}, 400, "* content: content is not specified"),
        (f"{EMBEDDER}:batchEmbedContents", {"requests": []}, 400, "Invalid value at 'requests'"),
        (
            f"{EMBEDDER}:batchEmbedContents",
            {"requests": [ITEM] * 101},
            400,
            "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch",
        ),
        (
            f"{EMBEDDER}:batchEmbedContents",
            {"requests": [ITEM, {**ITEM, "model": "models/x"}]},
            400,
            "Invalid value at 'requests[1].model'",
        ),
        (
            f"{EMBEDDER}:batchEmbedContents",
            {"requests": [{"content": {"parts": PARTS}}]},
            400,
            "* requests[0].model:",
        ),
        (
            f"{EMBEDDER}:batchEmbedContents",
            {"requests": [{**ITEM, "outputDimensionality": 3073}]},
            400,
            "Invalid value at 'output_dimensionality'",
        ),
        (f"{MODEL}:countTokens", {"model": "x"}, 400, "* contents: contents is not specified"),
        ("/v2/models/gemini-2.0-flash:generateContent", BODY, 404, "Requested entity was not"),
        ("/v1/songs", BODY, 404, "Invalid URL"),
    ],
)
def test_other_operations(ask: Ask, path: str, body: object, status: int, message: str) -> None:
    """Models that cannot do it, too many items, items of another model, unknown routes."""
    reply = ask(body, path)

    assert status == reply.status == reply.error["code"]
    assert reply.error["message"].startswith(message)


def test_a_request_may_be_counted_whole(ask: Ask) -> None:
    """With `generateContentRequest` the system instruction is counted as well."""
    request = {
        **BODY,
        "model": "models/gemini-2.0-flash",
        "systemInstruction": {"parts": [{"text": "be kind"}]},
    }

    counted = ask({"generateContentRequest": request}, f"{MODEL}:countTokens").json

    assert ask(BODY, f"{MODEL}:countTokens").json["totalTokens"] + 2 == counted["totalTokens"]


def test_one_text_may_be_embedded_alone(ask: Ask) -> None:
    """`embedContent` gives one vector, of full length unless another one is asked for."""
    reply = ask({"content": {"parts": PARTS}}, f"{EMBEDDER}:embedContent").json

    assert list(expected_vector("hi", 3072, seed=SEED)) == reply["embedding"]["values"]
    assert {"promptTokenCount": 1} == reply["usageMetadata"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("pageSize=x", 400), ("pageToken=x", 400), ("pageSize=2000", 200), ("pageSize=0", 200)],
)
def test_pages_of_models(ask: Ask, query: str, status: int) -> None:
    """Too large a page is cut to the largest, none is the usual one."""
    assert status == ask(None, f"/v1/models?{query}", "GET").status
    assert 404 == ask(None, "/v1/models/gemini-9", "GET").status
    assert 404 == ask(None, "/v3/models", "GET").status


def test_a_stream_without_events_is_one_array(ask: Ask, server: Emulator) -> None:
    """Without `alt=sse` the same chunks come as an array; so does an error."""
    path = f"{MODEL}:streamGenerateContent"
    plain = ask(BODY, path)
    events = ask(BODY, f"{path}?alt=sse").body.split(b"\r\n\r\n")[:-1]

    assert "application/json" == plain.headers["content-type"]
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events]
    for chunk in [*plain.json, *chunks]:
        del chunk["responseId"]  # the only difference between two requests
    assert len(chunks) > 3
    assert [part["candidates"] for part in chunks] == [part["candidates"] for part in plain.json]
    server.script(["429"])
    assert 429 == ask(BODY, path).json[0]["error"]["code"]
    assert 429 == ask(BODY, f"{path}?alt=sse").json["error"]["code"]


def test_a_missing_key(ask: Ask) -> None:
    """Without a key: 403."""
    reply = ask(BODY, x_goog_api_key=None)

    assert (403, "PERMISSION_DENIED") == (reply.status, reply.error["status"])


def test_a_wrong_key(ask: Ask) -> None:
    """A wrong key: 400 with a reason of its own."""
    reply = ask(BODY, x_goog_api_key="AIza-nonsense")

    assert (400, "INVALID_ARGUMENT") == (reply.status, reply.error["status"])
    assert "API_KEY_INVALID" == reply.error["details"][0]["reason"]


def test_a_key_in_the_query(ask: Ask, server: Emulator) -> None:
    """The query is as good as the header; the log says whose key it was, and not the key."""
    secret = server.keys("gemini")["backup"]

    reply = ask(BODY, f"{MODEL}:generateContent?key={secret}", x_goog_api_key=None)

    assert (200, "backup") == (reply.status, server.log()[0].key)
    assert secret not in repr(server.log())


def test_an_error_inside_a_200(ask: Ask, server: Emulator) -> None:
    """Without a reason to block the error itself stands there."""
    server.script(["error_in_200:status=503"])

    reply = ask(BODY)

    assert (200, "UNAVAILABLE") == (reply.status, reply.error["status"])
