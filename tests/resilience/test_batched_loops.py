"""One timer of a loop serves all batches that wait there: each is run in its own time."""

from __future__ import annotations

import asyncio

import pytest

from resilience import batched
from resilience.testing import FakeClock
from tests.support.queues import asleep

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")


def timed(clock, **settings):
    """A batched function, and the list of its batches, each with the time at which it ran."""
    ran = []

    @batched(**settings)
    async def fetch(items, key="a"):
        ran.append((clock.now, key, items))
        return items

    return fetch, ran


async def at(clock, moment):
    """Move the clock there, and let all run that has something to do."""
    clock.advance(moment - clock.now)
    for _ in range(5):
        await asyncio.sleep(0)


def test_batches_are_run_each_when_its_oldest_item_is_due():
    """However many wait, and in whatever order they began."""

    async def main():
        tasks = []
        for moment, key in ((0, "a"), (1, "b"), (2, "a"), (4, "c")):
            await at(clock, moment)
            tasks.append(asyncio.create_task(fetch(moment, key=key)))
            await asyncio.sleep(0)
        for moment in range(5, 12):
            await at(clock, moment)
        await asyncio.gather(*tasks)

    with FakeClock(autojump=False) as clock:
        fetch, ran = timed(clock, batch_timeout=5)
        asyncio.run(main())

    assert [(5, "a", [0, 2]), (6, "b", [1]), (9, "c", [4])] == ran


def test_one_whose_oldest_item_has_left_holds_up_no_other():
    """It is due later than what began after it."""

    async def main():
        tasks = []
        for moment, key in ((0, "a"), (1, "b"), (3, "a")):
            await at(clock, moment)
            tasks.append(asyncio.create_task(fetch(moment, key=key)))
            await asyncio.sleep(0)
        tasks[0].cancel()
        for moment in range(4, 10):
            await at(clock, moment)
        await asyncio.gather(*tasks, return_exceptions=True)

    with FakeClock(autojump=False) as clock:
        fetch, ran = timed(clock, batch_timeout=5)
        asyncio.run(main())

    assert [(6, "b", [1]), (8, "a", [3])] == ran


def test_a_timer_that_nobody_waits_for_is_cancelled():
    """When the batch is full, or the last one has left: a fake clock would run towards it."""
    counts = []

    async def main():
        for number in range(3):
            tasks.append(asyncio.create_task(fetch(number)))
            await at(clock, clock.now)
            counts.append(asleep(clock))
        tasks[-1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        counts.append(asleep(clock))

    tasks = []

    with FakeClock(autojump=False) as clock:
        fetch, _ = timed(clock, batch_timeout=60, max_batch_size=2)
        asyncio.run(main())

    assert [1, 0, 1, 0] == counts
