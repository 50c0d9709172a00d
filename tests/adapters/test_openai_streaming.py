"""Streams of the client of OpenAI: before the first event like a request, after it on their own."""

from __future__ import annotations

import gc
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from adapters import errors, openai
from adapters.errors import AdapterError, StreamInterruptedError
from resilience import deadline
from resilience.testing import FakeClock
from tests.adapters.recorder import Do, Recorder, Script, answer, chunked, event_stream

KEY = "sk-secret-0123456789"
MODEL = "gpt-4o-mini"
JSON = {"Content-Type": "application/json"}


def piece(text: str, reason: str | None = None) -> dict[str, Any]:
    """A chunk of a streamed chat."""
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": reason}
    return {"model": MODEL, "choices": [choice], "usage": None}


USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
HELLO = event_stream(
    piece(""),
    piece("Hel"),
    piece("lo", "stop"),
    {"model": MODEL, "choices": [], "usage": USAGE},
    "[DONE]",
)
CUT = [*event_stream(piece("Hel"), piece("lo"), end=False), Do.CLOSE]
ERROR = {"error": {"message": "too busy", "code": "server_is_overloaded"}}


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Time that passes only where somebody sleeps."""
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def client(make, server: Recorder) -> Any:
    """A client with two keys and no patience."""
    keys = {"production": KEY, "backup": "sk-other-9876543210"}
    return make(openai, keys=keys, base_url=server.url, read_timeout=0.3)


def test_a_stream_tells_its_text_and_how_it_went(client: Any, server: Recorder):
    """Event by event, and added up."""
    server.play(HELLO)

    with client.stream(MODEL, "Hi", request_id="mine") as stream:
        texts = [(event.text, stream.text) for event in stream]

    assert [("", ""), ("Hel", "Hel"), ("lo", "Hello"), ("", "Hello")] == texts
    assert "Hello" == str(stream)
    assert (("Hello",), "stop", 11, MODEL, (), "mine", None, "production", 1) == (
        stream.texts,
        stream.finish_reason,
        stream.usage.total_tokens,
        stream.model,
        stream.tool_calls,
        stream.request_id,
        stream.server_request_id,
        stream.key_name,
        stream.attempts,
    )
    assert "text/event-stream" == stream.headers["content-type"]
    assert {"stream": True}.items() <= server.requests[0].json.items()


def test_nothing_is_sent_before_the_first_step(client: Any, server: Recorder):
    """A stream that nobody reads costs nothing."""
    server.play(HELLO)

    with client.stream(MODEL, "Hi"):
        pass
    client.stream(MODEL, "Hi").close()

    assert [] == server.requests


def test_events_come_as_they_arrive(make, server: Recorder):
    """The second is sent once the first was seen."""
    seen = threading.Event()
    head, first, *rest = HELLO
    server.play([head, first, lambda: seen.wait(10), *rest])

    with make(openai, KEY, base_url=server.url) as client, client.stream(MODEL, "Hi") as stream:
        next(stream)
        seen.set()
        assert ["Hel", "lo", ""] == [event.text for event in stream]


@pytest.mark.parametrize(
    "script",
    [
        [answer({"error": {"message": "No."}}, status=500)],
        [Do.CLOSE],
        [Do.HANG],
        event_stream(ERROR),
        event_stream({"error": {"message": "slow", "code": "rate_limit_exceeded"}}),
        event_stream("{"),
        event_stream(),
        event_stream("[DONE]"),
        [*event_stream(end=False), Do.CLOSE],
        [*event_stream(end=False), Do.HANG],
        [answer(ERROR)],
        [answer(b"", headers=JSON)],
    ],
    ids=[
        *("500", "closed", "hang", "error event", "rate limit event", "broken event"),
        *("empty", "only the end", "cut at once", "hang after headers", "error as JSON"),
        "nothing as JSON",
    ],
)
def test_what_fails_before_the_first_event_is_tried_again(
    client: Any, server: Recorder, clock, script: Script
):
    """The caller sees one good stream."""
    server.play(script, HELLO)

    with client.stream(MODEL, "Hi") as stream:
        events = list(stream)

    assert ("Hello", 4, 2) == (stream.text, len(events), stream.attempts)


@pytest.mark.parametrize("status", [401, 429])
def test_another_key_takes_over_before_the_first_event(client, server: Recorder, clock, status):
    """At once, as for any request."""
    began = clock.now
    server.play(answer(b"", status=status), HELLO)

    with client.stream(MODEL, "Hi") as stream:
        list(stream)

    assert ("backup", 2, began) == (stream.key_name, stream.attempts, clock.now)


@pytest.mark.parametrize(
    ("cls", "script"),
    [
        (errors.BadRequestError, answer({"error": {"message": "No."}}, status=400)),
        (errors.InvalidResponseError, answer({"choices": []})),
        (errors.InvalidResponseError, answer(b"<html>", headers={"Content-Type": "text/html"})),
        (
            errors.QuotaExceededError,
            answer({"error": {"message": "", "code": "insufficient_quota"}}),
        ),
    ],
)
def test_what_cannot_pass_is_raised_at_the_first_step(
    make, server, cls: type[AdapterError], script
):
    """It is the error itself, not an interrupted stream."""
    server.play(script)

    with make(openai, KEY, base_url=server.url) as client, pytest.raises(cls) as caught:
        list(client.stream(MODEL, "Hi"))

    assert 1 == len(server.requests)
    assert ("openai", "chat", "default") == (
        caught.value.provider,
        caught.value.operation,
        caught.value.key_name,
    )


BEGUN = event_stream(piece("Hel"), piece("lo"), end=False)


@pytest.mark.parametrize(
    ("cause", "script"),
    [
        (errors.ConnectionFailedError, CUT),
        (errors.ConnectionFailedError, [*BEGUN, Do.RESET]),
        (errors.ConnectionFailedError, [*BEGUN, b"0\r\n\r\n"]),
        (errors.ConnectionFailedError, [*BEGUN, b"9\r\ndata: {", Do.CLOSE]),
        (errors.ConnectionFailedError, [*BEGUN, b'9\r\ndata: {"a\r\n0\r\n\r\n']),
        (errors.RequestTimeoutError, [*BEGUN, Do.HANG]),
        (errors.OverloadedError, event_stream(piece("Hel"), piece("lo"), ERROR)),
        (errors.InvalidResponseError, event_stream(piece("Hel"), piece("lo"), "{", "[DONE]")),
        (errors.InvalidResponseError, event_stream(piece("Hel"), piece("lo"), {}, "[DONE]")),
    ],
    ids=[
        *("cut", "reset", "no end marker", "cut in an event", "half an event", "hang"),
        *("error event", "broken event", "strange event"),
    ],
)
def test_what_fails_later_interrupts_the_stream(
    client: Any, server: Recorder, cause: type[AdapterError], script: Script
):
    """It is not tried again: the caller has seen the beginning. What had arrived is told."""
    server.play(script)
    stream = client.stream(MODEL, "Hi", request_id="mine")

    assert ["Hel", "lo"] == [next(stream).text for _ in range(2)]
    with pytest.raises(StreamInterruptedError) as caught:
        next(stream)

    error = caught.value
    assert "Hello" == stream.text
    assert ("Hello", 1, "mine", "production", "chat") == (
        error.partial,
        error.attempts,
        error.request_id,
        error.key_name,
        error.operation,
    )
    assert cause is type(error.__cause__)
    assert 1 == len(server.requests)
    assert "Hello" == pickle.loads(pickle.dumps(error)).partial
    assert 0 == client.queue.active


def test_an_interrupted_stream_counts_as_a_failure_of_the_service(make, server: Recorder):
    """Five in a row open the circuit, though each had begun well."""
    server.play(CUT)

    with make(openai, KEY, base_url=server.url) as client:
        for _ in range(5):
            with pytest.raises(StreamInterruptedError):
                list(client.stream(MODEL, "Hi"))

        assert "OPEN" == client.circuit_breaker.state


def test_a_secret_in_a_late_error_is_masked(client: Any, server: Recorder):
    """Also in its cause."""
    server.play(event_stream(piece("Hel"), {"error": {"message": KEY, "code": KEY}}))

    with pytest.raises(StreamInterruptedError) as caught:
        list(client.stream(MODEL, "Hi"))

    assert KEY not in f"{vars(caught.value)} {vars(caught.value.__cause__)} {caught.value}"


def test_a_secret_in_the_text_of_an_interrupted_stream_is_masked(client, server: Recorder):
    """Also where its halves came in two events; the pickle goes to another process."""
    server.play([*event_stream(piece(f"It is {KEY[:9]}"), piece(KEY[9:]), end=False), Do.CLOSE])

    with pytest.raises(StreamInterruptedError) as caught:
        list(client.stream("m", "Hi"))

    assert "It is [masked]" == caught.value.partial
    assert KEY.encode() not in pickle.dumps(caught.value)


def leave_with(stream: Any) -> None:
    """Leave the block."""
    with stream:
        next(stream)


def close(stream: Any) -> None:
    """Close it, twice."""
    next(stream)
    stream.close()
    stream.close()


def forget(stream: Any) -> None:
    """Let go of it."""
    next(stream)


@pytest.mark.parametrize("leave", [leave_with, close, forget])
def test_leaving_a_stream_early_gives_everything_back(make, server: Recorder, leave: Any):
    """Permit, key and connection; the next call need not wait, and no socket is left open."""
    server.play([*BEGUN, Do.HANG], answer({"choices": [{"message": {"content": "Hi"}}]}))

    with make(openai, KEY, base_url=server.url, max_concurrent_requests=1, queue_size=0) as client:
        leave(client.stream(MODEL, "Hi"))
        gc.collect()

        assert 0 == client.queue.active
        assert 0 == client.keys.get_stats()["active_requests"]
        assert "Hi" == client.chat(MODEL, "Hi").text
        assert [1, 2] == [request.connection for request in server.requests]
        assert "CLOSED" == client.circuit_breaker.state


def test_a_stream_holds_its_permit_until_it_ends(make, server: Recorder):
    """And then gives it back, with its connection."""
    server.play(HELLO)

    with make(openai, KEY, base_url=server.url) as client:
        stream = client.stream(MODEL, "Hi")
        next(stream)
        assert 1 == client.queue.active == client.keys.get_stats()["active_requests"]
        list(stream)

        assert 0 == client.queue.active == client.keys.get_stats()["active_requests"]
        list(client.stream(MODEL, "Hi"))
    assert [1, 1] == [request.connection for request in server.requests]


def test_a_stream_that_has_ended_gives_nothing_more(client: Any, server: Recorder):
    """It is an iterator."""
    server.play(HELLO)
    stream = client.stream(MODEL, "Hi")

    assert 4 == len(list(stream))
    assert [] == list(stream)
    assert "Hello" == stream.text


def test_the_consumers_own_error_is_nobodys_failure(client: Any, server: Recorder):
    """It comes out as it is, and everything is given back."""
    server.play([*BEGUN, Do.HANG])

    with pytest.raises(ZeroDivisionError), client.stream(MODEL, "Hi") as stream:
        assert 1 / len(next(stream).text[3:])

    assert (0, 0) == (client.queue.active, client.circuit_breaker.failure_count)


def test_the_time_of_a_call_bounds_its_stream(make, server: Recorder):
    """Drop by drop: each comes in time, all together do not; the consumer's time counts too."""
    seen = threading.Semaphore(1)
    with FakeClock() as clock, make(openai, KEY, base_url=server.url) as client:
        script: list[Any] = event_stream(*[piece("x")] * 20, end=False)
        head, *events = script
        steps = [[lambda: seen.acquire(timeout=10), lambda: clock.advance(1), e] for e in events]
        server.play([head, *(step for three in steps for step in three), Do.HANG])
        stream = client.stream(MODEL, "Hi", timeout=5)

        with pytest.raises(StreamInterruptedError) as caught:
            list(map(seen.release, (1 for _ in stream)))
        seen.release(20)

    assert isinstance(caught.value.__cause__, errors.RequestTimeoutError)
    assert 3 <= len(caught.value.partial) <= 5


