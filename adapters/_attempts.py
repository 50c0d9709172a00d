"""One attempt: lease in hand, send the request and read the answer, whole or as a stream.

`Attempts` and `AsyncAttempts` differ in `await` alone; what neither waits for they share.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from adapters._attempt_parts import OK, REDIRECTS, AttemptParts
from adapters._exchange import Exchange, MakeReader, Read
from adapters._failures import no_stream
from adapters._messages import Headers, StreamEvent
from adapters._resume import Arrived
from adapters._setup import Setup
from adapters._streams import EventReader
from adapters._wire import Sent
from adapters.errors import AdapterError
from resilience._lease import Lease
from resilience.telemetry.statistics import CallStatistics

if TYPE_CHECKING:
    from adapters._http import Transport
    from adapters._http_async import AsyncIncoming, AsyncTransport
    from adapters._incoming import Incoming

__all__ = ["AsyncAttempts", "Attempts"]

R = TypeVar("R")


class Attempts(AttemptParts):
    """The attempts of one client; the stack calls `send` and `stream`, once for each attempt.

    Thread-safe.
    """

    def __init__(
        self, setup: Setup, transport: Transport, statistics: CallStatistics | None
    ) -> None:
        super().__init__(setup, statistics, transport.accept_encoding)
        self._transport = transport

    def send(self, exchange: Exchange, read: Read[R], *, lease: Lease) -> R:
        """Return the answer as `read` reads it.

        Raises:
            AdapterError: if there is none, or it is an error.
        """
        try:
            with self.on_the_wire(exchange, lease) as sent:
                incoming = self._open(exchange, sent, lease)
                reply = exchange.reply(*_whole(incoming, exchange.arrived))
            result = read(self.errors, reply, exchange.forms)
        except AdapterError as error:
            raise exchange.failure(error)  # noqa: B904 - as a rule it is the same error
        self.answered(exchange, result)
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
                exchange.add(event)
                yield event
        except AdapterError as error:
            if not has_begun:
                raise exchange.failure(error)  # noqa: B904
            raise self.interrupted(exchange, error) from exchange.labelled(error)
        finally:
            if has_begun:
                self.ended(exchange)

    def _events(
        self, exchange: Exchange, make_reader: MakeReader, lease: Lease
    ) -> Generator[StreamEvent, None, None]:
        with self.on_the_wire(exchange, lease) as sent:
            incoming = self._open(exchange, sent, lease)
            try:
                exchange.opened(incoming.headers)
                reader = make_reader(self.errors, incoming.headers, exchange.forms)
                if reader is None:
                    content = incoming.read()
                    raise no_stream(self.errors, incoming.headers, content, exchange.forms)
                yield from _read(incoming, reader)
                incoming.end()
            finally:
                incoming.close()

    def _open(self, exchange: Exchange, sent: Sent, lease: Lease) -> Incoming:
        """Send the request and return its answer, if that is no error."""
        with sent.sending():
            incoming = self._transport.open(**sent.outgoing)
        sent.answered(incoming)
        exchange.answered_by(incoming.headers)
        if incoming.status in OK or incoming.status in exchange.request.accepts:
            self.tell_quota(exchange, lease, incoming.headers)
            return incoming
        content = b""
        try:
            if incoming.status not in REDIRECTS:
                content = incoming.read()
        except AdapterError:  # the status says what went wrong, with its body or without
            pass
        finally:
            incoming.close()
        raise self.refused(exchange, lease, incoming.status, incoming.headers, content)


def _whole(incoming: Incoming, arrived: Arrived | None) -> tuple[int, Headers, bytes]:
    """Read an answer to its end, and put it behind what has arrived before."""
    if arrived is None:
        return incoming.status, incoming.headers, incoming.read()
    try:
        arrived.begin(incoming.status, incoming.headers)
        for chunk in incoming.chunks():
            arrived.add(chunk)
    finally:
        incoming.close()
    return arrived.whole()


def _read(incoming: Incoming, reader: EventReader[Any]) -> Generator[StreamEvent, None, None]:
    for chunk in incoming.chunks():
        yield from reader.feed(chunk)
        if reader.has_ended:
            break
    yield from reader.finish()


class AsyncAttempts(AttemptParts):
    """The attempts of one client whose calls are awaited; as `Attempts`, but for `await`."""

    def __init__(
        self, setup: Setup, transport: AsyncTransport, statistics: CallStatistics | None
    ) -> None:
        super().__init__(setup, statistics, transport.accept_encoding)
        self._transport = transport

    async def send(self, exchange: Exchange, read: Read[R], *, lease: Lease) -> R:
        """Return the answer as `read` reads it.

        Raises:
            AdapterError: if there is none, or it is an error.
        """
        try:
            with self.on_the_wire(exchange, lease) as sent:
                incoming = await self._open(exchange, sent, lease)
                reply = exchange.reply(*await _whole_async(incoming, exchange.arrived))
            result = read(self.errors, reply, exchange.forms)
        except AdapterError as error:
            raise exchange.failure(error)  # noqa: B904 - as a rule it is the same error
        self.answered(exchange, result)
        return result

    async def stream(
        self, exchange: Exchange, make_reader: MakeReader, *, lease: Lease
    ) -> AsyncGenerator[StreamEvent, None]:
        """Give the events of a stream; the connection is let go of at its end, however it comes.

        Raises:
            StreamInterruptedError: once an event has been given.
            AdapterError: before that; as a request that fails.
        """
        has_begun = False
        try:
            async with aclosing(self._events(exchange, make_reader, lease)) as events:
                async for event in events:
                    has_begun = True
                    exchange.add(event)
                    yield event
        except AdapterError as error:
            if not has_begun:
                raise exchange.failure(error)  # noqa: B904
            raise self.interrupted(exchange, error) from exchange.labelled(error)
        finally:
            if has_begun:
                self.ended(exchange)

    async def _events(
        self, exchange: Exchange, make_reader: MakeReader, lease: Lease
    ) -> AsyncGenerator[StreamEvent, None]:
        with self.on_the_wire(exchange, lease) as sent:
            incoming = await self._open(exchange, sent, lease)
            try:
                exchange.opened(incoming.headers)
                reader = make_reader(self.errors, incoming.headers, exchange.forms)
                if reader is None:
                    content = await incoming.read()
                    raise no_stream(self.errors, incoming.headers, content, exchange.forms)
                async with aclosing(_read_async(incoming, reader)) as events:
                    async for event in events:
                        yield event
                await incoming.end()
            finally:
                await incoming.close()

    async def _open(self, exchange: Exchange, sent: Sent, lease: Lease) -> AsyncIncoming:
        """Send the request and return its answer, if that is no error."""
        with sent.sending():
            incoming = await self._transport.open(**sent.outgoing)
        sent.answered(incoming)
        exchange.answered_by(incoming.headers)
        if incoming.status in OK or incoming.status in exchange.request.accepts:
            self.tell_quota(exchange, lease, incoming.headers)
            return incoming
        content = b""
        try:
            if incoming.status not in REDIRECTS:
                content = await incoming.read()
        except AdapterError:  # the status says what went wrong, with its body or without
            pass
        finally:
            await incoming.close()
        raise self.refused(exchange, lease, incoming.status, incoming.headers, content)


async def _whole_async(
    incoming: AsyncIncoming, arrived: Arrived | None
) -> tuple[int, Headers, bytes]:
    """Read an answer to its end, and put it behind what has arrived before."""
    if arrived is None:
        return incoming.status, incoming.headers, await incoming.read()
    try:
        arrived.begin(incoming.status, incoming.headers)
        async with aclosing(incoming.chunks()) as chunks:
            async for chunk in chunks:
                arrived.add(chunk)
    finally:
        await incoming.close()
    return arrived.whole()


async def _read_async(
    incoming: AsyncIncoming, reader: EventReader[Any]
) -> AsyncGenerator[StreamEvent, None]:
    async with aclosing(incoming.chunks()) as chunks:
        async for chunk in chunks:
            for event in reader.feed(chunk):
                yield event
            if reader.has_ended:
                break
    for event in reader.finish():
        yield event
