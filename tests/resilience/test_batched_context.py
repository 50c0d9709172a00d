"""What a batch sees: context variables, priority, deadline, scopes, and itself; TRAPS 5 and 10."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar, copy_context

import pytest

from resilience import (
    DeadlineExceededError,
    Priority,
    batched,
    deadline,
    prioritized,
    priority,
    retry,
)
from resilience._context import current_priority, place_kept
from resilience._switches import disabled
from resilience.testing import FakeClock
from tests.support.batches import Recorded

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")

tenant = ContextVar("tenant", default="none")


def in_tenant(name, start, *args, **kwargs):
    """Start a call in a context of its own."""

    def body():
        tenant.set(name)
        return start(*args, **kwargs)

    return copy_context().run(body)


def test_trap_5_a_batch_runs_in_the_context_of_its_first_item(run):
    """Whoever fills it, and what it sets there is seen by nobody."""
    seen = []

    def body(items):
        seen.append(tenant.get())
        tenant.set("changed")
        return items

    fetch = batched(max_batch_size=2, batch_timeout=60)(run.function(body))
    first = in_tenant("first", run.start, fetch, 1)
    run.until(lambda: fetch.batcher.waiting == 1)
    in_tenant("second", run.call, fetch, 2)
    first.result()

    assert ["first"] == seen
    assert "none" == tenant.get()


def test_trap_5_submitted_items_bring_their_context(run):
    """The worker, or the task, runs the batch in it."""
    fetch = batched(max_batch_size=1)(run.function(lambda items: [tenant.get() for _ in items]))
    future = in_tenant("mine", fetch.submit, 1)

    assert "mine" == future.result()


# -- priority --------------------------------------------------------------------------------


def seen_priority(run, **settings):
    """A batched function that returns the priority that it sees."""
    settings = {"max_batch_size": 2, "batch_timeout": 60} | settings
    body = run.function(lambda items: [current_priority() for _ in items])
    return batched(**settings)(prioritized(body))


def test_a_batch_has_the_most_urgent_priority_of_its_items(run):
    """By `priority=`, which is not in the key, or by `with priority(...)`; the smaller number."""
    fetch = seen_priority(run)
    for one, other, expected in (
        ({"priority": "low"}, {"priority": "high"}, Priority.HIGH),
        ({"priority": Priority.LOW}, {}, Priority.NORMAL),
        ({"priority": 2}, {"priority": 2}, Priority.LOW),
        ({}, {}, Priority.NORMAL),
    ):
        first = run.start(fetch, 1, **one)
        run.until(lambda: fetch.batcher.waiting == 1)

        assert expected is run.call(fetch, 2, **other)
        first.result()
    with priority("low"):
        first = run.start(fetch, 1)
        run.until(lambda: fetch.batcher.waiting == 1)

        assert Priority.LOW is run.call(fetch, 2) is first.result()


def test_a_function_with_a_parameter_priority_gets_it(run):
    """Then it is an argument as any other, and in the key."""

    def body(items, priority):
        return [priority for _ in items]

    fetch = batched(batch_timeout=0)(prioritized(run.function(body)))

    assert "mine" == run.call(fetch, 1, priority="mine")


def test_without_a_queue_priority_is_an_argument(run):
    """Nobody inside would take it."""
    fetch = Recorded(run, batch_timeout=0)
    fetch(1, priority="mine")

    assert [{"priority": "mine"}] == fetch.options


# -- deadline --------------------------------------------------------------------------------


def test_a_deadline_that_has_passed_calls_nothing(run):
    """The call is refused before it waits; so are `submit` and `map`."""
    fetch = Recorded(run)
    with deadline(0):
        for call in (fetch, fetch.map, fetch.function.submit):
            with pytest.raises(DeadlineExceededError):
                call([1])

    assert [] == fetch.batches


def test_an_item_in_a_hurry_waits_for_no_company(run):
    """Its deadline would pass before `batch_timeout`: what waits is flushed with it at once."""
    fetch = Recorded(run, batch_timeout=10)
    with FakeClock(autojump=False) as clock:
        first = fetch.start(1)
        with deadline(5):
            assert 20 == fetch(2)
        assert (10, 0) == (first.result(), clock.now)
    assert [[1, 2]] == fetch.batches


def test_a_batch_has_the_latest_deadline_of_its_items(run):
    """None at all, if one of them has none."""

    def body(items):
        return [deadline.remaining() for _ in items]

    fetch = batched(max_batch_size=2, batch_timeout=1)(run.function(body))
    with FakeClock(autojump=False):
        for ends, expected in (((5, 7), 7), ((7, 5), 7), ((5, None), None), ((None, 5), None)):
            calls = []
            for end in ends:
                waiting = fetch.batcher.waiting
                if end is None:
                    calls.append(run.start(fetch, end))
                else:
                    with deadline(end):
                        calls.append(run.start(fetch, end))
                run.until(lambda: fetch.batcher.waiting != waiting or calls[-1].done())  # noqa: B023

            assert [expected, expected] == [call.result() for call in calls]


def test_a_waiter_leaves_when_its_deadline_passes(run):
    """The batch goes on for the others; what it returns for the one that left is ignored."""
    gate, entered = run.gate(), []

    def body(items):
        entered.append(items)
        yield gate.wait()
        return items

    fetch = batched(max_batch_size=2, batch_timeout=1)(run.steps(body))
    with FakeClock(autojump=False) as clock:
        other = run.start(fetch, 1)
        run.until(lambda: fetch.batcher.waiting == 1)
        with deadline(5):
            mine = run.start(fetch, 2)
        run.until(lambda: bool(entered))
        clock.advance(5)
        if run.flavour == "async":  # in a thread, who fills the batch runs it
            with pytest.raises(DeadlineExceededError):
                mine.result()
        gate.open()

        assert 1 == other.result()
        run.until(mine.done)


def test_what_it_waits_for_inside_obeys_the_batchs_deadline(run):
    """A retry that would sleep beyond it fails at once, with its own error."""
    fetch = batched(max_batch_size=1)(retry(jitter=0)(run.function(lambda items: 1 / 0)))
    with FakeClock() as clock, deadline(2):
        with pytest.raises(ZeroDivisionError):
            run.call(fetch, 1)
        assert 1 == clock.now


# -- off -------------------------------------------------------------------------------------


def test_batching_can_be_turned_off(run):
    """By setting, on the object, or for a block: every call at once, alone."""
    fetch = Recorded(run, batch_timeout=60, enable_batching=False)
    assert (10, 20, False) == (fetch(1), fetch(2), fetch.batcher.enabled)
    fetch.batcher.enable()
    with disabled("batched"):
        assert 30 == fetch(3)
    fetch.batcher.disable()
    assert [40, 50] == fetch.map([4, 5])
    assert 60 == fetch.function.submit(6).result()
    alone = [[number] for number in range(1, 7)]

    assert alone == sorted(fetch.batches)
    fetch.batcher.enable()
    assert [70, 80] == fetch.map([7, 8])
    assert [7, 8] == fetch.batches[-1]


def test_other_features_turned_off_keep_items_apart(run):
    """A batch runs without what is off for its items; it is not off for the others."""
    fetch = Recorded(run, max_batch_size=2, batch_timeout=1)
    with FakeClock(autojump=False) as clock:
        with disabled("retry"):
            first = fetch.start(1)
        second = fetch.start(2)
        clock.advance(1)

        assert [10, 20] == [first.result(), second.result()]
    assert [[1], [2]] == sorted(fetch.batches)


# -- itself ----------------------------------------------------------------------------------


def calling_itself(run, call):
    """A batched function, one batch at a time, which calls itself for big items."""

    def body(items):
        results = []
        for item in items:
            if item > 10:
                results.append((yield call(fetch, item - 10)))
            else:
                results.append(item)
        return results

    fetch = batched(max_batch_size=2, batch_timeout=60, max_concurrent_batches=1)(run.steps(body))
    return fetch


def test_trap_10_a_batch_that_calls_itself_runs_at_once(run):
    """No company, no permit of its own: with one batch at a time there is no deadlock."""
    fetch = calling_itself(run, lambda fetch, item: fetch(item))
    first = run.start(fetch, 21)

    assert 2 == run.call(fetch, 12)
    assert 1 == first.result()


def test_trap_10_a_batch_that_maps_itself(run):
    """`map` within the batch runs in the same thread or task."""
    fetch = calling_itself(run, lambda fetch, item: fetch.map([item, item, item]))
    first = run.start(fetch, 11)

    assert [2, 2, 2] == run.call(fetch, 12)
    assert [1, 1, 1] == first.result()


def test_trap_10_a_batch_that_submits_to_itself():
    """The future is done when `submit` returns, since the batch may be about to wait for it."""

    @batched(max_batch_size=1, max_concurrent_batches=1)
    def fetch(items):
        return [fetch.submit(item - 10).result() if item > 10 else item for item in items]

    assert 1 == fetch(21)


def test_trap_10_a_batch_that_awaits_what_it_submits():
    """The inner batch is a task that needs no permit of the outer one."""

    @batched(max_batch_size=1, max_concurrent_batches=1)
    async def fetch(items):
        return [await fetch.submit(item - 10) if item > 10 else item for item in items]

    assert 1 == asyncio.run(fetch(21))


def test_trap_10_a_batch_flushes_itself(run):
    """What waits meanwhile is run, by whoever flushes."""

    def body(items):
        if 0 in items:
            yield fetch.flush()
        return items

    fetch = batched(max_batch_size=2, batch_timeout=60, max_concurrent_batches=1)(run.steps(body))
    waiting = run.start(fetch, 5)
    run.until(lambda: fetch.batcher.waiting == 1)
    run.call(fetch, 0)

    assert 5 == waiting.result()


def test_trap_10_two_batchers_that_call_each_other(run):
    """A batch of the second one that serves the first one's knows whom not to wait for."""

    def each(items, function):
        results = []
        for item in items:
            result = yield function(item)
            results.append(result)
        return results

    def outer_body(items):
        return (yield from each(items, inner))

    def inner_body(items):
        return (yield from each([item - 1 for item in items if item > 0], outer)) or [0]

    settings = {"batch_timeout": 0, "max_concurrent_batches": 1}
    outer = batched(**settings)(run.steps(outer_body))
    inner = batched(**settings)(run.steps(inner_body))

    assert 0 == run.call(outer, 3)


