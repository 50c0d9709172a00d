"""One batcher for a hundred threads, a thousand tasks and several loops, with random failures."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import sys
import threading
from collections import Counter

import pytest

from resilience import MissingResultError, batched
from resilience._batcher import Batcher

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")


@pytest.fixture(autouse=True)
def _switch_often():
    """Threads change as often as the interpreter allows."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Server:
    """Answers batches, some of them badly; counts how often it has seen each item."""

    def __init__(self, seed: int, size: int) -> None:
        self.dice = random.Random(seed)
        self.size = size
        self.lock = threading.Lock()
        self.seen: Counter[object] = Counter()
        self.keys_mixed = 0

    def answer(self, items: list[tuple[int, int]], group: int) -> list[object]:
        with self.lock:
            self.seen.update(items)
            self.keys_mixed += any(item[1] != group for item in items)
            fate = self.dice.random()

        assert self.size >= len(items) >= 1
        if fate < 0.1:
            raise OSError
        if fate < 0.15:
            raise SystemExit
        if fate < 0.25:
            return list(items[:-1])
        if fate < 0.35:
            return [ValueError(), *items[1:]]
        return list(items)


EXPECTED = (OSError, ValueError, MissingResultError)


def check(batcher: Batcher, server: Server) -> None:
    """Nothing waits, nothing runs, and no item was sent twice or with a foreign key."""
    collector = batcher._layer.calls.collector

    assert ({}, {}, set()) == (collector._open, collector._waiting, collector._running)
    assert {1} == set(server.seen.values())
    assert 0 == server.keys_mixed


@pytest.mark.parametrize("seed", range(3))
def test_a_hundred_threads(seed: int):
    """Calls, submitted items, cancelled futures and flushes: each call is answered once."""
    server, answered = Server(seed, 8), Counter()

    @batched(max_batch_size=8, batch_timeout=0.001, max_concurrent_batches=4)
    def fetch(items: list[tuple[int, int]], *, group: int) -> list[object]:
        return server.answer(items, group)

    def thread(number: int) -> None:
        dice = random.Random(f"{seed}/{number}")
        for count in range(20):
            item, way = (number * 100 + count, dice.randrange(3)), dice.random()
            try:
                if way < 0.6:
                    outcome = fetch(item, group=item[1])
                else:
                    future = fetch.submit(item, group=item[1])
                    if way > 0.9 and future.cancel():
                        outcome = item
                    elif way > 0.85:
                        fetch.flush()
                        outcome = future.result()
                    else:
                        outcome = future.result()

                assert item == outcome
            except (*EXPECTED, SystemExit):
                pass
            answered[number] += 1

    threads = [threading.Thread(target=thread, args=(number,)) for number in range(100)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert dict.fromkeys(range(100), 20) == answered
    check(fetch.batcher, server)


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_tasks(seed: int):
    """Some of which are cancelled at any time: each of the others is answered once."""
    server = Server(seed, 8)

    @batched(max_batch_size=8, batch_timeout=0.001, max_concurrent_batches=4)
    async def fetch(items: list[tuple[int, int]], *, group: int) -> list[object]:
        await asyncio.sleep(0)
        try:
            results = server.answer(items, group)
        except SystemExit:
            raise asyncio.CancelledError from None
        await asyncio.sleep(0)
        return results

    async def main() -> list[object]:
        dice = random.Random(seed)

        async def call(number: int) -> object:
            for _ in range(dice.randrange(20)):
                await asyncio.sleep(0)
            item = (number, dice.randrange(3))
            result = await fetch(item, group=item[1])

            assert item == result
            return result

        tasks = [asyncio.create_task(call(number)) for number in range(1_000)]
        for _ in range(60):
            await asyncio.sleep(0)
            dice.choice(tasks).cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(main())
    good = [each for each in found if isinstance(each, tuple)]
    bad = [each for each in found if not isinstance(each, tuple)]

    assert len(good) > 500
    assert {*EXPECTED, asyncio.CancelledError} >= {type(each) for each in bad}
    assert 60 >= sum(isinstance(each, asyncio.CancelledError) for each in bad)
    check(fetch.batcher, server)


def test_threads_and_loops_at_once():
    """Several loops, and threads that submit to a coroutine function, on one batcher."""
    server = Server(7, 8)

    @batched(max_batch_size=8, batch_timeout=0.001)
    async def fetch(items: list[tuple[int, int]], *, group: int) -> list[object]:
        await asyncio.sleep(0)
        try:
            return server.answer(items, group)
        except SystemExit:
            raise asyncio.CancelledError from None

    async def loop(number: int) -> int:
        calls = [fetch((number * 1_000 + each, 0), group=0) for each in range(100)]
        return len(await asyncio.gather(*calls, return_exceptions=True))

    def submit(number: int) -> int:
        futures = [fetch.submit((number * 1_000 + each, 1), group=1) for each in range(100)]
        return len(concurrent.futures.wait(futures).done)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        loops = [pool.submit(asyncio.run, loop(number)) for number in range(4)]
        threads = [pool.submit(submit, number) for number in range(4, 8)]

        assert [100] * 8 == [each.result() for each in (*loops, *threads)]
    check(fetch.batcher, server)
