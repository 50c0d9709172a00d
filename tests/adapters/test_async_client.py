"""What only clients have whose calls are awaited: loops, tasks, cancellation, being forgotten."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from adapters import errors, openai
from adapters._http_async_sessions import _inherited
from adapters._together import together_async
from adapters.openai import AsyncClient
from resilience import Priority, deadline, priority
from resilience._context import current_priority
from tests.adapters.recorder import Do, Recorder, answer, event_stream
from tests.support.programs import run_program

KEY = "sk-secret-0123456789"
MODEL = "gpt-4o-mini"
CHAT = answer({"choices": [{"index": 0, "message": {"content": "Hello"}}]})
PIECE = {"choices": [{"index": 0, "delta": {"content": "Hel"}}]}
HANGING = [*event_stream(PIECE, end=False), Do.HANG]


def make(server: Recorder, **options: Any) -> AsyncClient:
    """A client of this server."""
    return AsyncClient(KEY, base_url=server.url, **options)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go round until it holds; the test's time-out bounds it."""
    while not condition():  # noqa: ASYNC110 - no event tells when
        await asyncio.sleep(0)


def sessions(client: AsyncClient) -> list[Any]:
    """The sessions that it has, of all loops."""
    return [each.session for each in client._transport._sessions._sessions.values()]


# loops


def test_one_loop_after_another(server: Recorder):
    """Each has connections of its own, which end with it; warnings are errors here."""
    server.play(CHAT)
    client = make(server)

    for _ in range(3):
        assert "Hello" == asyncio.run(client.chat(MODEL, "Hi")).text
        assert [True] == [session.closed for session in sessions(client)]
    gc.collect()

    assert [1, 2, 3] == [request.connection for request in server.requests]


def test_several_loops_at_once(server: Recorder):
    """They share queue, keys and breaker, and no connection."""
    met = threading.Barrier(4, timeout=10)
    server.play([met.wait, CHAT])
    client = make(server, max_concurrent_requests=4)

    with ThreadPoolExecutor(4) as executor:
        answers = executor.map(lambda _: asyncio.run(client.chat(MODEL, "Hi")).text, range(4))

        assert ["Hello"] * 4 == list(answers)
    assert 4 == server.connections
    assert 0 == client.queue.active


def test_a_client_may_be_made_where_no_loop_runs(server: Recorder):
    """Nothing is opened before the first call, so that a module can have one."""
    client = make(server)

    assert [] == sessions(client)
    assert 0 == server.connections


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_uses_the_client_in_a_loop_of_its_own(server: Recorder):
    """And leaves the connections of its parent alone."""
    server.play(CHAT)
    client = make(server)

    async def both() -> bytes:
        await client.chat(MODEL, "Hi")
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            with ThreadPoolExecutor(1) as executor:
                found = executor.submit(asyncio.run, client.chat(MODEL, "Hi")).result()
            os.write(write_end, found.text.encode())
            os._exit(0)
        os.close(write_end)
        with os.fdopen(read_end, "rb") as pipe:
            told = pipe.read()
        os.waitpid(child, 0)  # noqa: ASYNC222 - it has ended
        await client.chat(MODEL, "Hi")
        return told

    assert b"Hello" == asyncio.run(both())
    assert [1, 2, 1] == [request.connection for request in server.requests]


def test_a_child_does_not_close_what_its_parent_uses(server: Recorder):
    """Neither at once nor when it forgets the client; a goodbye would end the parent's calls."""
    server.play(CHAT)

    async def main() -> bool:
        client = make(server)
        await client.chat(MODEL, "Hi")
        client._transport._sessions.renew_after_fork()
        del client
        gc.collect()
        for _ in range(10):  # what the loop would close by itself it would have closed by then
            await asyncio.sleep(0)
        connector = _inherited.pop()
        assert connector is not None
        was_closed = connector.closed
        await connector.close()
        return was_closed

    assert not asyncio.run(main())


# being closed and forgotten


def test_closing_lets_calls_end_that_have_begun(server: Recorder):
    """They keep their connection; it is closed with the last of them."""
    server.play(CHAT)
    gate = threading.Event()

    async def main() -> None:
        client = make(server)
        await client.chat(MODEL, "Hi")
        server.play([lambda: gate.wait(10), CHAT])
        call = asyncio.create_task(client.chat(MODEL, "Hi"))
        await until(lambda: 2 == len(server.requests))
        (session,) = sessions(client)
        await client.aclose()

        assert not session.closed
        gate.set()
        assert "Hello" == (await call).text
        assert session.closed

    asyncio.run(main())


