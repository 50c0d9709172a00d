"""One emulator for all tests of this folder, without faults and with an empty log for each."""

from __future__ import annotations

import http.client
import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from adapters.emulator import Emulator

SEED = 7


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The error in the body."""
        return self.json["error"]


class Wire:
    """Requests by hand: no library between the test and the bytes."""

    def __init__(self, server: Emulator, key: str = "production", provider: str = "openai") -> None:
        self._port = urlsplit(server.base_url()).port
        self._root = urlsplit(server.base_url(provider)).path
        self._secret = server.keys(provider)[key]

    def connect(self) -> socket.socket:
        """Open a connection and send nothing."""
        return socket.create_connection(("127.0.0.1", self._port), timeout=20)

    def open(
        self,
        body: object = None,
        path: str = "/chat/completions",
        method: str = "POST",
        headers: Mapping[str, str | None] | None = None,
        root: str | None = None,
    ) -> http.client.HTTPConnection:
        """Send a request and leave the answer to the caller."""
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        sent = {"authorization": f"Bearer {self._secret}", "content-type": "application/json"}
        sent = {name: value for name, value in {**sent, **(headers or {})}.items() if value}
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        connection.request(method, (self._root if root is None else root) + path, data, sent)
        return connection

    def send(self, *arguments: Any, **more: Any) -> Reply:
        """Send a request and read its whole answer."""
        connection = self.open(*arguments, **more)
        try:
            response = connection.getresponse()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return Reply(response.status, headers, response.read())
        finally:
            connection.close()


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The process that all tests share."""
    with Emulator(seed=SEED) as server:
        yield server
        # No fault was an accident: neither uvicorn nor our code has complained.
        server._errors.seek(0)
        assert not re.search(rb"Traceback|ASGI", server._errors.read())


@pytest.fixture
def server(emulator: Emulator) -> Emulator:
    """The shared emulator, as if it had just begun."""
    emulator.script()
    emulator.reset()
    return emulator


@pytest.fixture
def wire(server: Emulator) -> Wire:
    """Requests by hand."""
    return Wire(server)


@pytest.fixture
def client(server: Emulator) -> Iterator[openai.OpenAI]:
    """The vendor's client, which does not repeat anything."""
    with openai.OpenAI(
        api_key=server.keys()["production"], base_url=server.base_url(), max_retries=0, timeout=20
    ) as found:
        yield found


@pytest.fixture
def settled(server: Emulator) -> Callable[[int], Any]:
    """Give a function that asks for a record until its request has ended."""

    def ended(index: int) -> Any:
        # Each turn is a request that the emulator answers in its only loop: it makes progress.
        for _ in range(5000):
            record = server.log()[index]
            if record.duration is not None:
                return record
        raise AssertionError(record)

    return ended
