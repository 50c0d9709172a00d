"""Chats by OpenAI's dialect with llama.cpp's server: what OpenAI's own SDK reads, we read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai as sdk
import pytest

from adapters.errors import (
    AdapterError,
    AuthenticationError,
    BadRequestError,
    ContextLengthError,
    ServerError,
)
from tests.adapters.flavours import Make
from tests_real.apis import APIS, TOOL, Api, nothing_is_held, settled
from tests_real.llama import KEY, MODEL, SENTENCE
from tests_real.servers import Server

HELLO = [{"role": "user", "content": "hi"}]
SCHEMA = {"type": "json_object", "schema": TOOL["function"]["parameters"]}


@pytest.fixture(params=APIS.values(), ids=APIS)
def api(request: pytest.FixtureRequest) -> Api:
    """Each adapter of the dialect."""
    found: Api = request.param
    return found


@pytest.fixture
def server(request: pytest.FixtureRequest, api: Api) -> Server:
    """The server as this adapter wants it."""
    return api.server(request, "llama")


@pytest.fixture
def calling(request: pytest.FixtureRequest, api: Api) -> Server:
    """The server whose model wants a tool called."""
    return api.server(request, "calling")


@pytest.fixture
def client(api: Api, make: Make, server: Server) -> Iterator[Any]:
    """A client of the server, which has given everything back at the end of the test."""
    found = api.client(make, server.url)
    yield found
    assert nothing_is_held(found)


def test_a_chat(api: Api, client: Any, server: Server):
    """Text, reason, model and tokens are those that the SDK reads, and so is the raw answer."""
    found = api.ask(client.chat, "hi")
    with api.sdk(server.url) as theirs:
        wanted = theirs.chat.completions.create(model=MODEL, messages=HELLO)

    assert SENTENCE == wanted.choices[0].message.content == found.text
    assert ("stop", MODEL) == (found.finish_reason, found.model)
    assert (wanted.usage.prompt_tokens, wanted.usage.completion_tokens) == (
        found.usage.input_tokens,
        found.usage.output_tokens,
    )
    assert wanted.usage.total_tokens == found.usage.total_tokens
    if api.takes_model:
        assert settled(wanted.to_dict()) == settled(found.raw)
    assert found.raw["id"].startswith("chatcmpl-")


def test_a_stream(api: Api, client: Any, server: Server):
    """Chunk by chunk what the SDK reads; it adds up to the text and the usage of a whole answer."""
    whole = api.ask(client.chat, "hi")
    with api.ask(client.stream, "hi") as stream:
        events = list(stream)
    with api.sdk(server.url) as theirs:
        options = {"include_usage": True}
        chunks = list(
            theirs.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True, stream_options=options
            )
        )

    assert settled([chunk.to_dict() for chunk in chunks]) == settled([each.raw for each in events])
    assert (SENTENCE, "stop", MODEL) == (stream.text, stream.finish_reason, stream.model)
    assert (whole.usage.input_tokens, whole.usage.output_tokens, whole.usage.total_tokens) == (
        stream.usage.input_tokens,
        stream.usage.output_tokens,
        stream.usage.total_tokens,
    )
    assert 1 == len({event.raw["id"] for event in events})


def test_a_stream_that_is_left(api: Api, client: Any):
    """It gives back its permit, and the server goes on to answer."""
    with api.ask(client.stream, "hi") as stream:
        next(stream)

    assert nothing_is_held(client)
    assert SENTENCE == api.ask(client.chat, "hi").text


def test_several_choices(api: Api, client: Any):
    """Whole and as a stream there is a text for each."""
    whole = api.ask(client.chat, "hi", n=2)
    with api.ask(client.stream, "hi", n=2) as stream:
        indices = {event.index for event in stream}

    assert (SENTENCE, SENTENCE) == whole.texts == stream.texts
    assert {0, 1} == indices


def test_an_answer_that_is_cut(api: Api, client: Any):
    """The reason says so."""
    whole = api.ask(client.chat, "hi", max_tokens=3)
    with api.ask(client.stream, "hi", max_tokens=3) as stream:
        list(stream)

    assert "length" == whole.finish_reason == stream.finish_reason
    assert " Every call comes" == whole.text == stream.text
    assert 3 == whole.usage.output_tokens == stream.usage.output_tokens


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_tools(api: Api, make: Make, calling: Server, choice: str):
    """Whole and as a stream the model calls the tool that the SDK reads, with its arguments."""
    client = api.client(make, calling.url)
    options = {"tools": [TOOL], "tool_choice": choice}
    whole = api.ask(client.chat, "hi", **options)
    with api.ask(client.stream, "hi", **options) as stream:
        list(stream)
    with api.sdk(calling.url) as theirs:
        wanted = theirs.chat.completions.create(model=MODEL, messages=HELLO, **options)
    [call], [streamed], [expected] = (
        whole.tool_calls,
        stream.tool_calls,
        wanted.choices[0].message.tool_calls,
    )

    assert ("f", '{"a": 1}') == (call.name, call.arguments) == (streamed.name, streamed.arguments)
    assert ("f", '{"a": 1}') == (expected.function.name, expected.function.arguments)
    assert "tool_calls" == whole.finish_reason == stream.finish_reason
    assert call.id
    assert streamed.id


def test_the_result_of_a_tool(api: Api, client: Any):
    """A call and its result are messages that the server takes."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    messages = [
        *HELLO,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "7"},
    ]

    assert SENTENCE.strip() == api.ask(client.chat, messages, tools=[TOOL]).text