def test_a_closed_client_opens_again(server: Recorder):
    """`async with` closes connections, no more."""
    server.play(CHAT)

    async def main() -> None:
        async with make(server) as client:
            await client.chat(MODEL, "Hi")
        await client.chat(MODEL, "Hi")
        await client.aclose()
        await client.aclose()

    asyncio.run(main())

    assert [1, 2] == [request.connection for request in server.requests]


def test_a_forgotten_client_closes_its_connections(server: Recorder):
    """Its loop does so; nobody is warned of an unclosed session."""
    server.play(CHAT)

    async def main() -> None:
        client = make(server)
        await client.chat(MODEL, "Hi")
        (session,) = sessions(client)
        del client
        gc.collect()
        await until(lambda: session.closed)

    asyncio.run(main())


async def leave_with(stream: Any) -> None:
    """Leave the block."""
    async with stream:
        await anext(stream)


async def close(stream: Any) -> None:
    """Close it, twice."""
    await anext(stream)
    await stream.aclose()
    await stream.aclose()


async def forget(stream: Any) -> None:
    """Let go of it."""
    await anext(stream)


async def be_cancelled(stream: Any) -> None:
    """Be cancelled in the middle."""

    async def read() -> None:
        async with stream:
            async for _ in stream:
                pass

    task = asyncio.create_task(read())
    await until(lambda: stream.text)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def be_read_by_another_task(stream: Any) -> None:
    """Be begun by one task and closed by another."""
    await asyncio.create_task(_first(stream))
    await asyncio.create_task(stream.aclose())


async def _first(stream: Any) -> Any:
    return await anext(stream)


@pytest.mark.parametrize(
    "leave", [leave_with, close, forget, be_cancelled, be_read_by_another_task]
)
def test_leaving_a_stream_gives_everything_back(
    server: Recorder, leave: Callable[[Any], Awaitable[None]]
):
    """Permit, key and connection; the next call need not wait."""
    server.play(HANGING, CHAT)

    async def main() -> None:
        async with make(server, max_concurrent_requests=1, queue_size=0) as client:
            await leave(client.stream(MODEL, "Hi"))
            gc.collect()
            await until(lambda: not client.queue.active)

            assert 0 == client.keys.get_stats()["active_requests"]
            assert "Hello" == (await client.chat(MODEL, "Hi")).text
            assert "CLOSED" == client.circuit_breaker.state

    asyncio.run(main())

    assert [1, 2] == [request.connection for request in server.requests]


def test_a_forgotten_stream_that_nobody_read_costs_nothing(server: Recorder):
    """Nothing was sent, and nothing warns."""

    async def main() -> None:
        client = make(server)
        client.stream(MODEL, "Hi")
        async with client.stream(MODEL, "Hi"):
            pass
        gc.collect()

    asyncio.run(main())

    assert [] == server.requests


# tasks and cancellation


@pytest.mark.parametrize("rounds", range(12))
def test_a_cancelled_call_leaves_nothing_behind(server: Recorder, rounds: int):
    """Wherever it was: permit and key are back, and the next call is answered."""
    server.play(CHAT)

    async def main() -> None:
        async with make(server, max_concurrent_requests=1, queue_size=0) as client:
            task = asyncio.create_task(client.chat(MODEL, "Hi"))
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)  # it may have been quicker

            assert 0 == client.queue.active == client.keys.get_stats()["active_requests"]
            assert "Hello" == (await client.chat(MODEL, "Hi")).text

    asyncio.run(main())


def test_a_call_that_waits_for_its_answer_can_be_cancelled(server: Recorder):
    """Its connection is closed: the answer would be taken for that of the next call."""
    server.play([Do.HANG], CHAT)

    async def main() -> None:
        async with make(server, name="cancelled") as client:
            task = asyncio.create_task(client.chat(MODEL, "Hi"))
            await until(lambda: server.requests)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await client.chat(MODEL, "Hi")
            stats = client.get_stats()
            assert 1 == stats["cancelled_requests"]

    asyncio.run(main())

    assert [1, 2] == [request.connection for request in server.requests]


