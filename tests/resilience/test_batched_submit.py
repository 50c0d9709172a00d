"""`submit`, `map` and `flush`, with workers, timers, event loops, fork and the program's exit."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import time
import weakref
from concurrent.futures import CancelledError

import pytest

from resilience import (
    Batcher,
    MissingResultError,
    _clock,
    batched,
    get_stats,
    prioritized,
    resilient,
    retry,
)
from resilience._timers import timers
from resilience.testing import FakeClock, no_waiting
from tests.support.batches import Recorded
from tests.support.bodies import as_coroutine_function
from tests.support.programs import run_program
from tests.support.queues import asleep

# -- submit ----------------------------------------------------------------------------------


def test_submit_returns_at_once(run):
    """What does not fill a batch is run when it is due, in a thread that nobody waits in."""
    fetch = Recorded(run, max_batch_size=3, batch_timeout=1)
    with FakeClock(autojump=False) as clock:
        futures = [fetch.function.submit(number) for number in range(4)]

        assert [0, 10, 20] == [future.result() for future in futures[:3]]
        assert not futures[3].done()
        clock.advance(1)
        assert 30 == futures[3].result()
    assert [[0, 1, 2], [3]] == fetch.batches


def test_submitted_and_called_items_share_batches(run):
    """They wait in one line; whoever fills it runs it."""
    fetch = Recorded(run, max_batch_size=2, batch_timeout=60)
    if run.flavour == "sync":
        first = fetch.function.submit(1)

        assert (20, 10) == (fetch(2), first.result())
        second = fetch.start(3)
        third = fetch.function.submit(4)

        assert [30, 40] == [second.result(), third.result()]
        assert [[1, 2], [3, 4]] == fetch.batches
    else:

        async def main():
            first = fetch.function.submit(1)
            return await fetch.function(2), await first

        assert (20, 10) == asyncio.run(main())
        assert [[1, 2]] == fetch.batches


def test_a_future_can_be_awaited(run):
    """In any loop, as often as one likes; its error comes out of the `await`."""
    fetch = Recorded(run, max_batch_size=2, batch_timeout=60)

    async def main():
        good, bad = fetch.function.submit(1), fetch.function.submit(ValueError("bad"))
        with pytest.raises(ValueError, match="bad"):
            await bad
        return await good, await good

    assert (10, 10) == asyncio.run(main())


def test_the_future_of_a_queue_can_be_awaited_too(run):
    """`@prioritized` gives the same kind."""
    fetch = prioritized(run.function(lambda number: number))

    async def main():
        return await fetch.submit(1)

    assert 1 == asyncio.run(main())


def test_a_cancelled_future_leaves_its_batch(run):
    """Before the flush its item is dropped and its place is free; its neighbours never notice."""
    fetch = Recorded(run, max_batch_size=3, batch_timeout=1)
    with FakeClock(autojump=False):
        first, second = (fetch.function.submit(number) for number in (1, 2))

        assert second.cancel()
        third, fourth = (fetch.function.submit(number) for number in (3, 4))

        assert [10, 30, 40] == [future.result() for future in (first, third, fourth)]
        assert ([[1, 3, 4]], 0) == (fetch.batches, fetch.batcher.waiting)
        with pytest.raises(CancelledError):
            second.result()
        done, _ = concurrent.futures.wait([second])
        assert {second} == done


def test_a_batch_that_everybody_left_is_not_run(run):
    """The function is not called with nothing, and no timer is left."""
    fetch = Recorded(run, batch_timeout=1)
    with FakeClock(autojump=False) as clock:
        futures = [fetch.function.submit(number) for number in range(3)]

        assert all(future.cancel() for future in futures)
        assert 0 == fetch.batcher.waiting
        clock.advance(1)
        last = fetch.function.submit(4)
        clock.advance(1)

        assert 40 == last.result()
    assert [[4]] == fetch.batches


def test_a_running_item_cannot_be_cancelled():
    """After the flush the result comes all the same."""
    entered, go = threading.Event(), threading.Event()

    @batched(max_batch_size=1)
    def fetch(items):
        entered.set()
        go.wait()
        return items

    future = fetch.submit(1)
    entered.wait()

    assert not future.cancel()
    go.set()
    assert 1 == future.result()


def test_the_time_of_submitted_items_counts_from_the_oldest_that_is_left(run):
    """One that was cancelled takes its time along."""
    fetch = Recorded(run, batch_timeout=2)
    with FakeClock(autojump=False) as clock:
        first = fetch.function.submit(1)
        clock.advance(1)
        second = fetch.function.submit(2)
        first.cancel()
        clock.advance(1)
        third = fetch.function.submit(3)
        clock.advance(0.75)

        assert not second.done()
        clock.advance(0.25)
        assert [20, 30] == [second.result(), third.result()]


@pytest.mark.parametrize("limit", [1, 2])
def test_batches_at_once_are_limited(run, limit):
    """Of many full batches so many run at a time; the others wait for a permit."""
    lock, now, most = threading.Lock(), [0], [0]

    def body(items):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        yield None if run.flavour == "sync" else asyncio.sleep(0)
        with lock:
            now[0] -= 1
        return items

    fetch = batched(max_batch_size=2, max_concurrent_batches=limit)(run.steps(body))

    assert [*range(40)] == run.call(fetch.map, range(40))
    assert limit >= most[0] >= 1


def test_a_submitted_coroutine_gets_a_loop_of_its_own():
    """From plain code the batch runs in a worker, in one loop for all its items."""

    @batched(max_batch_size=2, batch_timeout=60)
    async def fetch(items):
        await asyncio.sleep(0)
        return [(id(asyncio.get_running_loop()), threading.get_ident())] * len(items)

    first, second = (future.result() for future in [fetch.submit(1), fetch.submit(2)])

    assert first == second
    assert threading.get_ident() != first[1]


def test_submit_goes_through_layers_outside(run):
    """They stand around each item, as for a call."""
    attempts = []

    def body(items):
        attempts.append(items)
        if len(attempts) == 1:
            raise OSError
        return items

    with pytest.warns(UserWarning, match="a retry outside a batch"):
        fetch = retry(initial_retry_delay=0)(batched(batch_timeout=0)(run.function(body)))

    assert 1 == fetch.submit(1).result()
    assert 2 == len(attempts)


def test_resilient_inside_runs_for_each_batch(run):
    """The whole stack stands around the call with the list."""
    fetch = batched(max_batch_size=4)(resilient(run.function(lambda items: items)))

    assert [*range(8)] == run.call(fetch.map, range(8))


# -- map -------------------------------------------------------------------------------------


def test_map_returns_results_in_order_without_waiting(run):
    """All items are put in at once; what does not fill a batch is flushed."""
    fetch = Recorded(run, max_batch_size=3, batch_timeout=60)
    with FakeClock(autojump=False):
        assert [number * 10 for number in range(8)] == fetch.map(range(8))
    assert [[0, 1, 2], [3, 4, 5], [6, 7]] == sorted(fetch.batches)


def test_map_of_nothing_is_nothing(run):
    """The function is not called."""
    fetch = Recorded(run)

    assert ([], []) == (fetch.map([]), fetch.batches)


def test_map_raises_the_first_error_in_order_after_all_were_answered(run):
    """Whichever came first: the one of the first item."""
    fetch = Recorded(run, max_batch_size=2)
    with pytest.raises(ValueError, match="first"):
        fetch.map([1, ValueError("first"), 2, KeyError("second")])

    assert 2 == len(fetch.batches)


def test_map_passes_options_on(run):
    """Keyword arguments hold for all items; `key=` may still part them."""
    fetch = Recorded(run, key=lambda item, **_: item % 2)

    assert [0, 10, 20, 30] == fetch.map(range(4), size=3)
    assert [[0, 2], [1, 3]] == sorted(fetch.batches)
    assert [{"size": 3}] * 2 == fetch.options


def test_map_takes_those_along_that_wait_already(run):
    """Their batch is filled up or flushed with the rest."""
    fetch = Recorded(run, max_batch_size=4, batch_timeout=60)
    waiting = fetch.start(1)

    assert [20, 30] == fetch.map([2, 3])
    assert 10 == waiting.result()
    assert [[1, 2, 3]] == fetch.batches


def test_an_iterable_that_fails_leaves_nothing_waiting(run):
    """Its error is raised, and what was put in already leaves."""

    def values():
        yield 1
        raise OSError

    fetch = Recorded(run, batch_timeout=60)
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        fetch.map(values())

    assert ([], 0) == (fetch.batches, fetch.batcher.waiting)


def test_each_item_of_submit_and_map_is_a_call(run):
    """In statistics a logical call is an item, however it came in; what waits shows as well."""
    fetch = Recorded(run, name=f"items, {run.flavour}", max_batch_size=2, batch_timeout=60)
    fetch.map([1, 2])
    fetch.function.submit(3)
    waiting = get_stats(fetch.function)["batch_waiting"]
    fetch.function.submit(ValueError("bad")).exception()
    stats = get_stats(fetch.function)

    assert 1 == waiting
    assert (4, 3, 1) == tuple(
        stats[f"{name}_requests"] for name in ("total", "successful", "failed")
    )
    assert {"ValueError": 1} == stats["errors_by_type"]
    assert 0 == stats["batch_waiting"]


# -- Batcher ---------------------------------------------------------------------------------


def test_a_batcher_is_the_same_without_decorating(run):
    """Callable, with `submit`, `map` and `flush`; the function stays what it is."""
    function = run.function(lambda items: items)
    batcher = Batcher(function, max_batch_size=2, batch_timeout=60, name="mine")
    first = run.start(batcher, 1)

    assert (2, 1) == (run.call(batcher, 2), first.result())
    assert [1, 2, 3] == run.call(batcher.map, [1, 2, 3])
    future = batcher.submit(4)
    assert "<Batcher 'mine': 1 wait>" == repr(batcher)
    run.call(batcher.flush)

    assert 4 == future.result()
    assert [1] == run.call(function, [1])


def test_a_batcher_around_layers(run):
    """They run once for each batch."""
    attempts = []

    def body(items):
        attempts.append(items)
        if len(attempts) == 1:
            raise OSError
        return items

    batcher = Batcher(retry(initial_retry_delay=0)(run.function(body)), max_batch_size=2)

    assert [1, 2] == run.call(batcher.map, [1, 2])
    assert [[1, 2], [1, 2]] == attempts


# -- event loops -----------------------------------------------------------------------------


@pytest.fixture
def fetch():
    """A coroutine function that says in which loop its batch ran, and with how many items."""

    @batched(max_batch_size=3, batch_timeout=0.01)
    async def fetch(items):
        await asyncio.sleep(0)
        return [(id(asyncio.get_running_loop()), len(items))] * len(items)

    return fetch


def test_trap_9_one_loop_after_another(fetch):
    """Nothing is bound to the first loop."""

    async def main():
        return await asyncio.gather(*(fetch(number) for number in range(3)))

    for _ in range(3):
        assert [3, 3, 3] == [size for _, size in asyncio.run(main())]
    collector = fetch.batcher._layer.calls.collector

    assert ({}, {}, set()) == (collector._open, collector._waiting, collector._running)


def test_trap_9_several_loops_at_once(fetch):
    """Items of two loops share no batch: each is answered in its own."""
    found, barrier = [], threading.Barrier(3)

    async def main():
        barrier.wait()
        results = await asyncio.gather(*(fetch(number) for number in range(30)))
        found.append({loop for loop, _ in results} == {id(asyncio.get_running_loop())})

    threads = [threading.Thread(target=asyncio.run, args=(main(),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [True] * 3 == found


def leave_waiting(fetch):
    """Close a loop in which two items wait; a reference to it, and the future of one."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # "Task was destroyed but it is pending!"

    async def start():
        task = asyncio.ensure_future(fetch(2))
        await asyncio.sleep(0)
        return task, fetch.submit(1)

    _, future = loop.run_until_complete(start())
    loop.close()
    return weakref.ref(loop), future


