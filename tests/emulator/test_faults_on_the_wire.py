"""Each fault does to the bytes what it says; read by hand, and by the vendor's client."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlsplit

import openai
import pytest

from adapters.emulator import Emulator, LogRecord, expected_answer
from adapters.emulator.plans import Plan
from adapters.emulator.wire import deliver

from .conftest import SEED

CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
STREAM: dict[str, Any] = {**CHAT, "stream": True}
QUOTA = "insufficient_quota"
INVALID = "invalid_request_error"
ANSWER = expected_answer("hi", seed=SEED)

Settled = Callable[[int], LogRecord]


def sdk_chat(client: openai.OpenAI, **more: Any) -> Any:
    """Ask through the vendor's client."""
    return client.chat.completions.create(**{**CHAT, **more})


def events_of(body: bytes) -> list[bytes]:
    """Cut a stream into its events."""
    return [event for event in body.split(b"\n\n") if event]


def read_stream(connection: http.client.HTTPConnection) -> tuple[list[bytes], Exception | None]:
    """Read a stream to its end, however it ends."""
    response = connection.getresponse()
    assert 200 == response.status
    found = b""
    try:
        while piece := response.read1():
            found += piece
    except (http.client.HTTPException, OSError) as error:
        return events_of(found), error
    finally:
        connection.close()
    return events_of(found), None


@pytest.mark.parametrize(
    ("spec", "status", "kind", "code"),
    [
        ("429", 429, "requests", "rate_limit_exceeded"),
        ("429:code=slow_down", 429, "rate_limit_error", "slow_down"),
        ("quota", 429, QUOTA, "insufficient_quota"),
        ("quota:code=project_spend_limit_exceeded", 429, QUOTA, "project_spend_limit_exceeded"),
        ("401", 401, INVALID, "invalid_api_key"),
        ("403", 403, INVALID, "unsupported_country_region_territory"),
        ("400:code=context_length_exceeded", 400, INVALID, "context_length_exceeded"),
        ("409", 409, "conflict_error", "conflict"),
        ("418", 418, INVALID, None),
        ("500", 500, "server_error", None),
        ("502", 502, "server_error", "bad_gateway"),
        ("503", 503, "service_unavailable_error", "server_is_overloaded"),
        ("529", 529, "overloaded_error", "overloaded"),
        ("599", 599, "server_error", None),
    ],
)
def test_a_status_has_the_error_of_the_api(
    server: Emulator, wire: Any, spec: str, status: int, kind: str, code: str | None
) -> None:
    """Status, type and code are those of the real API; headers are there as well."""
    server.script([spec])

    reply = wire.send(CHAT)

    assert (status, kind, code) == (reply.status, reply.error["type"], reply.error["code"])
    assert reply.headers["x-request-id"] == server.log()[0].request_id


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ("429", openai.RateLimitError),
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("409", openai.ConflictError),
        ("503", openai.InternalServerError),
        ("reset", openai.APIConnectionError),
    ],
)
def test_the_sdk_raises_its_own_errors(
    server: Emulator, client: openai.OpenAI, spec: str, error: type[Exception]
) -> None:
    """The vendor's client takes the faults for what they are meant to be."""
    server.script([spec])

    with pytest.raises(error):
        sdk_chat(client)


def test_a_message_may_be_given(server: Emulator, wire: Any) -> None:
    """The words of an error can be chosen, its code stays."""
    server.script([{"fault": "503", "message": "gone, fishing"}])

    error = wire.send(CHAT).error

    assert ("gone, fishing", "server_is_overloaded") == (error["message"], error["code"])


@pytest.mark.parametrize(
    ("spec", "name", "value"),
    [
        ("429:retry_after=2", "retry-after", "2"),
        ("503:retry_after=1.2", "retry-after", "2"),
        ("429:retry_after=1.2345,retry_after_as=ms", "retry-after-ms", "1235"),
        ("429", "retry-after", None),
        ("500:should_retry=false", "x-should-retry", "false"),
        ("400:should_retry=true", "x-should-retry", "true"),
        ("500", "x-should-retry", None),
    ],
)
def test_headers_that_say_what_to_do(
    server: Emulator, wire: Any, spec: str, name: str, value: str | None
) -> None:
    """A header is there when the rule says so, rounded up where its form is coarse."""
    server.script([spec])

    assert value == wire.send(CHAT).headers.get(name)


def test_retry_after_as_a_date(server: Emulator, wire: Any) -> None:
    """The date is at least as far away as the rule says, and in the form of RFC 9110."""
    server.script(["429:retry_after=100,retry_after_as=date"])
    before = datetime.now(UTC)

    told = wire.send(CHAT).headers["retry-after"]

    assert told.endswith(" GMT")
    assert 100 <= (parsedate_to_datetime(told) - before).total_seconds() < 115