def test_what_outlives_its_batch_is_no_part_of_it():
    """A task that a batch has started and left behind calls as everybody else."""
    sizes, tasks = [], []

    @batched(max_batch_size=2, batch_timeout=60)
    async def fetch(items):
        async def later(item):
            await go.wait()
            return await fetch(item - 10)

        sizes.append(len(items))
        tasks.extend(asyncio.create_task(later(item)) for item in items if item > 10)
        return items

    async def main():
        nonlocal go
        go = asyncio.Event()
        await fetch.map([11, 12])
        go.set()
        return await asyncio.gather(*tasks)

    go = None

    assert [1, 2] == asyncio.run(main())
    assert [2, 2] == sizes


def test_a_batch_leaves_the_places_of_its_callers_alone(run):
    """A retry within it ends without giving up the place that a queue keeps for the caller."""

    class Queue:
        def forget_place(self):
            forgotten.append(self)

    def call():
        place_kept(Queue())
        return run.call(fetch, 1)

    forgotten, attempts = [], []

    def body(items):
        attempts.append(items)
        if len(attempts) == 1:
            raise OSError
        return items

    fetch = batched(max_batch_size=1)(retry(initial_retry_delay=0)(run.function(body)))

    assert 1 == copy_context().run(call)
    assert (2, []) == (len(attempts), forgotten)