def test_a_closed_loop_is_forgotten(fetch):
    """What waited there when it was closed is given up as soon as another loop comes."""
    loop, future = leave_waiting(fetch)

    assert 1 == asyncio.run(fetch(3))[1]
    with pytest.raises(MissingResultError, match="its batch ended with CancelledError"):
        future.result()
    del future
    gc.collect()
    assert loop() is None


def submit_in(loop, function):
    """Submit a call in a loop that does not go on after it."""

    async def submit():
        return function.submit(1)

    return loop.run_until_complete(submit())


def test_the_end_of_a_loop_ends_what_waits_there():
    """At once, without any further call: a thread that waits for the future is not left behind."""
    slow = batched(batch_timeout=60)(as_coroutine_function(list))
    loop = asyncio.new_event_loop()
    future = submit_in(loop, slow)
    loop.close()

    with pytest.raises(MissingResultError, match="its batch ended with CancelledError"):
        future.result(timeout=0)
    assert 0 == slow.batcher.waiting


def test_the_end_of_a_loop_ends_what_was_to_run_there():
    """Also where somebody has flushed it from elsewhere, and waits for that."""
    slow = batched(batch_timeout=60)(as_coroutine_function(list))
    loop = asyncio.new_event_loop()
    future = submit_in(loop, slow)

    async def main():
        flushing = asyncio.ensure_future(slow.flush())
        await asyncio.sleep(0)
        loop.close()
        await flushing

    asyncio.run(main())

    with pytest.raises(MissingResultError, match="its batch ended with CancelledError"):
        future.result(timeout=0)


