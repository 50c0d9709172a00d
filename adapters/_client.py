"""A client: its keys, the stack around each attempt, and requests of any kind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, ClassVar, Literal, Self, TypeVar, overload

from adapters._attempts import Attempts
from adapters._exchange import CallOptions, Exchange, MakeReader, Read
from adapters._failures import read_answer
from adapters._http import Transport
from adapters._messages import RawAnswer, Reply, Request, StreamEvent
from adapters._options import ClientOptions, key_pool
from adapters._provider import Provider
from adapters._raw import build_raw, read_any_stream, read_raw
from adapters._request_ids import part_of
from adapters._streaming import Stream
from adapters._telemetry import describe_call
from adapters.errors import AdapterError
from resilience import (
    CircuitBreaker,
    DeadlineExceededError,
    KeyPool,
    PriorityQueue,
    Settings,
    generate_report,
    get_stats,
    reset_stats,
)
from resilience._pool_layer import PoolLayer
from resilience._stack import layers_of
from resilience._wrapper import decorate
from resilience.settings import reject_unknown
from resilience.telemetry.statistics import statistics_of

__all__ = ["Client"]

R = TypeVar("R")


class Client:
    """A client of one API; each call goes through retry, keys, queue and circuit breaker.

    Plain calls and streams share one limit, one line, one circuit and one set of connections.
    Made lazily: nothing is connected before the first call. Thread-safe and fork-safe.

    On every call, by keyword: `priority` (a `Priority`), `key` (the name of an entry),
    `request_id`, `timeout` (seconds for the whole call, retries included), `extra_headers`,
    `extra_body`. Every other keyword goes to the API as it is.

    Args:
        api_key: The key, where there is one.
        keys: In its place, names and keys, a list of keys, or a `KeyPool`.
        base_url: Where the API stands; default: the environment, then the API's own address.
        settings: A `Settings` of the stack.
        timeout: Seconds for a whole call, retries included (None: no limit).
        more: Any field of `Settings`, in place of that one's; `name` (in statistics, spans and
            logs: the API's; clients of one name are counted together), `connect_timeout` (5 s),
            `read_timeout` (a single wait for the answer: 60 s), `max_answer_size` (64 MiB), and
            settings of the API.

    Raises:
        MissingKeyError: if no key is given or found; it names the variables.
        SettingsError: for an unknown setting, with the nearest known one, for a value that breaks
            its rule, and for `api_key` beside `keys`.
    """

    provider: ClassVar[Provider]

    def __init__(
        self,
        api_key: str | None = None,
        *,
        keys: KeyPool | Mapping[str, str | None] | list[str] | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        timeout: float | None = None,
        **more: Any,
    ) -> None:
        options = ClientOptions.of(
            self.provider, base_url=base_url, settings=settings, timeout=timeout, more=more
        )
        self._options = options
        self.settings = options.settings
        self.keys = key_pool(self.provider, options, api_key, keys)
        self.queue = _queue(options)
        self.circuit_breaker = _breaker(options)
        self._transport = Transport(
            pool_size=options.pool_size,
            connect_timeout=options.connect_timeout,
            read_timeout=options.read_timeout,
            max_answer_size=options.max_answer_size,
        )
        statistics = statistics_of(options.name) if self.settings.metrics_enabled else None
        attempts = Attempts(self.provider, options, self._transport, statistics)
        self._send = self._stack(attempts.send, streams=False)
        self._open_stream = self._stack(attempts.stream, streams=True)

    @overload
    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = ...,
        params: Mapping[str, Any] | None = ...,
        data: Any = ...,
        files: Any = ...,
        stream: Literal[False] = ...,
        **options: Any,
    ) -> RawAnswer: ...

    @overload
    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = ...,
        params: Mapping[str, Any] | None = ...,
        data: Any = ...,
        files: Any = ...,
        stream: Literal[True],
        **options: Any,
    ) -> Stream: ...

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        data: Any = None,
        files: Any = None,
        stream: bool = False,
        **options: Any,
    ) -> RawAnswer | Stream:
        """Send a request of any kind through the same stack.

        It is repeated like any other: where that would do harm, use a client with `max_retries=0`.

        Args:
            method: The HTTP method.
            path: Relative to `base_url`.
            json: The body, as JSON.
            params: The query; a list repeats its parameter.
            data: The body as bytes, text, a file, or the fields of a form.
            files: Uploads, as requests takes them; they are read into memory.
            stream: Whether to give the answer's events, lines or bytes as they come.
            options: Those of every call.
        """
        call = self._call(options)
        request = build_raw(method, path, options, json=json, params=params, data=data, files=files)
        if stream:
            return self._stream(request, partial(read_any_stream, self.provider.errors), call)
        return self._run(request, read_raw, call)

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def get_stats(self) -> dict[str, Any]:
        """Return the counts of this client's calls, with those of each key under `endpoints`."""
        return get_stats(self._options.name)

    def generate_report(self, *, include_details: bool = False) -> dict[str, Any]:
        """Return the main figures with rates; it prints as a table."""
        return generate_report(self._options.name, include_details=include_details)

    def reset_stats(self, key: str | None = None) -> None:
        """Forget what was counted: for one key's entry, or for all of them and the client."""
        self.keys.reset_stats(key)
        if key is None:
            reset_stats(self._options.name)

    def __repr__(self) -> str:
        names = ", ".join(self.keys.names())
        return f"<{self.provider.name}.Client at {self._options.base_url} with keys {names}>"

    def _stack(self, attempt: Callable[..., Any], *, streams: bool) -> Callable[..., Any]:
        """Put the layers around an attempt; the pool passes the lease, not just the key."""
        layers = layers_of(
            self.settings,
            pool_layer=lambda pool: PoolLayer(pool, "lease", passes_lease=True, name_of=_key_of),
            keys=self.keys,
            queue=self.queue,
            breaker=self.circuit_breaker,
            name=self._options.name,
        )
        base_url = self._options.base_url

        def describe(exchange: Exchange, _: object) -> Any:
            return describe_call(base_url, exchange, streams=streams)

        stack: Callable[..., Any] = decorate(attempt, *layers, describe_span=describe)
        return stack

    def _call(self, options: dict[str, Any]) -> CallOptions:
        """Take the options of every call out of those of this one."""
        call = CallOptions(options, self._options.timeout)
        if call.key is not None:
            reject_unknown((call.key,), self.keys.names(), f"pool {self.keys.name!r}", what="entry")
        return call

    def _ask(self, request: Request, parse: Callable[[Any, Reply], R], call: CallOptions) -> R:
        """Send one request and parse its JSON."""
        return self._run(request, partial(read_answer, parse, self.provider.errors), call)

    def _run(self, request: Request, read: Read[R], call: CallOptions, *, part: int = 1) -> R:
        """Send one request, the `part`-th of its call, through the stack."""
        exchange = self._exchange(request, call, part)
        with call.scope(), _last_answer_first(exchange):
            result: R = self._send(exchange, read)
            return result

    def _stream(self, request: Request, make_reader: MakeReader, call: CallOptions) -> Stream:
        """Return the stream of one request; nothing is sent before its first step."""
        exchange = self._exchange(request, call, 1)
        return Stream(self._events(exchange, make_reader, call), exchange.collected)

    def _events(
        self, exchange: Exchange, make_reader: MakeReader, call: CallOptions
    ) -> Generator[StreamEvent, None, None]:
        """Open the stream within the priority and time of the call, then hand it on.

        Nothing stays entered across a `yield`: the consumer's code runs there.
        """
        events: Generator[StreamEvent, None, None] = self._open_stream(exchange, make_reader)
        try:
            with call.scope(), _last_answer_first(exchange):
                first = next(events, None)
            if first is not None:
                yield first
                yield from events
        finally:
            events.close()

    def _exchange(self, request: Request, call: CallOptions, part: int) -> Exchange:
        return Exchange(self.provider.name, request, call, part_of(call.request_id, part))


@contextmanager
def _last_answer_first(exchange: Exchange) -> Generator[None]:
    """Let the last thing that the server said come through where the time of the call is over."""
    exchange.bound()
    answered: AdapterError | None = None
    try:
        yield
    except DeadlineExceededError as error:
        answered = exchange.last_answer()
        if answered is None:
            raise
        raise answered from error
    finally:
        # Its traceback leads to the frames that hold it and the exchange: a cycle.
        exchange.answered = answered = None


def _key_of(exchange: Exchange, _: object) -> str | None:
    return exchange.key


def _queue(options: ClientOptions) -> PriorityQueue:
    settings = options.settings
    return PriorityQueue(
        name=options.name,
        max_concurrent_requests=settings.max_concurrent_requests,
        queue_size=settings.queue_size,
        queue_timeout=settings.queue_timeout,
        queue_enabled=settings.queue_enabled,
        aging=settings.aging,
    )


def _breaker(options: ClientOptions) -> CircuitBreaker:
    settings = options.settings
    return CircuitBreaker(
        name=options.name,
        failure_threshold=settings.failure_threshold,
        reset_timeout=settings.reset_timeout,
    )
