"""Streams: bytes to events, wherever the borders of the chunks fall."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters import _streams
from adapters._messages import StreamEvent, ToolCall, Usage
from adapters._streaming import Collected
from adapters._streams import (
    EventReader,
    JsonLines,
    LastEvents,
    ServerSentEvent,
    ServerSentEvents,
)
from adapters.errors import AdapterError, ConnectionFailedError, InvalidResponseError

Event = ServerSentEvent


def events_of(*chunks: bytes) -> list[ServerSentEvent]:
    """Everything that one parser makes of these chunks."""
    parser = ServerSentEvents()
    return [event for chunk in chunks for event in parser.feed(chunk)] + parser.finish()


@pytest.mark.parametrize(
    ("expected", "stream"),
    [
        ([Event("a")], b"data: a\n\n"),
        ([Event("a")], b"data:a\r\n\r\n"),
        ([Event("a")], b"data: a\r\r"),
        ([Event("a"), Event("b")], b"data: a\n\ndata: b\n\n"),
        ([Event("a\nb")], b"data: a\ndata: b\n\n"),
        ([Event(" a")], b"data:  a\n\n"),
        ([Event("a", "done")], b"event: done\ndata: a\n\n"),
        ([Event("a", "done")], b"data: a\nevent: done\n\n"),
        ([Event("a"), Event("b")], b"event: x\n\ndata: a\n\n: comment\ndata: b\n\n"),
        ([Event("a")], b": keep-alive\n\nid: 1\nretry: 10\ndata: a\n\n"),
        ([Event("a")], b"\xef\xbb\xbfdata: a\n\n"),
        ([Event("")], b"data\n\n"),
        ([Event("a\u2028b")], "data: a\u2028b\n\n".encode()),
        ([Event("\ufffd")], b"data: \xff\n\n"),
        ([Event("a")], b"data: a"),
        ([Event("a")], b"data: a\n"),
        ([], b""),
        ([], b"\n\n\n"),
        ([], b"data : a\n\n"),
    ],
)
def test_server_sent_events(expected: list[ServerSentEvent], stream: bytes):
    """The cases of the standard, and the end without a blank line that some servers send."""
    assert expected == events_of(stream)


def test_an_event_is_given_as_soon_as_its_blank_line_is_there():
    """A CR ends a line at once: waiting for an LF would hold the event back."""
    parser = ServerSentEvents()

    assert [Event("a")] == parser.feed(b"data: a\r\r")
    assert [Event("b")] == parser.feed(b"\ndata: b\r\n\r")


lines = st.sampled_from(
    [
        b"data: a",
        b"data: \xf0\x9f\x98\x80",
        b"data:",
        b"event: e",
        b":",
        b"",
        b"",
        b"\xff",
        b"data: \xf0\x9f",
    ]
)
streams = st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r", b"\r\n"]))).map(
    lambda parts: b"".join(line + end for line, end in parts)
)


@given(st.data(), streams | st.binary())
@example(None, b"\xef\xbb\xbfdata: a\r\n\r\ndata: \xe2\x82\xac\r\r\n")
def test_the_borders_of_chunks_change_nothing(data: st.DataObject | None, stream: bytes):
    """The same bytes give the same events, whole, byte by byte, and cut anywhere."""
    whole = events_of(stream)

    assert whole == events_of(*(stream[at : at + 1] for at in range(len(stream))))
    if data is not None:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
        borders = [0, *cuts, len(stream)]
        assert whole == events_of(*(stream[a:b] for a, b in pairwise(borders)))


@given(st.lists(st.binary()))
def test_any_bytes_are_lines(chunks: list[bytes]):
    """JSON lines never fail on bytes, and are the same however they are cut."""
    cut, whole = JsonLines(), JsonLines()

    pieces = [line for chunk in chunks for line in cut.feed(chunk)] + cut.finish()

    assert [*whole.feed(b"".join(chunks)), *whole.finish()] == pieces


def test_json_lines_drop_blank_ones_and_keep_the_last():
    """A missing line feed at the end loses nothing."""
    parser = JsonLines()

    assert ['{"a":1}'] == parser.feed(b'{"a":1}\n\r\n  \n{"b"')
    assert ['{"b":2}'] == [*parser.feed(b":2}"), *parser.finish()]


@pytest.mark.parametrize(
    "chunks", [[b"data: aaaa", b"aaaa", b"aaaa"], [b"data: aa\n", b"data: aa\n", b"data\n" * 20]]
)
def test_a_server_cannot_fill_the_memory_with_one_event(monkeypatch, chunks: list[bytes]):
    """A line, and an event of many lines, are refused once they are too long."""
    monkeypatch.setattr(_streams, "MAX_EVENT_SIZE", 12)

    with pytest.raises(InvalidResponseError, match="longer than 12"):
        events_of(*chunks)


def read(reader: EventReader, *chunks: bytes) -> list[str]:
    """The texts of all events, until one is an error."""
    return [event.text for chunk in chunks for event in reader.feed(chunk)] + [
        event.text for event in reader.finish()
    ]


def parse(part: ServerSentEvent) -> list[StreamEvent] | None:
    """A dialect of one rule for each case."""
    if part.data == "broken":
        raise InvalidResponseError("broken")
    return None if part.data == "[DONE]" else [StreamEvent(text=part.data)]


def test_a_reader_gives_events_until_the_end_marker():
    """What follows the marker is not read."""
    reader = EventReader(ServerSentEvents(), parse)

    assert ["a", "b"] == read(reader, b"data: a\n\ndata: b\n\ndata: [DONE]\n\ndata: broken\n\n")
    assert reader.has_ended


@pytest.mark.parametrize(
    ("error", "words", "stream"),
    [
        (ConnectionFailedError, "without its end marker", b"data: a\n\n"),
        (ConnectionFailedError, "middle of an event", b"data: a\n\ndata: broken"),
        (InvalidResponseError, "without an event", b""),
        (InvalidResponseError, "without an event", b"data: [DONE]\n\n"),
        (InvalidResponseError, "broken", b"data: broken\n\ndata: [DONE]\n\n"),
    ],
)
def test_a_stream_that_does_not_end_well_is_an_error(
    error: type[AdapterError], words: str, stream: bytes
):
    """Cut, empty and broken streams are told apart."""
    with pytest.raises(error, match=words):
        read(EventReader(ServerSentEvents(), parse), stream)


def test_an_empty_stream_may_be_tried_again():
    """Nothing has been seen of it, so it is like a request that failed."""
    with pytest.raises(InvalidResponseError) as caught:
        read(EventReader(ServerSentEvents(), parse))

    assert caught.value.retryable


def test_where_no_end_marker_is_promised_none_is_missed():
    """A stream of another operation just ends."""
    assert ["a"] == read(EventReader(ServerSentEvents(), parse, needs_end=False), b"data: a\n\n")
    assert [] == read(EventReader(ServerSentEvents(), parse, needs_end=False, may_be_empty=True))


def test_events_before_an_error_in_the_same_chunk_are_given_first():
    """What arrived is not lost because of what arrived with it."""
    reader = EventReader(ServerSentEvents(), parse)
    events = reader.feed(b"data: a\n\ndata: broken\n\n")

    assert "a" == next(events).text
    with pytest.raises(InvalidResponseError):
        next(events)


def test_collected_events_add_up():
    """Text and reasons by choice, tool calls by index, the last usage and model."""
    collected = Collected("req_1_a")
    for event in [
        StreamEvent(text="Hel", model="m"),
        StreamEvent(text="lo", tool_calls=(ToolCall("call_1", "look", '{"a', 0),)),
        StreamEvent(text="Bye", index=1, finish_reason="length"),
        StreamEvent(tool_calls=(ToolCall("", "", '":1}', 0), ToolCall("call_2", "find", "{}", 1))),
        StreamEvent(finish_reason="tool_calls"),
        StreamEvent(usage=Usage(input_tokens=1, output_tokens=2, total_tokens=3)),
    ]:
        collected.add(event)

    assert "Hello" == collected.text
    assert ("Hello", "Bye") == collected.texts
    assert "Hello\nBye" == collected.partial
    assert "tool_calls" == collected.finish_reason
    assert (ToolCall("call_1", "look", '{"a":1}', 0), ToolCall("call_2", "find", "{}", 1)) == (
        collected.tool_calls
    )
    assert 3 == collected.usage.total_tokens
    assert "m" == collected.model


def test_last_events_are_the_end():
    """Events that are the last ones of a stream end it: it lacks no end marker."""
    reader = EventReader(JsonLines(), lambda line: LastEvents([StreamEvent(text=line)]))

    assert ["a"] == [event.text for event in reader.feed(b"a\nb\n")]
    assert reader.has_ended
    assert [] == list(reader.finish())
