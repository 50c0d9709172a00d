"""The client whose calls are awaited: what drives operations in an event loop.

As `_client`, but for `await`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, overload
from weakref import WeakMethod

from adapters._attempts import AsyncAttempts
from adapters._base_client import CommonClient, last_answer_first, time_to_clean_up
from adapters._combined_calls import alive, each_of, one_of_many
from adapters._combining import Single
from adapters._exchange import CallOptions, Exchange, MakeReader
from adapters._flows import Ask, Asks, Flow, Pages, drive_async, drive_pages_async
from adapters._messages import Request, StreamEvent
from adapters._raw import ask_raw, build_raw, read_any_stream
from adapters._results import RawAnswer
from adapters._setup import Setup
from adapters._streaming import AsyncStream
from adapters._together import together_async
from adapters._transports import new_async_transport
from resilience._request_id import request_id

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from adapters._operations import Operation

__all__ = ["BaseAsyncClient"]

R = TypeVar("R")


class BaseAsyncClient(CommonClient):
    """A client whose calls are awaited, in one event loop or in several."""

    __doc__ = CommonClient.__doc__
    is_async: ClassVar[bool] = True

    def _connect(self, setup: Setup) -> None:
        self._transport = new_async_transport(setup)
        attempts = AsyncAttempts(setup, self._transport, self._statistics())
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
    ) -> Coroutine[Any, Any, RawAnswer]: ...

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
    ) -> AsyncStream: ...

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
    ) -> Coroutine[Any, Any, RawAnswer] | AsyncStream:
        """Send a request of any kind through the same stack: awaited, or a stream.

        It is repeated like any other: where that would do harm, use a client with `max_retries=0`.

        Args:
            method: The HTTP method.
            path: Relative to `base_url`.
            json: The body, as JSON.
            params: The query; a list repeats its parameter.
            data: The body as bytes, text, a file, or the fields of a form.
            files: Uploads, as requests takes them; they are read into memory, at once.
            stream: Whether to give the answer's events, lines or bytes as they come.
            options: Those of every call.
        """
        call = self._call(options)
        request = build_raw(method, path, options, json=json, params=params, data=data, files=files)
        if stream:
            return self._stream(request, read_any_stream, call)
        ask = self.provider.ask_raw or ask_raw
        return self._run(ask(self._setup, request), call)

    async def aclose(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self, flow: Flow[R], call: CallOptions) -> R:
        """Run a flow within the priority and the time of its call."""
        with call.scope():
            return await drive_async(flow, partial(self._answer, call))

    async def _run_combined(
        self, operation: Operation[Any, Any], single: Single, call: CallOptions
    ) -> Any:
        """Wait for company, and return the result that is this call's own."""
        with call.scope(), one_of_many(call):
            found = await self._batcher(operation)(single.input, shared=(*single[1:], call.key))
        return replace(found, request_id=call.request_id)

    def _batch_function(self, operation: Operation[Any, Any]) -> Callable[..., Any]:
        send = WeakMethod(self._send_batch)

        async def run(inputs: list[Any], *, shared: tuple[Any, ...]) -> list[Any]:
            results: list[Any] = await alive(send)(operation, inputs, shared)
            return results

        return run

    async def _send_batch(
        self, operation: Operation[Any, Any], inputs: list[Any], shared: tuple[Any, ...]
    ) -> list[Any]:
        flow, call = self._batch(operation, inputs, shared)
        return each_of(operation, await self._run(flow, call), inputs)

    def _pages(self, flow: Pages[R], call: CallOptions) -> AsyncGenerator[R, None]:
        """Give the items of a flow of pages; between them nothing stays entered."""

        async def answer(asks: Asks) -> Any:
            with call.scope():
                return await self._answer(call, asks)

        return drive_pages_async(flow, answer)

    async def _answer(self, call: CallOptions, asks: Asks) -> Any:
        """Send what a flow asks for: one request, or several side by side."""
        if isinstance(asks, Ask):
            exchange = self._exchange(asks.request, call, asks.entry)
            if asks.cleans_up:
                return await asyncio.create_task(self._clean_up(asks, exchange))
            return await self._send_one(asks, exchange)
        exchanges = [self._exchange(ask.request, call, ask.entry) for ask in asks]
        jobs = [partial(self._send_one, *pair) for pair in zip(asks, exchanges, strict=True)]
        return await together_async(jobs, self._setup.width)

    async def _clean_up(self, ask: Ask[R], exchange: Exchange) -> R:
        """Send one request in a time of its own; in a context of its own, which it changes."""
        with time_to_clean_up():
            return await self._send_one(ask, exchange)

    async def _send_one(self, ask: Ask[R], exchange: Exchange) -> R:
        """Send one request through the stack."""
        with request_id(exchange.request_id), last_answer_first(exchange):
            result: R = await self._send(exchange, ask.read)
            return result

    def _stream(self, request: Request, make_reader: MakeReader, call: CallOptions) -> AsyncStream:
        """Return the stream of one request; nothing is sent before its first step."""
        exchange = self._exchange(request, call)
        return AsyncStream(self._events(exchange, make_reader, call), exchange.collected)

    async def _events(
        self, exchange: Exchange, make_reader: MakeReader, call: CallOptions
    ) -> AsyncGenerator[StreamEvent, None]:
        """Open the stream within the priority and time of the call, then hand it on.

        Nothing stays entered across a `yield`: the consumer's code runs there.
        """
        events: AsyncGenerator[StreamEvent, None] = call.within(
            self._open_stream(exchange, make_reader)
        )
        try:
            with call.scope(), last_answer_first(exchange):
                first = await anext(events, None)
            if first is not None:
                yield first
                async for event in events:
                    yield event
        finally:
            await events.aclose()
