"""The wire: what this adapter sends is what Ollama's own client sends."""

from __future__ import annotations

import os
from typing import Any

import ollama as sdk
import pytest
from ollama._client import _parse_host

from adapters import ollama
from adapters._ollama_requests import normalized_host
from tests.adapters.flavours import Make
from tests.adapters.oracle import Question, sent_by
from tests.adapters.recorder import Recorder, answer, chunked

MODEL = "llama3.2"
MESSAGES = [{"role": "system", "content": "Be brief. Grüße!"}, {"role": "user", "content": "Hi 😀"}]
CHAT = {"model": MODEL, "message": {"role": "assistant", "content": "Hello"}, "done": True}
GENERATED = {"model": MODEL, "response": "Hello", "done": True}
DONE = chunked(b'{"message":{"role":"assistant","content":"Hi"},"response":"Hi","done":true}\n')
SCHEMA = {"type": "object", "properties": {"at": {"type": "string"}}}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]
EVERYTHING: dict[str, Any] = {
    "options": {"temperature": 0.2, "num_ctx": 4096},
    "format": SCHEMA,
    "think": "low",
    "keep_alive": "5m",
}

QUESTIONS = {
    "chat": Question(
        answer(CHAT),
        lambda theirs: theirs.chat(MODEL, MESSAGES),
        lambda ours: ours.chat(MODEL, MESSAGES),
    ),
    "chat with everything": Question(
        answer(CHAT),
        lambda theirs: theirs.chat(MODEL, MESSAGES, tools=TOOLS, **EVERYTHING),
        lambda ours: ours.chat(MODEL, MESSAGES, tools=TOOLS, **EVERYTHING),
    ),
    "stream": Question(
        DONE,
        lambda theirs: list(theirs.chat(MODEL, MESSAGES, stream=True)),
        lambda ours: list(ours.stream(MODEL, MESSAGES)),
    ),
    "generate": Question(
        answer(GENERATED),
        lambda theirs: theirs.generate(MODEL, "Hi", system="Be brief.", **EVERYTHING),
        lambda ours: ours.generate(MODEL, "Hi", system="Be brief.", **EVERYTHING),
    ),
    "stream of a generation": Question(
        DONE,
        lambda theirs: list(theirs.generate(MODEL, "Hi", stream=True)),
        lambda ours: list(ours.stream_generate(MODEL, "Hi")),
    ),
    "embed": Question(
        answer({"embeddings": [[0.5], [0.25]]}),
        lambda theirs: theirs.embed("e", ["a", "b"], truncate=False, dimensions=1),
        lambda ours: ours.embed("e", ["a", "b"], truncate=False, dimensions=1),
    ),
    "embed one": Question(
        answer({"embeddings": [[0.5]]}),
        lambda theirs: theirs.embed("e", "a"),
        lambda ours: ours.embed("e", "a"),
    ),
    "models": Question(
        answer({"models": []}),
        lambda theirs: theirs.list(),
        lambda ours: ours.models(),
    ),
    "info": Question(
        answer({"model_info": {}}),
        lambda theirs: theirs.show(MODEL),
        lambda ours: ours.info(MODEL),
    ),
    "pull": Question(
        chunked(b'{"status":"success"}\n'),
        lambda theirs: list(theirs.pull(MODEL, stream=True)),
        lambda ours: list(ours.pull(MODEL)),
    ),
}
# Members of the body that they send and we do not: each is what the server does without it.
ALSO_SENT_BY_THEM: dict[str, Any] = {"tools": [], "insecure": False}


def same(expected: dict[str, Any], sent: dict[str, Any]) -> bool:
    """Whether both have sent the same, but for what is known to differ."""
    if expected["json"] is None:
        del expected["headers"]["content-type"]  # they say of what type no body is
    for name, value in ALSO_SENT_BY_THEM.items():
        if expected["json"] and name not in sent["json"]:
            assert value == expected["json"].pop(name, value)
    return expected == sent


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_we_send_what_the_vendors_client_sends(server: Recorder, make: Make, question: Question):
    """The same method, path, query, body and headers for the same question."""
    host = server.url.removesuffix("/v1")
    ours = make(ollama, base_url=host, max_retries=0)

    with sdk.Client(host=host) as theirs:
        expected, sent = sent_by(server, question, theirs, ours, ())

    assert same(expected, sent)


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_both_read_the_same_environment(server: Recorder, make: Make, monkeypatch, scheme: str):
    """Address and key come from the same variables; a key is sent to a local server as well."""
    monkeypatch.setenv("OLLAMA_API_KEY", "key-1")
    monkeypatch.setenv("OLLAMA_HOST", scheme + server.url.removesuffix("/v1").partition("//")[2])

    with sdk.Client() as theirs:
        expected, sent = sent_by(server, QUESTIONS["models"], theirs, make(ollama), ())

    assert same(expected, sent)
    assert "Bearer key-1" == sent["headers"]["authorization"]


@pytest.mark.parametrize(
    "given",
    [
        "",
        "1.2.3.4",
        ":56789",
        "1.2.3.4:56789",
        "http://1.2.3.4",
        "https://1.2.3.4",
        "https://1.2.3.4:56789",
        "example.com",
        "example.com:56789/",
        "example.com/path",
        "example.com:56789/path/",
        "https://example.com:56789/path",
        "[0001:002:003:0004::1]",
        "[0001:002:003:0004::1]:56789/path",
        "https://[0001:002:003:0004::1]",
    ],
)
def test_an_address_has_many_forms(given: str):
    """Each leads to the same host, port and path as with the vendor's client."""
    theirs = _parse_host(given)

    standard = {"http": ":80", "https": ":443"}[theirs.partition(":")[0]]
    found = normalized_host(given)
    assert found in {theirs, theirs.removesuffix(standard)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434"),  # noqa: S104 - it is replaced
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("http://0.0.0.0", "http://127.0.0.1"),
        (" :8080 ", "http://127.0.0.1:8080"),
        ("what is this?", "what is this?"),
    ],
)
def test_where_a_server_listens_is_no_place_to_call(given: str, expected: str):
    """The variable is the server's own, too: "everywhere" means this machine to a client."""
    assert expected == normalized_host(given)
    assert "OLLAMA_HOST" not in os.environ