def test_a_running_batch_is_kept():
    """A loop holds its tasks weakly; one that nobody waits for in a task must not be collected."""
    held = []

    @batched(max_batch_size=1)
    async def fetch(items):
        future = asyncio.get_running_loop().create_future()
        held.append(weakref.ref(future))
        return [await future for _ in items]

    async def main():
        future = fetch.submit(1)
        for _ in range(5):
            await asyncio.sleep(0)
        gc.collect()
        held[0]().set_result("kept")
        return await future

    assert "kept" == asyncio.run(main())


def test_flush_reaches_other_loops(fetch):
    """What waits in a loop of another thread is run there, and waited for."""
    results, waits = [], threading.Event()

    @batched(batch_timeout=60)
    async def slow(items):
        return items

    async def other():
        task = asyncio.ensure_future(slow(1))
        await asyncio.sleep(0)
        waits.set()
        results.append(await task)

    thread = threading.Thread(target=asyncio.run, args=(other(),))
    thread.start()
    waits.wait()
    asyncio.run(slow.flush())
    thread.join()

    assert [1] == results


# -- fork and exit ---------------------------------------------------------------------------

HEADER = """
    import os, threading
    from resilience import batched

    @batched(max_batch_size=2, batch_timeout=60)
    def fetch(items):
        return [item * 10 for item in items]
"""


