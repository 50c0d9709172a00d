"""What an attempt does without waiting: what is sent, and what an answer means."""

from __future__ import annotations

import re
from typing import Any

from adapters._addresses import complete_address
from adapters._build import merged_headers
from adapters._exchange import Exchange
from adapters._failures import error_from_status, redirect_error
from adapters._masking import mask
from adapters._messages import Headers, Usage
from adapters._provider import Unsigned
from adapters._setup import Setup
from adapters._telemetry import count_usage
from adapters._wire import Sent, on_the_wire
from adapters.errors import AdapterError, RateLimitError, StreamInterruptedError
from resilience import deadline
from resilience._core.key_quota import Told
from resilience._hints import moment
from resilience._lease import Lease
from resilience.telemetry.statistics import CallStatistics

__all__ = ["OK", "REDIRECTS", "AttemptParts"]

OK = range(200, 300)
REDIRECTS = range(300, 400)
_ASKS = frozenset({"retry-after", "retry-after-ms"})
_COUNT = re.compile(r"[0-9]{1,15}")  # `int` raises for thousands of digits


class AttemptParts:
    """The attempts of one client, but for those that send and read."""

    def __init__(
        self, setup: Setup, statistics: CallStatistics | None, accept_encoding: str
    ) -> None:
        self.errors = setup.provider.errors
        self._setup = setup
        self._statistics = statistics
        self._headers = {
            "Accept": "application/json",
            "Accept-Encoding": accept_encoding,
            "User-Agent": "resilience-adapters",
            **setup.provider.headers,
            **setup.headers,
        }

    def outgoing(self, exchange: Exchange, lease: Lease) -> dict[str, Any]:
        """Begin an attempt, and return what the transport has to send."""
        exchange.begin(lease)
        request = exchange.request
        base_url = request.base_url or self._setup.base_url
        if lease.base_url and not request.base_url:
            setting = f"entry {lease.name!r}: base_url"
            normalize = self._setup.provider.normalize_url
            base_url = complete_address(setting, lease.base_url, normalize)
        if self._setup.provider.relocate is not None:
            base_url = self._setup.provider.relocate(self._setup, base_url, request.path)
        if exchange.notes is not None:
            exchange.notes.base_url = base_url
        return {
            "method": request.method,
            "base_url": base_url,
            "path": request.path,
            "headers": self._all_headers(exchange, lease, base_url),
            "body": request.body,
            "remaining": deadline.remaining(),
            "decode": not request.as_stored,
        }

    def on_the_wire(self, exchange: Exchange, lease: Lease) -> Sent:
        """Begin an attempt; enter what is returned until its answer has been read."""
        return on_the_wire(exchange, self.outgoing(exchange, lease))

    def answered(self, exchange: Exchange, result: Any) -> None:
        """Count what an answer consumed."""
        if exchange.notes is not None:
            exchange.notes.result = result
        usage = getattr(result, "usage", None) or Usage()
        count_usage(self._statistics, exchange, usage)

    def ended(self, exchange: Exchange) -> None:
        """Do the same for a stream, at its end."""
        count_usage(self._statistics, exchange, exchange.collected.usage)

    def refused(
        self, exchange: Exchange, lease: Lease, status: int, headers: Headers, content: bytes
    ) -> AdapterError:
        """Return the error that an answer is."""
        if status in REDIRECTS:
            return redirect_error(status, headers, exchange.forms)
        error = error_from_status(self.errors, status, headers, content, exchange.forms)
        # Where no other header says it, the wait is the reset itself, and shows nothing.
        if isinstance(error, RateLimitError) and not _ASKS.isdisjoint(map(str.lower, headers)):
            self.tell_quota(exchange, lease, headers, error.retry_after)
        return error

    def tell_quota(
        self, exchange: Exchange, lease: Lease, headers: Headers, wait: float | None = None
    ) -> None:
        """Tell the pool how many requests the key has left, where the API says so."""
        names = self._setup.provider.quota_headers
        if names is None or names[0] not in headers:
            return
        limit, left, reset = (headers.get(name, "") for name in names)
        seconds = moment(reset)
        if seconds is not None and _COUNT.fullmatch(limit) and _COUNT.fullmatch(left):
            lease.tell(Told(exchange.request.model, int(limit), int(left), seconds, wait))

    @staticmethod
    def interrupted(exchange: Exchange, error: AdapterError) -> AdapterError:
        """Return the error of a stream that had begun."""
        # Masked as a whole: one event alone may hold no more than a half of a secret.
        partial = mask(exchange.collected.partial, exchange.forms)
        interrupted = StreamInterruptedError(error.message, partial=partial, code=error.code)
        return exchange.labelled(interrupted)

    def _all_headers(self, exchange: Exchange, lease: Lease, base_url: str) -> dict[str, str]:
        request, headers, provider = exchange.request, dict(self._headers), self._setup.provider
        if lease.key is not None and provider.sign is None:
            headers.update(provider.authorize(lease.key))
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        if provider.request_id_header is not None:
            headers[provider.request_id_header] = exchange.request_id
        if request.headers:
            headers = merged_headers(headers, request.headers)
        if exchange.arrived is not None:
            headers = merged_headers(headers, exchange.arrived.headers)
        if lease.key is not None and provider.sign is not None:
            unsigned = Unsigned(
                method=request.method,
                base_url=base_url,
                path=request.path,
                headers=headers,
                body=request.body,
            )
            headers.update(provider.sign(self._setup, lease.key, unsigned))
        return headers
