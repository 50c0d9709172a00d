"""The client of OpenAI against a scripted server: what is retried, what is raised, what is told."""

from __future__ import annotations

import gc
import json
import logging
import os
import pickle
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import CodeType, FrameType, TracebackType
from typing import Any

import pytest

import adapters
from adapters import errors, openai, tgi
from adapters._http import Transport
from adapters._http_async import AsyncTransport
from adapters.errors import AdapterError, MissingKeyError, SettingsError
from adapters.openai import Client
from resilience import (
    CircuitOpenError,
    DeadlineExceededError,
    KeyPool,
    NoKeyAvailableError,
    Priority,
    Settings,
    deadline,
)
from resilience._context import current_priority
from resilience.testing import FakeClock, no_waiting
from tests.adapters.recorder import Do, Recorder, Script, answer, chunked

KEY = "sk-secret-0123456789"
OTHER = "sk-other-9876543210"
MODEL = "gpt-4o-mini"


def chat_answer(text: str = "Hello", **headers: str) -> bytes:
    """A chat completion."""
    body = {
        "model": MODEL,
        "choices": [{"index": 0, "message": {"content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }
    return answer(body, headers={"x-request-id": "req_server", **headers})


def failing(status: int, code: str | None = None, **headers: str) -> bytes:
    """An answer that is an error."""
    body = {"error": {"message": "No.", "type": None, "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer(body, status=status, headers=named)


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Time that passes only where somebody sleeps."""
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def client(make, server: Recorder) -> Any:
    """A client with one key."""
    return make(openai, KEY, base_url=server.url, read_timeout=5)


@pytest.fixture
def pair(make, server: Recorder) -> Any:
    """A client with two keys."""
    keys = {"production": KEY, "backup": OTHER}
    return make(openai, keys=keys, base_url=server.url)


def keys_used(server: Recorder) -> list[str]:
    """The keys of the requests that came, in order."""
    return [request.headers["authorization"].removeprefix("Bearer ") for request in server.requests]


# answers


def test_a_call_tells_how_it_went(client: Any, server: Recorder):
    """The result knows its ids, its key, its attempts and the headers."""
    server.play(chat_answer())

    answered = client.chat(MODEL, "Hi", request_id="mine-1")

    assert "Hello" == str(answered)
    assert ("mine-1", "req_server", "default", 1) == (
        answered.request_id,
        answered.server_request_id,
        answered.key_name,
        answered.attempts,
    )
    assert "mine-1" == server.requests[0].headers["x-client-request-id"]
    assert "req_server" == answered.headers["X-Request-ID"]


def test_every_call_has_an_id_of_its_own_and_keeps_it(client: Any, server: Recorder):
    """Retries of one call carry the same id, so that they can be told from other calls."""
    server.play(failing(500), chat_answer(), chat_answer())
    with no_waiting():
        first, second = client.chat(MODEL, "Hi"), client.chat(MODEL, "Hi")

    sent = [request.headers["x-client-request-id"] for request in server.requests]
    assert [first.request_id, first.request_id, second.request_id] == sent
    assert first.request_id != second.request_id


def test_a_result_pickles(client: Any, server: Recorder):
    """It can be handed to another process."""
    server.play(chat_answer())
    answered = client.chat(MODEL, "Hi")

    assert answered == pickle.loads(pickle.dumps(answered))


def test_an_answer_is_frozen(client: Any, server: Recorder):
    """Nobody changes what the server said."""
    server.play(chat_answer())

    with pytest.raises(AttributeError):
        client.chat(MODEL, "Hi").text = "Bye"  # type: ignore[misc]


def test_inputs_above_the_maximum_are_split_and_joined(client: Any, server: Recorder):
    """2,049 inputs are two requests of one call: ids, order and usage are kept apart or summed."""

    def vectors(count: int) -> bytes:
        data = [{"index": index, "embedding": [float(index)]} for index in reversed(range(count))]
        return answer({"data": data, "usage": {"prompt_tokens": count, "total_tokens": count}})

    server.play(vectors(2048), vectors(1))

    result = client.embed("e", [f"text {number}" for number in range(2049)], request_id="mine")

    assert [2048, 1] == [len(request.json["input"]) for request in server.requests]
    assert "text 2048" == server.requests[1].json["input"][0]
    assert ["mine", "mine-2"] == [r.headers["x-client-request-id"] for r in server.requests]
    assert [*map(float, range(2048)), 0.0] == [vector[0] for vector in result.vectors]
    assert (2049, 2, 2, "mine") == (
        result.usage.total_tokens,
        len(result.raw),
        result.attempts,
        result.request_id,
    )


def test_a_single_text_gives_one_vector(client: Any, server: Recorder):
    """It is sent as it is, not as a list."""
    server.play(answer({"data": [{"index": 0, "embedding": [1.0]}]}))

    assert [[1.0]] == client.embed("e", "text").vectors
    assert "text" == server.requests[0].json["input"]


# retries


@pytest.mark.parametrize(
    "script",
    [
        [failing(500)],
        [failing(502)],
        [failing(503, "server_is_overloaded")],
        [failing(504)],
        [failing(408)],
        [failing(409)],
        [failing(429)],
        [failing(400, x_should_retry="true")],
        [Do.CLOSE],
        [Do.RESET],
        [chat_answer()[:-5], Do.CLOSE],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{", Do.CLOSE],
        [answer(b'{"choices": [', headers={"Content-Type": "application/json"})],
        [answer(b"", headers={"Content-Type": "application/json"})],
        [answer({"unexpected": 1})],
        [answer({"choices": []})],
        [answer([])],
        [answer({"error": {"message": "broken", "type": "server_error"}})],
        [answer({"error": {"message": "slow", "code": "rate_limit_exceeded"}})],
    ],
    ids=[
        *("500", "502", "503", "504", "408", "409", "429", "x-should-retry"),
        *("closed", "reset", "cut", "cut chunk", "broken JSON", "empty"),
        *("other fields", "no choices", "a list", "error inside", "rate limit inside"),
    ],
)
def test_what_may_pass_is_tried_again(client: Any, server: Recorder, clock, script: Script):
    """The call succeeds, and says that it took two attempts."""
    server.play(script, chat_answer())

    answered = client.chat(MODEL, "Hi")

    assert ("Hello", 2) == (answered.text, answered.attempts)


@pytest.mark.parametrize(
    ("cls", "script"),
    [
        (errors.BadRequestError, failing(400)),
        (errors.ContextLengthError, failing(400, "context_length_exceeded")),
        (errors.AuthenticationError, failing(401)),
        (errors.PermissionDeniedError, failing(403)),
        (errors.NotFoundError, failing(404)),
        (errors.PayloadTooLargeError, failing(413)),
        (errors.QuotaExceededError, failing(429, "insufficient_quota")),
        (errors.ServerError, failing(500, x_should_retry="false")),
        (errors.ServerError, failing(501)),
        (errors.InvalidResponseError, answer(b"<html>", headers={"Content-Type": "text/html"})),
        (errors.InvalidResponseError, answer(b"", 302, {"Location": "https://evil.example/"})),
        (errors.BadRequestError, answer({"error": {"message": "x", "code": "invalid_prompt"}})),
    ],
)
def test_what_cannot_pass_is_raised_at_once(
    client: Any, server: Recorder, cls: type[AdapterError], script: bytes
):
    """One request is sent; the error knows which call it was."""
    server.play(script)

    with pytest.raises(cls) as caught:
        client.chat(MODEL, "Hi", request_id="mine")

    error = caught.value
    assert 1 == len(server.requests)
    assert cls is type(error)
    assert ("openai", "chat", "mine", "default", 1) == (
        error.provider,
        error.operation,
        error.request_id,
        error.key_name,
        error.attempts,
    )


@pytest.mark.parametrize(
    "script",
    [
        [failing(429, retry_after="3600")[:-5], Do.CLOSE],
        [b"HTTP/1.1 429 No\r\nRetry-After: 3600\r\nContent-Length: 999999999\r\n\r\n", Do.CLOSE],
    ],
    ids=["cut", "too long"],
)
def test_an_error_whose_body_cannot_be_read_is_known_by_its_status(client, server, script: Script):
    """What went wrong stands in the first line, how long to wait in the headers."""
    server.play(script)

    with pytest.raises(errors.RateLimitError) as caught:
        client.chat(MODEL, "Hi")

    # It counts down, and on a machine that is busy, some time has passed.
    assert (None, pytest.approx(3600, abs=60)) == (caught.value.body, caught.value.retry_after)


def test_the_last_error_comes_out_as_it_is(make, server: Recorder, clock):
    """With a note of the attempts, and not wrapped."""
    server.play(failing(500))

    with (
        make(openai, KEY, base_url=server.url, failure_threshold=50) as client,
        pytest.raises(errors.ServerError, match=r"openai chat \(500\): No\.") as caught,
    ):
        client.chat(MODEL, "Hi")

    assert 6 == len(server.requests) == caught.value.attempts
    assert "6 attempts" in caught.value.__notes__[0]


def test_a_server_that_names_its_time_is_not_asked_earlier(client, server: Recorder, clock):
    """The key rests for as long as the server says; the call waits, and then succeeds."""
    began = clock.now
    server.play(failing(429, retry_after="20"), chat_answer())

    client.chat(MODEL, "Hi")

    assert 20 <= clock.now - began < 60


def test_a_wait_that_is_too_long_ends_the_call_at_once(client, server: Recorder, clock):
    """The error carries the time, for whoever can use it."""
    server.play(failing(429, retry_after="3600"))

    with pytest.raises(errors.RateLimitError, match="in 3600 s") as caught:
        client.chat(MODEL, "Hi")

    assert 3600 == pytest.approx(caught.value.retry_after)
    assert 1 == len(server.requests)


# keys


@pytest.mark.parametrize(
    "trouble",
    [
        failing(429, retry_after="30"),
        failing(429, "insufficient_quota"),
        failing(401),
        failing(403),
    ],
    ids=["throttled", "out of quota", "rejected", "forbidden"],
)
def test_another_key_takes_over_at_once(pair: Any, server: Recorder, clock, trouble: bytes):
    """Changing keys costs no delay, and the key that failed is left alone."""
    began = clock.now
    server.play(trouble, chat_answer())

    answered = [pair.chat(MODEL, "Hi") for _ in range(3)]

    assert ["backup", "backup", "backup"] == [each.key_name for each in answered]
    assert [2, 1, 1] == [each.attempts for each in answered]
    assert [KEY, OTHER, OTHER, OTHER] == keys_used(server)
    assert began == clock.now


def test_when_the_only_key_is_rejected_the_next_calls_are_refused(client, server: Recorder, clock):
    """Asking again with a bad key helps nobody."""
    server.play(failing(401, "invalid_api_key"))
    with pytest.raises(errors.AuthenticationError):
        client.chat(MODEL, "Hi")

    with pytest.raises(NoKeyAvailableError) as caught:
        client.chat(MODEL, "Hi")

    assert caught.value.retry_after is not None
    assert 1 == len(server.requests)


def test_a_caller_can_choose_the_key(pair: Any, server: Recorder):
    """By the name of its entry, in turn or out of it."""
    server.play(chat_answer())

    assert ["backup"] * 3 == [pair.chat(MODEL, "Hi", key="backup").key_name for _ in range(3)]
    with pytest.raises(SettingsError, match="did you mean backup"):
        pair.chat(MODEL, "Hi", key="backpu")


def test_an_entry_may_be_a_server_of_its_own(make, server: Recorder):
    """Its address stands in for the client's; it may need no key."""
    pool = KeyPool()
    pool.add("replica", None, base_url=server.url)
    server.play(chat_answer())

    with make(openai, keys=pool, base_url="http://127.0.0.1:1/v1") as client:
        assert "replica" == client.chat(MODEL, "Hi").key_name

    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(("module", "ending"), [(openai, "/"), (tgi, ""), (tgi, "/")])
def test_the_address_of_an_entry_is_read_as_that_of_a_client(
    make, server: Recorder, module: Any, ending: str
):
    """A slash at its end, and a version that each path has already, do no harm."""
    pool = KeyPool()
    pool.add("replica", None, base_url=server.url + ending)
    server.play(chat_answer())

    with make(module, keys=pool) as client:
        client.chat(*[MODEL] * (module is openai), "Hi")

    assert ["/v1/chat/completions"] == [request.path for request in server.requests]


def test_an_entry_whose_address_is_none_is_named(make):
    """At the first call with it, and no attempt is repeated."""
    pool = KeyPool()
    pool.add("replica", None, base_url="localhost:8000")

    with make(openai, keys=pool, name="lost") as client:
        with pytest.raises(SettingsError, match="entry 'replica': base_url must be an address"):
            client.chat(MODEL, "Hi")

        assert 0 == client.get_stats()["retries"]


def test_a_key_that_no_header_can_carry_is_set_aside(make, server: Recorder):
    """Nothing is sent with it; another one takes over, and the error does not show it."""
    keys = {"broken": "sk-with a space", "good": KEY}
    server.play(chat_answer())

    with make(openai, keys=keys, base_url=server.url) as client:
        assert "good" == client.chat(MODEL, "Hi").key_name
    with (
        make(openai, "sk-with a space", base_url=server.url) as client,
        pytest.raises(errors.AuthenticationError, match="no header can carry") as caught,
    ):
        client.chat(MODEL, "Hi")

    assert [KEY] == keys_used(server)
    assert "sk-with" not in str(vars(caught.value))


# time


def test_the_time_of_a_call_bounds_it(client: Any, server: Recorder):
    """Nothing had been answered, so it is a time-out; the phase is told."""
    server.play([Do.HANG])

    with pytest.raises(errors.RequestTimeoutError, match="time of the call was over") as caught:
        client.chat(MODEL, "Hi", timeout=0.05)

    assert ("read", 1) == (caught.value.phase, caught.value.attempts)


def test_a_deadline_around_the_call_bounds_it_too(client: Any, server: Recorder):
    """The shorter of the two wins."""
    server.play([Do.HANG])

    with deadline(0.05), pytest.raises(TimeoutError):
        client.chat(MODEL, "Hi", timeout=30)


def test_a_call_without_time_is_not_sent(client: Any, server: Recorder):
    """It is refused before anything is sent."""
    with deadline(0), pytest.raises(DeadlineExceededError):
        client.chat(MODEL, "Hi")

    assert [] == server.requests


def test_at_the_end_of_its_time_a_call_raises_what_the_server_said_last(
    pair: Any, server: Recorder, clock, monkeypatch
):
    """A refusal would hide the reason: the time ends between the first key and the second."""
    for name in ("take", "take_async"):
        real = getattr(KeyPool, name)

        def slow(self: KeyPool, real: Any = real, **request: Any) -> Any:
            clock.advance(60 * len(server.requests))
            return real(self, **request)

        monkeypatch.setattr(KeyPool, name, slow)
    server.play(failing(429))

    with pytest.raises(errors.RateLimitError) as caught:
        pair.chat(MODEL, "Hi", timeout=30)

    assert 1 == len(server.requests)
    assert "the time of the call was over after 1 attempt" in caught.value.__notes__


def test_a_time_out_at_the_end_does_not_hide_the_last_answer(client, server, clock):
    """The second answer comes byte by byte until the time is over."""
    drip: list[Any] = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"]
    for _ in range(50):
        drip += [lambda: clock.advance(1), b"x"]
    server.play(failing(503), [*drip, Do.HANG])

    with pytest.raises(errors.OverloadedError) as caught:
        client.chat(MODEL, "Hi", timeout=10)

    assert 2 == caught.value.attempts
    assert "the time of the call was over after 2 attempts" in caught.value.__notes__


def test_the_clients_own_time_is_a_default(make, server: Recorder):
    """A call may have more, or less."""
    server.play([Do.HANG])

    with (
        make(openai, KEY, base_url=server.url, timeout=0.05) as client,
        pytest.raises(errors.RequestTimeoutError),
    ):
        client.chat(MODEL, "Hi")


def test_priority_and_time_reach_the_attempt_and_not_the_api(
    client: Any, server: Recorder, monkeypatch
):
    """They are the toolkit's; the body does not have them."""
    seen: list[Any] = []
    for transport in (Transport, AsyncTransport):
        real: Any = transport.open

        def spy(self: Any, *args: Any, real: Any = real, **kwargs: Any) -> Any:
            seen.append((current_priority(), deadline.remaining() is not None))
            return real(self, *args, **kwargs)

        monkeypatch.setattr(transport, "open", spy)
    server.play(chat_answer())

    client.chat(MODEL, "Hi", priority=Priority.HIGH, timeout=30)
    client.chat(MODEL, "Hi")

    assert [(Priority.HIGH, True), (Priority.NORMAL, False)] == seen
    assert {"model", "messages"} == set(server.requests[0].json)


# the circuit


def test_a_service_that_is_down_is_left_alone(make, server: Recorder, clock):
    """After five failures in a row the circuit opens, and refuses."""
    server.play(failing(500))

    with make(openai, KEY, base_url=server.url, max_retries=0) as client:
        for _ in range(5):
            with pytest.raises(errors.ServerError):
                client.chat(MODEL, "Hi")
        with pytest.raises(CircuitOpenError):
            client.chat(MODEL, "Hi")
        with pytest.raises(CircuitOpenError):
            list(client.stream(MODEL, "Hi"))

        assert "OPEN" == client.circuit_breaker.state
    assert 5 == len(server.requests)


@pytest.mark.parametrize("status", [400, 401, 404, 429])
def test_what_is_not_the_services_fault_opens_no_circuit(
    make, server: Recorder, clock, status: int
):
    """Mistakes of the caller, bad keys and rate limits are not failures of the service."""
    server.play(failing(status, retry_after="0"))

    with make(openai, KEY, base_url=server.url, max_retries=0, failure_threshold=1) as client:
        for _ in range(3):
            with pytest.raises((AdapterError, NoKeyAvailableError)):
                client.chat(MODEL, "Hi")
            clock.advance(1)

        assert "CLOSED" == client.circuit_breaker.state


# secrets


@pytest.mark.parametrize(
    "script",
    [
        answer({"error": {"message": f"bad key {KEY}", "code": KEY, KEY: [KEY]}}, status=401),
        answer(f"<html>{KEY}</html>".encode(), status=500),
        answer(KEY.encode(), status=400, headers={"x-request-id": KEY}),
        answer(f'{{"a": "{KEY}"'.encode(), headers={"Content-Type": "application/json"}),
        answer({"error": {"message": KEY}}),
        answer({"choices": KEY}),
        answer(b"", status=307, headers={"Location": f"https://evil.example/{KEY}?k={KEY}"}),
    ],
    ids=["JSON", "page", "header", "broken JSON", "error inside", "wrong form", "redirect"],
)
def test_a_key_that_the_server_echoes_is_nowhere(make, server: Recorder, caplog, script: bytes):
    """Not in the error, its notes, its causes, its pickle, nor in a log line."""
    caplog.set_level(logging.DEBUG)
    server.play(script)

    with (
        make(openai, KEY, base_url=server.url, max_retries=1) as client,
        no_waiting(),
        pytest.raises(AdapterError) as caught,
    ):
        client.chat(MODEL, "Hi")

    told = [caplog.text, repr(client), str(vars(client))]
    error: BaseException | None = caught.value
    while error is not None:
        told += [str(error), repr(error), str(vars(error)), str(error.args)]
        error = error.__cause__ or error.__context__
    assert KEY.encode() not in pickle.dumps(caught.value)
    assert [] == [text for text in told if KEY in text]


def test_a_secret_in_an_extra_header_is_masked_too(client: Any, server: Recorder):
    """A caller's own authorization is as secret as a key; it also wins over ours."""
    server.play(answer({"error": {"message": "bad token tok-12345678"}}, status=400))

    with pytest.raises(errors.BadRequestError) as caught:
        client.chat(MODEL, "Hi", extra_headers={"authorization": "Bearer tok-12345678"})

    assert "Bearer tok-12345678" == server.requests[0].headers["authorization"]
    assert "tok-12345678" not in str(vars(caught.value))


FOREIGN = {
    "status line": [b"HTTP/1.1 abc %b\r\n\r\n" % KEY.encode(), Do.CLOSE],
    "no HTTP": [b"Bad request: Bearer %b\r\n\r\n" % KEY.encode(), Do.CLOSE],
    "protocol": [b"HTTP/%b 200 OK\r\n\r\n" % KEY.encode(), Do.CLOSE],
    "chunk": [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b\r\n" % KEY.encode(),
        Do.CLOSE,
    ],
    "redirect": [answer(b"", status=302, headers={"Location": f"http://[::{KEY}/"})],
}


@pytest.mark.parametrize("script", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_a_traceback_shows_no_echoed_key(make, server: Recorder, script: Script, streams):
    """The libraries below quote what they cannot parse; what they said is kept where it may be."""
    server.play(script)
    with make(openai, KEY, base_url=server.url, max_retries=0) as client:
        ask = client.stream if streams else client.chat

        with pytest.raises(AdapterError) as caught:
            list(ask(MODEL, "Hi"))

    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert KEY not in f"{caught.value.__cause__!r} {caught.value.__context__!r}"


def test_an_echoed_key_in_a_good_answers_id_is_masked(client: Any, server: Recorder):
    """People log that id."""
    server.play(chat_answer(**{"x-request-id": f"req-{KEY}"}))

    assert "req-[masked]" == client.chat(MODEL, "Hi").server_request_id


def test_a_redirect_to_what_is_no_address_is_asked_for_once(client: Any, server: Recorder):
    """It is the same error as any redirect, and none that a retry could mend."""
    server.play(answer(b"", status=302, headers={"Location": "http://[::1/"}))

    with pytest.raises(errors.InvalidResponseError, match="redirects to what is no address") as it:
        client.chat(MODEL, "Hi")

    assert not it.value.retryable
    assert 1 == len(server.requests)


# what a failed call leaves


FAILING = {
    "bad request": [failing(400)],
    "server error": [failing(500)],
    "no answer": [Do.CLOSE],
    "no JSON": [answer(b"{")],
    "redirect": [answer(b"", status=302)],
}


@pytest.mark.parametrize("script", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_a_failed_call_leaves_no_cycle(make, server: Recorder, script: Script, streams):
    """Errors, frames and bodies go when the caller lets go, and do not wait for the collector."""
    server.play(script)

    def ask(client: Any) -> None:
        with suppress(AdapterError):
            list((client.stream if streams else client.chat)(MODEL, "Hi"))

    with make(openai, KEY, base_url=server.url, max_retries=0, failure_threshold=99) as client:
        ask(client)
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            for _ in range(3):
                ask(client)
            gc.collect()
            left = [type(thing) for thing in gc.garbage]
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    # A closed transport of asyncio is a cycle of its own, and a small one.
    held = (BaseException, CodeType, FrameType, TracebackType, bytes)
    ours = ("adapters", "aiohttp", "requests", "resilience", "urllib3")
    assert [] == [
        kind for kind in left if issubclass(kind, held) or kind.__module__.startswith(ours)
    ]


# arguments


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ("^key must", {"key": 5}),
        ("^key must", {"key": [KEY]}),
        ("^timeout must", {"timeout": -1}),
        ("^timeout must", {"timeout": "5"}),
        ("^timeout must", {"timeout": float("nan")}),
        ("^timeout must", {"timeout": 10**400}),
    ],
)
def test_a_bad_option_of_a_call_is_named_as_the_caller_wrote_it(client, words: str, options):
    """And it is no error of the code that it reaches."""
    with pytest.raises(SettingsError, match=words):
        client.chat(MODEL, "Hi", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"extra_headers": {"X-A": "1\r\nX-Evil: 1"}},
        {"extra_headers": {"X-A\nX-Evil": "1"}},
        {"request_id": "1\r\nX-Evil: 1"},
        {"key": "nobody"},
        {"stream": True},
        {"timeout": -1},
        {"priority": "urgent"},
    ],
)
def test_a_bad_option_is_refused_before_anything_is_sent(client, server, options: dict):
    """One clear error, at once."""
    with pytest.raises(SettingsError):
        client.chat(MODEL, "Hi", **options)

    assert [] == server.requests


def test_text_of_any_kind_arrives(client: Any, server: Recorder):
    """Also half a surrogate pair, which has no UTF-8."""
    server.play(chat_answer())

    for text in ("Grüße 😀", "\ud83d", "\ud83d\ude00", "\x00\u2028"):
        client.chat(MODEL, text)

    assert ["Grüße 😀", "\ud83d", "😀", "\x00\u2028"] == [
        request.json["messages"][0]["content"] for request in server.requests
    ]


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ("did you mean max_retries", {"max_retry": 1}),
        ("did you mean organization", {"organisation": "org"}),
        ("max_retries", {"max_retries": -1}),
        ("jitter", {"jitter": 2}),
        ("queue_size", {"queue_size": "x"}),
        ("failure_threshold", {"failure_threshold": 0}),
        ("timeout", {"timeout": 0}),
        ("timeout", {"timeout": "soon"}),
        ("connect_timeout", {"connect_timeout": -1}),
        ("read_timeout", {"read_timeout": float("nan")}),
        ("read_timeout", {"read_timeout": 1e10}),
        ("connect_timeout", {"connect_timeout": 10**400}),
        ("max_answer_size", {"max_answer_size": 0.5}),
        ("name", {"name": ""}),
        ("base_url", {"base_url": "api.openai.com/v1"}),
        ("base_url", {"base_url": "ftp://api.openai.com/v1"}),
        ("base_url", {"base_url": 5}),
        ("base_url", {"base_url": "http://[::1/"}),
        ("base_url", {"base_url": "http://a b/"}),
        ("base_url", {"base_url": " http://127.0.0.1:1"}),
        ("base_url", {"base_url": "http://127.0.0.1:1\r\nX/"}),
        ("base_url", {"base_url": "http://127.0.0.1:99999/v1"}),
        ("base_url", {"base_url": "http://127.0.0.1:abc/v1"}),
        ("base_url", {"base_url": "http://\ud800/"}),
        ("password", {"base_url": "https://user:hunter22@api.openai.com/v1"}),
        ("query", {"base_url": "https://api.openai.com/v1?key=hunter22"}),
        ("key", {"api_key": ""}),
        ("key", {"api_key": 5}),
        ("key", {"api_key": "sk-a\nX-Evil: 1"}),
        ("OpenAI-Project", {"project": "p\r\nX-Evil: 1"}),
    ],
)
def test_a_bad_argument_is_named(words: str, arguments: dict[str, Any]):
    """At once, with the nearest known name where the name is wrong; a secret is not shown."""
    with pytest.raises(SettingsError, match=words) as caught:
        Client(**{"api_key": KEY, **arguments})

    assert "hunter22" not in str(caught.value)
    assert "Evil" not in str(caught.value)


def test_settings_by_name_win_over_the_record():
    """A record for all clients, and what is special for one."""
    client = Client(KEY, settings=Settings(max_retries=1, queue_size=7), max_retries=2)

    assert (2, 7) == (client.settings.max_retries, client.settings.queue_size)
    assert 7 == client.queue.queue_size


@pytest.mark.parametrize("queue_enabled", [True, False])
def test_the_limit_can_be_turned_off(make, server: Recorder, queue_enabled: bool):
    """Retry and breaker stay."""
    server.play(failing(500), chat_answer())

    with (
        make(openai, KEY, base_url=server.url, queue_enabled=queue_enabled) as client,
        no_waiting(),
    ):
        assert 2 == client.chat(MODEL, "Hi", priority=Priority.LOW).attempts


def test_keys_come_from_the_argument_or_the_keys_else_the_environment(monkeypatch):
    """And the error that there is none names the variable."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY_2", OTHER)

    assert ("default",) == Client("sk-argument").keys.names()
    assert ("a",) == Client(keys={"a": KEY}).keys.names()
    assert ("key_1", "key_2") == Client(keys=[KEY, OTHER]).keys.names()
    assert ("OPENAI_API_KEY", "OPENAI_API_KEY_2") == Client().keys.names()
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_API_KEY_2")
    with pytest.raises(MissingKeyError, match="OPENAI_API_KEY") as caught:
        Client()
    assert ("OPENAI_API_KEY",) == caught.value.variables


@pytest.mark.parametrize("keys", [{"a": KEY}, [KEY], KeyPool([KEY])], ids=["dict", "list", "pool"])
def test_a_key_beside_keys_is_refused(keys: Any):
    """Dropping one of them silently would send requests with a key that nobody meant."""
    with pytest.raises(SettingsError, match="api_key and keys") as caught:
        Client(OTHER, keys=keys)

    assert OTHER not in str(vars(caught.value))


def test_a_dotenv_file_is_read_and_the_environment_wins(
    make, monkeypatch, tmp_path, server: Recorder
):
    """It is looked for upwards, and the process's environment is not changed."""
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={KEY}\nOPENAI_BASE_URL={server.url}\n")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    server.play(chat_answer())

    with make(openai) as client:
        client.chat(MODEL, "Hi")

    assert [KEY] == keys_used(server)
    assert "OPENAI_API_KEY" not in os.environ


# requests of any kind


def test_any_path_goes_through_the_same_stack(client: Any, server: Recorder, clock):
    """With its JSON, its query, its retries; `raw` is the parsed answer."""
    server.play(failing(500), answer({"id": "batch_1"}))

    answered = client.request(
        "post", "/batches", json={"model": "m"}, params={"a": 1}, extra_body={"b": 2}
    )

    assert ({"id": "batch_1"}, b'{"id": "batch_1"}', 2, 200) == (
        answered.raw,
        answered.content,
        answered.attempts,
        answered.status_code,
    )
    request = server.requests[1]
    assert ("POST", "/v1/batches?a=1", {"model": "m", "b": 2}) == (
        request.method,
        request.target,
        request.json,
    )


def test_what_is_no_json_is_handed_on_as_bytes(client: Any, server: Recorder):
    """A file's content, or nothing at all."""
    server.play(answer(b"\x00\x01"), answer(b"", status=204))

    downloaded, deleted = client.request("GET", "files/1/content"), client.request("DELETE", "x")

    assert (b"\x00\x01", None) == (downloaded.content, downloaded.raw)
    assert (b"", None, 204) == (deleted.content, deleted.raw, deleted.status_code)
    assert "content-type" not in server.requests[0].headers


def test_a_file_is_uploaded_again_by_a_retry(client: Any, server: Recorder, clock, tmp_path):
    """It was read once, so the second attempt sends it whole."""
    path = tmp_path / "batch.jsonl"
    path.write_bytes(b'{"a":1}')
    server.play(failing(500), answer({"id": "file-1"}))

    with path.open("rb") as file:
        client.request("POST", "files", data={"purpose": "batch"}, files={"file": file})

    bodies = [request.body for request in server.requests]
    assert bodies[0] == bodies[1]
    assert b'{"a":1}' in bodies[1]
    assert "multipart/form-data" in server.requests[1].headers["content-type"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("GET", "https://evil.example/v1"),
        ("GET", "//evil.example/v1"),
        ("GET /\r\nX-Evil:", "models"),
    ],
)
def test_a_request_cannot_leave_its_server(client: Any, server: Recorder, arguments: tuple):
    """The key goes with it."""
    with pytest.raises(SettingsError):
        client.request(*arguments)

    assert [] == server.requests


def test_a_path_with_strange_characters_is_quoted(client: Any, server: Recorder):
    """It cannot break the request line."""
    server.play(answer({}))

    client.request("GET", "files/a b\r\nX-Evil: 1")

    assert "/v1/files/a%20b%0D%0AX-Evil:%201" == server.requests[0].target
    assert "x-evil" not in server.requests[0].headers


def test_bodies_of_two_kinds_and_unknown_options_are_refused(client: Any):
    """Nobody could know which one is meant."""
    with pytest.raises(SettingsError, match="json"):
        client.request("POST", "files", json={}, data={"a": 1})
    with pytest.raises(SettingsError, match="did you mean extra_headers"):
        client.request("POST", "files", extra_header={})
    with pytest.raises(SettingsError, match="did you mean extra_headers"):
        client.models(extra_header={})


# the client itself


def test_calls_are_counted(make, server: Recorder, clock):
    """By client, by model and by key; tokens as the API counts them."""
    server.play(chat_answer(), failing(500), chat_answer(), failing(400))

    with make(openai, KEY, base_url=server.url, name="counted") as client:
        client.chat(MODEL, "Hi")
        client.chat(MODEL, "Hi")
        with pytest.raises(errors.BadRequestError):
            client.chat(MODEL, "Hi")
        stats = client.get_stats()
        report = client.generate_report(include_details=True)
        client.reset_stats()
        after = client.get_stats()

    assert (3, 2, 1, 1) == (
        stats["total_requests"],
        stats["successful_requests"],
        stats["failed_requests"],
        stats["retries"],
    )
    assert (24, 18, 6) == (stats["total_tokens"], stats["input_tokens"], stats["output_tokens"])
    assert {MODEL: 2} == stats["requests_by_model"]
    assert {"BadRequestError": 1} == stats["errors_by_type"]
    assert 4 == stats["endpoints"]["default"]["total_requests"]
    assert json.dumps(report)
    assert 0 == after["total_requests"] == after["endpoints"]["default"]["total_requests"]


def test_threads_share_a_client(server: Recorder):
    """Each gets its own answer; no more run at once than the limit says."""
    server.play(chat_answer())

    with Client(KEY, base_url=server.url) as client, ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(lambda _: client.chat(MODEL, "Hi"), range(40)))

    assert 40 == len({each.request_id for each in answers})
    assert 5 >= server.connections
    assert 0 == client.queue.active


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_uses_the_client_on_its_own(client: Any, server: Recorder):
    """Its ids differ from its parent's, and so do its connections."""
    server.play(chat_answer())
    ours = client.chat(MODEL, "Hi").request_id
    read_end, write_end = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(write_end, client.chat(MODEL, "Hi").request_id.encode())
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        theirs = pipe.read().decode()
    os.waitpid(child, 0)

    assert theirs.startswith("req_")
    assert ours != theirs
    assert [1, 2] == [request.connection for request in server.requests]


