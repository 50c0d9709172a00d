"""What a run does to its client, and when it begins nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from adapters import openai
from adapters.bulk._concurrency import Concurrency
from adapters.bulk._engine import Engine, _Turn
from adapters.bulk._journal import Journal
from adapters.bulk._requests import Requests, operation_of
from resilience.testing import FakeClock


async def with_engine(folder: Path, check) -> None:
    """Let `check` look at an engine and its client."""
    requests = Requests(
        "embed",
        operation_of("openai", "embed"),
        model="m",
        column="text",
        template=None,
        options={},
        id_column=None,
    )
    journal = Journal(folder / "part")
    async with openai.AsyncClient(api_key="sk-0123456789") as client:
        control = Concurrency(20, maximum=64)
        await check(
            Engine(client, requests, journal, control, total=1, patience=60), control, client
        )
    journal.close()


def test_the_queue_has_the_limit(tmp_path: Path):
    """Rows that began under a higher limit do not come back all at once."""

    async def check(engine: Engine, control: Concurrency, client: openai.AsyncClient) -> None:
        engine._throttle(_Turn(engine, control.epoch))

        assert 14 == client.queue.max_concurrent_requests == control.limit

    asyncio.run(with_engine(tmp_path, check))


def test_nothing_begins_while_a_row_waits(tmp_path: Path):
    """What one row is told to wait, holds for those that have not begun."""

    async def check(engine: Engine, control: Concurrency, client: openai.AsyncClient) -> None:
        wait = asyncio.create_task(engine._pause(5.0))
        await asyncio.sleep(0)

        assert not engine._may_begin()

        clock.advance(5.0)
        await wait

        assert engine._may_begin()

    with FakeClock(autojump=False) as clock:
        asyncio.run(with_engine(tmp_path, check))
