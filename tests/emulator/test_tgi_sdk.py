"""TGI: huggingface_hub and the openai SDK read what the emulator answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import (
    GenerationError,
    IncompleteGenerationError,
    OverloadedError,
    ValidationError,
)

from adapters.emulator import Emulator, expected_answer
from adapters.emulator.answers import count_tokens

from .conftest import SEED, Wire

USER: Any = [{"role": "user", "content": "hi"}]
ANSWER = expected_answer("hi", seed=SEED)


@pytest.fixture
def hub(server: Emulator) -> InferenceClient:
    """The vendor's client."""
    return InferenceClient(
        model=server.base_url("tgi"), token=server.keys("tgi")["production"], timeout=20
    )


@pytest.fixture
def sdk(server: Emulator) -> Iterator[openai.OpenAI]:
    """OpenAI's client on the same server."""
    key = server.keys("tgi")["production"]
    with openai.OpenAI(
        base_url=f"{server.base_url('tgi')}/v1", api_key=key, max_retries=0, timeout=20
    ) as client:
        yield client


@pytest.fixture
def wire(server: Emulator) -> Wire:
    """Requests by hand."""
    return Wire(server, provider="tgi")


def test_generate(hub: InferenceClient) -> None:
    """The text answers its prompt; details tell why it ended and which tokens it has."""
    found = hub.text_generation("hi", details=True)

    assert ANSWER == hub.text_generation("hi") == found.generated_text
    assert "eos_token" == found.details.finish_reason
    assert count_tokens(ANSWER) == found.details.generated_tokens == len(found.details.tokens)
    assert ANSWER == "".join(token.text for token in found.details.tokens)


def test_a_limit_cuts_the_answer(hub: InferenceClient) -> None:
    """`max_new_tokens` ends an answer with `length`, whole and streamed."""
    whole = hub.text_generation("hi", details=True, max_new_tokens=3)
    *_, last = hub.text_generation("hi", details=True, max_new_tokens=3, stream=True)

    assert ("length", 3) == (whole.details.finish_reason, whole.details.generated_tokens)
    assert (whole.generated_text, "length") == (last.generated_text, last.details.finish_reason)
    assert not last.token.special


def test_a_stream_ends_with_the_whole_text(hub: InferenceClient) -> None:
    """The tokens are the answer; the last event has all of it, its length and no end marker."""
    events = list(hub.text_generation("hi", stream=True, details=True))

    assert ANSWER == "".join(event.token.text for event in events if not event.token.special)
    assert ANSWER == events[-1].generated_text
    assert (1, count_tokens(ANSWER)) == (
        events[-1].details.input_length,
        events[-1].details.generated_tokens,
    )


def test_the_full_text_may_come_back(hub: InferenceClient) -> None:
    """`return_full_text` puts the prompt in front."""
    assert f"hi{ANSWER}" == hub.text_generation("hi", return_full_text=True)


def test_chat(hub: InferenceClient, sdk: openai.OpenAI) -> None:
    """OpenAI's route answers the same text, with usage and an empty id."""
    found = hub.chat_completion(USER)
    same = sdk.chat.completions.create(model="tgi", messages=USER, n=3)

    assert ANSWER == found.choices[0].message.content == same.choices[0].message.content
    assert (5, count_tokens(ANSWER)) == (
        found.usage.prompt_tokens,
        found.usage.completion_tokens,
    )
    assert ("", 1) == (same.id, len(same.choices))  # `n` is passed over


def test_chat_as_a_stream(sdk: openai.OpenAI) -> None:
    """The deltas are the answer; the usage comes when it is asked for."""
    with sdk.chat.completions.create(
        model="tgi", messages=USER, stream=True, stream_options={"include_usage": True}
    ) as stream:
        *chunks, last = stream

    assert ANSWER == "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert "stop" == chunks[-1].choices[0].finish_reason
    assert last.usage is not None
    assert 5 + count_tokens(ANSWER) == last.usage.total_tokens


