"""Going on with a body that was cut: what has arrived is kept, and the rest is asked for.

Source: RFC 9110, section 14 (ranges) and section 13.1.1 (If-Match). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters._messages import Headers
from adapters.errors import AdapterError, ConnectionFailedError

__all__ = ["Arrived"]

_ASKED = re.compile(r"bytes=(\d+)-(\d*)")
_GIVEN = re.compile(r"bytes (\d+)-")
_PARTIAL = 206
_CHANGED = 412


class Arrived:
    """What the attempts of one request have read of its answer; used by one thread at a time.

    Args:
        asked: The headers of the request; it may ask for a range itself.
    """

    __slots__ = ("_chunks", "_first", "_headers", "_last", "_size", "_status")

    def __init__(self, asked: Mapping[str, str]) -> None:
        wanted = next(
            (value for name, value in asked.items() if name.lower() == "range"), "bytes=0-"
        )
        match = _ASKED.fullmatch(wanted)
        self._first = None if match is None else int(match[1])
        self._last = "" if match is None else match[2]
        self._chunks: list[bytes] = []
        self._size = 0
        self._status, self._headers = 0, Headers()

    @property
    def headers(self) -> dict[str, str]:
        """What asks for the rest; nothing where all is still to come."""
        if not self._goes_on:
            return {}
        start = (self._first or 0) + self._size
        return {"Range": f"bytes={start}-{self._last}", "If-Match": self._headers["etag"]}

    def begin(self, status: int, headers: Headers) -> None:
        """Take note of an answer: the rest of what has arrived, or all of it anew.

        Raises:
            ConnectionFailedError: if it is some other part.
        """
        if self._goes_on and status == _PARTIAL:
            given = _GIVEN.match(headers.get("content-range", ""))
            expected = (self._first or 0) + self._size
            is_same = headers.get("etag") == self._headers["etag"]
            if given is not None and int(given[1]) == expected and is_same:
                return
            self._forget()
            msg = "the server went on with another part of the answer than was asked for"
            raise ConnectionFailedError(msg)
        self._forget()
        self._status, self._headers = status, headers

    def add(self, chunk: bytes) -> None:
        """Keep what has arrived."""
        self._chunks.append(chunk)
        self._size += len(chunk)

    def whole(self) -> tuple[int, Headers, bytes]:
        """Return status and headers of the answer that began, and all of its body."""
        return self._status, self._headers, b"".join(self._chunks)

    def failed(self, error: AdapterError) -> None:
        """Begin anew, at the next attempt, where the object has changed in the meantime."""
        if self._goes_on and error.status_code == _CHANGED:
            self._forget()
            error.retryable = True

    @property
    def _goes_on(self) -> bool:
        # A weak tag, or none, cannot promise that the rest belongs to the beginning.
        is_strong = self._headers.get("etag", "W/").startswith('"')
        return self._size > 0 and self._first is not None and is_strong

    def _forget(self) -> None:
        self._chunks, self._size = [], 0
        self._status, self._headers = 0, Headers()
