"""The proxy itself: each fault is what a client really sees."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests_real.proxy import Fault, Proxy, cut, reset, stall

GREETING = b"0123456789" * 3


@pytest.fixture
def through(proxy: Proxy) -> Iterator[Proxy]:
    """The proxy in front of a server that answers each message with `GREETING`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=greet, args=(listener,), daemon=True).start()
        proxy.lead_to(listener.getsockname()[1])
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)


def greet(listener: socket.socket) -> None:
    """Answer one connection after the other."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            while connection.recv(100):
                connection.sendall(GREETING)


def connect(proxy: Proxy) -> socket.socket:
    """A connection to the proxy, after a first message."""
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
    client.sendall(b"hello")
    return client


def everything(client: socket.socket, size: int = 1_000) -> bytes:
    """All that comes until the connection ends, or until so many bytes are there."""
    found = b""
    while len(found) < size and (data := client.recv(size - len(found))):
        found += data
    return found


def test_it_hands_on(through: Proxy):
    """Without a fault both sides hear each other, more than once on a connection."""
    with connect(through) as client:
        first = everything(client, 30)
        client.sendall(b"again")

        assert (GREETING, GREETING) == (first, everything(client, 30))
        assert (1, 1) == (through.connections, through.open)


@pytest.mark.parametrize(("after", "count"), [(None, 0), (0, 0), (12, 12), (b"23", 4), (30, 30)])
def test_a_cut(through: Proxy, after: int | bytes | None, count: int):
    """The connection ends in good order where the script says."""
    through.play(cut(after))
    with connect(through) as client:
        assert GREETING[:count] == everything(client)


def test_a_fault_beyond_a_mark(through: Proxy):
    """It comes so many bytes behind what was looked for."""
    through.play(cut(b"23", beyond=9))
    with connect(through) as client:
        assert GREETING[:13] == everything(client)


@pytest.mark.parametrize("after", [None, 0, 12, b"23"])
def test_a_reset(through: Proxy, after: int | bytes | None):
    """The connection is reset."""
    through.play(reset(after))
    with connect(through) as client, pytest.raises(ConnectionResetError):
        everything(client)


@pytest.mark.parametrize(("after", "count"), [(None, 0), (0, 0), (12, 12)])
def test_a_stall(through: Proxy, after: int | None, count: int):
    """Nothing more comes until the proxy is told; then all of it does."""
    through.play(stall(after))
    with connect(through) as client:
        assert through.stalled.wait(10)
        begun = everything(client, count)
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        through.release()

        assert GREETING == begun + everything(client, 30 - count)


def test_a_stalled_connection_that_the_client_leaves(through: Proxy):
    """It is gone at the proxy too."""
    through.play(stall())
    with connect(through):
        assert through.stalled.wait(10)

    assert through.idle()


def test_one_fault_a_connection(through: Proxy):
    """Each new connection takes the next fault; None is none; after the script all pass."""
    faults: list[Fault | None] = [cut(1), None, cut(2)]
    through.play(*faults)
    found = []
    for _ in range(4):
        with connect(through) as client:
            found.append(len(everything(client, 30)))

    assert [1, 30, 2, 30] == found


def test_refused(through: Proxy):
    """It refuses connections, and listens again at the same port."""
    port = through.port
    through.refuse()
    with pytest.raises(ConnectionRefusedError):
        connect(through)
    through.listen()
    with connect(through) as client:
        assert (port, GREETING) == (through.port, everything(client, 30))


def test_dropped(through: Proxy):
    """Open connections are reset, and new ones pass."""
    with connect(through) as client:
        everything(client, 30)
        through.drop()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with connect(through) as client:
        assert GREETING == everything(client, 30)
