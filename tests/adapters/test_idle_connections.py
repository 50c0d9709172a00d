"""Connections that wait for their next request: which is taken, and what is looked at for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from adapters import _http_async_sessions
from adapters._http_async import AsyncTransport
from tests.adapters.recorder import Recorder, Script, answer

Ask = Callable[..., list[bytes]]


@pytest.fixture
def ask(server: Recorder) -> Iterator[Ask]:
    """Send so many requests at once, from one client in one loop, and return the answers.

    Until they are sent, the loop is kept busy: it reads nothing.
    """
    transport = AsyncTransport()

    async def one() -> bytes:
        incoming = await transport.open("POST", server.url, "chat", headers={}, body=b"{}")
        return await incoming.read()

    async def several(number: int, busy: Callable[[], object]) -> list[bytes]:
        busy()
        return await asyncio.gather(*[one() for _ in range(number)])

    with asyncio.Runner() as runner:
        yield lambda number, busy=bool: runner.run(several(number, busy))
        runner.run(transport.close())


def at_once(number: int, text: bytes) -> list[Script]:
    """Scripts that answer when so many requests have come, so each needs a connection."""
    everybody = threading.Barrier(number, timeout=10)
    return [[everybody.wait, answer(text)] for _ in range(number)]


@pytest.mark.parametrize("spoilt", [{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 1, 2}], ids=repr)
def test_what_came_unasked_on_one_of_several_is_nobodys_answer(
    ask: Ask, server: Recorder, spoilt: set[int]
):
    """Whichever of the idle ones it came on; the others go on being used."""
    asked, came = threading.Event(), threading.Barrier(len(spoilt) + 1, timeout=10)
    scripts = at_once(3, b"first")
    for number in spoilt:
        scripts[number].extend([asked.wait, answer(b"stray"), came.wait])
    server.play(*scripts)
    ask(3)
    server.play(*at_once(3, b"second"))

    def busy() -> None:
        asked.set()
        came.wait()

    assert [b"second"] * 3 == ask(3, busy)
    assert 3 + len(spoilt) == server.connections


def test_of_many_idle_connections_few_are_looked_at(
    ask: Ask, server: Recorder, monkeypatch: pytest.MonkeyPatch
):
    """A look is a question to the system: one for each end of the line, however long it is."""
    server.play(*at_once(8, b"first"))
    ask(8)
    looks, has_arrived = [], _http_async_sessions.has_arrived
    monkeypatch.setattr(
        _http_async_sessions, "has_arrived", lambda sock: looks.append(sock) or has_arrived(sock)
    )
    server.play(answer(b"second"))

    assert [b"second"] == ask(1)
    assert 2 == len(looks)
    assert 8 == server.connections


def test_a_connection_that_may_be_too_old_is_not_used(
    ask: Ask, server: Recorder, monkeypatch: pytest.MonkeyPatch
):
    """The library below would pass it over a moment later, and take one that nobody looked at."""
    server.play(*at_once(2, b"first"))
    ask(2)
    monkeypatch.setattr(_http_async_sessions, "_LONGEST_IDLE", -1.0)
    server.play(answer(b"second"))

    assert [b"second"] == ask(1)
    assert 3 == server.connections
