"""Reading what OpenAI and its like send: answers and streams, whole and broken."""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import errors
from adapters._dialect import Dialect
from adapters._failures import WRONG_FORM
from adapters._messages import Headers, Reply, StreamEvent, ToolCall, Usage
from adapters._openai_answers import (
    parse_chat,
    parse_completions,
    parse_embeddings,
    parse_models,
    parse_moderations,
    parse_usage,
    read_chat_stream,
)
from adapters._openai_errors import OPENAI_ERRORS
from adapters._openai_style import build_embeddings
from adapters._results import Answer
from adapters._streams import EventReader, ServerSentEvent
from adapters.errors import AdapterError, InvalidResponseError

REPLY = Reply(
    status=200,
    headers=Headers([("x-request-id", "req_server")]),
    body=b"",
    request_id="req_1_a",
    server_request_id="req_server",
    key_name="backup",
    attempts=2,
)


def choice(index: int = 0, content: Any = "Hello", reason: str = "stop", **message: Any) -> dict:
    """One choice of a chat completion."""
    body = {"role": "assistant", "content": content, **message}
    return {"index": index, "message": body, "finish_reason": reason}


def chat(*choices: dict[str, Any], **fields: Any) -> Answer:
    """The answer to a chat completion of these choices."""
    return parse_chat({"model": "m", "choices": list(choices), **fields}, REPLY)


def test_a_chat_answer():
    """Text, reason, model, usage, the answer as it came, and how it was got."""
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}

    answer = chat(choice(), usage=usage)

    assert "Hello" == answer.text == str(answer)
    assert ("Hello",) == answer.texts
    assert "stop" == answer.finish_reason
    assert "m" == answer.model
    assert Usage(input_tokens=9, output_tokens=3, total_tokens=12) == answer.usage
    assert {"model": "m", "choices": [choice()], "usage": usage} == answer.raw
    assert ("req_1_a", "req_server", "backup", 2, "req_server") == (
        answer.request_id,
        answer.server_request_id,
        answer.key_name,
        answer.attempts,
        answer.headers["X-Request-ID"],
    )


def test_choices_are_in_the_order_of_their_index():
    """Whatever the order in which the server sends them."""
    answer = chat(choice(1, "b", "length"), choice(0, "a"))

    assert ("a", "b") == answer.texts
    assert ("stop", "length") == answer.finish_reasons


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("tool_calls", "function_call"),
        ("content_filter", "content_filter"),
        ("stop", "eos_token"),
        ("stop", "stop_sequence"),
        ("word_of_tomorrow", "word_of_tomorrow"),
        (None, None),
        (None, 7),
    ],
)
def test_finish_reasons_have_one_vocabulary(expected: str | None, reason: Any):
    """A word of one server alone is translated, one that nobody knows is handed on."""
    assert expected == chat(choice(reason=reason)).finish_reason


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("", None),
        ("", ""),
        ("ab", [{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}]),
    ],
)
def test_content_may_be_missing_or_in_parts(text: str, content: Any):
    """A model that calls a tool says nothing; some servers send parts."""
    assert text == chat(choice(content=content)).text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            ToolCall("call_1", "look", '{"a":1}'),
            {
                "tool_calls": [
                    {"id": "call_1", "function": {"name": "look", "arguments": '{"a":1}'}}
                ]
            },
        ),
        (
            ToolCall("call_1", "shell", "ls"),
            {"tool_calls": [{"id": "call_1", "custom": {"name": "shell", "input": "ls"}}]},
        ),
        (
            ToolCall("", "look", '{"a": 1}'),
            {"tool_calls": [{"function": {"name": "look", "arguments": {"a": 1}}}]},
        ),
        (ToolCall("", "look", "{}"), {"function_call": {"name": "look", "arguments": "{}"}}),
    ],
    ids=["function", "custom", "arguments as an object", "the older form"],
)
def test_tool_calls(call: ToolCall, message: dict[str, Any]):
    """The call's id, name and arguments, the latter as text."""
    assert (call,) == chat(choice(content=None, **message)).tool_calls


def test_a_refusal_is_told():
    """A model that refuses says why."""
    answer = chat(choice(content=None, refusal="I cannot help with that."))

    assert ("", "I cannot help with that.") == (answer.text, answer.refusal)


