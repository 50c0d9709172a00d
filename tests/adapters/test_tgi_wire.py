"""TGI's wire: what this adapter sends is what huggingface_hub and the openai SDK send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai as sdk
import pytest
from huggingface_hub import InferenceClient

from adapters import tgi
from tests.adapters.flavours import Make
from tests.adapters.oracle import comparable
from tests.adapters.recorder import Recorder, answer, event_stream

KEY = "hf_test1234"
USER = [{"role": "user", "content": "Grüße 😀"}]
CHAT = {
    "object": "chat.completion",
    "id": "",
    "created": 1,
    "model": "m",
    "system_fingerprint": "3.3.7-native",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello"},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
CHUNK = {
    "object": "chat.completion.chunk",
    "id": "",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}],
}
COMPLETION = {
    "object": "text_completion",
    "id": "",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop", "logprobs": None}],
    "usage": CHAT["usage"],
}
TOKEN = {"id": 1, "text": "Hello", "logprob": -0.1, "special": False}
LAST = {"index": 1, "token": TOKEN, "generated_text": "Hello", "details": None}

DIFFERENCES = {
    "accept": "they say nothing, or that they take anything; we want JSON",
    "x-amzn-trace-id": "theirs: read by Hugging Face's hosted endpoints alone",
    "x-request-id": "ours: for proxies; the server reads none",
}
# The members of a body in which the two differ, and why.
SENT_BY_THEM = {
    "stream": "a default that they write out; at our route it has no meaning",
    "model": "their word for the server's only model",
}


@pytest.fixture
def ours(server: Recorder, make: Make) -> Any:
    """Our client."""
    return make(tgi, api_key=KEY, base_url=server.url)


def pair(server: Recorder) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both requests; what they write out and we do not is left out of theirs."""
    theirs, mine = (comparable(request, DIFFERENCES) for request in server.requests)
    for name in SENT_BY_THEM:
        if name not in mine["json"]:
            theirs["json"].pop(name, None)
    return theirs, mine


Ask = Callable[[Any], Any]
GENERATE: dict[str, tuple[object, Ask, Ask]] = {
    "generate": (
        answer([{"generated_text": "Hello"}]),
        lambda theirs: theirs.text_generation("Grüße", details=True),
        lambda ours: ours.generate("Grüße"),
    ),
    "generate with parameters": (
        answer([{"generated_text": "Hello"}]),
        lambda theirs: theirs.text_generation(
            "Hi", details=True, max_new_tokens=5, stop=["\n"], seed=3, return_full_text=False
        ),
        lambda ours: ours.generate(
            "Hi", max_new_tokens=5, stop=["\n"], seed=3, return_full_text=False
        ),
    ),
    "stream": (
        event_stream(LAST),
        lambda theirs: list(theirs.text_generation("Hi", details=True, stream=True)),
        lambda ours: list(ours.stream_generate("Hi")),
    ),
}


@pytest.mark.parametrize(("script", "ask_them", "ask_us"), GENERATE.values(), ids=GENERATE)
def test_we_generate_as_the_vendors_client_does(
    server: Recorder, ours: Any, script: Any, ask_them: Ask, ask_us: Ask
):
    """Method, body and headers are the same; the path is the native one of each kind of answer.

    Theirs is `/`, which tells by the body what is wanted and answers a list.
    """
    server.play([script] if isinstance(script, bytes) else script)

    ask_them(InferenceClient(model=server.url.removesuffix("/v1"), token=KEY))
    ask_us(ours)

    theirs, mine = pair(server)
    native = "/generate_stream" if server.requests[0].json.get("stream") else "/generate"
    assert ("/", native) == (theirs.pop("path"), mine.pop("path"))
    assert theirs == mine


OPENAI: dict[str, tuple[object, Ask, Ask]] = {
    "chat": (
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(model="tgi", messages=USER, temperature=0.5),
        lambda ours: ours.chat(USER, temperature=0.5),
    ),
    "chat with a model": (
        answer(CHAT),
        lambda theirs: theirs.chat.completions.create(model="an-adapter", messages=USER),
        lambda ours: ours.chat(USER, model="an-adapter"),
    ),
    "stream": (
        event_stream(CHUNK, "[DONE]"),
        lambda theirs: list(
            theirs.chat.completions.create(
                model="tgi", messages=USER, stream=True, stream_options={"include_usage": True}
            )
        ),
        lambda ours: list(ours.stream(USER)),
    ),
    "completions": (
        answer(COMPLETION),
        lambda theirs: theirs.completions.create(model="tgi", prompt=["a", "b"], max_tokens=5),
        lambda ours: ours.completions(["a", "b"], max_tokens=5),
    ),
    "models": (
        answer({"object": "list", "data": [{"id": "m", "object": "model", "created": 1}]}),
        lambda theirs: list(theirs.models.list()),
        lambda ours: ours.models(),
    ),
}


@pytest.mark.parametrize(("script", "ask_them", "ask_us"), OPENAI.values(), ids=OPENAI)
def test_we_speak_openais_dialect_as_its_client_does(
    server: Recorder, ours: Any, script: Any, ask_them: Ask, ask_us: Ask
):
    """The same method, path, query, body and headers for the same question."""
    server.play([script] if isinstance(script, bytes) else script)

    with sdk.OpenAI(base_url=server.url, api_key=KEY, max_retries=0) as theirs:
        ask_them(theirs)
    ask_us(ours)

    expected, sent = (comparable(request, DIFFERENCES) for request in server.requests)
    expected["headers"] = {
        name: value for name, value in expected["headers"].items() if "stainless" not in name
    }
    if sent["json"] is not None and "model" not in sent["json"]:
        del expected["json"]["model"]
    assert expected == sent


@pytest.mark.parametrize(
    "variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_API_TOKEN", "HF_API_KEY"]
)
def test_the_environment(server: Recorder, monkeypatch, variable: str):
    """Address and key come from variables; a version at the end of the address does not matter."""
    monkeypatch.setenv("TGI_BASE_URL", server.url)
    monkeypatch.setenv(variable, KEY)
    server.play(answer({"version": "3.3.7"}))

    assert "3.3.7" == tgi.Client().info()["version"]
    assert ("/info", f"Bearer {KEY}") == (
        server.requests[0].path,
        server.requests[0].headers["authorization"],
    )


def test_no_key_is_needed(server: Recorder):
    """A server that asks for none gets none."""
    server.play(answer(b""))

    assert tgi.Client(base_url=server.url).health()
    assert "authorization" not in server.requests[0].headers
