"""The client that waits for its answers: what drives operations in plain code."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload
from weakref import WeakMethod

from adapters._attempts import Attempts
from adapters._base_client import CommonClient, last_answer_first, time_to_clean_up
from adapters._combined_calls import alive, each_of, one_of_many
from adapters._combining import Single
from adapters._exchange import CallOptions, Exchange, MakeReader
from adapters._flows import Ask, Asks, Flow, Pages, drive, drive_pages
from adapters._messages import Request, StreamEvent
from adapters._raw import ask_raw, build_raw, read_any_stream
from adapters._results import RawAnswer
from adapters._setup import Setup
from adapters._streaming import Stream
from adapters._together import together
from adapters._transports import new_transport
from resilience._request_id import request_id

if TYPE_CHECKING:
    from adapters._operations import Operation

__all__ = ["BaseClient"]

R = TypeVar("R")


class BaseClient(CommonClient):
    """A client whose calls return when they are answered; may be used by many threads at once."""

    __doc__ = CommonClient.__doc__

    def _connect(self, setup: Setup) -> None:
        self._transport = new_transport(setup)
        attempts = Attempts(setup, self._transport, self._statistics())
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
            return self._stream(request, read_any_stream, call)
        ask = self.provider.ask_raw or ask_raw
        return self._run(ask(self._setup, request), call)

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

    def _run(self, flow: Flow[R], call: CallOptions) -> R:
        """Run a flow within the priority and the time of its call."""
        with call.scope():
            return drive(flow, partial(self._answer, call))

    def _run_combined(
        self, operation: Operation[Any, Any], single: Single, call: CallOptions
    ) -> Any:
        """Wait for company, and return the result that is this call's own."""
        with call.scope(), one_of_many(call):
            found = self._batcher(operation)(single.input, shared=(*single[1:], call.key))
        return replace(found, request_id=call.request_id)

    def _batch_function(self, operation: Operation[Any, Any]) -> Callable[..., Any]:
        send = WeakMethod(self._send_batch)

        def run(inputs: list[Any], *, shared: tuple[Any, ...]) -> list[Any]:
            results: list[Any] = alive(send)(operation, inputs, shared)
            return results

        return run

    def _send_batch(
        self, operation: Operation[Any, Any], inputs: list[Any], shared: tuple[Any, ...]
    ) -> list[Any]:
        flow, call = self._batch(operation, inputs, shared)
        return each_of(operation, self._run(flow, call), inputs)

    def _pages(self, flow: Pages[R], call: CallOptions) -> Generator[R, None, None]:
        """Give the items of a flow of pages; between them nothing stays entered."""

        def answer(asks: Asks) -> Any:
            with call.scope():
                return self._answer(call, asks)

        return drive_pages(flow, answer)

    def _answer(self, call: CallOptions, asks: Asks) -> Any:
        """Send what a flow asks for: one request, or several side by side."""
        if isinstance(asks, Ask):
            exchange = self._exchange(asks.request, call, asks.entry)
            if asks.cleans_up:
                return copy_context().run(self._clean_up, asks, exchange)
            return self._send_one(asks, exchange)
        exchanges = [self._exchange(ask.request, call, ask.entry) for ask in asks]
        jobs = [partial(self._send_one, *pair) for pair in zip(asks, exchanges, strict=True)]
        return together(jobs, self._setup.width)

    def _clean_up(self, ask: Ask[R], exchange: Exchange) -> R:
        """Send one request in a time of its own; in a context of its own, which it changes."""
        with time_to_clean_up():
            return self._send_one(ask, exchange)

    def _send_one(self, ask: Ask[R], exchange: Exchange) -> R:
        """Send one request through the stack."""
        with request_id(exchange.request_id), last_answer_first(exchange):
            result: R = self._send(exchange, ask.read)
            return result

    def _stream(self, request: Request, make_reader: MakeReader, call: CallOptions) -> Stream:
        """Return the stream of one request; nothing is sent before its first step."""
        exchange = self._exchange(request, call)
        return Stream(self._events(exchange, make_reader, call), exchange.collected)

    def _events(
        self, exchange: Exchange, make_reader: MakeReader, call: CallOptions
    ) -> Generator[StreamEvent, None, None]:
        """Open the stream within the priority and time of the call, then hand it on.

        Nothing stays entered across a `yield`: the consumer's code runs there.
        """
        events: Generator[StreamEvent, None, None] = call.within(
            self._open_stream(exchange, make_reader)
        )
        try:
            with call.scope(), last_answer_first(exchange):
                first = next(events, None)
            if first is not None:
                yield first
                yield from events
        finally:
            events.close()
