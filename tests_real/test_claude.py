"""Claude's client with llama.cpp's server, which speaks that protocol too, beside Anthropic's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic as sdk
import pytest

from adapters import claude
from adapters.errors import AdapterError, AuthenticationError, BadRequestError
from tests.adapters.flavours import Make
from tests_real.apis import nothing_is_held
from tests_real.llama import KEY, MODEL, SENTENCE
from tests_real.servers import Server

HELLO = [{"role": "user", "content": "hi"}]
TOOL = {
    "name": "f",
    "description": "Count.",
    "input_schema": {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
        "required": ["a"],
    },
}


@pytest.fixture
def client(make: Make, llama_server: Server) -> Iterator[Any]:
    """A client that has given everything back at the end of the test."""
    found = client_of(make, llama_server)
    yield found
    assert nothing_is_held(found)


@pytest.fixture
def theirs(llama_server: Server) -> Iterator[sdk.Anthropic]:
    """Anthropic's own client of the same server."""
    with sdk_of(llama_server) as found:
        yield found


def client_of(make: Make, server: Server, key: str = KEY) -> Any:
    """A client that repeats nothing."""
    return make(claude, api_key=key, base_url=server.url, max_retries=0)


def sdk_of(server: Server, key: str = KEY) -> sdk.Anthropic:
    """The same of Anthropic's."""
    return sdk.Anthropic(api_key=key, base_url=server.url, max_retries=0)


def tokens(usage: sdk.types.Usage) -> tuple[int, int]:
    """All tokens of the prompt, those that the server still knew as well, and of the answer."""
    return usage.input_tokens + (usage.cache_read_input_tokens or 0), usage.output_tokens


def test_a_message(client: Any, theirs: sdk.Anthropic):
    """Text, reason, model and tokens are those that the SDK reads."""
    found = client.chat(MODEL, "hi", system="Be brief.")
    wanted = theirs.messages.create(model=MODEL, max_tokens=100, system="Be brief.", messages=HELLO)

    assert SENTENCE == wanted.content[0].text == found.text
    assert tokens(wanted.usage) == (found.usage.input_tokens, found.usage.output_tokens)
    assert ("end_turn", "stop") == (wanted.stop_reason, found.finish_reason)
    assert MODEL == wanted.model == found.model
    assert wanted.to_dict().keys() == found.raw.keys()


def test_a_stream(client: Any, theirs: sdk.Anthropic):
    """The events that the SDK gets, and the text and usage of a whole answer."""
    whole = client.chat(MODEL, "hi")
    with client.stream(MODEL, "hi") as stream:
        kinds = [event.raw["type"] for event in stream]
    wanted = theirs.messages.create(model=MODEL, max_tokens=100, messages=HELLO, stream=True)
    seen = [event.type for event in wanted if event.type != "message_stop"]

    assert seen == kinds
    assert (SENTENCE, "stop", MODEL) == (stream.text, stream.finish_reason, stream.model)
    assert (whole.usage.input_tokens, whole.usage.output_tokens) == (
        stream.usage.input_tokens,
        stream.usage.output_tokens,
    )


def test_a_count_of_tokens(client: Any, theirs: sdk.Anthropic):
    """It is that of the SDK, and that of the message itself."""
    found = client.count_tokens(MODEL, "hi")
    wanted = theirs.messages.count_tokens(model=MODEL, messages=HELLO)

    assert wanted.input_tokens == int(found) == client.chat(MODEL, "hi").usage.input_tokens


def test_an_answer_that_is_cut(client: Any):
    """The reason says so."""
    found = client.chat(MODEL, "hi", max_tokens=3)

    assert (" Every call comes", "length", 3) == (
        found.text,
        found.finish_reason,
        found.usage.output_tokens,
    )


@pytest.mark.parametrize("choice", ["auto", "any"])
def test_tools(make: Make, calling_server: Server, choice: str):
    """Whole and as a stream the model calls the tool that the SDK reads, with its arguments."""
    client = client_of(make, calling_server)
    options = {"tools": [TOOL], "tool_choice": {"type": choice}}
    whole = client.chat(MODEL, "hi", **options)
    with client.stream(MODEL, "hi", **options) as stream:
        list(stream)
    with sdk_of(calling_server) as theirs:
        [wanted] = theirs.messages.create(
            model=MODEL, max_tokens=100, messages=HELLO, **options
        ).content
    [call], [streamed] = whole.tool_calls, stream.tool_calls

    assert ("f", {"a": 1}) == (wanted.name, wanted.input)
    assert ("f", '{"a": 1}') == (call.name, call.arguments) == (streamed.name, streamed.arguments)
    assert "tool_calls" == whole.finish_reason == stream.finish_reason
    assert call.id
    assert streamed.id


def test_the_result_of_a_tool(client: Any):
    """A call and its result are messages that the server takes."""
    messages = [
        *HELLO,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}],
        },
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "7"}],
        },
    ]

    assert SENTENCE.strip() == client.chat(MODEL, messages, tools=[TOOL]).text


@pytest.mark.parametrize(
    ("key", "messages", "kind", "status"),
    [
        (KEY, [{"role": "user"}], BadRequestError, 400),
        (KEY, [{"role": "user", "content": "x" * 5_000}], BadRequestError, 400),
        ("sk-wrong-0123456789abc", HELLO, AuthenticationError, 401),
    ],
    ids=["no content", "too long", "wrong key"],
)
def test_errors(
    make: Make, llama_server: Server, key: str, messages: Any, kind: type[Exception], status: int
):
    """Whole and as a stream: the class, the status and the sentence that the SDK reads."""
    with sdk_of(llama_server, key) as theirs, pytest.raises(sdk.APIStatusError) as wanted:
        theirs.messages.create(model=MODEL, max_tokens=9, messages=messages)
    for method in ("chat", "stream"):
        client = client_of(make, llama_server, key)
        with pytest.raises(kind) as found:
            list(getattr(client, method)(MODEL, messages))
        error = found.value

        assert nothing_is_held(client)
        assert isinstance(error, AdapterError)
        assert (status, False) == (error.status_code, error.retryable)
        assert wanted.value.body == error.body
        assert wanted.value.body["error"]["message"] == error.message


def test_models(client: Any):
    """The server names its model."""
    assert [MODEL] == list(client.models())