def test_trap_9_a_forked_child_works_and_the_parent_goes_on():
    """Who waits in the parent is not run in the child, which has threads and timers of its own."""
    words = run_program(
        HEADER,
        """
        waiting = fetch.submit(1)
        pid = os.fork()
        if not pid:
            futures = [fetch.submit(2), fetch.submit(3)]
            print(*(future.result() for future in futures), fetch.batcher.waiting, flush=True)
            late = fetch.submit(4)
            fetch.flush()
            print(late.result(), flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        print(fetch.batcher.waiting, fetch.submit(5).result(), waiting.result())
        """,
    )

    assert ["20", "30", "0", "40", "1", "50", "10"] == words


@pytest.mark.parametrize("kind", ["def", "async def"])
def test_what_was_submitted_is_run_at_exit(kind):
    """Nothing that was accepted is lost: the program's end flushes what waits."""
    words = run_program(
        f"""
        from resilience import batched

        @batched(batch_timeout=3600)
        {kind} fetch(items):
            print(*items, flush=True)
            return items

        fetch.submit(1)
        fetch.submit(2)
        """,
    )

    assert ["1", "2"] == words


def test_at_exit_a_thread_need_not_be_startable():
    """Where no thread can be started any more, the exiting one runs what is left."""
    words = run_program(
        """
        import threading
        from resilience import batched

        @batched(batch_timeout=3600)
        def fetch(items):
            print(*items, threading.current_thread().name, flush=True)
            return items

        fetch.submit(1)

        def refuse(*_):
            raise RuntimeError("can't create new thread at interpreter shutdown")

        threading.Thread.start = refuse
        """,
    )

    assert ["1", "MainThread"] == words


# -- timers ----------------------------------------------------------------------------------


def test_the_timer_thread_keeps_nothing():
    """What was flushed before its time is forgotten, however far that time lies ahead."""

    @batched(max_batch_size=2, batch_timeout=3600)
    def fetch(items):
        return items

    for _ in range(100):
        first, second = fetch.submit(1), fetch.submit(2)

        assert (1, 2) == (first.result(), second.result())
    assert 3 > len(timers._heap)


def test_a_fake_clock_runs_towards_no_timer_that_was_cancelled():
    """The thread forgets the moment that it waited for as soon as the batch is full."""
    fetch = batched(max_batch_size=2, batch_timeout=3600)(lambda items: items)
    with FakeClock(autojump=False) as clock:
        first = fetch.submit(1)
        while not asleep(clock):
            time.sleep(0)

        assert (2, 1) == (fetch.submit(2).result(), first.result())
        while asleep(clock):
            time.sleep(0)


def test_a_clock_that_goes_back_before_the_thread_looks_is_noticed():
    """A timer set on a clock that is an hour ahead waits for no hour when it is back."""
    own = type(timers)()
    own._thread = threading.current_thread()  # no other one looks
    with no_waiting():
        _clock.sleep(3600)
        timer = own.at(_clock.now() + 1, print)

    assert own._pop_due() is None
    assert 1 >= timer.due - _clock.now()


def test_a_timer_thread_that_died_is_replaced():
    """Nobody waits for ever because a thread has gone."""
    with FakeClock():
        fetch = batched(batch_timeout=1)(lambda items: items)

        assert 1 == fetch.submit(1).result()
        timers._thread = threading.Thread()  # one that does not live
        assert 2 == fetch.submit(2).result()