def test_a_limit_tells_how_long_and_means_it(server: Emulator, wire: Any) -> None:
    """Beyond the limit: 429 with the time that is left; asking early is refused and noted."""
    server.script(["limit:key=production,requests=2,window=1000,retry_after_as=ms,grace=0"])

    replies = [wire.send(CHAT) for _ in range(4)]

    assert [200, 200, 429, 429] == [reply.status for reply in replies]
    assert ["1", "0", "0"] == [
        reply.headers["x-ratelimit-remaining-requests"] for reply in replies[:3]
    ]
    assert "2" == replies[0].headers["x-ratelimit-limit-requests"]
    assert replies[0].headers["x-ratelimit-reset-requests"].startswith("16m")
    waits = [int(reply.headers["retry-after-ms"]) for reply in replies[2:]]
    assert 1_000_000 >= waits[0] >= waits[1] > 900_000
    assert [False, False, False, True] == [record.too_early for record in server.log()]
    assert [None, None, waits[0] / 1000] == [record.retry_after for record in server.log()[:3]]
    other = {"authorization": f"Bearer {server.keys()['backup']}"}
    assert 200 == wire.send(CHAT, headers=other).status


def test_a_reset_is_a_reset(server: Emulator, wire: Any, settled: Settled) -> None:
    """The connection ends with RST and without a byte."""
    server.script(["reset"])
    connection = wire.open(CHAT)

    with pytest.raises(ConnectionResetError) as caught:
        connection.getresponse()

    connection.close()
    assert ConnectionResetError is caught.type  # and no RemoteDisconnected, which is one as well
    record = settled(0)
    assert (None, "reset", False) == (record.status, record.fault, record.completed)


@pytest.mark.parametrize("spec", ["hang", "slow:delay=3600", "500:delay=3600"])
def test_nothing_comes_until_the_client_leaves(
    server: Emulator, wire: Any, settled: Settled, spec: str
) -> None:
    """No byte is sent; the emulator notices at once that the client has gone."""
    server.script([spec])
    connection = wire.open(CHAT)
    while not server.log():
        pass

    connection.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.sock.recv(1)

    connection.close()
    record = settled(0)
    assert (None, False) == (record.status, record.completed)


def test_a_hang_may_end(server: Emulator, wire: Any) -> None:
    """After its time-out a hang closes the connection, still without an answer."""
    server.script(["hang:timeout=0.01"])
    connection = wire.open(CHAT)

    with pytest.raises(http.client.RemoteDisconnected):
        connection.getresponse()

    connection.close()


def test_slow_answers_are_right_in_the_end(server: Emulator, wire: Any) -> None:
    """A delay goes before the answer, an interval between its parts; nothing else changes."""
    server.script(["slow:delay=0.02,stream=false", "slow:interval=0.002,stream=true"])

    plain, stream = wire.send(CHAT), wire.send(STREAM)

    assert ANSWER == plain.json["choices"][0]["message"]["content"]
    assert b"data: [DONE]" == events_of(stream.body)[-1]
    first, second = server.log()
    assert first.duration is not None
    assert second.duration is not None
    assert first.duration >= 0.02
    assert second.duration >= 0.002 * (second.events - 1)


def test_a_body_may_trickle(server: Emulator, wire: Any) -> None:
    """A plain body with an interval comes in ten parts, whole."""
    server.script(["slow:interval=0.001"])

    reply = wire.send(CHAT)

    assert ANSWER == reply.json["choices"][0]["message"]["content"]
    assert str(len(reply.body)) == reply.headers["content-length"]
    assert (0, True) == (server.log()[0].events, server.log()[0].completed)


@pytest.mark.parametrize(("keep", "part"), [("0.5", 0.5), ("0", 0.0)])
def test_a_truncated_body_is_shorter_than_it_says(
    server: Emulator, wire: Any, settled: Settled, keep: str, part: float
) -> None:
    """Content-Length tells the whole length, the connection closes before."""
    server.script([f"truncated:keep={keep}"])
    connection = wire.open(CHAT)
    response = connection.getresponse()
    announced = int(response.headers["content-length"])

    with pytest.raises(http.client.IncompleteRead) as caught:
        response.read()

    connection.close()
    assert int(announced * part) == len(caught.value.partial)
    record = settled(0)
    assert (200, "truncated", False) == (record.status, record.fault, record.completed)


def test_broken_json_is_complete_and_no_json(server: Emulator, wire: Any) -> None:
    """The length is right, the content is not."""
    server.script(["broken_json"])

    reply = wire.send(CHAT)

    assert (200, str(len(reply.body))) == (reply.status, reply.headers["content-length"])
    with pytest.raises(json.JSONDecodeError):
        assert reply.json