def test_tasks_share_a_client(server: Recorder):
    """Each gets its own answer; no more run at once than the limit says."""
    server.play(CHAT)

    async def main() -> list[Any]:
        async with make(server) as client:
            return await asyncio.gather(*(client.chat(MODEL, "Hi") for _ in range(40)))

    assert 40 == len({each.request_id for each in asyncio.run(main())})
    assert 5 >= server.connections


def test_priority_and_time_are_those_of_the_task(server: Recorder):
    """Nothing of one call shows in another, nor in the code around them."""
    server.play(CHAT)
    seen: list[Any] = []

    async def main() -> None:
        async with make(server) as client:
            real = client._transport.open

            async def spy(**request: Any) -> Any:
                seen.append((current_priority(), deadline.remaining() is not None))
                return await real(**request)

            client._transport.open = spy  # type: ignore[method-assign]
            with priority(Priority.LOW):
                await asyncio.gather(
                    client.chat(MODEL, "Hi", priority="high", timeout=30),
                    client.chat(MODEL, "Hi"),
                )
            await client.chat(MODEL, "Hi")
            assert (Priority.NORMAL, None) == (current_priority(), deadline.remaining())

    asyncio.run(main())

    expected = [(Priority.HIGH, True), (Priority.LOW, False), (Priority.NORMAL, False)]
    assert expected == sorted(seen[:2]) + seen[2:]


def test_the_loop_serves_others_while_a_large_body_is_sent(server: Recorder):
    """It is sent in pieces; warnings, such as of a body that is too large, are errors here."""
    server.play(answer({}))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> None:
        async with make(server) as client:
            counting = asyncio.create_task(count())
            await client.request("POST", "files", data=b"x" * 20_000_000)
            counting.cancel()

    asyncio.run(main())

    assert 20_000_000 == len(server.requests[0].body)
    assert 5 < turns


def test_one_of_several_requests_may_be_cancelled_by_itself():
    """The others end as well: nobody waits for their results any more."""
    ended: list[str] = []

    async def cancelled() -> None:
        raise asyncio.CancelledError

    async def waiting() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("waiting")

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await together_async([waiting, cancelled], 2)

        assert ["waiting"] == ended

    asyncio.run(main())


# the library below


def test_aiohttp_sends_nothing_twice_on_its_own(server: Recorder):
    """It would repeat a GET on a connection that has just been closed; that is ours to do."""
    listing = answer({"data": []})
    server.play(listing, [Do.CLOSE], listing)

    async def main() -> None:
        async with make(server, max_retries=0) as client:
            await client.models()
            with pytest.raises(errors.ConnectionFailedError):
                await client.models()

    asyncio.run(main())

    assert 2 == len(server.requests)


def test_what_had_arrived_before_a_cut_is_read(server: Recorder):
    """Aiohttp itself gives nothing more once the connection is lost."""
    server.play([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", Do.CLOSE])
    chunks: list[bytes] = []

    async def main() -> None:
        async with make(server) as client:
            incoming = await client._transport.open("GET", server.url, "x", headers={})
            await until(incoming._response.content.exception)
            with pytest.raises(errors.ConnectionFailedError, match="cut"):
                await _collect(incoming.chunks(), chunks)
            await incoming.close()

    asyncio.run(main())

    assert [b"abc"] == chunks


async def _collect(items: Any, kept: list[Any]) -> None:
    async for item in items:
        kept.append(item)  # noqa: PERF401 - what came before an error is kept


def test_without_aiohttp_the_error_names_the_extra(monkeypatch):
    """Importing the module works all the same, and so does the plain client."""
    for module in ("adapters._aiohttp", "adapters._http_async"):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "aiohttp", None)

    with pytest.raises(ModuleNotFoundError, match=r"pip install 'resilience-adapters\[async\]'"):
        AsyncClient(KEY)
    assert openai.Client(KEY)


def test_importing_an_adapter_does_not_load_aiohttp():
    """It takes longer than everything else together."""
    program = "import sys; from adapters import openai; print('aiohttp' in sys.modules)"

    assert ["False"] == run_program(program)


def test_a_proxy_that_aiohttp_does_not_know_is_said_to_be_none(server: Recorder, monkeypatch):
    """Not at the first call that fails strangely, but by its scheme."""
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")

    with pytest.raises(errors.ConnectionFailedError, match="socks5") as caught:
        asyncio.run(_models(AsyncClient(KEY, base_url="http://api.example/v1")))

    assert not caught.value.retryable


async def _models(client: AsyncClient) -> Any:
    async with client:
        return await client.models()
