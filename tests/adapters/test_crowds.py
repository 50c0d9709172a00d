"""Crowds on one pool of keys: 500 tasks through an `AsyncClient`, 64 threads through a `Client`."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from adapters import openai
from adapters.emulator import Emulator, expected_answer
from adapters.errors import AdapterError
from resilience import KeyPool, RefusedError, reset_stats

TASKS = 500
THREADS = 64
CALLS = 8  # of each thread
SETTINGS: dict[str, Any] = {
    "max_concurrent_requests": 50,
    "queue_size": 10_000,
    "max_retries": 8,
    "initial_retry_delay": 0.01,
    "failure_threshold": 1_000,
    "name": "crowd",  # statistics go by name
}


@pytest.fixture
def troubled() -> Iterator[Emulator]:
    """A server that fails now and then, in several ways."""
    faults = [
        "429:rate=0.05,retry_after=0.02",
        "503:rate=0.05",
        "reset:rate=0.03",
        "truncated:rate=0.03",
    ]
    with Emulator(seed=11, faults=faults) as server:
        yield server


def pool_of(server: Emulator) -> KeyPool:
    """The keys of the server, one of which may run little at a time."""
    return KeyPool(
        {
            "a": {
                "key": server.keys()["production"],
                "max_concurrent_requests": 20,
                "queue_size": 1_000,
            },
            "b": {"key": server.keys()["backup"]},
        },
        wait=True,
    )


def nothing_is_held(client: Any) -> bool:
    """Whether permits, places in line and keys are all back."""
    stats = client.keys.get_stats()
    return (client.queue.active, client.queue.size, stats["active_requests"]) == (0, 0, 0)


def test_500_tasks(troubled: Emulator):
    """Each gets its own answer; a third of them, cancelled on the way, takes nothing along."""
    outcomes: Counter[str] = Counter()
    reset_stats()

    async def one(client: openai.AsyncClient, number: int) -> None:
        try:
            answer = await client.chat("gpt-4o-mini", f"Call {number}")
        except asyncio.CancelledError:
            outcomes["cancelled"] += 1
            raise
        assert expected_answer(f"Call {number}", seed=11) == answer.text
        outcomes["answered"] += 1

    async def main() -> openai.AsyncClient:
        keys = pool_of(troubled)
        async with openai.AsyncClient(
            keys=keys, base_url=troubled.base_url(), **SETTINGS
        ) as client:
            tasks = [asyncio.create_task(one(client, number)) for number in range(TASKS)]
            await asyncio.sleep(0)
            while outcomes["answered"] < TASKS // 10:  # noqa: ASYNC110 - no event tells when
                await asyncio.sleep(0)
            for task in tasks[::3]:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            errors = [each for each in ended if isinstance(each, Exception)]
            assert [] == errors
            assert nothing_is_held(client)
        return client

    client = asyncio.run(main())

    assert TASKS == outcomes.total()
    assert TASKS - len(range(0, TASKS, 3)) <= outcomes["answered"]
    assert TASKS == client.get_stats()["total_requests"]


def test_64_threads(troubled: Emulator):
    """Each call of each thread gets its own answer; nobody waits for ever."""
    answered, errors = [], []
    client = openai.Client(keys=pool_of(troubled), base_url=troubled.base_url(), **SETTINGS)

    def thread(number: int) -> None:
        for call in range(CALLS):
            prompt = f"Call {call} of {number}"
            try:
                answer = client.chat("gpt-4o-mini", prompt)
            except (AdapterError, RefusedError) as error:
                errors.append(error)
            else:
                answered.append(expected_answer(prompt, seed=11) == answer.text)

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    client.close()

    assert [] == errors
    assert not any(each.is_alive() for each in threads)
    assert THREADS * CALLS == len(answered)
    assert all(answered)
    assert nothing_is_held(client)