@pytest.mark.parametrize(
    ("shape", "kind"),
    [("list", list), ("string", str), ("number", int), ("null", type(None)), ("object", dict)],
)
def test_wrong_types_are_json(server: Emulator, wire: Any, shape: str, kind: type) -> None:
    """Valid JSON, and not the object that the API promises."""
    server.script([f"wrong_type:shape={shape}"])

    found = wire.send(CHAT).json

    assert kind is type(found)
    assert not isinstance(found, dict) or {} == found


@pytest.mark.parametrize("spec", ["broken_json:after=2", "wrong_type:after=2"])
def test_one_event_may_be_wrong(server: Emulator, wire: Any, spec: str) -> None:
    """In a stream one event is spoiled, its neighbours are as they were."""
    good = events_of(wire.send(STREAM).body)
    server.script([spec])

    bad = events_of(wire.send(STREAM).body)

    assert len(good) == len(bad)
    assert [2] == [n for n, event in enumerate(bad) if b'"delta"' not in event][:1]


def test_an_empty_answer(server: Emulator, wire: Any) -> None:
    """Status 200 and no body; for a stream, no event and no end marker."""
    server.script(["empty"])

    plain, stream = wire.send(CHAT), wire.send(STREAM)

    assert (200, b"", "0") == (plain.status, plain.body, plain.headers["content-length"])
    assert (200, b"") == (stream.status, stream.body)
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert [(0, True), (0, True)] == [(r.events, r.completed) for r in server.log()]


@pytest.mark.parametrize(("spec", "status"), [("html", 502), ("html:status=200", 200)])
def test_an_error_page(server: Emulator, wire: Any, spec: str, status: int) -> None:
    """A proxy's page stands where JSON should."""
    server.script([spec])

    reply = wire.send(CHAT)

    assert (status, "text/html; charset=utf-8") == (reply.status, reply.headers["content-type"])
    assert reply.body.startswith(b"<!DOCTYPE html>")


@pytest.mark.parametrize(("after", "sent"), [(0, 0), (1, 1), (3, 3), (-1, None), (1000, None)])
def test_a_stream_is_cut_after_some_events(
    server: Emulator, wire: Any, settled: Settled, after: int, sent: int | None
) -> None:
    """The chunked message has no end; at least one event is missing, however late the cut."""
    whole = events_of(wire.send(STREAM).body)
    server.script([f"cut:after={after}"])

    events, error = read_stream(wire.open(STREAM))

    expected = len(whole) - 1 if sent is None else sent
    assert isinstance(error, http.client.IncompleteRead)
    assert expected == len(events)
    record = settled(1)
    assert (200, "cut", expected, False) == (
        record.status,
        record.fault,
        record.events,
        record.completed,
    )


def test_a_stream_may_end_well_but_early(server: Emulator, wire: Any) -> None:
    """Only the end marker is missing; HTTP itself has nothing to complain about."""
    whole = events_of(wire.send(STREAM).body)
    server.script(["cut:after=-1,how=clean"])

    events, error = read_stream(wire.open(STREAM))

    assert error is None
    assert len(whole[:-1]) == len(events)
    assert b"[DONE]" not in events[-1]
    assert not server.log()[1].completed


def test_a_stream_may_be_reset(server: Emulator, wire: Any) -> None:
    """The cut comes as RST."""
    server.script(["cut:after=2,how=reset"])

    _, error = read_stream(wire.open(STREAM))

    assert isinstance(error, ConnectionResetError)


def test_a_stream_may_stall(server: Emulator, wire: Any, settled: Settled) -> None:
    """After some events nothing comes any more, and the connection stays open."""
    server.script(["cut:after=2,how=hang"])
    connection = wire.open(STREAM)
    response = connection.getresponse()
    found = b""
    while len(events_of(found)) < 2:
        found += response.read1()

    connection.sock.setblocking(False)
    with pytest.raises(BlockingIOError):
        connection.sock.recv(1)

    response.close()
    connection.close()
    assert (2, False) == (settled(0).events, settled(0).completed)


def test_a_plain_answer_cannot_be_cut(server: Emulator, wire: Any) -> None:
    """Faults of streams leave plain answers alone, and the other way round."""
    server.script(["cut:how=clean", "error_in_200"])

    wire.send(CHAT)
    wire.send(STREAM)

    assert ["error_in_200", "cut"] == [record.fault for record in server.log()]


def test_a_refused_stream_is_not_cut(server: Emulator, wire: Any) -> None:
    """A request for a stream that is answered with an error gets the error whole."""
    server.script(["cut"])

    reply = wire.send({**STREAM, "model": "gpt-9"})

    assert (404, "model_not_found") == (reply.status, reply.error["code"])


