"""Clients and real servers with a faulty network between them.

A call recovers or ends with one clear error; a stream recovers before its first event and never
after it. In the end no permit, key or connection is held.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from adapters import openai
from adapters.errors import (
    AdapterError,
    ConnectionFailedError,
    InvalidResponseError,
    RequestTimeoutError,
    StreamInterruptedError,
)
from resilience.errors import DeadlineExceededError
from resilience.telemetry import RetryScheduled, subscribe, unsubscribe
from tests.adapters.flavours import Make
from tests_real.apis import nothing_is_held
from tests_real.llama import KEY, MODEL, SENTENCE
from tests_real.proxy import Fault, Proxy, cut, reset, stall
from tests_real.servers import Server

QUICK = {"max_retries": 2, "initial_retry_delay": 0.01, "read_timeout": 30.0}
SILENCE = 0.5  # seconds until a client gives up a server that has fallen silent
HALF = b"comes"  # the stream ends within the event that has this word
PARTIAL = " Every call"
HEAD = b"\r\n\r\n"
BODY = 30  # bytes of a body, less than any answer's has


@dataclass(frozen=True)
class Target:
    """A client, a call of it and, where there is one, a stream; either gives `expected`.

    Attributes:
        name: Of the adapter's module.
        server: The fixture of the server.
        call: Makes a call; gives what is compared.
        expected: What that is.
        stream: Opens a stream.
        path: What the base URL has after the host.
    """

    name: str
    server: str = "llama_server"
    call: Callable[[Any], Any] = lambda client: client.chat(MODEL, "hi").text
    expected: Any = SENTENCE
    stream: Callable[[Any], Any] | None = lambda client: client.stream(MODEL, "hi")
    path: str = ""


TARGETS: Mapping[str, Target] = {
    "openai": Target("openai", path="/v1"),
    "claude": Target("claude"),
    "llvm": Target("llvm"),
    "tgi": Target(
        "tgi", call=lambda client: client.chat("hi").text, stream=lambda client: client.stream("hi")
    ),
    "ovms": Target("ovms", server="prefixed_server"),
    "tensors": Target(
        "ovms",
        server="triton_server",
        call=lambda client: (
            client.infer("double", {"x": np.ones((1, 2), np.float32)}).outputs["y"].tolist()
        ),
        expected=[[2.0, 2.0]],
        stream=None,
    ),
}
STREAMING = {name: target for name, target in TARGETS.items() if target.stream}
FAULTS = {
    "reset before anything": reset(),
    "reset instead of an answer": reset(after=0),
    "reset within the head": reset(after=20),
    "reset behind the head": reset(after=HEAD),
    "reset within the body": reset(after=HEAD, beyond=BODY),
    "closed before anything": cut(),
    "closed instead of an answer": cut(after=0),
    "closed within the head": cut(after=20),
    "closed behind the head": cut(after=HEAD),
    "closed within the body": cut(after=HEAD, beyond=BODY),
}
# Behind the head of a stream nothing has been said yet.
EARLY = {name: fault for name, fault in FAULTS.items() if not fault.beyond}


def each(table: Mapping[str, Any], name: str) -> pytest.MarkDecorator:
    """Run a test for each entry of a table."""
    return pytest.mark.parametrize(name, table.values(), ids=table)


Connect = Callable[..., Any]


@pytest.fixture
def connect(request: pytest.FixtureRequest, make: Make, proxy: Proxy) -> Iterator[Connect]:
    """Makes a client of a target behind the proxy; in the end it has given everything back."""
    clients = []

    def client_of(target: Target, **settings: Any) -> Any:
        server: Server = request.getfixturevalue(target.server)
        url = proxy.lead_to(server.port) + target.path
        module = import_module(f"adapters.{target.name}")
        clients.append(make(module, api_key=KEY, base_url=url, **{**QUICK, **settings}))
        return clients[-1]

    yield client_of
    proxy.release()
    for client in clients:
        assert nothing_is_held(client)
        client.close()
    assert proxy.idle()


def read(stream: Any) -> str:
    """Read a stream to its end; its text."""
    with stream:
        for _ in stream:
            pass
    return str(stream)


@each(TARGETS, "target")
@each(FAULTS, "fault")
def test_a_call_recovers(connect: Connect, proxy: Proxy, target: Target, fault: Fault):
    """One fault costs one more request."""
    client = connect(target)
    proxy.play(fault)

    assert target.expected == target.call(client)
    assert 2 == proxy.connections


@each(TARGETS, "target")
@each(FAULTS, "fault")
def test_a_call_ends_with_one_clear_error(
    connect: Connect, proxy: Proxy, target: Target, fault: Fault
):
    """Where every request meets the fault; and the next call, which meets none, is answered."""
    client = connect(target)
    proxy.play(fault, fault, fault)

    with pytest.raises((ConnectionFailedError, InvalidResponseError)) as caught:
        target.call(client)
    error = caught.value
    assert (target.name, 3, True) == (error.provider, error.attempts, error.retryable)
    assert 1 == len(str(error).splitlines())
    assert KEY not in f"{error} {vars(error)}"
    assert target.expected == target.call(client)


@each(TARGETS, "target")
def test_refused(connect: Connect, proxy: Proxy, target: Target):
    """While nobody listens a call fails; as soon as somebody does, a retry is answered."""
    client = connect(target)
    proxy.refuse()
    with pytest.raises(ConnectionFailedError, match=r"refused|no connection") as caught:
        target.call(client)
    assert (3, 0) == (caught.value.attempts, proxy.connections)

    def listen(event: RetryScheduled) -> None:
        unsubscribe(listen)
        proxy.listen()

    subscribe(listen, RetryScheduled)
    assert target.expected == target.call(client)
    assert 1 == proxy.connections


@each(TARGETS, "target")
@each({"no answer": stall(after=0), "half an answer": stall(HEAD, BODY)}, "fault")
def test_a_stalled_call_recovers(connect: Connect, proxy: Proxy, target: Target, fault: Fault):
    """A server that falls silent is left after `read_timeout`, and asked again."""
    client = connect(target, read_timeout=SILENCE)
    proxy.play(fault)

    assert target.expected == target.call(client)
    assert 2 == proxy.connections


def test_a_server_that_stays_silent(connect: Connect, proxy: Proxy):
    """The error says what was waited for."""
    client = connect(TARGETS["openai"], read_timeout=SILENCE, max_retries=0)
    proxy.play(stall())

    with pytest.raises(RequestTimeoutError) as caught:
        client.chat(MODEL, "hi")
    assert ("read", 1) == (caught.value.phase, caught.value.attempts)


def test_the_time_of_a_whole_call(connect: Connect, proxy: Proxy):
    """It ends a call that waits for a silent server, whatever one wait may take."""
    client = connect(TARGETS["openai"])
    proxy.play(stall(), stall(), stall())

    with pytest.raises((DeadlineExceededError, RequestTimeoutError)):
        client.chat(MODEL, "hi", timeout=SILENCE)


@each(TARGETS, "target")
def test_a_first_byte_that_comes_late(connect: Connect, proxy: Proxy, target: Target):
    """Late, but in time, is no fault."""
    client = connect(target)
    proxy.play(stall(after=0))
    waiter = threading.Thread(target=lambda: proxy.stalled.wait(10) and proxy.release())
    waiter.start()

    assert target.expected == target.call(client)
    assert 1 == proxy.connections
    waiter.join()


@each(TARGETS, "target")
def test_a_connection_that_was_dropped_between_calls(
    connect: Connect, proxy: Proxy, target: Target
):
    """The next call opens another one."""
    client = connect(target)
    first = target.call(client)
    proxy.drop()

    assert target.expected == first == target.call(client)


@each(STREAMING, "target")
@each(EARLY, "fault")
def test_a_stream_recovers(connect: Connect, proxy: Proxy, target: Target, fault: Fault):
    """Before its first event a stream is a request like any other."""
    client = connect(target)
    proxy.play(fault)
    stream = target.stream(client)

    assert SENTENCE == read(stream)
    assert (2, "stop") == (stream.attempts, stream.finish_reason)
    assert stream.usage.output_tokens


@each(STREAMING, "target")
@each({"reset": reset(HALF), "closed": cut(HALF), "stalled": stall(HALF)}, "fault")
def test_a_stream_that_breaks(connect: Connect, proxy: Proxy, target: Target, fault: Fault):
    """Behind its first event it is never tried again; what has arrived is in the error."""
    client = connect(target, read_timeout=SILENCE)
    proxy.play(fault)
    stream = target.stream(client)

    with pytest.raises(StreamInterruptedError) as caught:
        read(stream)
    assert PARTIAL == caught.value.partial == stream.text
    assert isinstance(caught.value.__cause__, AdapterError)
    assert (1, 1, None) == (proxy.connections, stream.attempts, stream.finish_reason)
    assert target.expected == target.call(client)


@each(STREAMING, "target")
def test_a_stream_without_its_end(connect: Connect, proxy: Proxy, target: Target):
    """All of the text is not enough: the end marker is missing, and so may be more."""
    client = connect(target)
    proxy.play(cut(b"answer"))
    stream = target.stream(client)

    with pytest.raises(StreamInterruptedError) as caught:
        read(stream)
    assert SENTENCE.startswith(caught.value.partial)
    assert PARTIAL in caught.value.partial


def test_a_crowd(run: Any, proxy: Proxy, llama_server: Server):
    """Of many calls at once through a network that fails every other time each is answered."""
    url = f"{proxy.lead_to(llama_server.port)}/v1"
    kind = openai.Client if run.flavour == "sync" else openai.AsyncClient
    settings = {**QUICK, "max_retries": 8, "failure_threshold": 100}
    client = kind(api_key=KEY, base_url=url, max_concurrent_requests=6, **settings)
    proxy.play(*(fault for one in FAULTS.values() for fault in (one, None)))
    calls = [run.start(client.chat, MODEL, f"hi {number}") for number in range(24)]
    texts = [call.result().text for call in calls]
    run.call(getattr(client, "aclose", None) or client.close)

    assert [SENTENCE] * 24 == texts
    assert nothing_is_held(client)
    assert proxy.connections >= len(FAULTS)
    assert proxy.idle()
