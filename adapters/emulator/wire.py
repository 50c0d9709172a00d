"""Carry out a plan on the network, rude endings included.

uvicorn writes whole answers; what it would never do (leave a message open, reset a connection)
is done on the transport below it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol, cast

from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from adapters.emulator.plans import Plan
    from adapters.emulator.records import LogRecord

__all__ = ["deliver", "wire_protocol"]

# Linger on, for no time: closing then sends RST in place of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


class _Connection(Protocol):
    transport: asyncio.Transport


def wire_protocol(*, app_state: MutableMapping[str, Any], **arguments: object) -> asyncio.Protocol:
    """Make uvicorn's protocol for one connection, and let requests find it in `scope["state"]`.

    uvicorn copies the state that it is given into the scope of each request; a state for each
    connection is all it takes to know a request's transport.
    """
    state = dict(app_state)
    make = cast("Callable[..., asyncio.Protocol]", AutoHTTPProtocol)
    state["connection"] = connection = make(app_state=state, **arguments)
    return connection


async def deliver(
    plan: Plan, record: LogRecord, scope: Scope, receive: Receive, send: Send
) -> None:
    """Send an answer as planned and note in the record what was sent.

    Ends early when the client leaves; every wait notices that at once.
    """
    transport = cast("_Connection", scope["state"]["connection"]).transport
    if plan.delay and await _client_leaves(receive, plan.delay):
        return
    if plan.status is not None:
        await _start(plan, record, send)
        if not await _write(plan, record, transport, receive, send):
            return
    if plan.ending in {"complete", "clean"}:
        if plan.ending == "clean":
            await send({"type": "http.response.body", "body": b""})
        return
    if plan.ending == "hang":
        await _client_leaves(receive, plan.timeout)
    _end(transport, reset=plan.ending == "reset")
    # uvicorn would complain about an answer without an end, unless the connection is gone.
    await _client_leaves(receive, None)


async def _start(plan: Plan, record: LogRecord, send: Send) -> None:
    record.status = plan.status
    headers = [*plan.headers, (b"content-type", plan.content_type)]
    if plan.length is not None:
        headers.append((b"content-length", b"%d" % plan.length))
    await send({"type": "http.response.start", "status": plan.status, "headers": headers})


async def _write(
    plan: Plan, record: LogRecord, transport: asyncio.Transport, receive: Receive, send: Send
) -> bool:
    """Write the pieces; False where the client left before the last one."""
    whole = plan.ending == "complete"
    last = len(plan.pieces) - 1
    for number, piece in enumerate(plan.pieces or (b"",)):
        if number and plan.interval and await _client_leaves(receive, plan.interval):
            return False
        if transport.is_closing():
            return False
        final = whole and number >= last
        # Noted first: whoever has read the answer must find it in the log.
        record.completed = final
        record.events += plan.is_stream and bool(plan.pieces)
        await send({"type": "http.response.body", "body": piece, "more_body": not final})
    return True


async def _client_leaves(receive: Receive, seconds: float | None) -> bool:
    """Wait; True as soon as the client has closed the connection, False when time is over."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


def _end(transport: asyncio.Transport, *, reset: bool) -> None:
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    else:
        transport.close()
