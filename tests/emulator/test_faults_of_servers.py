"""The faults strike at every server that people run themselves, each in its own words."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

from adapters.emulator import Emulator

from .conftest import Wire

USER = [{"role": "user", "content": "hi"}]
# Provider: path and body of a plain request.
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "tgi": ("/v1/chat/completions", {"messages": USER}),
    "tei": ("/embed", {"inputs": "hi"}),
    "llvm": ("/v1/chat/completions", {"messages": USER}),
    "ovms": (
        "/v3/chat/completions",
        {"model": "OpenVINO/Qwen3-8B-int4-ov", "messages": USER},
    ),
    "opea": ("/v1/chat/completions", {"messages": USER}),
}
STREAMING = [name for name in CALLS if name != "tei"]
# Provider and status: what the body says, found by its members; a text where it is no JSON.
WORDS: list[tuple[str, int, Any]] = [
    ("tgi", 401, b""),
    ("tgi", 429, {"error": "Model is overloaded", "error_type": "overloaded"}),
    ("tgi", 500, {"error": "Incomplete generation", "error_type": "incomplete_generation"}),
    ("tgi", 503, {"error": "unhealthy", "error_type": "healthcheck"}),
    ("tgi", 529, {"error": "Model is overloaded", "error_type": "overloaded"}),
    ("tei", 401, b""),
    ("tei", 424, {"error": "The backend failed", "error_type": "Backend"}),
    (
        "tei",
        429,
        {"error": "Model is overloaded: no permits available", "error_type": "Overloaded"},
    ),
    ("tei", 503, {"error": "unhealthy", "error_type": "Unhealthy"}),
    ("llvm", 401, {"error": "Unauthorized"}),
    ("ovms", 500, {"error": "Internal Server Error"}),
    ("ovms", 503, {"error": "Service Unavailable"}),
    ("opea", 401, {"detail": "Unauthorized"}),
    ("opea", 500, b"Internal Server Error"),
]


def wire_of(server: Emulator, provider: str) -> tuple[Wire, str, dict[str, Any]]:
    """Give requests by hand, and the path and body of one."""
    path, body = CALLS[provider]
    return Wire(server, provider=provider), path, body


@pytest.mark.parametrize(("provider", "status", "words"), WORDS)
def test_a_status_has_the_words_of_its_server(
    server: Emulator, provider: str, status: int, words: Any
) -> None:
    """Each server has its own form of an error."""
    wire, path, body = wire_of(server, provider)
    server.script([str(status)])

    reply = wire.send(body, path)

    assert (status, words) == (reply.status, reply.body if words == reply.body else reply.json)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "RateLimitError"),
        (500, "InternalServerError"),
        (501, "NotImplementedError"),
        (503, "ServiceUnavailableError"),
        (502, "Bad Gateway"),
        (529, "Internal Server Error"),
    ],
)
def test_vllm_names_a_status(server: Emulator, status: int, kind: str) -> None:
    """Its errors have a type, and the status for a code."""
    wire, path, body = wire_of(server, "llvm")
    server.script([str(status)])

    error = wire.send(body, path).error

    assert (kind, status, None) == (error["type"], error["code"], error["param"])


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_the_proxy_before_opea_has_pages(server: Emulator, status: int) -> None:
    """The services themselves know no such status."""
    wire, path, body = wire_of(server, "opea")
    server.script([f"{status}:retry_after=3"])

    reply = wire.send(body, path)

    assert (status, "text/html", "3") == (
        reply.status,
        reply.headers["content-type"],
        reply.headers["retry-after"],
    )


@pytest.mark.parametrize("provider", CALLS)
def test_damages(server: Emulator, provider: str) -> None:
    """Truncated, broken, empty and reset answers are the same for all."""
    wire, path, body = wire_of(server, provider)
    server.script(["truncated:nth=1", "broken_json:nth=1", "empty:nth=1", "reset:nth=1", "html"])

    with pytest.raises(http.client.IncompleteRead):
        wire.send(body, path)
    with pytest.raises(json.JSONDecodeError):
        assert wire.send(body, path).json
    assert b"" == wire.send(body, path).body
    with pytest.raises(ConnectionResetError):
        wire.send(body, path)
    assert 502 == wire.send(body, path).status
    assert [provider] * 5 == [record.provider for record in server.log()]


@pytest.mark.parametrize("provider", CALLS)
def test_a_limit_for_each_key(server: Emulator, provider: str) -> None:
    """Beyond its requests a key is told when to come back, though the server itself never says."""
    wire, path, body = wire_of(server, provider)
    server.script(["limit:key=production,requests=1,window=1000"])

    first, second = wire.send(body, path), wire.send(body, path)

    assert (200, 429) == (first.status, second.status)
    assert 900 < int(second.headers["retry-after"]) <= 1000
    assert ["production"] * 2 == [record.key for record in server.log()]


@pytest.mark.parametrize("provider", STREAMING)
def test_streams_are_cut(server: Emulator, provider: str) -> None:
    """A cut leaves out what comes after it; the end marker is missing."""
    wire, path, body = wire_of(server, provider)
    whole = wire.send({**body, "stream": True}, path).body
    server.script(["cut:after=3,how=clean"])

    part = wire.send({**body, "stream": True}, path).body

    assert whole.endswith(b"data: [DONE]\n\n")
    assert 3 == part.count(b"data: ")
    assert b"[DONE]" not in part


@pytest.mark.parametrize("provider", CALLS)
def test_an_error_inside_a_200(server: Emulator, provider: str) -> None:
    """The status says that all is well, the body does not."""
    wire, path, body = wire_of(server, provider)
    server.script(["error_in_200:status=503"])

    reply = wire.send(body, path)

    assert 200 == reply.status
    assert reply.error


@pytest.mark.parametrize("provider", CALLS)
def test_models_are_logged(server: Emulator, provider: str) -> None:
    """The log knows the model that was asked for, and the one that a server has."""
    wire, path, body = wire_of(server, provider)

    wire.send(body, path)

    expected = {"tgi": "meta-llama/Llama-3.1-8B-Instruct", "tei": "BAAI/bge-small-en-v1.5"}
    assert expected.get(provider, body.get("model")) == server.log()[0].model
