"""Ctrl-C at every point and cancellation at every await: neighbours are answered, nothing hangs."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
import time
from contextlib import suppress

import pytest

from resilience import MissingResultError, batched
from resilience._batch_collector import Collector
from resilience.testing import FakeClock
from tests.support.interrupts import Untraced, interrupted_everywhere
from tests.support.queues import asleep

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")


class Neighbours:
    """Calls in threads of their own, and what came of each."""

    def __init__(self, fetch):
        self.fetch = fetch
        self.outcomes = []
        self.threads = []
        self.stop = False

    def start(self, value, *, when=0):
        """Begin a call, once so many others wait."""

        def target():
            while self.fetch.batcher.waiting < when and not self.stop:
                time.sleep(0)
            try:
                self.outcomes.append(self.fetch(value))
            except Exception as error:
                self.outcomes.append(type(error))

        self.threads.append(threading.Thread(target=target))
        self.threads[-1].start()

    def wait(self, *values):
        """Begin these calls; return when they wait for company."""
        for value in values:
            self.start(value)
            while self.fetch.batcher.waiting < len(self.threads):
                time.sleep(0)

    def end(self):
        """Flush until all have ended; what came of them."""
        self.stop = True
        while any(thread.is_alive() for thread in self.threads):
            self.fetch.flush()
            time.sleep(0)
        return self.outcomes


def unturned(fetch):
    """The function, whose statistics begin no interval: what comes with time comes at no place."""
    fetch.batcher._layer.calls.collector._statistics.due = math.inf
    return fetch


def idle(fetch):
    """Whether nothing of any batch is left, but for one that is empty and waits for its first."""
    collector = fetch.batcher._layer.calls.collector
    is_empty = not any(batch.machine or batch.is_taken for batch in collector._open.values())
    return is_empty and (0, set()) == (collector.waiting, collector._running)


@pytest.mark.parametrize("action", ["fill", "flush"])
def test_ctrl_c_in_the_caller_who_runs_a_batch(action):
    """Wherever it comes, each neighbour gets its result, or learns that there is none."""
    fetch = unturned(batched(max_batch_size=3, batch_timeout=3600)(lambda items: items))
    places, outcomes, neighbours = set(), set(), None

    def body():
        nonlocal neighbours
        with Untraced():
            neighbours = Neighbours(fetch)
            neighbours.wait(1, 2)
        fetch(3) if action == "fill" else fetch.flush()

    for place in interrupted_everywhere(body):
        places.add(place.split(":")[0])
        found = neighbours.end()
        outcomes.update(found)

        assert 2 == len(found), place
        assert idle(fetch), place

    assert [1, 2] == sorted(neighbours.end())
    assert {1, 2, MissingResultError} == outcomes
    assert {
        "Batch.run",
        "BatchWork.serve",
        "Batch._begin",
        "Scene.__enter__",
        "Batch.end",
    } <= places


def test_ctrl_c_in_a_caller_who_waits():
    """Whoever leads and is interrupted hands over to the next, who gets its result."""
    fetch = unturned(batched(max_batch_size=8, batch_timeout=3600)(lambda items: items))
    places, neighbours, flusher = set(), None, None

    def flush():
        while fetch.batcher.waiting < 2 and not neighbours.stop:
            time.sleep(0)
        fetch.flush()

    def body():
        nonlocal neighbours, flusher
        with Untraced():
            neighbours = Neighbours(fetch)
            neighbours.start(2, when=1)
            flusher = threading.Thread(target=flush)
            flusher.start()
        fetch(1)

    for place in interrupted_everywhere(body):
        places.add(place.split(":")[0])

        assert [2] == neighbours.end(), place
        flusher.join()
        assert idle(fetch), place

    assert [2] == neighbours.end()
    flusher.join()
    assert {"Intake.put", "Collector.wait", "Turnstile.wait"} <= places


def test_ctrl_c_in_a_caller_whose_time_is_up():
    """The one who runs what is due leaves nothing behind."""
    fetch = unturned(batched(batch_timeout=0)(lambda items: items))
    for place in interrupted_everywhere(lambda: fetch(1)):
        assert idle(fetch), place


def test_a_leader_that_leaves_hands_over(monkeypatch):
    """The next one flushes when the time of its own item is up, not before and not never."""
    fetch = batched(batch_timeout=10)(lambda items: [(items, item) for item in items])
    interrupted = threading.Event()
    due = Collector._due

    def interruptible(collector, batch, item, now):
        if interrupted.is_set() and item.value == "leader":
            raise KeyboardInterrupt
        return due(collector, batch, item, now)

    def lead():
        with suppress(KeyboardInterrupt):
            fetch("leader")

    monkeypatch.setattr(Collector, "_due", interruptible)
    with FakeClock(autojump=False) as clock:
        leader = threading.Thread(target=lead)
        leader.start()
        while fetch.batcher.waiting < 1:
            time.sleep(0)
        clock.advance(4)
        other = Neighbours(fetch)
        other.start("other")
        while fetch.batcher.waiting < 2:
            time.sleep(0)
        interrupted.set()
        (batch,) = fetch.batcher._layer.calls.collector._waiting
        batch.wake_threads()
        leader.join()
        while asleep(clock) < 1:  # who leads now has a time
            time.sleep(0)
        clock.advance(6)  # the time of the one who has gone
        waiting = fetch.batcher.waiting
        clock.advance(4)
        other.threads[0].join()

    assert 1 == waiting
    assert [(["other"], "other")] == other.outcomes


# -- cancellation ----------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", range(8))
@pytest.mark.parametrize("number", range(3))
def test_trap_13_a_cancelled_caller_disturbs_nobody(rounds, number):
    """Cancelled after any number of steps, whichever it is: its neighbours get their results."""
    batches = []

    @batched(max_batch_size=3, batch_timeout=0)
    async def fetch(items):
        batches.append(items)
        for _ in range(3):
            await asyncio.sleep(0)
        return items

    async def main():
        tasks = [asyncio.create_task(fetch(each)) for each in range(3)]
        for _ in range(rounds):
            await asyncio.sleep(0)
        tasks[number].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(main())
    cancelled = [each for each in found if isinstance(each, asyncio.CancelledError)]

    assert [each for each in range(3) if each != number] == [
        each for index, each in enumerate(found) if index != number
    ]
    assert (1 if rounds < 6 else 0) >= len(cancelled)
    assert idle(fetch)


def test_a_cancelled_caller_leaves_its_batch_before_the_flush():
    """Its item is not sent, and its place is free."""
    batches = []

    @batched(max_batch_size=3, batch_timeout=3600)
    async def fetch(items):
        batches.append(items)
        return items

    async def main():
        tasks = [asyncio.create_task(fetch(each)) for each in range(2)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        tasks += [asyncio.create_task(fetch(each)) for each in (2, 3)]
        return await asyncio.gather(*tasks[1:])

    assert [1, 2, 3] == asyncio.run(main())
    assert [[1, 2, 3]] == batches


def test_trap_13_the_last_caller_that_leaves_cancels_the_batch():
    """Nobody wants its results any more; before that nothing stops it."""
    states = []

    @batched(max_batch_size=2, batch_timeout=3600)
    async def fetch(items):
        states.append("runs")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            states.append("cancelled")
            raise

    async def main():
        tasks = [asyncio.create_task(fetch(each)) for each in range(2)]
        for task in tasks:
            for _ in range(3):
                await asyncio.sleep(0)
            states.append("leaves")
            task.cancel()
        await asyncio.wait(tasks)
        for _ in range(3):
            await asyncio.sleep(0)

    asyncio.run(main())

    assert ["runs", "leaves", "leaves", "cancelled"] == states
    assert idle(fetch)


def test_a_submitted_item_keeps_its_batch_running():
    """Its future cannot be cancelled any more, so somebody waits still."""

    @batched(max_batch_size=2, batch_timeout=3600)
    async def fetch(items):
        for _ in range(5):
            await asyncio.sleep(0)
        return items

    async def main():
        future = fetch.submit(1)
        task = asyncio.create_task(fetch(2))
        for _ in range(3):
            await asyncio.sleep(0)
        task.cancel()
        return await future

    assert 1 == asyncio.run(main())


def test_trap_13_a_batch_whose_task_is_cancelled_from_outside_answers_everybody():
    """As a program that cancels all tasks does: also before the batch's first step."""

    @batched(max_batch_size=2, batch_timeout=3600)
    async def fetch(items):
        await asyncio.Event().wait()

    async def main(rounds):
        before = asyncio.all_tasks()
        tasks = [asyncio.create_task(fetch(each)) for each in range(2)]
        await asyncio.sleep(0)
        for _ in range(rounds):
            await asyncio.sleep(0)
        (batch,) = asyncio.all_tasks() - before - set(tasks)
        batch.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    for rounds in range(3):
        found = asyncio.run(main(rounds))

        assert [MissingResultError] * 2 == [type(each) for each in found]
    assert idle(fetch)


def test_a_forgotten_coroutine_leaves_its_batch():
    """The garbage collector may come in the midst of a step, with the lock held."""
    batches = []

    @batched(max_batch_size=2, batch_timeout=3600)
    async def fetch(items):
        batches.append(items)
        return items

    collector = fetch.batcher._layer.calls.collector

    async def main():
        forgotten = fetch(1)
        forgotten.send(None)  # it waits, and no task knows it
        with collector._lock:
            del forgotten
            gc.collect()
        second = asyncio.create_task(fetch(2))
        await asyncio.sleep(0)
        await fetch.flush()
        return await second

    assert 2 == asyncio.run(main())
    assert [[2]] == batches