@pytest.mark.parametrize(
    ("expected", "usage"),
    [
        (Usage(), None),
        (Usage(), {}),
        (Usage(), {"prompt_tokens": None, "completion_tokens": -1, "total_tokens": "many"}),
        (Usage(input_tokens=2, total_tokens=2), {"prompt_tokens": 2}),
        (
            Usage(
                input_tokens=9,
                output_tokens=3,
                total_tokens=12,
                cached_tokens=4,
                reasoning_tokens=1,
            ),
            {
                "prompt_tokens": 9,
                "completion_tokens": 3,
                "total_tokens": 12,
                "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
        ),
        (
            Usage(input_tokens=1, total_tokens=1),
            {"prompt_tokens": 1, "prompt_tokens_details": None},
        ),
    ],
)
def test_usage(expected: Usage, usage: Any):
    """Input with what a cache served, output with the reasoning; nonsense counts nothing."""
    assert expected == parse_usage(usage)


def test_usages_add_up():
    """Of a call that was split, all parts count; nothing reported is false."""
    assert Usage(input_tokens=3, total_tokens=3) == parse_usage({"prompt_tokens": 1}) + parse_usage(
        {"prompt_tokens": 2}
    )
    assert not Usage()
    assert Usage(total_tokens=1)


def test_completions_of_several_prompts():
    """A text for each prompt, by index."""
    choices = [{"index": 1, "text": "b", "finish_reason": "length"}, {"index": 0, "text": "a"}]

    answer = parse_completions({"choices": choices}, REPLY)

    assert (("a", "b"), "a", None) == (answer.texts, answer.text, answer.finish_reason)


FLOATS = [0.5, -1.25, 3.0]
BASE64 = b64encode(struct.pack("<3f", *FLOATS)).decode()


@pytest.mark.parametrize("embedding", [FLOATS, BASE64], ids=["numbers", "base64"])
def test_vectors_come_as_numbers_or_as_base64(embedding: Any):
    """Little-endian 32-bit floats; both give the same list."""
    data = [{"index": 1, "embedding": [1, 2]}, {"index": 0, "embedding": embedding}]

    assert [FLOATS, [1.0, 2.0]] == parse_embeddings({"data": data}, REPLY, count=2).vectors


@pytest.mark.parametrize("indices", [[0], [0, 0], [0, 2], [0, 1, 2], [], ["a", "b"]])
def test_vectors_that_do_not_fit_the_inputs_are_refused(indices: list[Any]):
    """Nobody could know whose they are."""
    data = [{"index": index, "embedding": [1.0]} for index in indices]

    with pytest.raises((InvalidResponseError, TypeError)):
        parse_embeddings({"data": data}, REPLY, count=2)


def test_moderations_and_models():
    """Verdicts in order; names that can be iterated."""
    results = [
        {"flagged": True, "category_scores": {"violence": 0.9}},
        {"flagged": False, "category_scores": {"violence": 0.1}},
    ]
    moderations = parse_moderations({"results": results}, REPLY)
    models = parse_models({"data": [{"id": "a"}, {"id": "b"}]}, REPLY)

    assert ((True, False), 0.9) == (moderations.flagged, moderations.scores[0]["violence"])
    assert (["a", "b"], 2, True) == (list(models), len(models), "a" in models)


def chat_reader() -> EventReader[ServerSentEvent]:
    """A reader of one stream."""
    reader = read_chat_stream(OPENAI_ERRORS, Headers(), ())
    assert reader is not None
    return reader


def read(*events: object) -> list[StreamEvent]:
    """The events of a whole stream."""
    reader = chat_reader()
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    stream = "".join(f"data: {line}\n\n" for line in lines).encode()
    return [*reader.feed(stream), *reader.finish()]


def delta(index: int = 0, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk of a streamed chat with one choice."""
    body = {"index": index, "delta": fields, "finish_reason": reason}
    return {"model": "m", "choices": [body], "usage": None}


def test_a_streamed_chat():
    """Text, reason, and the usage that comes in a chunk of its own."""
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}

    events = read(
        delta(role="assistant", content=""),
        delta(content="Hel"),
        delta(content="lo"),
        delta(reason="stop"),
        {"model": "m", "choices": [], "usage": usage},
        "[DONE]",
    )

    assert ["", "Hel", "lo", "", ""] == [event.text for event in events]
    assert [None, None, None, "stop", None] == [event.finish_reason for event in events]
    assert Usage(input_tokens=1, output_tokens=2, total_tokens=3) == events[-1].usage
    assert {"m"} == {event.model for event in events}


def test_a_chunk_with_several_choices_is_several_events():
    """Each event belongs to one choice."""
    chunk = delta(content="a")
    chunk["choices"] += delta(1, content="b")["choices"]

    assert [(0, "a"), (1, "b")] == [(event.index, event.text) for event in read(chunk, "[DONE]")]


def test_streamed_tool_calls_and_completions():
    """Parts of a call carry its index; the older interface sends text without a delta."""
    part = {"index": 1, "id": "call_1", "function": {"name": "look", "arguments": '{"'}}

    called, old = read(
        delta(tool_calls=[part]), {"choices": [{"index": 0, "text": "old"}]}, "[DONE]"
    )

    assert (ToolCall("call_1", "look", '{"', 1),) == called.tool_calls
    assert "old" == old.text


@pytest.mark.parametrize(
    ("cls", "event"),
    [
        (errors.RateLimitError, {"error": {"message": "slow", "code": "rate_limit_exceeded"}}),
        (errors.ServerError, {"error": {"message": "broken"}}),
        (errors.ServerError, {"error": "broken"}),
        (InvalidResponseError, "{"),
        (InvalidResponseError, "7"),
        (InvalidResponseError, "null"),
        (InvalidResponseError, {}),
        (InvalidResponseError, {"choices": 7}),
        (InvalidResponseError, {"choices": [7]}),
        (InvalidResponseError, {"choices": [{"delta": 7}]}),
        (InvalidResponseError, "[" * 100_000),
    ],
)
def test_an_event_that_is_an_error_or_nonsense(cls: type[AdapterError], event: object):
    """What the server says went wrong is classified; what makes no sense may be tried again."""
    with pytest.raises(cls) as caught:
        read(event, "[DONE]")

    assert caught.value.retryable


def test_an_event_named_error_is_one():
    """Some servers name the event instead of the field."""
    reader = chat_reader()

    with pytest.raises(errors.OverloadedError, match="busy"):
        list(reader.feed(b'event: error\ndata: {"message":"busy","type":"overloaded_error"}\n\n'))


WORDS = ["choices", "message", "content", "data", "embedding", "index", "usage", "delta", "text"]
ANY_ANSWER: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(WORDS), inner),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "parse",
    [
        parse_chat,
        parse_completions,
        partial(parse_embeddings, count=1),
        parse_moderations,
        parse_models,
    ],
    ids=["chat", "completions", "embeddings", "moderations", "models"],
)
@given(payload=ANY_ANSWER)
def test_any_answer_is_read_or_is_of_the_wrong_form(parse: Callable[..., Any], payload: Any):
    """Nothing but the errors of access, which the caller of a parser expects, comes out."""
    result: Any = None
    with suppress(*WRONG_FORM, AdapterError):
        result = parse(payload, REPLY)

    assert result is None or result.raw is payload


@given(st.lists(ANY_ANSWER | st.text(max_size=5), max_size=4))
def test_any_stream_gives_events_or_an_adapter_error(events: list[Any]):
    """Whatever a server streams, nothing else comes out."""
    found: list[StreamEvent] = []
    with suppress(AdapterError):
        found = read(*events)

    assert all(isinstance(event, StreamEvent) for event in found)


@given(st.lists(st.binary()))
def test_any_bytes_give_events_or_an_adapter_error(chunks: list[bytes]):
    """Whatever bytes arrive, nothing else comes out."""
    reader = chat_reader()
    found: list[StreamEvent] = []
    with suppress(AdapterError):
        found = [event for chunk in chunks for event in reader.feed(chunk)] + [*reader.finish()]

    assert all(isinstance(event, StreamEvent) for event in found)


@pytest.mark.parametrize(
    ("sizes", "inputs"),
    [
        ([1], "one text"),
        ([2], ["a", "b"]),
        ([3, 3, 1], ["a"] * 7),
        ([1], [1, 2, 3, 4, 5]),
        ([3, 1], [[1, 2]] * 4),
        ([3], ("a", "b", "c")),
    ],
    ids=["a text", "few", "many", "tokens", "lists of tokens", "a tuple"],
)
def test_inputs_are_split_above_the_maximum_in_order(sizes: list[int], inputs: Any):
    """A list of tokens is one input, however long."""
    dialect = Dialect(max_inputs=3)

    parts = list(build_embeddings(dialect, "m", inputs, {"dimensions": 2}))

    sent = [json.loads(request.body or b"")["input"] for request, _ in parts]
    assert sizes == [size for _, size in parts]
    assert list(inputs) == (list(chain(*sent)) if len(sent) > 1 else list(sent[0]))
