"""Every API against a server that misbehaves: a good answer or one clear error, no leftovers."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.errors import AdapterError, StreamInterruptedError
from resilience.testing import FakeClock
from tests.adapters.every_api import APIS, KEY, STREAMING, Api
from tests.adapters.every_fault import FAULTS, PAGE, STREAM_FAULTS, Fault, written
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorder, answer


def apis(*, streaming: bool = False) -> pytest.MarkDecorator:
    """Run a test for each API, or for each that streams."""
    known = STREAMING if streaming else APIS
    return pytest.mark.parametrize("api", known.values(), ids=known)


def faults(of: list[Fault]) -> pytest.MarkDecorator:
    """Run a test for each of these faults."""
    return pytest.mark.parametrize("fault", of, ids=[fault.what for fault in of])


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Time that passes only where somebody sleeps."""
    with FakeClock() as fake:
        yield fake


def connections(server: Recorder) -> int:
    """How many connections to the server are open, as the kernel counts them."""
    port = f":{int(server.url.split(':')[2].partition('/')[0]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(port) and row[3] == "01" for row in rows)


def nothing_is_held(client: Any) -> bool:
    """Whether permits, places in line and keys are all back."""
    held = client.queue.active, client.queue.size, client.keys.get_stats()["active_requests"]
    return held == (0, 0, 0)


def outcome_of(call: Any, client: Any) -> tuple[str, Exception | None]:
    """What a call comes to: "recovered", or the name of its error and the error."""
    try:
        call(client)
    except AdapterError as error:
        return type(error).__name__, error
    return "recovered", None


@apis()
@faults(FAULTS)
def test_a_call_recovers_or_ends_with_one_clear_error(
    make: Make, server: Recorder, clock: FakeClock, api: Api, fault: Fault
):
    """What the table says; no key shows, and nothing is held in the end."""
    client = api.client(make, server.url, **{"max_retries": 1, **fault.settings})
    server.play(*fault.play(api))
    began = clock.now

    outcome, error = outcome_of(api.call, client)

    assert fault.expected(api) == (outcome, len(server.requests))
    assert fault.waited <= clock.now - began
    assert nothing_is_held(client)
    if error is not None:
        assert KEY not in f"{error} {vars(error)}"
        assert (api.name, 1) == (error.provider, len(str(error).splitlines()))
        assert server.requests[-1].headers.keys().isdisjoint({"cookie"})


@apis(streaming=True)
@faults(STREAM_FAULTS)
def test_a_stream_recovers_before_its_first_event_and_never_after(
    make: Make, server: Recorder, clock: FakeClock, api: Api, fault: Fault
):
    """What had arrived is in the error, as it is in the stream."""
    client = api.client(make, server.url, max_retries=1)
    server.play(*fault.play(api))
    texts: list[str] = []

    def read(client: Any) -> None:
        with api.stream(client) as stream:
            texts.extend(event.text for event in stream)

    outcome, error = outcome_of(read, client)

    assert fault.expected(api) == (outcome, len(server.requests))
    assert nothing_is_held(client)
    if isinstance(error, StreamInterruptedError):
        assert api.partial == error.partial == "".join(texts)
        assert error.__cause__ is not None
    else:
        assert "Hello" == "".join(texts)


@apis()
def test_no_connection_outlives_its_client(
    make: Make, server: Recorder, clock: FakeClock, api: Api
):
    """Those that were kept for the next call are closed with the client."""
    client = api.client(make, server.url, max_retries=0)
    server.play(api.good)
    api.call(client)
    assert 1 == connections(server)

    client.close()
    gc.collect()

    assert 0 == connections(server)


@apis(streaming=True)
def test_leaving_a_stream_early_gives_its_connection_back(make: Make, server: Recorder, api: Api):
    """And permit and key with it."""
    client = api.client(make, server.url)
    server.play(api.good_stream)

    with api.stream(client) as stream:
        next(iter(stream))
        assert not nothing_is_held(client)

    assert nothing_is_held(client)
    assert 1 >= connections(server)


@apis()
def test_a_redirect_takes_no_key_to_another_host(make: Make, server: Recorder, api: Api):
    """The other host hears nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0)
        host = "http://{}:{}".format(*other.getsockname())
        for code in (301, 302, 307, 308):
            server.play(answer(b"", status=code, headers={"Location": f"{host}/v1"}))

            with pytest.raises(AdapterError, match="redirects to http://127"):
                api.call(api.client(make, server.url, max_retries=0))
        with pytest.raises(BlockingIOError):
            other.accept()


@apis()
def test_a_proxy_that_refuses_is_one_clear_error(
    make: Make, server: Recorder, api: Api, monkeypatch
):
    """Its status, or that nobody is there."""
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    server.play(answer(b"<html>Not you.</html>", status=403, headers={"Content-Type": "text/html"}))
    away = api.client(make, "http://api.example:80/v1", max_retries=0)

    with pytest.raises(AdapterError) as refused:
        api.call(away)
    assert 403 == refused.value.status_code

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(AdapterError, match=r"no connection to|no answer from|cannot be set up"):
        api.call(api.client(make, "http://api.example:80/v1", max_retries=0))


def test_the_table_of_the_documentation_is_this_one():
    """`python -m tests.adapters.every_fault` writes it."""
    text = PAGE.read_text(encoding="utf-8")

    assert written(text) == text