def test_a_forgotten_client_leaves_nothing_open(make, server: Recorder):
    """No warning of an unclosed socket: warnings are errors here."""
    server.play(chat_answer())
    make(openai, KEY, base_url=server.url).chat(MODEL, "Hi")

    gc.collect()

    assert 1 == len(server.requests)


def test_a_clients_repr_shows_where_and_with_whom_but_no_secret(pair: Any, server: Recorder):
    """The names of the keys are enough."""
    kind = "AsyncClient" if "Async" in repr(pair) else "Client"

    assert f"<openai.{kind} at {server.url} with keys production, backup>" == repr(pair)


def test_a_server_that_wants_no_key_is_asked_without_one(server: Recorder):
    """Where the API needs none, a client without a key is no mistake."""

    class Local(Client):
        """A server of the same dialect on this machine."""

        provider = replace(Client.provider, name="local", needs_key=False)

    server.play(chat_answer())

    with Local(base_url=server.url) as client:
        assert ("default", "local") == (client.chat(MODEL, "Hi").key_name, client.provider.name)

    assert "authorization" not in server.requests[0].headers


# the functions of the module


@pytest.fixture
def module(monkeypatch) -> None:
    """A module that has not been used."""
    monkeypatch.setattr(openai._default, "_client", None)
    monkeypatch.setattr(openai._default, "_arguments", {})


