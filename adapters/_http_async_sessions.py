"""The sessions of aiohttp that one client has: one for each event loop that uses it.

A session belongs to its loop, and is closed in it: when the client is closed or forgotten, and
when the loop ends. The last two no caller can tell us of; but a loop closes the asynchronous
generators that were begun in it, at its own end and when they are forgotten. So a generator holds
the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Any

from adapters._aiohttp import (
    BaseConnector,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    ThreadedResolver,
    TraceConfig,
)
from adapters._sockets import has_arrived
from resilience import _clock
from resilience._fork import renew_after

__all__ = ["LoopSession", "Sessions"]

_KEPT = 60.0  # seconds that an idle connection is kept
_LONGEST_IDLE = _KEPT - 1.0  # what may be too old a moment later is not used any more
_LONGEST_LINE = 65_536  # bytes of a header, as the standard library has it
_UNTIMED = ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)


# What a forked child has of its parent. It is kept for ever: closing it would say goodbye to the
# servers, on connections that the parent goes on using.
_inherited: list[BaseConnector | None] = []


class LoopSession:
    """A session, with how many requests use it."""

    __slots__ = ("_is_retired", "_keeper", "_users", "session")

    def __init__(self, session: ClientSession, keeper: AsyncGenerator[ClientSession, None]) -> None:
        self.session = session
        self._keeper = keeper
        self._users = 0
        self._is_retired = False

    def enter(self) -> None:
        """Begin a request."""
        self._users += 1

    async def leave(self) -> None:
        """End a request."""
        self._users -= 1
        await self._end()

    async def retire(self) -> None:
        """Close it as soon as the requests that use it have ended."""
        self._is_retired = True
        await self._end()

    async def _end(self) -> None:
        if self._is_retired and not self._users:
            await self._keeper.aclose()


class Sessions:
    """The sessions of one client, made when they are needed; made anew in a forked child."""

    def __init__(self) -> None:
        self._sessions: dict[asyncio.AbstractEventLoop, LoopSession] = {}
        renew_after(self)

    async def current(self) -> LoopSession:
        """Return the session of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._sessions.get(loop)
        if found is None or found.session.closed:
            for other in [each for each in list(self._sessions) if each.is_closed()]:
                self._sessions.pop(other, None)
            keeper = _keep_session()
            found = self._sessions[loop] = LoopSession(await anext(keeper), keeper)
        return found

    async def close(self) -> None:
        """Close that of the running loop, and leave those of others to their loops."""
        mine = self._sessions.pop(asyncio.get_running_loop(), None)
        self._sessions = {}
        if mine is not None:
            await mine.retire()

    def renew_after_fork(self) -> None:
        """Forget the connections that belong to the parent process, without closing them."""
        for each in self._sessions.values():
            _inherited.append(each.session.connector)
            each.session.detach()
        self._sessions = {}


async def _keep_session() -> AsyncGenerator[ClientSession, None]:
    session = _new_session()
    try:
        yield session
    finally:
        await session.close()


class _Response(ClientResponse):
    """An answer of aiohttp's."""

    async def start(self, connection: Any) -> ClientResponse:
        """Wait for the headers."""
        protocol = connection.protocol
        response = await super().start(connection)
        if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
            protocol.close()  # what follows is not HTTP, and nobody's answer
        return response


class _Connector(TCPConnector):
    """Connections; one on which something came that nobody had asked for is not used again.

    aiohttp would take that for the answer to the next request. urllib3 looks by itself.
    """

    def _get(self, key: Any, *more: Any, **named: Any) -> Any:
        idle = self._conns.get(key, ())
        # aiohttp takes the oldest that is still connected; before 3.11, the newest. There may be
        # hundreds, and to look at one is to ask the system.
        for connections in (idle, reversed(idle)):
            for protocol, since in connections:
                if _is_usable(protocol, since):
                    break
                protocol.close()
        return super()._get(key, *more, **named)


def _is_usable(protocol: Any, since: float) -> bool:
    """Look below the loop: it may have had no time to read what came while it was busy."""
    if not protocol.is_connected() or protocol.should_close:
        return False
    if _clock.system.now() - since > _LONGEST_IDLE:  # on the clock of aiohttp
        return False
    connected = protocol.transport.get_extra_info("socket")
    return connected is None or not has_arrived(connected)


def _new_session() -> ClientSession:
    session = ClientSession(
        connector=_Connector(
            limit=0,  # the queue has the limit
            keepalive_timeout=_KEPT,
            resolver=ThreadedResolver(),
        ),
        response_class=_Response,
        cookie_jar=DummyCookieJar(),
        timeout=_UNTIMED,
        trust_env=False,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
        trace_configs=[_tracing()],
    )
    session._retry_connection = False  # noqa: SLF001 - there is no public switch for it
    return session


def _tracing() -> TraceConfig:
    """Tell a request when it has its connection."""

    async def connected(_: ClientSession, context: Any, __: object) -> None:
        context.trace_request_ctx.is_connected()

    config = TraceConfig()
    config.on_connection_create_end.append(connected)
    config.on_connection_reuseconn.append(connected)
    return config
