"""A scripted HTTP server on a raw socket: it records what comes and answers as it is told.

Raw, because half of what it has to do no HTTP server would: hang, reset, cut off, lie.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Do", "Recorded", "Recorder", "answer", "chunked", "event_stream", "recording"]

_PATIENCE = 10.0  # seconds until a test that would hang fails


class Do(Enum):
    """What a script can do beside sending bytes."""

    CLOSE = "close the connection"
    RESET = "reset the connection"
    HANG = "say nothing until the test is over"


Step = bytes | Do | Callable[[], object]
Script = Sequence[Step]


@dataclass(frozen=True)
class Recorded:
    """One request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query's parameters."""
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def json(self) -> Any:
        """The parsed body, or None where there is none."""
        return json.loads(self.body) if self.body else None


def answer(
    body: object = b"", status: int = 200, headers: Mapping[str, str] | None = None
) -> bytes:
    """A complete answer; what is no bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
    fields = {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Whatever\r\n{lines}\r\n".encode() + content


def chunked(*chunks: bytes, kind: str = "text/event-stream", end: bool = True) -> list[bytes]:
    """An answer in chunks, each of which is sent by itself."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks]
    return [head.encode(), *parts, *([b"0\r\n\r\n"] if end else [])]


def event_stream(*events: object, end: bool = True) -> list[bytes]:
    """An answer of server-sent events, one in a chunk; what is no text is sent as JSON."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return chunked(*(f"data: {text}\n\n".encode() for text in texts), end=end)


@dataclass
class Recorder:
    """The server: `requests` fills, and `scripts` are played one a request, the last for ever."""

    url: str
    requests: list[Recorded] = field(default_factory=list)
    scripts: list[Script] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    connections: int = 0
    open: list[socket.socket] = field(default_factory=list)

    def play(self, *scripts: Script | bytes) -> None:
        """Answer the next requests so."""
        self.scripts[:] = [[script] if isinstance(script, bytes) else script for script in scripts]

    def serve(
        self, connection: socket.socket, number: int, tls: ssl.SSLContext | None = None
    ) -> None:
        """Answer the requests of one connection."""
        if tls is not None:
            with contextlib.suppress(OSError):
                connection = tls.wrap_socket(connection, server_side=True)
        self.open.append(connection)
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            while (request := _read(stream, number)) is not None:
                with self.lock:
                    self.requests.append(request)
                    script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                for step in script:
                    if not self.step(step, connection):
                        return

    def step(self, step: Step, connection: socket.socket) -> bool:
        """Do one step; False ends the connection."""
        if isinstance(step, bytes):
            connection.sendall(step)
        elif step is Do.HANG:
            self.over.wait(_PATIENCE)
        elif step is Do.RESET:
            linger = struct.pack("ii", 1, 0)  # closing drops what is unsent and sends a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif not isinstance(step, Do):
            step()
        return not isinstance(step, Do)


@contextlib.contextmanager
def recording(tls: ssl.SSLContext | None = None) -> Iterator[Recorder]:
    """Run a recorder on a free port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))
    port, scheme = listener.getsockname()[1], "https" if tls else "http"
    recorder = Recorder(f"{scheme}://127.0.0.1:{port}/v1")
    threads: list[threading.Thread] = []

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                recorder.connections += 1
                thread = threading.Thread(
                    target=recorder.serve, args=(connection, recorder.connections, tls)
                )
                threads.append(thread)
                thread.start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield recorder
    finally:
        recorder.over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        acceptor.join(_PATIENCE)
        listener.close()
        for connection in recorder.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(_PATIENCE)


def _read(stream: Any, number: int) -> Recorded | None:
    """Read one request; None at the end of the connection."""
    line = stream.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", "0")))
    return Recorded(method, target, headers, body, number)
