"""An answer of the plain transport whose headers have come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import urllib3

from adapters._messages import Headers
from adapters._network_errors import FAILURES, network_error
from adapters._network_words import too_large
from adapters._patience import Patience

__all__ = ["Incoming"]

_CHUNK = 65_536  # bytes
_TIME_TO_END = 0.05  # seconds; the end of a stream's body follows its end marker at once, or late


class Incoming:
    """An answer whose headers have come: read it whole or in chunks, or close it."""

    def __init__(
        self, response: urllib3.BaseHTTPResponse, base_url: str, limit: Patience, max_size: int
    ) -> None:
        self._response = response
        self._base_url = base_url
        self._limit = limit
        self._max_size = max_size
        self.status = response.status
        self.headers = Headers(response.headers.items())

    @property
    def http_version(self) -> str | None:
        """The version of HTTP that the server speaks, such as "1.1"."""
        version: int = getattr(self._response, "version", 0)
        return f"{version // 10}.{version % 10}" if version else None

    @property
    def peer(self) -> tuple[str, int] | None:
        """Address and port at the other end of the connection, while there is one."""
        connection: Any = getattr(self._response, "connection", None)
        with suppress(OSError, AttributeError):
            host, port, *_ = connection.sock.getpeername()
            return host, port
        return None

    def read(self) -> bytes:
        """Return the whole body, decompressed; the connection is free for the next request.

        Raises:
            InvalidResponseError: if it is longer than allowed, or its compression is broken.
            ConnectionFailedError: if it is cut off.
            RequestTimeoutError: if it takes too long.
        """
        length = self._response.length_remaining
        if length is None or "content-encoding" in self.headers:
            return b"".join(self.chunks())
        self._check_size(length)
        try:
            return self._response.read()
        except FAILURES as error:
            raise network_error(error, self._base_url, self._limit) from error

    def chunks(self) -> Iterator[bytes]:
        """Give the parts of the body as they arrive; raises as `read` does."""
        size = 0
        try:
            while chunk := self._response.read1(_CHUNK):
                size += len(chunk)
                self._check_size(size)
                yield chunk
        except FAILURES as error:
            raise network_error(error, self._base_url, self._limit) from error

    def end(self) -> None:
        """Finish with an answer of which all that matters has been read; never raises.

        If its end is there, or about to come, the connection can serve the next request.
        """
        self._limit.shorten(_TIME_TO_END)
        with suppress(*FAILURES):
            self._response.read1(_CHUNK)
        self.close()

    def close(self) -> None:
        """Let go of the connection; it is closed unless the answer has been read to its end."""
        self._response.close()
        self._response.release_conn()

    def _check_size(self, size: int) -> None:
        if size > self._max_size:
            self.close()
            raise too_large(self._max_size)
