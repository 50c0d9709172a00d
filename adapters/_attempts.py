"""One attempt: lease in hand, send the request and read the answer, whole or as a stream."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, TypeVar

from adapters._build import merged_headers
from adapters._exchange import Exchange, MakeReader, Read
from adapters._failures import error_from_status, no_stream, redirect_error
from adapters._http import ACCEPT_ENCODING, Incoming, Transport
from adapters._masking import mask
from adapters._messages import StreamEvent, Usage
from adapters._provider import Unsigned
from adapters._setup import Setup
from adapters._streams import EventReader
from adapters._telemetry import annotate_call, count_usage
from adapters.errors import AdapterError, StreamInterruptedError
from resilience import deadline
from resilience._lease import Lease
from resilience.telemetry.statistics import CallStatistics

__all__ = ["Attempts"]

R = TypeVar("R")

_OK = range(200, 300)
_REDIRECTS = range(300, 400)


class Attempts:
    """The attempts of one client; the stack calls `send` and `stream`, once for each attempt.

    Thread-safe.
    """

    def __init__(
        self,
        setup: Setup,
        transport: Transport,
        statistics: CallStatistics | None,
    ) -> None:
        self._setup = setup
        self._provider = setup.provider
        self._statistics = statistics
        self._transport = transport
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
            "User-Agent": "resilience-adapters",
            **setup.provider.headers,
            **setup.headers,
        }

    def send(self, exchange: Exchange, read: Read[R], *, lease: Lease) -> R:
        """Return the answer as `read` reads it.

        Raises:
            AdapterError: if there is none, or it is an error.
        """
        try:
            incoming = self._open(exchange, lease)
            reply = exchange.reply(incoming.status, incoming.headers, incoming.read())
            result = read(self._provider.errors, reply, exchange.forms)
        except AdapterError as error:
            raise exchange.failure(error)  # noqa: B904 - as a rule it is the same error
        usage = getattr(result, "usage", None) or Usage()
        count_usage(self._statistics, exchange, usage)
        annotate_call(exchange, usage, getattr(result, "model", None))
        return result

    def stream(
        self, exchange: Exchange, make_reader: MakeReader, *, lease: Lease
    ) -> Generator[StreamEvent, None, None]:
        """Give the events of a stream; the connection is let go of at its end, however it comes.

        Raises:
            StreamInterruptedError: once an event has been given.
            AdapterError: before that; as a request that fails.
        """
        has_begun = False
        try:
            for event in self._events(exchange, make_reader, lease):
                has_begun = True
                exchange.collected.add(event)
                yield event
        except AdapterError as error:
            if not has_begun:
                raise exchange.failure(error)  # noqa: B904
            raise _interrupted(exchange, error) from exchange.labelled(error)
        finally:
            if has_begun:
                collected = exchange.collected
                annotate_call(exchange, collected.usage, collected.model)
                count_usage(self._statistics, exchange, collected.usage)

    def _events(
        self, exchange: Exchange, make_reader: MakeReader, lease: Lease
    ) -> Iterator[StreamEvent]:
        incoming = self._open(exchange, lease)
        try:
            exchange.opened(incoming.headers)
            forms = exchange.forms
            errors = self._provider.errors
            reader = make_reader(errors, incoming.headers, forms)
            if reader is None:
                raise no_stream(errors, incoming.headers, incoming.read(), forms)
            yield from _read(incoming, reader)
            incoming.end()
        finally:
            incoming.close()

    def _open(self, exchange: Exchange, lease: Lease) -> Incoming:
        """Send the request and return its answer, if that is no error."""
        exchange.begin(lease)
        request = exchange.request
        base_url = request.base_url or lease.base_url or self._setup.base_url
        incoming = self._transport.open(
            request.method,
            base_url,
            request.path,
            headers=self._all_headers(exchange, lease, base_url),
            body=request.body,
            remaining=deadline.remaining(),
        )
        exchange.answered_by(incoming.headers)
        if incoming.status not in _OK and incoming.status not in request.accepts:
            raise self._error(exchange, incoming)
        return incoming

    def _all_headers(self, exchange: Exchange, lease: Lease, base_url: str) -> dict[str, str]:
        request, headers, provider = exchange.request, dict(self._headers), self._provider
        if lease.key is not None and provider.sign is None:
            headers.update(provider.authorize(lease.key))
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if provider.request_id_header is not None:
            headers[provider.request_id_header] = exchange.request_id
        if request.headers:
            headers = merged_headers(headers, request.headers)
        if lease.key is not None and provider.sign is not None:
            url = f"{base_url}/{request.path}"
            unsigned = Unsigned(method=request.method, url=url, headers=headers, body=request.body)
            headers.update(provider.sign(self._setup, lease.key, unsigned))
        return headers

    def _error(self, exchange: Exchange, incoming: Incoming) -> AdapterError:
        status, headers, forms = incoming.status, incoming.headers, exchange.forms
        if status in _REDIRECTS:
            incoming.close()
            return redirect_error(status, headers, forms)
        try:
            content = incoming.read()
        except AdapterError:  # the status says what went wrong, with its body or without
            content = b""
        return error_from_status(self._provider.errors, status, headers, content, forms)


def _interrupted(exchange: Exchange, error: AdapterError) -> AdapterError:
    # Masked as a whole: one event alone may hold no more than a half of a secret.
    partial = mask(exchange.collected.partial, exchange.forms)
    interrupted = StreamInterruptedError(error.message, partial=partial, code=error.code)
    return exchange.labelled(interrupted)


def _read(incoming: Incoming, reader: EventReader[Any]) -> Iterator[StreamEvent]:
    for chunk in incoming.chunks():
        yield from reader.feed(chunk)
        if reader.has_ended:
            break
    yield from reader.finish()
