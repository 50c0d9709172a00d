"""The transport against a server that does whatever servers and networks do wrong."""

from __future__ import annotations

import gc
import gzip
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import urllib3

from adapters._http import Transport, encode_form
from adapters._network_errors import FAILURES
from adapters.errors import (
    AdapterError,
    ConnectionFailedError,
    InvalidResponseError,
    RequestTimeoutError,
)
from resilience.testing import FakeClock
from tests.adapters.recorder import Do, Recorder, Script, answer, chunked, recording
from tests.adapters.transports import make_transport

HEADERS = {
    "Accept-Encoding": "gzip",
    "Authorization": "Bearer sk-secret-1234",
    "User-Agent": "test",
}
OK = answer({"ok": True})


@pytest.fixture(params=["sync", "async"])
def connecting(request) -> Iterator[Callable[..., Any]]:
    """Makes transports of both kinds, which are closed in the end."""
    made: list[Any] = []

    def make(**options: Any) -> Any:
        made.append(make_transport(request.param, **options))
        return made[-1]

    yield make
    for transport in made:
        transport.close()
        getattr(transport, "finish", bool)()


@pytest.fixture
def transport(connecting: Callable[..., Any]) -> Any:
    """A transport whose waits are short."""
    return connecting(connect_timeout=1, read_timeout=0.4, max_answer_size=1_000)


@pytest.fixture
def patient(connecting: Callable[..., Any]) -> Any:
    """A transport that waits as long as a test may take."""
    return connecting(read_timeout=30)


def post(transport: Any, server: Recorder, **options: Any) -> Any:
    """Open a request with a small body."""
    options = {"headers": HEADERS, "body": b"{}", **options}
    return transport.open("POST", server.url, "chat", **options)


def fetch(transport: Any, server: Recorder, **options: Any) -> bytes:
    """Send a request and read the whole answer."""
    return post(transport, server, **options).read()


def test_a_request_arrives_as_it_was_built(transport: Any, server: Recorder):
    """Method, target, headers and body are sent, and nothing is added but what frames them."""
    server.play(OK)

    assert b'{"ok": true}' == fetch(transport, server)
    assert [("POST", "/v1/chat", b"{}")] == [(r.method, r.target, r.body) for r in server.requests]
    assert {
        "host": server.url.removeprefix("http://").removesuffix("/v1"),
        "accept-encoding": "gzip",
        "content-length": "2",
        "authorization": "Bearer sk-secret-1234",
        "user-agent": "test",
    } == server.requests[0].headers


def test_a_connection_is_used_again(transport: Any, server: Recorder):
    """Also after an answer in chunks, after an error, and after a stream read to its end."""
    server.play(OK, chunked(b"a", b"b"), answer(b"no", status=500), chunked(b"c"), OK)

    for _ in range(3):
        fetch(transport, server)
    assert [b"c"] == list(post(transport, server).chunks())
    fetch(transport, server)

    assert [1, 1, 1, 1, 1] == [request.connection for request in server.requests]


def test_the_end_of_a_stream_may_be_left_unread(patient: Any, server: Recorder):
    """If the rest is there the connection is kept; if not it is closed, and not waited for."""
    server.play(chunked(b"a"), [*chunked(b"a", end=False), Do.HANG], OK)
    for _ in range(2):
        incoming = post(patient, server)
        assert b"a" == next(incoming.chunks())
        incoming.end()
    fetch(patient, server)

    assert [1, 1, 2] == [request.connection for request in server.requests]


def test_a_closed_stream_closes_its_connection(transport: Any, server: Recorder):
    """What is left unread must not be taken for the next answer."""
    server.play([*chunked(b"a", end=False), Do.HANG], OK)
    incoming = post(transport, server)
    assert b"a" == next(incoming.chunks())

    incoming.close()

    assert b'{"ok": true}' == fetch(transport, server)
    assert [1, 2] == [request.connection for request in server.requests]