def test_the_functions_of_the_module_share_one_client(module, server: Recorder, monkeypatch):
    """It is made when the first is called, from the environment."""
    with pytest.raises(MissingKeyError):
        openai.chat(MODEL, "Hi")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    server.play(chat_answer())

    openai.chat(MODEL, "Hi")
    openai.chat(MODEL, "Hi")

    assert [1, 1] == [request.connection for request in server.requests]
    assert 2 <= openai.get_stats()["total_requests"]
    openai._default.get().close()


def test_a_key_may_come_after_the_configuration(module, server: Recorder, monkeypatch):
    """It is looked for when the first call needs it."""
    openai.configure(base_url=server.url, max_retries=0)
    with pytest.raises(MissingKeyError):
        openai.chat(MODEL, "Hi")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.play(chat_answer())

    assert "OPENAI_API_KEY" == openai.chat(MODEL, "Hi").key_name
    assert 0 == openai._default.get().settings.max_retries
    openai._default.get().close()


def test_threads_get_the_same_client(module):
    """Also where they ask for the first time at once, and in a forked child."""
    openai.configure(api_key=KEY)
    default = openai._default
    default._client = None

    with ThreadPoolExecutor(8) as executor:
        clients = set(executor.map(lambda _: default.get(), range(32)))
    with default._lock:
        default.renew_after_fork()
        openai.configure(max_retries=1)

    assert 1 == len(clients)
    assert default.get() not in clients