def test_json_by_a_schema(api: Api, make: Make, calling: Server):
    """An object that the schema allows is a text like any other."""
    client = api.client(make, calling.url)
    found = json.loads(api.ask(client.chat, "hi", response_format=SCHEMA).text)

    assert ({"a"}, int) == (found.keys(), type(found["a"]))


@pytest.mark.parametrize(
    ("what", "kind", "status"),
    [
        ({"messages": [{"role": "user"}]}, BadRequestError, 400),
        ({"temperature": "warm"}, BadRequestError, 400),
        ({"messages": [{"role": "user", "content": "x" * 5_000}]}, BadRequestError, 400),
        ({"key": "sk-wrong-0123456789abc"}, AuthenticationError, 401),
    ],
    ids=["no content", "wrong type", "too long", "wrong key"],
)
def test_errors(
    api: Api, make: Make, server: Server, what: dict[str, Any], kind: type[Exception], status: int
):
    """Whole and as a stream: the class, the status and the sentence that the SDK reads."""
    what = {"messages": HELLO, **what}
    key, messages = what.pop("key", KEY), what.pop("messages")
    with api.sdk(server.url, key) as theirs, pytest.raises(sdk.APIStatusError) as wanted:
        theirs.chat.completions.create(model=MODEL, messages=messages, **what)
    errors = []
    for method in ("chat", "stream"):
        client = api.client(make, server.url, api_key=key)
        with pytest.raises(kind) as found:
            list(api.ask(getattr(client, method), messages, **what))
        assert nothing_is_held(client)
        errors.append(found.value)

    for error in errors:
        assert isinstance(error, AdapterError)
        assert (status, False) == (error.status_code, error.retryable)
        assert wanted.value.status_code == error.status_code
        assert wanted.value.body == error.body["error"]
        assert wanted.value.body["message"] == error.message
        assert key not in f"{error} {vars(error)}"


def test_a_prompt_that_is_too_long_has_an_error_of_its_own(make: Make, llama_server: Server):
    """OpenAI's client knows the word of this server too."""
    client = APIS["openai"].client(make, llama_server.url)

    with pytest.raises(ContextLengthError, match="Shorten the messages"):
        client.chat(MODEL, "x" * 5_000)


def test_what_the_server_cannot_do(api: Api, make: Make, server: Server):
    """It is not asked again: a server error that no waiting mends."""
    if not hasattr(client := api.client(make, server.url, max_retries=3), "embed"):
        client.embed = lambda *_: client.request("POST", "v1/embeddings", json={"input": "hi"})

    with pytest.raises(ServerError, match="does not support embeddings") as found:
        client.embed(MODEL, "hi")
    assert (501, 1, False) == (found.value.status_code, found.value.attempts, found.value.retryable)


def test_models(api: Api, client: Any):
    """The server names its model."""
    assert (MODEL,) == client.models().names
