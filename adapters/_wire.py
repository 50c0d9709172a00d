"""Each request on the wire, as traces show it: by the conventions of OpenTelemetry for HTTP.

A program without OpenTelemetry pays for one comparison.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from adapters._build import merged_headers
from adapters._exchange import Exchange
from adapters._masking import mask
from adapters.errors import (
    AdapterError,
    ConnectionFailedError,
    InvalidResponseError,
    RequestTimeoutError,
)
from resilience import _clock
from resilience.telemetry.instruments import record
from resilience.telemetry.opentelemetry import begin_request, is_metering, is_tracing
from resilience.telemetry.statistics import outcome_of

if TYPE_CHECKING:
    from resilience.telemetry._otel_http import RequestSpan

__all__ = ["Sent", "on_the_wire", "place_of", "shown_url"]

# Any other word has too many values for a name: RFC 9110 and 5789.
_METHODS = frozenset(
    ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
)
_OTHER = "_OTHER"
_PORTS = {"http": 80, "https": 443}
_REDACTED = "REDACTED"  # the word of the conventions
_FAILED = 400  # the statuses from there on are errors, for whoever has sent the request
# What went wrong below the API: with the connection, or with how the answer was packed.
_BROKEN = (ConnectionFailedError, RequestTimeoutError, InvalidResponseError)
# Parameters of a query that prove who asks, in small letters.
_SECRET_PARAMETERS = frozenset(
    {
        *("access_token", "api-key", "api_key", "apikey", "auth", "authorization"),
        *("awsaccesskeyid", "client_secret", "key", "password", "secret", "sig", "signature"),
        *("token", "x-amz-credential", "x-amz-security-token", "x-amz-signature", "x-api-key"),
        *("x-goog-credential", "x-goog-signature"),
    }
)


class Sent:
    """One request on the wire, from its sending to the end of its answer; nobody looks at it.

    Attributes:
        outgoing: What the transport has to send.
    """

    __slots__ = ("outgoing",)

    def __init__(self, outgoing: dict[str, Any]) -> None:
        self.outgoing = outgoing

    def sending(self) -> AbstractContextManager[None]:
        """Surround the transport, until the headers of the answer are there."""
        return nullcontext()

    def answered(self, incoming: Any) -> None:
        """Take note of the headers of the answer."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass


class _Seen(Sent):
    """One that has a span, or is measured, or both."""

    __slots__ = ("_begun", "_known", "_peer", "_span", "_status")

    def __init__(self, exchange: Exchange, outgoing: dict[str, Any]) -> None:
        super().__init__(outgoing)
        self._status = 0
        self._peer: dict[str, Any] = {}
        method = outgoing["method"] if outgoing["method"] in _METHODS else _OTHER
        self._known = {"http.request.method": method, **place_of(outgoing["base_url"])}
        self._span = self._begin_span(exchange) if is_tracing() else None
        self._begun = _clock.now()

    def _begin_span(self, exchange: Exchange) -> RequestSpan:
        outgoing, forms = self.outgoing, exchange.forms
        url = shown_url(outgoing["base_url"], outgoing["path"], forms)
        attributes = {**self._known, "url.full": url}
        if exchange.attempts > 1:
            attributes["http.request.resend_count"] = exchange.attempts - 1
        name = outgoing["method"]
        if name not in _METHODS:
            name, attributes["http.request.method_original"] = "HTTP", name
        span = begin_request(name, attributes)
        # What a caller has set himself wins.
        headers = merged_headers(span.headers(), outgoing["headers"])
        self.outgoing = {**outgoing, "headers": headers}
        return span

    def sending(self) -> AbstractContextManager[None]:
        return nullcontext() if self._span is None else self._span.sending()

    def answered(self, incoming: Any) -> None:
        self._status = self._known["http.response.status_code"] = incoming.status
        if incoming.http_version:
            self._known["network.protocol.version"] = incoming.http_version
        peer = None if self._span is None else incoming.peer
        if peer is not None:
            self._peer = {"network.peer.address": peer[0], "network.peer.port": peer[1]}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = max(0.0, _clock.now() - self._begun)
        if self._status >= _FAILED:
            self._known["error.type"] = str(self._status)
        elif _is_broken(error, has_answer=self._status > 0):
            self._known["error.type"] = type(error).__qualname__
        example = None
        if self._span is not None:
            seconds = self._span.end({**self._known, **self._peer}) or seconds
            example = self._span.example
        record("http.client.request.duration", seconds, self._known, example)


def on_the_wire(exchange: Exchange, outgoing: dict[str, Any]) -> Sent:
    """Begin a request: enter what is returned until its answer has been read, or given up."""
    is_seen = exchange.notes is not None and (is_tracing() or is_metering())
    return _Seen(exchange, outgoing) if is_seen else Sent(outgoing)


def place_of(base_url: str) -> dict[str, Any]:
    """Return host and port of an address, as attributes."""
    address = urlsplit(base_url)
    port = address.port or _PORTS.get(address.scheme)
    place = {"server.address": address.hostname, "server.port": port}
    return {name: value for name, value in place.items() if value is not None}


def shown_url(base_url: str, path: str, forms: tuple[str, ...]) -> str:
    """Return the address of a request as others may see it: no user, no secret in the query."""
    address = urlsplit(f"{base_url}/{path}")
    host = address.netloc.rpartition("@")[2]
    query = "&".join(_shown_parameter(each) for each in address.query.split("&"))
    shown: str = mask(urlunsplit((address.scheme, host, address.path, query, "")), forms)
    return shown


def _shown_parameter(parameter: str) -> str:
    name, _, value = parameter.partition("=")
    is_secret = value and unquote_plus(name).lower() in _SECRET_PARAMETERS
    return f"{name}={_REDACTED}" if is_secret else parameter


def _is_broken(error: BaseException | None, *, has_answer: bool) -> bool:
    """Say whether the request itself has failed: what an answer says is not its fault."""
    if not has_answer or not isinstance(error, AdapterError):
        return outcome_of(error) == "failure"
    return isinstance(error, _BROKEN)
