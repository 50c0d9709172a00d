"""Sending over HTTP from an event loop, with its siblings `_http_async_*`.

The twin of `_http`, with the same rules: no retries, redirects or cookies of the library's own,
proxies and certificates as requests reads them, and every wait as long as the call still allows.
Waits are timed by the loop itself and not by the toolkit's clock, as the time-out of a socket is.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from yarl import URL

from adapters._aiohttp import AbstractStreamWriter, ClientResponse, Payload
from adapters._http import look_around
from adapters._http_async_errors import FAILURES, network_error
from adapters._http_async_sessions import LoopSession, Sessions
from adapters._messages import Headers
from adapters._network_words import not_set_up, too_large
from adapters._patience import Patience
from adapters._setup import MAX_ANSWER_SIZE
from adapters.errors import AdapterError
from resilience._record import record

__all__ = ["AsyncIncoming", "AsyncTransport"]

_CHUNK = 65_536  # bytes
_TIME_TO_END = 0.05  # seconds; the end of a stream's body follows its end marker at once, or late


@record(kw_only=False)
class _Route:
    """Where the requests below one base URL go."""

    url: str
    proxy: str | None
    context: ssl.SSLContext | bool


class AsyncTransport:
    """The connections of one client, in each of the event loops that use it.

    Made lazily, and made anew in a forked child.

    Args:
        connect_timeout: Seconds for connecting, whatever number of addresses the host has.
        read_timeout: Seconds for sending, and for a single wait for the answer or its next part.
        max_answer_size: Bytes of one answer, decompressed; a longer one is refused.
    """

    accept_encoding = "gzip, deflate"  # what aiohttp unpacks without further libraries

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 60.0,
        max_answer_size: int = MAX_ANSWER_SIZE,
    ) -> None:
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._max_answer_size = max_answer_size
        self._sessions = Sessions()
        self._routes: dict[str, _Route] = {}

    async def open(
        self,
        method: str,
        base_url: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        remaining: float | None = None,
        decode: bool = True,
    ) -> AsyncIncoming:
        """Send a request and return its answer as soon as the headers are there.

        Args:
            method: The HTTP method.
            base_url: Absolute, with scheme and host.
            path: Relative to it, with its query.
            headers: All of them but Host and Content-Length.
            body: The encoded body.
            remaining: Seconds for everything, the reading of the answer included.
            decode: Whether a compressed answer is decompressed.

        Raises:
            ConnectionFailedError: if there is no connection, or it breaks.
            RequestTimeoutError: if the server takes too long.
        """
        limit = Patience(self._read_timeout, remaining)
        route = self._routes.get(base_url) or self._route(base_url)
        progress = _Progress(limit, has_body=body is not None)
        session = await self._sessions.current()
        session.enter()
        try:
            async with asyncio.timeout(min(self._connect_timeout, limit.wait())) as progress.scope:
                response = await session.session.request(
                    method,
                    URL(f"{route.url}/{path}", encoded=True),
                    data=None if body is None else _Body(body, progress.is_sent),
                    headers=headers,
                    skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                    allow_redirects=False,
                    auto_decompress=decode,
                    proxy=route.proxy,
                    ssl=route.context,
                    trace_request_ctx=progress,
                )
        except BaseException as error:
            await session.leave()
            if not isinstance(error, FAILURES):
                raise
            failure = network_error(error, base_url, progress.phase, limit)
        else:
            return AsyncIncoming(response, session, base_url, limit, self._max_answer_size)
        finally:
            progress.scope = None
        try:
            raise failure
        finally:
            del failure  # its traceback leads to this frame: a cycle

    async def close(self) -> None:
        """Close the idle connections; those in use end with their request."""
        await self._sessions.close()

    def _route(self, base_url: str) -> _Route:
        """Find the way to an address; proxies and certificates are read here, once."""
        found = look_around(base_url)
        if found.proxy is not None and urlsplit(found.proxy).scheme not in ("http", "https"):
            raise not_set_up(base_url, f"no proxy such as {urlsplit(found.proxy).scheme} is known")
        context = _trusting(found.bundle, base_url) if base_url.startswith("https") else True
        route = self._routes[base_url] = _Route(found.url, found.proxy, context)
        return route


class AsyncIncoming:
    """An answer whose headers have come: read it whole or in chunks, or close it."""

    def __init__(
        self,
        response: ClientResponse,
        session: LoopSession,
        base_url: str,
        limit: Patience,
        max_size: int,
    ) -> None:
        self._response = response
        self._session: LoopSession | None = session
        self._base_url = base_url
        self._limit = limit
        self._max_size = max_size
        self.status = response.status
        self.headers = Headers(response.headers.items())

    @property
    def http_version(self) -> str | None:
        """The version of HTTP that the server speaks, such as "1.1"."""
        version = self._response.version
        return f"{version.major}.{version.minor}" if version else None

    @property
    def peer(self) -> tuple[str, int] | None:
        """Address and port at the other end of the connection, while there is one."""
        connection = self._response.connection
        transport = None if connection is None else connection.transport
        found = None if transport is None else transport.get_extra_info("peername")
        return None if found is None else (found[0], found[1])

    async def read(self) -> bytes:
        """Return the whole body, decompressed; the connection is free for the next request.

        Raises:
            InvalidResponseError: if it is longer than allowed, or its compression is broken.
            ConnectionFailedError: if it is cut off.
            RequestTimeoutError: if it takes too long.
        """
        try:
            if "content-encoding" not in self.headers:
                self._check_size(self._response.content_length or 0)
            return b"".join([chunk async for chunk in self.chunks()])
        finally:
            await self.close()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Give the parts of the body as they arrive; raises as `read` does."""
        size = 0
        failure: AdapterError | None = None
        try:
            while chunk := await self._next():
                size += len(chunk)
                self._check_size(size)
                yield chunk
        except FAILURES as error:
            failure = network_error(error, self._base_url, "read", self._limit)
        if failure is None:
            return
        try:
            # What had arrived before the failure comes first; aiohttp itself would not give it.
            if rest := self._response.content._read_nowait(-1):  # noqa: SLF001
                yield rest
            raise failure
        finally:
            del failure  # its traceback leads to this frame: a cycle

    async def end(self) -> None:
        """Finish with an answer of which all that matters has been read; never raises.

        If its end is there, or about to come, the connection can serve the next request.
        """
        self._limit.shorten(_TIME_TO_END)
        with suppress(*FAILURES):
            await self._next()
        await self.close()

    async def close(self) -> None:
        """Let go of the connection; it is closed unless the answer has been read to its end."""
        self._response.close()
        session, self._session = self._session, None
        if session is not None:
            await session.leave()

    async def _next(self) -> bytes:
        content = self._response.content
        if content.at_eof():
            return b""
        async with asyncio.timeout(self._limit.wait()):
            return await content.readany()

    def _check_size(self, size: int) -> None:
        if size > self._max_size:
            raise too_large(self._max_size)


