"""Sending over HTTP: the importer of requests, and of urllib3 beneath it.

`requests` knows proxies, certificates and the environment; a session is asked for them once for
each address. The requests themselves go straight to the connection pool below: merging settings,
cookies, hooks and redirects anew for each call would double its cost, and a client of one API
needs none of them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ClosedPoolError

from adapters._incoming import Incoming
from adapters._network_errors import FAILURES, network_error
from adapters._network_words import not_set_up
from adapters._patience import Patience
from adapters._setup import MAX_ANSWER_SIZE
from adapters._sockets import POOLS, exact_target, patience
from resilience._fork import renew_after
from resilience._record import record

__all__ = ["Surroundings", "Transport", "encode_form", "look_around"]

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


@record(kw_only=False)
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

    accept_encoding = str(requests.utils.default_headers()["Accept-Encoding"])

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


@record(kw_only=False)
class Surroundings:
    """What the environment says about requests to one address.

    Attributes:
        url: The address as it is asked for, without a slash at its end.
        proxy: The proxy that they go through, or None.
        bundle: The file or folder of the certificates that are trusted.
    """

    url: str
    proxy: str | None
    bundle: str


def look_around(base_url: str) -> Surroundings:
    """Read the environment as requests does, for whoever sends without it.

    Raises:
        ConnectionFailedError: if the address is none, or the environment cannot be used.
    """
    with requests.Session() as session:
        try:
            url = str(requests.Request("GET", base_url).prepare().url)
            session.get_adapter(url)
            found = session.merge_environment_settings(
                url, {}, stream=False, verify=None, cert=None
            )
        except (*FAILURES, ValueError) as error:
            raise not_set_up(base_url, error) from error
    proxy = requests.utils.select_proxy(url, found["proxies"])
    named: Any = found["verify"]
    bundle = named if isinstance(named, str) else requests.utils.DEFAULT_CA_BUNDLE_PATH
    return Surroundings(url.rstrip("/"), proxy, bundle)
