"""Sockets that keep a call's time: every wait is as long as the call still allows.

A socket's own time-out bounds one wait, and a server that sends a byte now and then never lets it
pass. So before each wait the time-out is set anew, to what is left.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
)
from urllib3.util.connection import allowed_gai_family
from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["POOLS", "exact_target", "has_arrived", "patience"]

_SMALL_BODY = 65_536  # bytes that are worth copying to save a system call
_MOST_INTERIM = 32  # interim answers before the real one; servers send one or two
_INTERIM = frozenset(range(100, 200)) - {HTTPStatus.SWITCHING_PROTOCOLS}

# The connection is made and used deep inside urllib3, in the thread of the call.
patience: ContextVar[Callable[[], float]] = ContextVar("adapters.patience")
# What the request asks for, byte for byte: urllib3 takes `..` out of what it sends to a proxy.
exact_target: ContextVar[str] = ContextVar("adapters.exact_target")


class _PatientReader(io.RawIOBase):
    """The reading end of a socket, with the time-out set before each read."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._wait = patience.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(self._wait())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _PatientResponse(http.client.HTTPResponse):
    """An answer that is read through a patient reader, from its status line on.

    The standard library skips 100 alone and takes every other interim answer (RFC 9110, section
    15.2) for the final one. The real one would then be read by the next call on the connection.
    """

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_PatientReader(raw, sock))

    def begin(self) -> None:
        super().begin()
        if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
            self.will_close = True  # what follows is not HTTP, and nobody's answer

    def _read_status(self) -> tuple[str, int, str]:
        """Return the status line of the answer itself; those before it are read past."""
        for _ in range(_MOST_INTERIM + 1):
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if status not in _INTERIM:
                return version, status, reason
            http.client.parse_headers(self.fp)
        msg = f"more than {_MOST_INTERIM} interim answers"
        raise http.client.HTTPException(msg)


def has_arrived(connected: Any) -> bool:
    """Say whether something came on a socket that is still unread, or its end; does not wait."""
    return wait_for_read(connected, timeout=0.0)


class _PatientConnection(http.client.HTTPConnection):
    """What a connection has beside urllib3's own; mixed in before that."""

    response_class = _PatientResponse
    _holds_back = False
    _held = b""

    def request(self, method: str, url: str, body: Any = None, *args: Any, **kwargs: Any) -> None:
        """Send headers and a small body in one piece: a system call and a packet less."""
        self._holds_back = isinstance(body, bytes) and 0 < len(body) <= _SMALL_BODY
        self._held = b""
        super().request(method, exact_target.get(url), body, *args, **kwargs)

    def send(self, data: Any) -> None:
        """Send with the time-out of the call; urllib3 would send with that of connecting."""
        if self._holds_back:
            self._holds_back, self._held = False, data
            return
        if self._held:  # taken before connecting, which may send to a proxy through here
            data, self._held = self._held + data, b""
        if self.sock is None:
            self.connect()
        sock: Any = self.sock
        sock.settimeout(patience.get()())
        super().send(data)


class _Connecting(HTTPConnection):
    """Connects to the addresses of a host in turn, within the time of the call.

    urllib3 would give each of them the time that the call had left before the first.
    """

    def _new_conn(self) -> socket.socket:
        host, longest = self._dns_host, self.timeout
        *others, last = self._addresses(host)
        try:
            for address in others:
                with suppress(HTTPError):  # the next one may be reachable
                    return self._connect_to(address, longest)
            return self._connect_to(last, longest)
        finally:
            self._dns_host, self.timeout = host, longest

    def _connect_to(self, address: str, longest: Any) -> socket.socket:
        try:
            self.timeout = min(longest, patience.get()())
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        self._dns_host = address
        return super()._new_conn()

    def _addresses(self, host: str) -> list[str]:
        try:
            found = socket.getaddrinfo(
                host.strip("[]"), self.port, allowed_gai_family(), socket.SOCK_STREAM
            )
        except socket.gaierror as error:
            raise NameResolutionError(host, self, error) from error
        except UnicodeError as error:
            raise LocationParseError(host) from error
        return [str(address[0]) for *_, address in found]


class _Connection(_PatientConnection, _Connecting):
    pass


class _SecureConnection(_PatientConnection, HTTPSConnection, _Connecting):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls: Any = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls: Any = _SecureConnection


# For the scheme of an address, as urllib3's managers want it.
POOLS: dict[str, Any] = {"http": _Pool, "https": _SecurePool}
