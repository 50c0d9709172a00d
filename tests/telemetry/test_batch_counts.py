"""What statistics count of calls that are batched: each of them once, whoever counts."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from resilience import _batch_drivers, batched, get_stats, retry
from resilience.telemetry import CallFinished, subscribe, unsubscribe
from resilience.testing import FakeClock
from tests.telemetry.test_batches import start_batch

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")

_names = (f"counted {number}" for number in itertools.count())


def counts(function):
    """The calls of a function by outcome: all, and those that succeeded, failed, were cancelled."""
    stats = get_stats(function)
    outcomes = ("total", "successful", "failed", "cancelled")
    return tuple(stats[f"{each}_requests"] for each in outcomes)


def test_each_call_is_counted_once(run):
    """Its result, an exception in its place, or the batch's own error."""

    def body(items):
        if 0 in items:
            raise OSError
        return [ValueError() if item == 1 else item for item in items]

    fetch = batched(max_batch_size=3, batch_timeout=60, name=next(_names))(run.function(body))
    start_batch(run, fetch, 1, 2, 3)

    assert (3, 2, 1, 0) == counts(fetch)
    start_batch(run, fetch, 0, 1, 2)
    assert (6, 2, 4, 0) == counts(fetch)
    assert {"ValueError": 1, "OSError": 3} == get_stats(fetch)["errors_by_type"]


def test_a_call_takes_from_its_beginning_to_its_answer(run):
    """The wait for company counts."""
    fetch = batched(max_batch_size=2, batch_timeout=60, name=next(_names))(
        run.function(lambda items: items)
    )
    with FakeClock(autojump=False) as clock:
        first = run.start(fetch, 1)
        run.until(lambda: fetch.batcher.waiting == 1)
        clock.advance(3)
        run.call(fetch, 2)
        first.result()

    assert 3 == pytest.approx(get_stats(fetch)["latency"]["max"], rel=0.02)
    assert 1.5 == pytest.approx(get_stats(fetch)["average_latency"], rel=0.02)


def test_one_that_retries_is_counted_outside(run):
    """Where a layer stands around the batches, its call is what is counted."""
    failures = [OSError()]

    def body(items):
        if failures:
            raise failures.pop()
        return items

    with pytest.warns(UserWarning, match="a retry outside a batch"):
        fetch = retry(max_retries=1, initial_retry_delay=0)(
            batched(max_batch_size=1, name=next(_names))(run.function(body))
        )
    run.call(fetch, 1)

    assert (1, 1, 0, 0) == counts(fetch)


def test_a_call_that_is_batched_with_nobody_is_counted_once(run):
    """Since batching is off, or since its own batch makes it."""
    name = next(_names)

    def body(items):
        if items == [2]:
            yield fetch(3)
        return items

    fetch = batched(max_batch_size=1, name=name)(run.steps(body))
    run.call(fetch, 2)

    assert (2, 2, 0, 0) == counts(fetch)
    fetch.batcher.disable()
    run.call(fetch, 1)
    assert (3, 3, 0, 0) == counts(fetch)


@pytest.mark.parametrize("rounds", range(6))
def test_a_cancelled_call_is_counted_once(rounds):
    """After any number of steps: as a success, if its answer was there, else as cancelled."""
    name = next(_names)

    @batched(max_batch_size=2, batch_timeout=60, name=name)
    async def fetch(items):
        await asyncio.sleep(0)
        return items

    async def main():
        tasks = [asyncio.create_task(fetch(each)) for each in range(2)]
        for _ in range(rounds):
            await asyncio.sleep(0)
        tasks[0].cancel()
        await asyncio.sleep(0)
        await fetch.flush()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    began = 1 if rounds == 0 else 2  # a task that never ran has called nothing
    total, succeeded, failed, cancelled = counts(fetch)

    assert (began, 0, total) == (total, failed, succeeded + cancelled)


def test_a_listener_that_comes_late_hears_of_each_call(run, monkeypatch):
    """Also of those that were waiting when it came."""
    monkeypatch.setattr(_batch_drivers, "is_watched", lambda: False)
    heard, name = [], next(_names)
    fetch = batched(max_batch_size=2, batch_timeout=60, name=name)(
        run.function(lambda items: items)
    )
    first = run.start(fetch, 1)
    run.until(lambda: fetch.batcher.waiting == 1)
    subscribe(heard.append, CallFinished)
    try:
        run.call(fetch, 2)
        first.result()
    finally:
        unsubscribe(heard.append)

    assert ["success"] * 2 == [event.outcome for event in heard if event.name == name]
    assert (2, 2, 0, 0) == counts(fetch)