class _Progress:
    """How far a request has come, which says how long it may take, and what took too long."""

    def __init__(self, limit: Patience, *, has_body: bool) -> None:
        self.phase = "connect"
        self.scope: asyncio.Timeout | None = None
        self._limit = limit
        self._has_body = has_body

    def is_connected(self) -> None:
        self._begin("write" if self._has_body else "read")

    def is_sent(self) -> None:
        self._begin("read")

    def _begin(self, phase: str) -> None:
        self.phase = phase
        if self.scope is not None and not self.scope.expired():
            self.scope.reschedule(asyncio.get_running_loop().time() + self._limit.wait())


class _Body(Payload):
    """A body that is sent in pieces, so that a loop serves others meanwhile, and tells its end."""

    def __init__(self, content: bytes, sent: Callable[[], object]) -> None:
        super().__init__(content)
        self._size = len(content)
        self._sent = sent

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        content: bytes = self._value
        return content.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        content = memoryview(self._value)
        for start in range(0, len(content), _CHUNK):
            await writer.write(bytes(content[start : start + _CHUNK]))
        self._sent()

    async def write_with_length(
        self, writer: AbstractStreamWriter, content_length: int | None
    ) -> None:
        await self.write(writer)


def _trusting(bundle: str, base_url: str) -> ssl.SSLContext:
    """Return the context that trusts the certificates of a file or folder."""
    is_folder = Path(bundle).is_dir()
    try:
        return ssl.create_default_context(
            cafile=None if is_folder else bundle, capath=bundle if is_folder else None
        )
    except OSError as error:
        raise not_set_up(base_url, f"no certificates in {bundle}") from error