def test_modules_are_loaded_when_they_are_asked_for():
    """And what there is none of is said to be missing."""
    assert adapters.openai is openai
    assert {"errors", "openai"} <= set(dir(adapters))
    with pytest.raises(AttributeError, match="no attribute 'opanei'"):
        adapters.opanei  # noqa: B018


def test_the_module_can_be_configured(module, server: Recorder):
    """Arguments add up; a mistake changes nothing."""
    server.play(chat_answer())
    openai.configure(api_key=KEY, base_url=server.url)
    openai.configure(max_retries=0)
    with pytest.raises(SettingsError):
        openai.configure(max_retries=-1)

    openai.chat(MODEL, "Hi")

    assert 0 == openai._default.get().settings.max_retries
    openai._default.get().close()


def test_every_operation_is_a_function_of_the_module(module, server: Recorder):
    """Each is the client's own."""
    openai.configure(api_key=KEY, base_url=server.url)
    server.play(
        answer({"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]}),
        answer({"data": [{"index": 0, "embedding": [1.0]}]}),
        answer({"results": [{"flagged": True, "category_scores": {}}]}),
        answer({"data": [{"id": "m"}]}),
        answer({"any": "thing"}),
        chunked(b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n'),
    )

    assert "a" == openai.completions("m", "p").text
    assert [[1.0]] == openai.embed("e", "t").vectors
    assert (True,) == openai.moderations("t").flagged
    assert ("m",) == openai.models().names
    assert {"any": "thing"} == openai.request("GET", "x").raw
    assert ["a"] == [event.text for event in openai.stream("m", "p")]
    assert openai.generate_report()
    openai.reset_stats()
    openai._default.get().close()
