"""Anthropic's own client is the judge: what the emulator answers parses into its types."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message, ModelInfo

from adapters.emulator import Emulator, expected_answer
from adapters.emulator.answers import count_tokens, expected_thoughts

from .conftest import SEED

MODEL = "claude-sonnet-5-5"
USER = [{"role": "user", "content": "Say hello"}]
ANSWER = expected_answer("Say hello", seed=SEED)
THOUGHTS = expected_thoughts("Say hello", seed=SEED)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
TOOLS: Any = [{"name": "weather", "input_schema": SCHEMA}]


@pytest.fixture
def claude(server: Emulator) -> Iterator[anthropic.Anthropic]:
    """The vendor's client, which does not repeat anything."""
    with anthropic.Anthropic(
        api_key=server.keys("claude")["production"],
        base_url=server.base_url("claude"),
        max_retries=0,
        timeout=20,
    ) as found:
        yield found


def chat(claude: anthropic.Anthropic, **more: Any) -> Any:
    """Ask for a message."""
    return claude.messages.create(**{"model": MODEL, "max_tokens": 100, "messages": USER, **more})


def test_a_message(claude: anthropic.Anthropic, server: Emulator) -> None:
    """An answer belongs to its prompt, says what it cost and who has answered."""
    answer = chat(claude)

    assert isinstance(answer, Message)
    assert [("text", ANSWER)] == [(block.type, block.text) for block in answer.content]
    assert ("end_turn", MODEL, "assistant") == (answer.stop_reason, answer.model, answer.role)
    assert count_tokens("Say hello") + 4 == answer.usage.input_tokens
    assert count_tokens(ANSWER) == answer.usage.output_tokens
    assert server.log()[0].request_id == answer._request_id


def test_a_limit_on_tokens_cuts_the_answer(claude: anthropic.Anthropic) -> None:
    """A small limit ends an answer with `max_tokens`; what came is a beginning of the whole."""
    answer = chat(claude, max_tokens=5)

    assert ("max_tokens", 5) == (answer.stop_reason, answer.usage.output_tokens)
    assert ANSWER.startswith(answer.content[0].text)
    assert [] == chat(claude, max_tokens=0).content


def test_stop_sequences_end_the_answer(claude: anthropic.Anthropic) -> None:
    """The answer ends before a stop sequence, and says which one it was."""
    answer = chat(claude, stop_sequences=["#", " ", "."])

    assert ("stop_sequence", " ") == (answer.stop_reason, answer.stop_sequence)
    assert ANSWER.split()[0] == answer.content[0].text


def test_the_system_prompt_counts(claude: anthropic.Anthropic) -> None:
    """System prompt and messages are one prompt, whether as strings or as blocks."""
    expected = expected_answer("Be kind\nSay hello", seed=SEED)

    assert expected == chat(claude, system="Be kind").content[0].text
    blocks = [{"type": "text", "text": "Be kind"}]
    assert expected == chat(claude, system=blocks).content[0].text


def test_thoughts_come_first(claude: anthropic.Anthropic) -> None:
    """A model that is let think gives a signed block of thoughts, which cost tokens."""
    answer = chat(claude, thinking={"type": "adaptive"})

    assert ["thinking", "text"] == [block.type for block in answer.content]
    assert THOUGHTS == answer.content[0].thinking
    assert 32 == answer.usage.output_tokens_details.thinking_tokens
    assert 32 + count_tokens(ANSWER) == answer.usage.output_tokens
    hidden = chat(claude, thinking={"type": "adaptive", "display": "omitted"})
    assert ("", True) == (hidden.content[0].thinking, bool(hidden.content[0].signature))


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "weather"}])
def test_a_required_tool_is_used(claude: anthropic.Anthropic, choice: Any) -> None:
    """The input fits the tool's schema; with a free choice the model speaks."""
    answer = chat(claude, tools=TOOLS, tool_choice=choice)

    (block,) = answer.content
    assert ("tool_use", "weather") == (block.type, block.name)
    assert {"city": ANSWER, "days": 1} == block.input
    assert "tool_use" == answer.stop_reason
    assert ANSWER == chat(claude, tools=TOOLS).content[0].text


def test_structured_answers(claude: anthropic.Anthropic) -> None:
    """A schema gives JSON that fits."""
    form = {"format": {"type": "json_schema", "schema": SCHEMA}}

    answer = chat(claude, output_config=form)

    assert {"city": ANSWER, "days": 1} == json.loads(answer.content[0].text)


def test_long_prompts_with_cache_control_are_cached(claude: anthropic.Anthropic) -> None:
    """What is read from the cache and what is written to it is no part of `input_tokens`."""
    prompt = [{"role": "user", "content": "word " * 1500}]

    usage = chat(claude, messages=prompt, cache_control={"type": "ephemeral"}).usage

    parts = (usage.cache_read_input_tokens, usage.cache_creation_input_tokens, usage.input_tokens)
    assert (1024, 384, 97) == parts
    assert 1505 == chat(claude, messages=prompt).usage.input_tokens


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"thinking": {"type": "adaptive"}},
        {"tools": TOOLS, "tool_choice": {"type": "any"}},
        {
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any"},
        },
        {"max_tokens": 3},
        {"max_tokens": 0},
    ],
)
def test_a_stream_is_the_message_in_pieces(
    claude: anthropic.Anthropic, server: Emulator, more: Any
) -> None:
    """The vendor's own accumulator makes of the events the message of a plain answer."""
    plain = chat(claude, **more)
    server.reset()
    with claude.messages.stream(
        **{"model": MODEL, "max_tokens": 100, "messages": USER, **more}
    ) as stream:
        message = stream.get_final_message()

    left_out = {"content": {"__all__": {"parsed_output"}}, "parsed_output": True}
    assert plain.model_dump() == message.model_dump(exclude=left_out)


