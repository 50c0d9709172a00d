"""A TCP proxy that hands bytes on and, where its script says so, resets, cuts off or stalls.

    with Proxy() as proxy:
        proxy.lead_to(port)
        proxy.play(reset(), cut(after=b"half"), stall(after=100))

Each new connection takes the next fault of the script; when there is none left, it just passes.
A fault comes when the client has begun to speak and nothing was handed on, or `after` so many bytes
of the answer, or after these bytes have been seen in it, and so many `beyond` them.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
from dataclasses import dataclass
from enum import Enum
from typing import Self

__all__ = ["Fault", "Proxy", "cut", "reset", "stall"]

_INTERVAL = 0.02  # seconds between two looks whether a stall is over
_PATIENCE = 10.0  # seconds until what would hang is given up
_SIZE = 65_536


class Kind(Enum):
    """What a fault does to a connection."""

    RESET = "reset it"
    CUT = "end it in good order, too early"
    STALL = "hand nothing on until the proxy releases it"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong with one connection."""

    kind: Kind
    after: int | bytes | None = None
    beyond: int = 0

    def split(self, seen: bytes) -> int | None:
        """How many of the bytes seen so far come before the fault; None if it is not due yet."""
        if isinstance(self.after, bytes):
            place = seen.find(self.after)
            count = len(self.after) + place if place >= 0 else len(seen) + 1
        else:
            count = self.after or 0
        return count + self.beyond if len(seen) >= count + self.beyond else None


def reset(after: int | bytes | None = None, beyond: int = 0) -> Fault:
    """The other side's machine says that it knows of no such connection."""
    return Fault(Kind.RESET, after, beyond)


def cut(after: int | bytes | None = None, beyond: int = 0) -> Fault:
    """The other side closes the connection before all was said."""
    return Fault(Kind.CUT, after, beyond)


def stall(after: int | bytes | None = None, beyond: int = 0) -> Fault:
    """The other side falls silent, until `release`; with `after=0` the first byte comes late."""
    return Fault(Kind.STALL, after, beyond)


class Proxy:
    """Listens on loopback at `port`; `connections` counts those that came, `open` those there."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.open = 0
        self.target = 0
        self.stalled = threading.Event()
        self._released = threading.Event()
        self._script: list[Fault | None] = []
        self._changed = threading.Condition()
        self._age = 0  # connections of an earlier one are dropped
        self._threads: list[threading.Thread] = []
        self._over = threading.Event()
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def lead_to(self, port: int) -> str:
        """Hand connections on to this port of 127.0.0.1; gives the proxy's own address."""
        self.target = port
        return self.url

    def play(self, *faults: Fault | None) -> None:
        """Let this happen to the next connections, one each; None passes."""
        self._script[:] = faults
        self.stalled.clear()
        self._released.clear()

    def release(self) -> None:
        """Let what is stalled go on, and what would stall pass."""
        self._released.set()

    def refuse(self) -> None:
        """Listen no more, so that connections are refused, until `listen`."""
        if self._listener is not None:
            # Closing alone leaves a thread in accept() behind, and with it the port open.
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def listen(self) -> None:
        """Listen, again at the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept, self._listener)

    def drop(self) -> None:
        """Reset the connections that are open, as a server does that is started anew."""
        with self._changed:
            self._age += 1
        if not self.idle():
            raise RuntimeError("a connection stayed open")

    def idle(self) -> bool:
        """Wait until no connection is open; False if one stays so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self.open, _PATIENCE)

    def __enter__(self) -> Self:
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.refuse()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _start(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                with self._changed:
                    self.connections += 1
                    self.open += 1
                    fault = self._script.pop(0) if self._script else None
                self._start(self._serve, client, fault)

    def _serve(self, client: socket.socket, fault: Fault | None) -> None:
        try:
            with contextlib.suppress(OSError), client:
                # A client that says nothing yet may still be connecting, which must not fail.
                select.select([client], [], [], _PATIENCE)
                if fault is None or fault.after is not None or self._happens(fault, client):
                    self._relay(client, fault)
        finally:
            with self._changed:
                self.open -= 1
                self._changed.notify_all()

    def _relay(self, client: socket.socket, fault: Fault | None) -> None:
        """Hand on what comes from either side until one of them ends, or the fault does."""
        seen, age = b"", self._age
        with socket.create_connection(("127.0.0.1", self.target), timeout=_PATIENCE) as server:
            while not self._over.is_set():
                if age != self._age:
                    _will_reset(client)
                    return
                for side in select.select([client, server], [], [], _INTERVAL)[0]:
                    data = side.recv(_SIZE)
                    if not data:
                        return
                    if side is client or fault is None or fault.after is None:
                        (server if side is client else client).sendall(data)
                        continue
                    sent, seen = len(seen), seen + data
                    before = fault.split(seen)
                    client.sendall(seen[sent:before])
                    if before is not None:
                        if not self._happens(fault, client):
                            return
                        client.sendall(seen[before:])
                        fault = None

    def _happens(self, fault: Fault, client: socket.socket) -> bool:
        """Let it happen; whether the connection goes on afterwards."""
        if fault.kind is Kind.RESET:
            _will_reset(client)
            return False
        if fault.kind is Kind.CUT:
            client.shutdown(socket.SHUT_WR)
            _drain(client)  # closing with bytes unread would be a reset
            return False
        self.stalled.set()
        while not (self._released.is_set() or self._over.is_set() or _is_gone(client)):
            self._released.wait(_INTERVAL)
        return self._released.is_set()


def _will_reset(client: socket.socket) -> None:
    """Make closing it a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _drain(client: socket.socket) -> None:
    client.settimeout(_PATIENCE)
    while client.recv(_SIZE):
        pass


def _is_gone(client: socket.socket) -> bool:
    """Whether the client has closed; what it has said before may still be unread."""
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return bool(poll.poll(0))
