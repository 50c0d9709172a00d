"""Sending over HTTP: the importer of requests, and of urllib3 beneath it.

`requests` knows proxies, certificates and the environment; a session is asked for them once for
each address. The requests themselves go straight to the connection pool below: merging settings,
cookies, hooks and redirects anew for each call would double its cost, and a client of one API
needs none of them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ClosedPoolError

from adapters._messages import Headers
from adapters._network_errors import FAILURES, network_error
from adapters._network_words import not_set_up, too_large
from adapters._patience import Patience
from adapters._setup import MAX_ANSWER_SIZE
from adapters._sockets import POOLS, exact_target, patience
from resilience._fork import renew_after

__all__ = [
    "ACCEPT_ENCODING",
    "Incoming",
    "Transport",
    "encode_form",
]

ACCEPT_ENCODING = str(requests.utils.default_headers()["Accept-Encoding"])
_CHUNK = 65_536  # bytes
_TIME_TO_END = 0.05  # seconds; the end of a stream's body follows its end marker at once, or late
_HOSTS = 1_000  # pools for addresses; more than a client can have, so that none is thrown out
_NO_RETRIES = urllib3.Retry(total=False, redirect=False, raise_on_redirect=False)


class _Adapter(HTTPAdapter):
    """requests' adapter, over connections that keep the call's time."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(POOLS)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not proxy.lower().startswith("socks"):  # which needs connections of its own
            manager.pool_classes_by_scheme = dict(POOLS)
        return manager


@dataclass(frozen=True, slots=True)
class _Route:
    """Where the requests below one base URL go: the pool, and what their targets begin with."""

    pool: urllib3.HTTPConnectionPool
    target: str


class Transport:
    """The connections of one client.

    Made lazily, made anew in a forked child, and safe for concurrent use.

    Args:
        pool_size: Connections to one host that are kept open; more may be used at once.
        connect_timeout: Seconds for connecting to one address of a host; those of a call bound the
            sum over all of them, though not the look-up of the name.
        read_timeout: Seconds for a single wait for the answer or its next part.
        max_answer_size: Bytes of one answer, decompressed; a longer one is refused.
    """

    def __init__(
        self,
        *,
        pool_size: int,
        connect_timeout: float = 5.0,
        read_timeout: float = 60.0,
        max_answer_size: int = MAX_ANSWER_SIZE,
    ) -> None:
        self._pool_size = pool_size
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._max_answer_size = max_answer_size
        self._inherited: list[requests.Session] = []
        self._session: requests.Session | None = None
        self._routes: dict[str, _Route] = {}
        self._lock = threading.Lock()
        renew_after(self)

    def open(
        self,
        method: str,
        base_url: str,
        path: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        remaining: float | None = None,
        decode: bool = True,
    ) -> Incoming:
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
        target = f"{route.target}/{path}"
        tokens = patience.set(limit.wait), exact_target.set(target)
        try:
            response = route.pool.urlopen(
                method,
                target,
                body=body,
                headers=headers,
                retries=_NO_RETRIES,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=decode,
                timeout=urllib3.Timeout(
                    connect=min(self._connect_timeout, limit.wait()), read=self._read_timeout
                ),
            )
        except ClosedPoolError:  # by close(), after this call had looked for its route
            return self.open(
                method, base_url, path, headers=headers, body=body, remaining=remaining
            )
        except FAILURES as error:
            raise network_error(error, base_url, limit) from error
        finally:
            patience.reset(tokens[0])
            exact_target.reset(tokens[1])
        return Incoming(response, base_url, limit, self._max_answer_size)

    def close(self) -> None:
        """Close the idle connections; those in use end with their request."""
        with self._lock:
            session, self._session = self._session, None
            routes, self._routes = self._routes, {}
        for route in routes.values():
            route.pool.close()  # the session only forgets it, and an error that is held keeps it
        if session is not None:
            session.close()

    def renew_after_fork(self) -> None:
        """Forget connections and locks that belong to the parent process.

        They are not closed: closing takes locks that a thread of the parent may have held.
        """
        if self._session is not None:
            self._inherited.append(self._session)
        self._lock = threading.Lock()
        self._session = None
        self._routes = {}

    def _route(self, base_url: str) -> _Route:
        """Find the way to an address; proxies and certificates are read here, once."""
        with self._lock:
            if base_url in self._routes:
                return self._routes[base_url]
            if self._session is None:
                self._session = _new_session(self._pool_size)
            route = self._routes[base_url] = _new_route(self._session, base_url)
            return route


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


def encode_form(data: Any, files: Any) -> tuple[bytes | None, str | None]:
    """Encode a form or an upload: the body, and its content type.

    Files are read into memory, so that every attempt can send them.
    """
    request = requests.Request("POST", "http://localhost", data=data, files=files).prepare()
    kind: Any = request.headers.get("Content-Type")
    body: Any = request.body  # whatever it was given, if that was no form
    if hasattr(body, "read"):
        body = body.read()
    elif body is not None and not isinstance(body, str | bytes):
        body = b"".join(body)
    content: bytes | None = body.encode() if isinstance(body, str) else body
    return content, kind


def _new_session(pool_size: int) -> requests.Session:
    session = requests.Session()
    adapter = _Adapter(pool_connections=_HOSTS, pool_maxsize=pool_size, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def _new_route(session: requests.Session, base_url: str) -> _Route:
    try:
        request = requests.Request("GET", base_url).prepare()
        url = str(request.url)
        adapter: Any = session.get_adapter(url)
        settings = session.merge_environment_settings(url, {}, stream=False, verify=None, cert=None)
        proxies, verify, cert = settings["proxies"], settings["verify"], settings["cert"]
        pool = adapter.get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
        adapter.cert_verify(pool, url, verify, cert)
    except (*FAILURES, ValueError) as error:
        # Also a proxy or a bundle of certificates in the environment that is none.
        raise not_set_up(base_url, error) from error
    return _Route(pool, adapter.request_url(request, proxies).rstrip("/"))