def test_the_events_of_a_stream(claude: anthropic.Anthropic, wire: Any, server: Emulator) -> None:
    """Each event has a name, which is its type; the usage of the output comes at the end."""
    events = list(chat(claude, stream=True))

    assert ["message_start", "content_block_start", "content_block_delta"] == [
        event.type for event in events[:3]
    ]
    assert ["content_block_stop", "message_delta", "message_stop"] == [
        event.type for event in events[-3:]
    ]
    assert count_tokens(ANSWER) == events[-2].usage.output_tokens
    headers = {
        "x-api-key": server.keys("claude")["production"],
        "anthropic-version": "2023-06-01",
    }
    body = {"model": MODEL, "max_tokens": 100, "messages": USER, "stream": True}
    raw = wire.send(body, "/v1/messages", root="/claude", headers=headers).body
    assert b'event: ping\ndata: {"type":"ping"}\n\n' in raw
    assert raw.endswith(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')


def test_tokens_are_counted_as_they_are_charged(claude: anthropic.Anthropic) -> None:
    """The count of a request is the input of its answer."""
    counted = claude.messages.count_tokens(model=MODEL, messages=USER, system="Be kind")

    assert chat(claude, system="Be kind").usage.input_tokens == counted.input_tokens


def test_models_come_page_by_page(claude: anthropic.Anthropic) -> None:
    """The client finds all models, whatever the size of a page, forwards and backwards."""
    names = [model.id for model in claude.models.list()]

    assert MODEL in names
    assert names == [model.id for model in claude.models.list(limit=2)]
    earlier = claude.models.list(before_id=names[3], limit=2)
    assert (names[1:3], True) == ([model.id for model in earlier.data], earlier.has_more)
    model = claude.models.retrieve(MODEL)
    assert isinstance(model, ModelInfo)
    assert ("Claude Sonnet 5.5", 64_000) == (model.display_name, model.max_tokens)


@pytest.mark.parametrize(
    ("spec", "error", "kind"),
    [
        ("401", anthropic.AuthenticationError, "authentication_error"),
        ("402", anthropic.APIStatusError, "billing_error"),
        ("403", anthropic.PermissionDeniedError, "permission_error"),
        ("404", anthropic.NotFoundError, "not_found_error"),
        ("409", anthropic.ConflictError, "conflict_error"),
        ("413", anthropic.APIStatusError, "request_too_large"),
        ("429", anthropic.RateLimitError, "rate_limit_error"),
        ("quota", anthropic.RateLimitError, "rate_limit_error"),
        ("500", anthropic.InternalServerError, "api_error"),
        ("503", anthropic.InternalServerError, "api_error"),
        ("504", anthropic.InternalServerError, "timeout_error"),
        ("529", anthropic.InternalServerError, "overloaded_error"),
        ("500:code=overloaded_error", anthropic.InternalServerError, "overloaded_error"),
    ],
)
def test_the_sdk_raises_its_own_errors(
    server: Emulator, claude: anthropic.Anthropic, spec: str, error: type[Exception], kind: str
) -> None:
    """Status and type are those of the real API, and the id of the request is in the body."""
    server.script([spec])

    with pytest.raises(error) as caught:
        chat(claude)

    body: Any = caught.value.body
    assert ("error", kind) == (body["type"], body["error"]["type"])
    assert server.log()[0].request_id == body["request_id"]


@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ("429", None),
        ("quota", "enforced_spend_limit_reached"),
        ("429:code=ramp_limit_exceeded", "ramp_limit_exceeded"),
    ],
)
def test_the_reason_of_a_429_stands_in_its_details(
    server: Emulator, claude: anthropic.Anthropic, spec: str, code: str | None
) -> None:
    """A rate limit has no details, a spend limit and a ramp have a code there."""
    server.script([spec])

    with pytest.raises(anthropic.RateLimitError) as caught:
        chat(claude)

    body: Any = caught.value.body
    assert code == body["error"].get("details", {}).get("error_code")


@pytest.mark.parametrize("after", [0, 3])
def test_an_error_inside_a_stream(
    server: Emulator, claude: anthropic.Anthropic, after: int
) -> None:
    """It is an event of its own name; the client raises it with the status of the stream."""
    server.script([f"stream_error:after={after},status=529"])

    with pytest.raises(anthropic.APIStatusError) as caught:
        list(chat(claude, stream=True))

    body: Any = caught.value.body
    assert (200, "overloaded_error") == (caught.value.status_code, body["error"]["type"])
    assert after + 1 == server.log()[0].events


def test_a_limit_is_told_in_the_headers(server: Emulator, claude: anthropic.Anthropic) -> None:
    """What is left of a key's limit, and when it is whole again."""
    server.script(["limit:key=production,requests=2,window=1000"])

    raw = claude.messages.with_raw_response.create(model=MODEL, max_tokens=5, messages=USER)

    stem = "anthropic-ratelimit-requests-"
    assert ("2", "1") == (raw.headers[f"{stem}limit"], raw.headers[f"{stem}remaining"])
    assert raw.headers[f"{stem}reset"].endswith("Z")
    chat(claude)
    with pytest.raises(anthropic.RateLimitError) as caught:
        chat(claude)
    assert 900 < int(caught.value.response.headers["retry-after"]) <= 1000