def test_nothing_of_the_call_is_left_in_the_consumers_context(client: Any, server: Recorder):
    """Trap: a deadline that stays entered across a `yield` would bound the consumer's own calls."""
    server.play(HELLO)

    with client.stream(MODEL, "Hi", timeout=30) as stream:
        next(stream)
        assert deadline.remaining() is None
        list(stream)


def test_streams_are_counted(make, server: Recorder):
    """A stream is one call, and its tokens count."""
    server.play(HELLO)

    with make(openai, KEY, base_url=server.url, name="counted streams") as client:
        client.reset_stats()
        list(client.stream(MODEL, "Hi"))
        stats = client.get_stats()

    assert (1, 1, 11, {MODEL: 1}) == (
        stats["total_requests"],
        stats["successful_requests"],
        stats["total_tokens"],
        stats["requests_by_model"],
    )


# streams of any kind


def test_any_event_stream(client: Any, server: Recorder):
    """Names and parsed data; no end marker is needed, and one ends it."""
    lines = b'event: response.created\ndata: {"a":1}\n\ndata: plain\n\n'
    server.play(chunked(lines), chunked(lines + b"data: [DONE]\n\ndata: more\n\n"))

    for _ in range(2):
        events = list(client.request("POST", "responses", json={"model": "m"}, stream=True))

        assert [("response.created", {"a": 1}), (None, "plain")] == [
            (event.event, event.raw) for event in events
        ]


def test_json_lines_and_bytes(client: Any, server: Recorder):
    """By the type of the content; an empty file is a good one."""
    server.play(
        chunked(b'{"a":1}\n{"b"', b":2}", kind="application/x-ndjson"),
        chunked(b"\x00\x01", b"\x02", kind="application/octet-stream"),
        answer(b""),
    )

    def raws() -> list[Any]:
        return [event.raw for event in client.request("GET", "x", stream=True)]

    assert [{"a": 1}, {"b": 2}] == raws()
    assert b"\x00\x01\x02" == b"".join(raws())
    assert [] == raws()


def test_an_error_event_of_any_stream(client: Any, server: Recorder, clock):
    """The form of the responses interface: flat, and named."""
    failed = b'event: error\ndata: {"type":"error","code":"server_error","message":"No."}\n\n'
    server.play(chunked(failed), chunked(b"data: 1\n\n" + failed))

    with pytest.raises(StreamInterruptedError) as caught:
        list(client.request("POST", "responses", stream=True))

    assert 2 == len(server.requests)
    assert isinstance(caught.value.__cause__, errors.ServerError)