def test_tools_are_called(sdk: openai.OpenAI) -> None:
    """A required tool is called, whole and streamed, with arguments that fit its schema."""
    tool: Any = {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    asked: Any = {"model": "tgi", "messages": USER, "tools": [tool], "tool_choice": "required"}
    (called,) = sdk.chat.completions.create(**asked).choices[0].message.tool_calls or ()
    with sdk.chat.completions.create(**asked, stream=True) as stream:
        parts = [part for c in stream for part in c.choices[0].delta.tool_calls or ()]

    assert f'{{"city":"{ANSWER}"}}' == called.function.arguments  # type: ignore[union-attr]
    assert called.function.arguments == "".join(  # type: ignore[union-attr]
        part.function.arguments or "" for part in parts if part.function
    )
    assert ["weather"] == [p.function.name for p in parts if p.function and p.function.name]


def test_completions_of_several_prompts(sdk: openai.OpenAI) -> None:
    """Each prompt has its index; a stream reports the usage of each, and keeps `eos_token`."""
    prompts = ["hi", "ho"]
    texts = [expected_answer(prompt, seed=SEED) for prompt in prompts]
    whole = sdk.completions.create(model="tgi", prompt=prompts)
    with sdk.completions.create(model="tgi", prompt=prompts, stream=True) as stream:
        chunks = list(stream)

    assert texts == [choice.text for choice in whole.choices]
    assert texts == [
        "".join(c.choices[0].text for c in chunks if c.choices[0].index == index)
        for index in range(2)
    ]
    assert whole.usage is not None
    assert whole.usage.completion_tokens == sum(
        chunk.usage.completion_tokens for chunk in chunks if chunk.usage
    )
    assert {None, "eos_token"} == {chunk.choices[0].finish_reason for chunk in chunks}


def test_what_an_answer_cost(wire: Wire) -> None:
    """The headers of a whole answer count tokens and times; those of a stream cannot."""
    whole = wire.send({"inputs": "hi you"}, "/generate").headers
    stream = wire.send({"inputs": "hi you"}, "/generate_stream").headers

    assert ("2", "6") == (whole["x-prompt-tokens"], whole["x-compute-characters"])
    assert int(whole["x-generated-tokens"]) == count_tokens(expected_answer("hi you", seed=SEED))
    assert "6" == stream["x-compute-characters"]
    assert "x-prompt-tokens" not in stream


def test_tokens_and_facts(wire: Wire) -> None:
    """Tokens have their places in the text; the server tells its limits to everybody."""
    tokens = wire.send({"inputs": "hello world"}, "/tokenize").json
    chat = wire.send({"messages": USER}, "/chat_tokenize").json
    info = wire.send(None, "/info", "GET").json

    assert ["hello", " world"] == [token["text"] for token in tokens]
    assert [(0, 5), (5, 11)] == [(token["start"], token["stop"]) for token in tokens]
    assert "hi" == chat["templated_text"]
    assert (4, 128) == (info["max_client_batch_size"], info["max_concurrent_requests"])
    assert info["model_id"] == wire.send(None, "/v1/models", "GET").json["data"][0]["id"]
    assert [200] * 3 == [wire.send(None, p, "GET").status for p in ("/health", "/ping", "/")]


@pytest.mark.parametrize(
    ("parameters", "what"),
    [
        ({"temperature": 0}, "temperature"),
        ({"top_p": 1.0}, "top_p"),
        ({"top_k": 0}, "top_k"),
        ({"best_of": 3}, "best_of"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"max_new_tokens": 9000}, "max_new_tokens"),
    ],
)
def test_bad_parameters(hub: InferenceClient, parameters: dict[str, Any], what: str) -> None:
    """They are refused with 422, or inside a stream that has begun."""
    for stream in (False, True):
        with pytest.raises(ValidationError, match=what):
            list(hub.text_generation("hi", stream=stream, **parameters))


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/generate", {"inputs": ""}, 422, "validation"),
        ("/v1/completions", {"prompt": ["a"] * 5}, 422, "batch size exceeded"),
        ("/v1/completions", {"prompt": "a", "suffix": "b"}, 422, "suffix not supported"),
        ("/v1/chat/completions", {"messages": []}, 422, "validation"),
        ("/v1/chat/completions", {"messages": USER, "temperature": 3}, 422, "validation"),
    ],
)
def test_refusals_have_a_type(wire: Wire, path: str, body: object, status: int, kind: str) -> None:
    """On every route the error is a text with a type beside it."""
    reply = wire.send(body, path)

    assert (status, kind) == (reply.status, reply.json["error_type"])
    assert isinstance(reply.error, str)


@pytest.mark.parametrize(
    ("body", "status"), [({"inputs": 5}, 422), ({"x": 1}, 422), (b"{", 400), (b"[]", 400)]
)
def test_what_the_router_cannot_read(wire: Wire, body: object, status: int) -> None:
    """That is refused in plain text, before the server itself has looked at it."""
    reply = wire.send(body, "/generate")

    assert (status, "text/plain; charset=utf-8") == (
        reply.status,
        reply.headers["content-type"],
    )


def test_keys(wire: Wire) -> None:
    """A wrong key gets 401 without a body; a server that was given no key lets everybody in."""
    wrong = wire.send({"inputs": "hi"}, "/generate", headers={"authorization": "Bearer x"})
    without = wire.send({"inputs": "hi"}, "/generate", headers={"authorization": None})

    assert (401, b"") == (wrong.status, wrong.body)
    assert 200 == without.status
    assert (404, b"") == (wire.send({}, "/nope").status, wire.send({}, "/nope").body)


@pytest.mark.parametrize(
    ("spec", "error"),
    [("429", OverloadedError), ("424", GenerationError), ("500", IncompleteGenerationError)],
)
def test_the_sdk_knows_the_errors(
    server: Emulator, hub: InferenceClient, spec: str, error: type[Exception]
) -> None:
    """The vendor's client takes the faults for what they are, in streams as well."""
    for rule, stream in ((spec, False), (f"stream_error:status={spec}", True)):
        server.script([rule])
        with pytest.raises(error):
            list(hub.text_generation("hi", stream=stream))


def test_errors_in_streams_of_the_openai_routes(
    server: Emulator, sdk: openai.OpenAI, wire: Wire
) -> None:
    """They always say 422, and the end marker follows."""
    server.script(["stream_error:after=2,status=429"])
    body = wire.send({"messages": USER, "stream": True}, "/v1/chat/completions").body
    with pytest.raises(openai.APIError, match="overloaded"):
        list(sdk.chat.completions.create(model="tgi", messages=USER, stream=True))

    assert b'"http_status_code":422' in body
    assert body.endswith(b"data: [DONE]\n\n")
