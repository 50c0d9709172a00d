"""The Responses API: reading what comes back, whole and as a stream, and against the emulator."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters import errors, openai
from adapters._failures import read_answer
from adapters._messages import Headers, Reply, StreamEvent, ToolCall, Usage
from adapters._openai_errors import OPENAI_ERRORS
from adapters._openai_responses import parse_response, read_responses_stream
from adapters._results import Answer
from adapters.emulator import Emulator
from adapters.errors import AdapterError, InvalidResponseError, StreamInterruptedError
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer, event_stream

MODEL = "gpt-4o-mini"
HEADERS = Headers([("content-type", "text/event-stream")])
USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 16,
}
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}
CALL = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"a":1}'}


def response(*output: Any, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """A response."""
    return {"model": MODEL, "status": status, "output": list(output), "usage": USAGE, **fields}


def read(payload: Any) -> Answer:
    """Read it as a client does."""
    reply = Reply(status=200, headers=Headers(), body=json.dumps(payload).encode())
    return read_answer(parse_response, OPENAI_ERRORS, reply, ())


def events_of(*payloads: Any) -> list[StreamEvent]:
    """The events of a stream of these."""
    reader = read_responses_stream(OPENAI_ERRORS, HEADERS, ())
    assert reader is not None
    text = "".join(
        f"event: {payload['type']}\ndata: {json.dumps(payload)}\n\n" for payload in payloads
    )
    return [*reader.feed(text.encode()), *reader.finish()]


# whole answers


def test_a_response():
    """Text of all messages, and the usage with its parts."""
    found = read(response(MESSAGE, {"type": "web_search_call"}, MESSAGE))

    assert ("HelloHello", ("HelloHello",), "stop", MODEL) == (
        str(found),
        found.texts,
        found.finish_reason,
        found.model,
    )
    assert Usage(
        input_tokens=9,
        output_tokens=7,
        total_tokens=16,
        cached_tokens=4,
        cache_write_tokens=1,
        reasoning_tokens=5,
    ) == found.usage  # fmt: skip


def test_tools_are_called_by_items_of_their_own():
    """Functions take JSON, other tools text; the place among the items is the index."""
    custom = {"type": "custom_tool_call", "call_id": "call_2", "name": "say", "input": "Hi"}

    found = read(response(MESSAGE, CALL, custom))

    assert (
        ToolCall("call_1", "look", '{"a":1}', 1),
        ToolCall("call_2", "say", "Hi", 2),
    ) == found.tool_calls
    assert "tool_calls" == found.finish_reason


def test_thoughts_and_refusals_are_no_text():
    """Each has a place of its own."""
    reasoning = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "So. "}],
        "content": [{"type": "reasoning_text", "text": "Thus."}],
    }
    refusing = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}

    found = read(response(reasoning, refusing))

    assert ("", "So. Thus.", "No.") == (found.text, found.reasoning, found.refusal)


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ("length", {"incomplete_details": {"reason": "max_output_tokens"}}),
        ("content_filter", {"incomplete_details": {"reason": "content_filter"}}),
        ("incomplete", {"incomplete_details": None}),
        ("queued", {"status": "queued"}),
        ("in_progress", {"status": "in_progress"}),
        ("cancelled", {"status": "cancelled"}),
    ],
)
def test_why_a_response_ended(expected: str, fields: dict[str, Any]):
    """In the words of chat; one that goes on in the background says so."""
    assert expected == read(response(MESSAGE, **{"status": "incomplete", **fields})).finish_reason


@pytest.mark.parametrize(
    ("cls", "error"),
    [
        (errors.ServerError, {"code": "server_error", "message": "Oh."}),
        (errors.RateLimitError, {"code": "rate_limit_exceeded", "message": "Oh."}),
        (errors.BadRequestError, {"code": "invalid_prompt", "message": "Oh."}),
        (errors.ServerError, {"code": "never_heard_of", "message": "Oh."}),
        (InvalidResponseError, None),
    ],
)
def test_a_response_that_has_failed_is_an_error(cls: type[AdapterError], error: Any):
    """Though its status says that all is well."""
    with pytest.raises(cls) as caught:
        read(response(status="failed", error=error))

    assert cls is type(caught.value)


# streams


def test_the_events_of_a_stream():
    """Each by its name; text, reasoning, tools and usage are picked out of them."""
    added = {**CALL, "arguments": "", "id": "fc_1"}
    events = events_of(
        {"type": "response.created", "response": response(status="in_progress")},
        {"type": "response.reasoning_summary_text.delta", "delta": "So."},
        {"type": "response.output_text.delta", "delta": "Hel"},
        {"type": "response.output_text.done", "text": "Hel"},
        {"type": "response.output_item.added", "output_index": 1, "item": added},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"a":1}'},
        {"type": "response.not_yet_invented", "thing": 1},
        {"type": "response.completed", "response": response(MESSAGE, CALL)},
    )

    assert ["", "", "Hel", "", "", "", "", ""] == [event.text for event in events]
    assert "So." == events[1].reasoning
    assert (ToolCall("call_1", "look", "", 1),) == events[4].tool_calls
    assert (ToolCall("", "", '{"a":1}', 1),) == events[5].tool_calls
    assert ("response.not_yet_invented", 1) == (events[6].event, events[6].raw["thing"])
    assert ("tool_calls", 16, MODEL) == (
        events[7].finish_reason,
        events[7].usage and events[7].usage.total_tokens,
        events[7].model,
    )


def test_items_without_a_number():
    """Some servers leave it out: the calls are told apart by their ids, in order."""
    parts = [("a", '{"a"'), ("b", "{}"), ("a", ":1}")]
    events = events_of(
        *({"type": "response.output_item.added", "item": {**CALL, "id": item}} for item in "ab"),
        *(
            {"type": "response.function_call_arguments.delta", "item_id": item, "delta": delta}
            for item, delta in parts
        ),
        {"type": "response.completed", "response": response(CALL)},
    )

    assert [0, 1, 0, 1, 0] == [call.index for event in events for call in event.tool_calls]
    assert "output_index" not in events[0].raw


@pytest.mark.parametrize("last", ["completed", "incomplete", "cancelled"])
def test_a_stream_ends_with_one_of_three_events(last: str):
    """What comes after it is not read, an end marker of other servers included."""
    status = {"status": last}
    reader = read_responses_stream(OPENAI_ERRORS, HEADERS, ())
    assert reader is not None
    payload = {"type": f"response.{last}", "response": response(MESSAGE, **status)}
    text = f"data: {json.dumps(payload)}\n\ndata: [DONE]\n\n"

    assert [f"response.{last}"] == [event.event for event in reader.feed(text.encode())]
    assert reader.has_ended
    assert [] == list(reader.finish())


def test_an_end_marker_is_no_end():
    """A stream without its last event was cut, whatever stands in its place."""
    reader = read_responses_stream(OPENAI_ERRORS, HEADERS, ())
    assert reader is not None
    text = 'data: {"type": "response.output_text.delta", "delta": "a"}\n\ndata: [DONE]\n\n'
    assert ["a"] == [event.text for event in reader.feed(text.encode())]

    with pytest.raises(errors.ConnectionFailedError, match="without its end marker"):
        list(reader.finish())


@pytest.mark.parametrize(
    ("cls", "event"),
    [
        (errors.RateLimitError, {"type": "error", "code": "rate_limit_exceeded", "message": "x"}),
        (errors.ServerError, {"type": "error", "code": None, "message": "x"}),
        (
            errors.BadRequestError,
            {
                "type": "response.failed",
                "response": response(status="failed", error={"code": "invalid_prompt"}),
            },
        ),
        (errors.ServerError, {"type": "response.failed", "response": response(status="failed")}),
        (errors.ServerError, {"type": "oops", "error": {"code": "server_error"}}),
        (InvalidResponseError, {"type": "response.output_text.delta"}),
        (InvalidResponseError, {"type": "response.completed"}),
    ],
)
def test_an_event_may_be_an_error(cls: type[AdapterError], event: dict[str, Any]):
    """Flat, nested, or a response that has failed; a missing field is one as well."""
    with pytest.raises(cls) as caught:
        events_of(event)

    assert cls is type(caught.value)


@pytest.mark.parametrize("kind", ["application/json", "text/html; charset=utf-8"])
def test_what_is_surely_no_stream_is_none(kind: str):
    """It is read as an error instead."""
    assert read_responses_stream(OPENAI_ERRORS, Headers([("content-type", kind)]), ()) is None


# clients


def test_a_stream_that_fails_later_tells_what_had_arrived(make: Make, server: Recorder):
    """The error event is the cause."""
    server.play(
        event_stream(
            {"type": "response.created", "response": response(status="in_progress")},
            {"type": "response.output_text.delta", "delta": "Hel"},
            {"type": "error", "code": "server_is_overloaded", "message": "busy"},
        )
    )
    client = make(openai, "sk-1234567890", base_url=server.url)

    with pytest.raises(StreamInterruptedError) as caught:
        list(client.stream_responses(MODEL, "Hi"))

    assert ("Hel", errors.OverloadedError) == (
        caught.value.partial,
        type(caught.value.__cause__),
    )


def test_stream_is_no_option_of_a_whole_response(make: Make, server: Recorder):
    """There is an operation for it."""
    with pytest.raises(errors.SettingsError, match=r"stream_responses\(\)"):
        make(openai, "sk-1234567890", base_url=server.url).responses(MODEL, "Hi", stream=True)


def test_the_server_says_how_many_tokens_there_are(make: Make, server: Recorder):
    """Nothing is generated."""
    server.play(answer({"object": "response.input_tokens", "input_tokens": 11}))

    count = make(openai, "sk-1234567890", base_url=server.url).count_tokens(MODEL, "Hi")

    assert (11, 11) == (count.input_tokens, int(count))
    assert "/v1/responses/input_tokens" == server.requests[0].target


def test_whole_and_streamed_say_the_same(make: Make, emulator: Emulator):
    """Text, usage and reason, against a server that streams as OpenAI does."""
    key = next(iter(emulator.keys("openai").values()))
    client = make(openai, key, base_url=emulator.base_url("openai"))

    whole = client.responses(MODEL, "Say hello")
    with client.stream_responses(MODEL, "Say hello") as stream:
        names = [event.event for event in stream]

    assert whole.text == stream.text == str(stream)
    assert whole.usage == stream.usage
    assert (whole.finish_reason, whole.model) == (stream.finish_reason, stream.model)
    assert ("response.created", "response.completed") == (names[0], names[-1])