def test_chunks_are_given_as_they_arrive(patient: Any, server: Recorder):
    """Nothing waits for a buffer to fill: the second chunk is sent once the first was seen."""
    seen = threading.Event()
    head, first, second, end = chunked(b"first", b"second")
    server.play([head, first, lambda: seen.wait(10), second, end])

    chunks = post(patient, server).chunks()

    assert b"first" == next(chunks)
    seen.set()
    assert [b"second"] == list(chunks)


def test_bytes_of_a_body_without_a_length_are_given_as_they_arrive(patient: Any, server: Recorder):
    """A stream of an older server ends with its connection, and is no slower for it."""
    seen = threading.Event()
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    server.play([head, b"first", lambda: seen.wait(10), b"second", Do.CLOSE])

    chunks = post(patient, server).chunks()

    assert b"first" == next(chunks)
    seen.set()
    assert [b"second"] == list(chunks)


def test_compressed_answers_are_read(transport: Any, server: Recorder):
    """Whole and in chunks."""
    packed = gzip.compress(b"hello" * 10)
    server.play(
        answer(packed, headers={"Content-Encoding": "gzip"}),
        answer(packed, headers={"Content-Encoding": "gzip"}),
    )

    assert b"hello" * 10 == fetch(transport, server)
    assert b"hello" * 10 == b"".join(post(transport, server).chunks())