@pytest.mark.parametrize("after", [0, 2])
def test_an_error_inside_a_stream(
    server: Emulator, client: openai.OpenAI, wire: Any, after: int
) -> None:
    """Before the first event or later an error stands among the events, and the stream ends."""
    server.script([f"stream_error:after={after},status=429"])

    events = events_of(wire.send(STREAM).body)

    assert after + 1 == len(events)
    error = json.loads(events[-1].removeprefix(b"data: "))["error"]
    assert "rate_limit_exceeded" == error["code"]
    with pytest.raises(openai.APIError, match="Rate limit"):
        list(sdk_chat(client, stream=True))


def test_an_error_inside_a_stream_of_responses(
    server: Emulator, client: openai.OpenAI, wire: Any
) -> None:
    """There it is a named event with flat members, which the SDK hands on as an event."""
    server.script(["stream_error:after=1"])
    body = {"model": "gpt-4o-mini", "input": "hi", "stream": True}

    raw = events_of(wire.send(body, "/responses").body)[-1]
    events = list(client.responses.create(model="gpt-4o-mini", input="hi", stream=True))

    assert raw.startswith(b"event: error\ndata: ")
    assert ["response.created", "error"] == [event.type for event in events]


def test_an_error_inside_a_200(server: Emulator, client: openai.OpenAI, wire: Any) -> None:
    """Status 200 and an error for a body; a response says of itself that it has failed."""
    server.script(["error_in_200:status=503"])

    reply = wire.send(CHAT)
    response = client.responses.create(model="gpt-4o-mini", input="hi")

    assert (200, "server_is_overloaded") == (reply.status, reply.error["code"])
    assert "failed" == response.status
    assert response.error is not None
    assert "server_is_overloaded" == response.error.code


def test_a_redirect_leads_to_another_host(server: Emulator, wire: Any) -> None:
    """By default to this server under another name, so that the log shows what came along."""
    server.script(["redirect:first=1"])

    reply = wire.send(CHAT)

    target = urlsplit(reply.headers["location"])
    assert (307, "localhost") == (reply.status, target.hostname)
    assert (urlsplit(server.base_url()).port, "/openai/v1/chat/completions") == (
        target.port,
        target.path,
    )


def test_a_redirect_may_lead_anywhere(server: Emulator, wire: Any) -> None:
    """Address and status can be chosen."""
    server.script(["redirect:location=http://127.0.0.1:9/x,status=302"])

    reply = wire.send(CHAT)

    assert (302, "http://127.0.0.1:9/x") == (reply.status, reply.headers["location"])


def test_a_revoked_key_and_an_outage(server: Emulator, wire: Any) -> None:
    """Rules by time: from their second on, and not before or after."""
    server.script(["401:key=backup,from=0", "503:from=1000,to=2000", "500:to=0.000001"])
    backup = {"authorization": f"Bearer {server.keys()['backup']}"}

    assert (401, 200) == (wire.send(CHAT, headers=backup).status, wire.send(CHAT).status)


def test_an_outage_strikes_strangers_too(server: Emulator, wire: Any) -> None:
    """A server that is down does not look at keys."""
    server.script(["503"])

    assert 503 == wire.send(CHAT, headers={"authorization": None}).status


def test_a_client_that_leaves_a_stream_is_noticed(
    server: Emulator, wire: Any, settled: Settled
) -> None:
    """Between two events the emulator sees that nobody listens any more."""
    server.script(["slow:interval=3600"])
    connection = wire.open(STREAM)
    response = connection.getresponse()
    response.read1()
    response.close()
    connection.close()

    assert (1, False) == (settled(0).events, settled(0).completed)


def test_half_a_request_is_no_request(server: Emulator, wire: Any, settled: Settled) -> None:
    """A client that leaves before its body is complete gets no answer, and is logged."""
    with wire.connect() as connection:
        connection.sendall(
            b"POST /openai/v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
            b"Content-Length: 100\r\n\r\nhalf"
        )
        while not server.log():
            pass

    assert (None, False) == (settled(0).status, settled(0).completed)


def test_what_nobody_reads_is_not_complete() -> None:
    """A client that has left before the answer began gets nothing, and the record says so."""
    gone = Mock(transport=Mock(is_closing=lambda: True))
    plan = Plan(200, [], b"text/plain", (b"answer",), 6, is_stream=False)
    record = LogRecord(0, 0.0, "openai", "GET", "/")
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(deliver(plan, record, {"state": {"connection": gone}}, Mock(), send))

    assert ["http.response.start"] == sent
    assert not record.completed


def test_pipelined_garbage_does_no_harm(wire: Any) -> None:
    """Bytes that are no HTTP end their own connection only."""
    with wire.connect() as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass

    assert 200 == wire.send(CHAT).status