HEAD = b"HTTP/1.1 200 OK\r\n"
FAULTS: dict[str, tuple[type[AdapterError], str, Script]] = {
    "closed": (ConnectionFailedError, "no answer from .*Disconnected", [Do.CLOSE]),
    "reset": (ConnectionFailedError, "reset by peer", [Do.RESET]),
    "no HTTP": (ConnectionFailedError, "no answer", [b"SSH-2.0-OpenSSH\r\n", Do.CLOSE]),
    "too many headers": (ConnectionFailedError, "no answer", [HEAD + b"A: b\r\n" * 200 + b"\r\n"]),
    "endless header": (ConnectionFailedError, "no answer", [HEAD + b"A" * 100_000]),
    "cut length": (
        ConnectionFailedError,
        "cut",
        [HEAD + b"Content-Length: 9\r\n\r\nabc", Do.CLOSE],
    ),
    "cut chunk": (
        ConnectionFailedError,
        "cut",
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc", Do.CLOSE],
    ),
    "cut between chunks": (ConnectionFailedError, "cut", [*chunked(b"abc", end=False), Do.CLOSE]),
    "broken chunk": (
        ConnectionFailedError,
        "cut|no answer",
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc", Do.CLOSE],
    ),
    "two lengths": (
        ConnectionFailedError,
        "no answer",
        [HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"],
    ),
    "too long": (InvalidResponseError, "larger than 1,000", [answer(b"x" * 1_001)]),
    "too many chunks": (InvalidResponseError, "larger than 1,000", chunked(*[b"x" * 100] * 11)),
    "unpacks too long": (
        InvalidResponseError,
        "larger than 1,000",
        [answer(gzip.compress(b"x" * 1_000_000), headers={"Content-Encoding": "gzip"})],
    ),
    "no gzip": (
        InvalidResponseError,
        "compression",
        [answer(b"plain", headers={"Content-Encoding": "gzip"})],
    ),
    "hang": (RequestTimeoutError, "in time", [Do.HANG]),
    "hang in headers": (RequestTimeoutError, "in time", [HEAD, Do.HANG]),
    "hang in the body": (
        RequestTimeoutError,
        "in time",
        [HEAD + b"Content-Length: 9\r\n\r\nabc", Do.HANG],
    ),
}


@pytest.mark.parametrize(("error", "words", "script"), FAULTS.values(), ids=FAULTS)
def test_every_fault_is_one_of_our_errors(
    transport: Any,
    server: Recorder,
    error: type[AdapterError],
    words: str,
    script: Script,
):
    """Nothing of requests, urllib3 or the socket comes through, and the cause is kept."""
    server.play(script, OK)

    with pytest.raises(error, match=words) as caught:
        fetch(transport, server)

    assert caught.value.__cause__ is not None or "larger" in words
    assert "sk-secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert b'{"ok": true}' == fetch(transport, server)


@pytest.mark.parametrize("fault", ["cut length", "cut chunk", "cut between chunks"])
def test_what_arrived_before_a_cut_comes_before_the_error(
    patient: Any, server: Recorder, fault: str
):
    """A stream gives its reader all that the server sent, and fails only then."""
    *_, script = FAULTS[fault]
    server.play(script)

    with closing(post(patient, server)) as incoming:
        chunks = incoming.chunks()

        assert b"abc" == next(chunks)
        with pytest.raises(ConnectionFailedError, match="cut"):
            next(chunks)


def test_a_fault_leaves_no_connection_behind(transport: Any, server: Recorder):
    """The next request finds a new one: the broken one is closed and not kept."""
    server.play([HEAD + b"Content-Length: 9\r\n\r\nabc", Do.CLOSE], OK, OK)
    with pytest.raises(ConnectionFailedError):
        fetch(transport, server)

    fetch(transport, server)
    fetch(transport, server)

    assert [1, 2, 2] == [request.connection for request in server.requests]


def test_a_refused_connection(transport: Any):
    """Nobody listens there; the host is named."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(
        ConnectionFailedError, match=f"no connection to 127.0.0.1:{port}: .*refused"
    ):
        transport.open("GET", f"http://127.0.0.1:{port}", "models", headers={})


def test_an_unknown_host(transport: Any):
    """A name that nobody can resolve; `.invalid` is reserved for that."""
    with pytest.raises(ConnectionFailedError, match=r"no connection to nowhere\.invalid"):
        transport.open("GET", "http://nowhere.invalid", "models", headers={})


def test_connecting_may_take_too_long(connecting: Callable[..., Any]):
    """A listener whose queue is full answers no handshake; the phase is told."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        transport = connecting(connect_timeout=0.05)

        with pytest.raises(RequestTimeoutError) as caught:
            transport.open("GET", f"http://127.0.0.1:{address[1]}", "models", headers={})

        for one in waiting:
            one.close()
    assert "connect" == caught.value.phase


def test_the_time_for_connecting_bounds_nothing_else(connecting, server: Recorder):
    """A server that has been reached may take longer for its answer."""
    server.play([lambda: sleep(0.3), OK])

    transport = connecting(connect_timeout=0.1, read_timeout=30)

    assert b'{"ok": true}' == fetch(transport, server)


def test_sending_may_take_too_long(transport: Any, server: Recorder):
    """A server that reads nothing fills the buffers; the phase is told."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        with pytest.raises(RequestTimeoutError) as caught:
            transport.open("POST", url, "files", headers={}, body=b"x" * 50_000_000)

    assert "write" == caught.value.phase


# A certificate of this machine's own name, with its key; nobody trusts it and nobody should.
CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.fixture
def secure_server() -> Iterator[Recorder]:
    """A recorder that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with recording(context) as recorder:
        yield recorder


def test_a_certificate_that_nobody_signed_is_not_trusted(transport, secure_server: Recorder):
    """It will not be trusted in a minute either, so it is permanent; nothing is sent."""
    with pytest.raises(ConnectionFailedError, match=r"certificate of 127\.0\.0\.1") as caught:
        fetch(transport, secure_server)

    assert not caught.value.retryable
    assert [] == secure_server.requests


def test_a_certificate_that_the_environment_names_is_trusted(
    transport: Any, secure_server: Recorder, monkeypatch
):
    """Over TLS the same things work: whole answers, chunks, the same connection again."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    secure_server.play(OK, chunked(b"a", b"b"), OK)

    assert b'{"ok": true}' == fetch(transport, secure_server)
    assert b"ab" == b"".join(post(transport, secure_server).chunks())
    assert b'{"ok": true}' == fetch(transport, secure_server)
    assert {1} == {request.connection for request in secure_server.requests}


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("where", ["headers", "body", "stream"])
def test_an_answer_that_drips_cannot_outlive_the_deadline(
    patient: Any, server: Recorder, secure_server: Recorder, monkeypatch, where: str, secure
):
    """Trap of socket time-outs: each byte comes in time, and all of them never end.

    Each byte costs a second of the fake clock, and the call has half of one.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    server = secure_server if secure else server
    with FakeClock() as clock:
        drip: list[Any] = []
        for _ in range(100):
            drip += [lambda: clock.advance(1), b"x"]
        head = {
            "headers": b"HTTP/1.1 200 OK\r\nX-Slow: ",
            "body": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
            "stream": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        }[where]
        server.play([head, *drip, Do.HANG])

        with pytest.raises(RequestTimeoutError, match="time of the call was over") as caught:
            fetch(patient, server, remaining=0.5)

    assert "read" == caught.value.phase


def test_a_call_without_time_is_not_sent(transport: Any, server: Recorder):
    """Nothing is sent that nobody waits for."""
    with pytest.raises(RequestTimeoutError):
        fetch(transport, server, remaining=0)

    assert [] == server.requests


INTERIM = b"HTTP/1.1 %d Wait\r\nLink: </a>\r\n\r\n"


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_an_interim_answer_is_not_taken_for_the_final_one(
    transport: Any, server: Recorder, status: int, streams
):
    """The next call on the connection would get the answer of this one."""
    scripts = [
        [INTERIM % status, INTERIM % status, *(chunked(text) if streams else [answer(text)])]
        for text in (b"first", b"second")
    ]
    server.play(*scripts)
    incoming = post(transport, server)
    first = b"".join(incoming.chunks()) if streams else incoming.read()

    assert (200, b"first") == (incoming.status, first)
    assert b"second" == fetch(transport, server)
    assert [1, 1] == [request.connection for request in server.requests]


def test_a_connection_that_switched_its_protocol_is_closed(transport, server: Recorder):
    """What comes after a 101 is not HTTP, and is nobody's answer."""
    server.play(INTERIM % 101 + answer(b"stray"), OK)
    incoming = post(transport, server)

    assert (101, b"") == (incoming.status, incoming.read())
    assert b'{"ok": true}' == fetch(transport, server)
    assert [1, 2] == [request.connection for request in server.requests]


@pytest.mark.parametrize("has_read", [False, True], ids=["unread", "read"])
def test_what_comes_unasked_is_nobodys_answer(transport, server: Recorder, has_read: bool):
    """A connection that was idle, and on which something came, is not used again."""
    asked, came = threading.Event(), threading.Event()
    server.play([OK, asked.wait, answer(b"stray"), came.set], answer(b"second"))
    fetch(transport, server)
    asked.set()
    came.wait()
    if has_read:
        getattr(transport, "idle", bool)()

    assert b"second" == fetch(transport, server)
    assert [1, 2] == [request.connection for request in server.requests]


@pytest.mark.parametrize("status", [100, 103])
def test_interim_answers_without_end_are_not_read_for_ever(transport, server: Recorder, status):
    """Each of them comes in time, so counting ends it, or the time for all of them together."""
    server.play([INTERIM % status] * 100, OK)

    with pytest.raises((ConnectionFailedError, RequestTimeoutError)):
        fetch(transport, server)

    assert b'{"ok": true}' == fetch(transport, server)
    assert [1, 2] == [request.connection for request in server.requests]


def test_interim_answers_cannot_outlive_the_deadline(patient: Any, server: Recorder):
    """Each costs a second of the fake clock, and the call has half of one."""
    with FakeClock() as clock:
        server.play([INTERIM % 103, lambda: clock.advance(1)] * 20 + [Do.HANG])

        with pytest.raises(RequestTimeoutError, match="time of the call was over"):
            fetch(patient, server, remaining=0.5)


@pytest.fixture
def addresses(monkeypatch) -> list[str]:
    """The addresses that the name `many.test` has."""
    found: list[str] = []
    resolve = socket.getaddrinfo

    def look_up(host: str, port: int, *args: Any) -> Any:
        if host != "many.test":
            return resolve(host, port, *args)
        return [each for address in found for each in resolve(address, port, *args)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return found


def test_the_addresses_of_a_host_are_tried_in_turn(transport, server: Recorder, addresses):
    """One that refuses does not hide one that answers, and the host keeps its name."""
    addresses += ["127.0.0.2", "127.0.0.1"]
    server.play(OK)
    url = server.url.replace("127.0.0.1", "many.test")

    assert b'{"ok": true}' == transport.open("GET", url, "models", headers={}).read()
    assert url.split("/")[2] == server.requests[0].headers["host"]


def test_the_addresses_of_a_host_share_the_time_of_the_call(monkeypatch, addresses):
    """Each of them gets what is left, and not what the call had before the first."""
    addresses += ["127.0.0.1"] * 4
    given: list[float] = []

    with FakeClock() as clock:

        def hang(_: object, timeout: float, **__: object) -> None:
            given.append(timeout)
            clock.advance(min(timeout, 3))
            raise TimeoutError

        monkeypatch.setattr(urllib3.util.connection, "create_connection", hang)
        transport = Transport(pool_size=1, connect_timeout=60)
        with pytest.raises(RequestTimeoutError, match="time of the call") as caught:
            transport.open("GET", "http://many.test:1", "models", headers={}, remaining=5)

    assert [5, 2] == given
    assert "connect" == caught.value.phase


def test_redirects_are_not_followed(transport: Any, server: Recorder):
    """The key stays here: whoever asked sees the redirect itself."""
    server.play(answer(b"", status=307, headers={"Location": "http://127.0.0.1:1/elsewhere"}))

    assert 307 == post(transport, server).status
    assert 1 == len(server.requests)


def test_cookies_are_not_kept(transport: Any, server: Recorder):
    """A client of an API is nobody's browser."""
    server.play(answer(b"", headers={"Set-Cookie": "session=1; Path=/"}))
    for _ in range(2):
        fetch(transport, server)

    assert "cookie" not in server.requests[1].headers


def test_a_netrc_does_not_replace_the_key(transport, server: Recorder, monkeypatch, tmp_path):
    """What another program keeps for this host is not sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password pass")
    monkeypatch.setenv("NETRC", str(netrc))
    server.play(OK)

    fetch(transport, server)

    assert "Bearer sk-secret-1234" == server.requests[0].headers["authorization"]


def test_a_proxy_from_the_environment_is_used(transport, server: Recorder, monkeypatch):
    """Read once: a change while the client lives does not tear its traffic apart."""
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    server.play(OK)
    for _ in range(2):
        transport.open("GET", "http://api.example/v1", "models", headers={}).read()
        monkeypatch.delenv("http_proxy", raising=False)

    assert ["http://api.example/v1/models"] * 2 == [request.target for request in server.requests]


def test_no_proxy_is_obeyed(transport, server: Recorder, monkeypatch):
    """A host that the environment excepts is asked directly."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server.play(OK)

    assert b'{"ok": true}' == fetch(transport, server)


@pytest.mark.parametrize("url", ["ftp://host/v1", "nonsense", "http://", "http://[::1"])
def test_what_is_no_address_is_said_to_be_none(transport: Any, url: str):
    """It is permanent: it will be none tomorrow."""
    with pytest.raises(ConnectionFailedError, match="cannot be set up") as caught:
        transport.open("GET", url, "models", headers={})

    assert not caught.value.retryable


def test_what_is_no_proxy_is_said_to_be_none(transport: Any, monkeypatch):
    """A scheme that nobody speaks, from the environment."""
    monkeypatch.setenv("http_proxy", "gopher://127.0.0.1:70")

    with pytest.raises(ConnectionFailedError, match="cannot be set up"):
        transport.open("GET", "http://127.0.0.1:1", "models", headers={})


def test_a_bundle_of_certificates_that_is_not_there(transport: Any, monkeypatch):
    """The environment names it, and the error repeats the name."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/bundle.pem")

    with pytest.raises(ConnectionFailedError, match=r"/nowhere/bundle\.pem"):
        transport.open("GET", "https://127.0.0.1:1", "models", headers={})


def test_threads_share_the_pool(server: Recorder):
    """Each gets its own answer, over no more connections than threads."""
    server.play(OK)
    patient = Transport(pool_size=8, read_timeout=30)
    with closing(patient), ThreadPoolExecutor(8) as executor:
        answers = list(executor.map(lambda _: fetch(patient, server), range(64)))

    assert {b'{"ok": true}'} == set(answers)
    assert 8 >= server.connections


def test_a_closed_transport_opens_again(transport: Any, server: Recorder):
    """Closing drops the idle connections, no more."""
    server.play(OK)
    fetch(transport, server)
    transport.close()
    transport.close()

    fetch(transport, server)

    assert [1, 2] == [request.connection for request in server.requests]


def test_closing_closes_connections_though_an_error_is_held(transport: Any, server: Recorder):
    """Trap: a held error holds the frames that failed, and with them the pool of connections."""
    server.play([Do.CLOSE], [OK])
    with pytest.raises(ConnectionFailedError) as held:
        fetch(transport, server)
    fetch(transport, server)
    assert 1 == established(server)

    transport.close()

    assert 0 == established(server)
    assert held.value.__traceback__ is not None


def test_a_call_that_a_close_overtakes_finds_its_way_anew(server: Recorder):
    """It had taken the pool, and not yet a connection of it."""
    server.play(OK)
    transport = Transport(pool_size=1)

    class Overtaken(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            route = super().get(key, default)
            transport.close()
            return route

    fetch(transport, server)
    transport._routes = Overtaken(transport._routes)

    assert b'{"ok": true}' == fetch(transport, server)
    transport.close()


def established(server: Recorder) -> int:
    """How many connections to the server are open, as the kernel counts them."""
    port = f":{int(server.url.split(':')[2].partition('/')[0]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(port) and row[3] == "01" for row in rows)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_makes_connections_of_its_own(transport: Any, server: Recorder):
    """Two processes on one connection would read each other's answers."""
    server.play(OK)
    fetch(transport, server)
    read_end, write_end = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(write_end, fetch(transport, server))
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    fetch(transport, server)

    assert (b'{"ok": true}', 0) == (told, status)
    assert [1, 2, 1] == [request.connection for request in server.requests]


def test_a_lock_that_was_held_at_the_fork_blocks_no_child(server: Recorder):
    """Trap: another thread of the parent held it, and does not exist in the child."""
    server.play(OK)
    transport = Transport(pool_size=1)
    fetch(transport, server)
    with transport._lock:
        transport.renew_after_fork()

        assert b'{"ok": true}' == fetch(transport, server)
    transport.close()
    assert [1, 2] == [request.connection for request in server.requests]


def test_a_forgotten_answer_gives_its_socket_back(transport: Any, server: Recorder):
    """No warning of an unclosed socket: warnings are errors here."""
    server.play([*chunked(b"a", end=False), Do.HANG])

    next(post(transport, server).chunks())
    gc.collect()

    assert 1 == len(server.requests)


def test_forms_and_files_are_encoded_once(tmp_path):
    """As bytes, so that a retry can send them again; a file is read."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a":1}')

    with path.open("rb") as file:
        body, kind = encode_form({"purpose": "batch"}, {"file": file})
    with path.open("rb") as file:
        plain, _ = encode_form(file, None)

    assert body is not None
    assert kind is not None
    assert kind.startswith("multipart/form-data; boundary=")
    assert b'filename="a.jsonl"' in body
    assert b'{"a":1}' in body
    assert b'{"a":1}' == plain
    assert (b"a=1&b=2", "application/x-www-form-urlencoded") == encode_form({"a": 1, "b": 2}, None)
    assert (b"ab", None) == encode_form(iter([b"a", b"b"]), None)
    assert (None, None) == encode_form(None, None)


def test_every_error_of_the_library_below_is_mapped():
    """A new class of urllib3's is caught too; the exception is one of setting up, tested above."""
    theirs = [value for value in vars(urllib3.exceptions).values() if isinstance(value, type)]
    errors = [
        cls
        for cls in theirs
        if cls.__module__ == "urllib3.exceptions"
        and issubclass(cls, Exception)
        and not issubclass(cls, Warning)
    ]

    assert 20 < len(errors)
    assert ["ProxySchemeUnsupported"] == [
        cls.__name__ for cls in errors if not issubclass(cls, FAILURES)
    ]
