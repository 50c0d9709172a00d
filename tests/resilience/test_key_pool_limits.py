"""An entry's own limit: its permits, its line, and where a call goes that the line turns away."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager

import pytest

from resilience import (
    DeadlineExceededError,
    KeyPool,
    NoKeyAvailableError,
    Priority,
    QueueClosedError,
    QueueFullError,
    QueueTimeoutError,
    SettingsError,
    deadline,
    get_stats,
    priority,
    retry,
)
from resilience.testing import FakeClock, no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import KeyServer, rejected, throttled
from tests.support.stepping import cancelled_at_every_step


class Asker:
    """A function that asks with a key of the pool, and stays inside until it is let go.

    Attributes:
        asked: The names of the entries, in the order in which they were asked.
    """

    def __init__(self, run, pool, **scripts):
        self.run, self.pool = run, pool
        self.server, self.gate = KeyServer(**scripts), run.gate()
        self.fetch = pool.inject("key")(run.steps(self.inside))

    @property
    def asked(self):
        """The names of the entries, in the order in which they were asked."""
        return self.server.asked

    def inside(self, *, key):
        """Wait at the gate once the request is there."""
        outcome = None
        try:
            outcome = self.server.receive(key)
        except Exception as error:
            outcome = error
        yield self.gate.wait()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def start(self):
        """Begin a call and return when it is inside, waits or has ended."""
        before = len(self.asked) + self.waiting()
        call = self.run.start(self.fetch)
        self.run.until(lambda: len(self.asked) + self.waiting() > before or call.done())
        return call

    def waiting(self):
        """How many wait in the lines of all entries."""
        return self.pool.get_stats()["queue_size"]


def idle(pool):
    """Whether nobody runs, nobody waits, and every permit is back."""
    stats = pool.get_stats()
    held = sum(queue.active + queue.size for queue in pool.queues.values())
    return (0, 0, 0) == (stats["active_requests"], stats["queue_size"], held)


# -- the limit -------------------------------------------------------------------------------


def test_an_entry_runs_as_many_as_its_limit(run):
    """One more goes to an entry with a free permit; when there is none it waits for one."""
    pool = pool_of("ab", max_concurrent_requests=1)
    pool.update("b", max_concurrent_requests=2)
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(4)]

    assert "abb" == asker.asked
    assert {"a": (1, 1), "b": (2, 0)} == shown(pool)
    asker.gate.open()
    assert ["a", "b", "b", "a"] == [call.result() for call in calls]
    assert idle(pool)


def shown(pool):
    """Active and queued calls of each entry."""
    each = pool.get_stats()["endpoints"].items()
    return {name: (stats["active_requests"], stats["queue_size"]) for name, stats in each}


@pytest.mark.parametrize("strategy", ["round-robin", "least-loaded", "two-choices"])
def test_a_free_permit_comes_first(run, strategy):
    """Whatever the load says, an entry where the call would wait is the last resort."""
    pool = pool_of("abc", strategy=strategy)
    pool.update("a", max_concurrent_requests=1, weight=1_000)
    pool.update("b", max_concurrent_requests=1, weight=1_000)
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(6)]

    assert ["a", "b", "c", "c", "c", "c"] == sorted(asker.asked)
    asker.gate.open()
    assert asker.asked == "".join(call.result() for call in calls)


def test_an_entry_without_a_limit_has_no_line(run):
    """None of its own: what runs is the business of the stack's queue."""
    pool = pool_of("a")
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(20)]

    assert ({}, 20) == (dict(pool.queues), pool.get_stats()["active_requests"])
    asker.gate.open()
    assert ["a"] * 20 == [call.result() for call in calls]


def test_who_waits_goes_by_priority(run):
    """The line of an entry is the queue of `@prioritized`: priority, then arrival."""
    pool, order, gate = pool_of("a", max_concurrent_requests=1), [], run.gate()

    @run.drive
    @pool.inject("key")
    @run.steps
    def fetch(name, *, key):
        order.append(name)
        yield gate.wait()

    calls = [run.start(fetch, "first")]
    run.until(lambda: ["first"] == order)
    for name in ("LOW", "NORMAL", "HIGH"):
        size = pool.queues["a"].size
        with priority(name):
            calls.append(run.start(fetch, name))
        run.until(lambda size=size: pool.queues["a"].size > size)

    assert {Priority.HIGH: 1, Priority.NORMAL: 1, Priority.LOW: 1} == pool.queues["a"].sizes
    gate.open()
    for call in calls:
        call.result()
    assert ["first", "HIGH", "NORMAL", "LOW"] == order


def test_a_lease_by_hand_holds_the_permit():
    """With `with` as with `async with`, until the block ends."""
    pool = pool_of("a", max_concurrent_requests=1)
    queue = pool.queues["a"]

    async def later():
        async with pool.lease():
            return queue.active

    with pool.lease():
        assert 1 == queue.active
    assert 0 == queue.active
    assert (1, 0) == (asyncio.run(later()), queue.active)


def test_a_lease_within_a_lease_shares_its_permit():
    """Who holds a permit of the entry does not wait for itself; the last one gives it back."""
    pool = pool_of("a", max_concurrent_requests=1)
    outer, inner = pool.take(), pool.take()
    outer.finish(None)

    assert 1 == pool.queues["a"].active
    inner.finish(None)
    assert idle(pool)


def test_a_stream_holds_the_permit_until_it_ends(run):
    """Read to the end or left early."""
    pool = pool_of("a", max_concurrent_requests=1)
    stream = run.decorate(pool.inject("key"), KeyServer().stream)
    for leave in (list, lambda items: items.close()):
        items = stream()
        next(items)

        assert 1 == pool.queues["a"].active
        leave(items)
        assert idle(pool)


# -- turned away -----------------------------------------------------------------------------


def test_a_full_line_sends_a_call_on_at_once(run):
    """To another entry; only when none is left the error is raised."""
    pool = pool_of("ab", max_concurrent_requests=1, queue_size=1, strategy="first")
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(4)]

    assert {"a": (1, 1), "b": (1, 1)} == shown(pool)
    with pytest.raises(QueueFullError, match=r"queue 'keys\[b\]' is full"):
        run.call(asker.fetch)
    asker.gate.open()
    assert ["a", "a", "b", "b"] == [call.result() for call in calls]
    assert idle(pool)


def test_a_wait_that_is_too_long_sends_a_call_on(run):
    """When `queue_timeout` is over, the next entry is asked at once; at last, the error."""
    with FakeClock(autojump=False) as clock:
        pool = pool_of("ab", max_concurrent_requests=1, queue_timeout=5, strategy="first")
        asker = Asker(run, pool)
        first = asker.start()
        second = asker.start()
        clock.advance(5)
        run.until(lambda: "ab" == asker.asked)
        third = asker.start()
        clock.advance(5)
        run.until(lambda: 1 == pool.queues["b"].size)
        clock.advance(5)
        with pytest.raises(QueueTimeoutError, match="no permit within 5 s"):
            third.result()
        asker.gate.open()

        assert ("a", "b") == (first.result(), second.result())
    assert idle(pool)


def test_a_deadline_ends_the_wait_in_a_line(run):
    """The time of the caller is over everywhere: no other entry is tried."""
    with FakeClock(autojump=False) as clock:
        pool = pool_of("ab", max_concurrent_requests=1, strategy="first")
        asker = Asker(run, pool)
        first = asker.start()
        with deadline(3):
            second = asker.start()
        clock.advance(3)
        with pytest.raises(DeadlineExceededError):
            second.result()
        asker.gate.open()

        assert "a" == first.result() == asker.asked
    assert idle(pool)


def test_a_full_line_after_a_throttling_raises_the_real_error(run):
    """What a server said is worth more than that the next entry has no room."""
    pool = pool_of("ab", strategy="first")
    pool.update("b", max_concurrent_requests=1, queue_size=0)
    server = KeyServer(a=[throttled(7)])
    fetch = run.decorate(pool.inject("key"), server.answer)
    held = pool.queues["b"].permit()
    with in_another_thread(held):
        with pytest.raises(HttpError, match="HTTP 429"):
            fetch()

        assert "a" == server.asked
    assert "b" == fetch()


@contextmanager
def in_another_thread(manager):
    """Hold something elsewhere: one's own permit would be inherited."""
    entered, leave = threading.Event(), threading.Event()

    def target():
        with manager:
            entered.set()
            leave.wait()

    thread = threading.Thread(target=target)
    thread.start()
    entered.wait()
    try:
        yield
    finally:
        leave.set()
        thread.join()


def test_a_full_line_is_nothing_that_a_retry_looks_at_again_and_again(run):
    """After a throttling it waits for as long as the server said, not for the line to move."""
    pool = pool_of("ab", strategy="first")
    pool.update("b", max_concurrent_requests=1, queue_size=0)
    server = KeyServer(a=[throttled(7)])
    fetch = run.decorate(lambda f: retry(jitter=0)(pool.inject("key")(f)), server.answer)
    with FakeClock(), in_another_thread(pool.queues["b"].permit()):
        assert "a" == fetch()

    assert [0, 7] == server.times


def test_a_line_closed_by_hand_turns_calls_away(run):
    """As a full one does; the error says so where there is no other entry."""
    pool = pool_of("ab", max_concurrent_requests=1, strategy="first")
    fetch = run.decorate(pool.inject("key"), KeyServer().answer)
    pool.queues["a"].close()

    assert "b" == fetch()
    pool.queues["b"].close()
    with pytest.raises(QueueClosedError):
        fetch()


@pytest.mark.parametrize("error", [throttled(60), throttled(), rejected()])
def test_who_waits_for_an_entry_that_rests_by_then_goes_elsewhere(run, error):
    """Between lease and request the entry is looked at once more; nothing is sent to it."""
    pool = pool_of("ab", strategy="first")
    pool.update("a", max_concurrent_requests=1)
    asker = Asker(run, pool, a=[error])
    with FakeClock(autojump=False):
        calls = [asker.start() for _ in range(4)]
        assert {"a": (1, 3), "b": (0, 0)} == shown(pool)
        asker.gate.open()

        assert ["b"] * 4 == [call.result() for call in calls]
    assert ("a" + "b" * 4) == asker.asked
    assert idle(pool)


def test_a_lease_by_hand_looks_at_its_entry_once_more(run):
    """Nobody is left to do it later: who waited in a line gets no key that rests by then."""
    pool = pool_of("ab", strategy="first")
    pool.update("a", max_concurrent_requests=1)
    gate = run.gate()

    @run.steps
    def hold(held):
        yield gate.wait()
        if held.name == "a":
            raise throttled(60)
        return held.name

    def now():
        with pool.lease() as held:
            return hold(held)

    async def later():
        async with pool.lease() as held:
            return await hold(held)

    function = now if run.flavour == "sync" else later
    with FakeClock(autojump=False):
        first = run.start(function)
        run.until(lambda: 1 == gate.arrived)
        others = [run.start(function) for _ in range(2)]
        run.until(lambda: 2 == pool.queues["a"].size)
        gate.open()

        assert ["b", "b"] == [other.result() for other in others]
        with pytest.raises(HttpError):
            first.result()
    assert idle(pool)


def test_by_name_a_call_waits_for_that_entry_alone(run):
    """No other one takes its place, be the line ever so full."""
    pool = pool_of("ab", max_concurrent_requests=1, queue_size=0)
    with in_another_thread(pool.queues["a"].permit()):
        with pytest.raises(QueueFullError):
            pool.take(name="a")

        assert "b" == pool.take().name


# -- changes at run time ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "change", [{"max_concurrent_requests": 3}, {"max_concurrent_requests": None}]
)
def test_a_higher_limit_wakes_those_who_wait(run, change):
    """At once; without a limit at all they go on without a line."""
    pool = pool_of("a", max_concurrent_requests=1)
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(3)]
    pool.update("a", **change)
    run.until(lambda: "aaa" == asker.asked)

    assert {"a": (3, 0)} == shown(pool)
    asker.gate.open()
    assert ["a"] * 3 == [call.result() for call in calls]
    assert idle(pool)


def test_a_lower_limit_lets_the_running_ones_finish(run):
    """Nobody is thrown out; the next one waits until there is room."""
    pool = pool_of("a", max_concurrent_requests=3)
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(3)]
    pool.update("a", max_concurrent_requests=1, queue_size=5, queue_timeout=9, aging=2)
    calls.append(asker.start())

    assert {"a": (3, 1)} == shown(pool)
    assert (1, 5, 9) == (
        pool.queues["a"].max_concurrent_requests,
        pool.queues["a"].queue_size,
        pool.queues["a"].queue_timeout,
    )
    asker.gate.open()
    assert ["a"] * 4 == [call.result() for call in calls]
    assert idle(pool)


def test_a_removed_entry_sends_those_who_wait_elsewhere(run):
    """The running ones end as they would, the waiting ones end on other entries."""
    pool = pool_of("ab", strategy="first")
    pool.update("a", max_concurrent_requests=1)
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(3)]
    pool.remove("a")
    run.until(lambda: "abb" == asker.asked)
    asker.gate.open()

    assert ["a", "b", "b"] == [call.result() for call in calls]
    assert idle(pool)


def test_a_removed_entry_that_was_the_last_one_leaves_no_key(run):
    """Who waited for it is told about the pool, not about a line that is no more."""
    pool = pool_of("a", max_concurrent_requests=1)
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(2)]
    pool.remove("a")
    with pytest.raises(NoKeyAvailableError, match="it is empty"):
        calls[1].result()
    asker.gate.open()

    assert "a" == calls[0].result()


def test_without_a_limit_any_more_an_entry_is_free_at_once():
    """Permits that are held still do not make it look full."""
    pool = pool_of("ab", max_concurrent_requests=1, strategy="least-loaded")
    with pool.lease("a"):
        pool.update("a", max_concurrent_requests=None, weight=1_000)

        assert "aa" == "".join(pool.take().name for _ in range(2))


def test_a_removed_entry_ends_the_wait_in_its_line_by_name():
    """Who wants this one and no other is told that it is gone."""
    pool = pool_of("ab", max_concurrent_requests=1)

    async def main():
        async with pool.lease("a"):
            waiting = asyncio.create_task(lease())
            while not pool.queues["a"].size:  # noqa: ASYNC110 - no event tells when
                await asyncio.sleep(0)
            pool.remove("a")
            with pytest.raises(SettingsError, match="has no entry 'a'"):
                await waiting

    async def lease():
        async with pool.lease("a"):
            pass

    asyncio.run(main())
    assert idle(pool)


# -- cancellation ----------------------------------------------------------------------------


def test_trap_3_cancelled_at_any_await_a_call_gives_everything_back():
    """In an entry's line, in the request, on the way to another entry: permit, place and lease."""
    calls = []

    def make():
        calls.clear()
        for name in "ab":
            pool.update(name, key=f"key of {name}")
        return fetch()

    pool = pool_of("ab", max_concurrent_requests=1)

    @retry(initial_retry_delay=0)
    @pool.inject("key")
    async def fetch(*, key):
        calls.append(key)
        await asyncio.sleep(0)
        if len(calls) < 4:
            raise throttled(0)
        return key

    def check(step):
        assert idle(pool)

    with no_waiting():
        assert 4 + 1 == cancelled_at_every_step(make, check)


def test_trap_3_a_task_cancelled_in_a_line_leaves_it(run):
    """Its place, and the permit that was handed over in the same moment, go on to the next."""
    pool = pool_of("a", max_concurrent_requests=1)

    async def main():
        inside = asyncio.Event()

        @pool.inject("key")
        async def fetch(*, key):
            await inside.wait()
            return key

        tasks = [asyncio.create_task(fetch()) for _ in range(4)]
        while 3 > pool.queues["a"].size:  # noqa: ASYNC110 - no event tells when
            await asyncio.sleep(0)
        tasks[1].cancel()
        inside.set()
        await tasks[0]
        tasks[2].cancel()  # it has been handed the permit, perhaps, and has not run yet
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(main())

    assert "key of a" == answers[0] == answers[3]
    assert isinstance(answers[1], asyncio.CancelledError)
    assert idle(pool)


# -- what is shown, and what is refused ------------------------------------------------------


def test_statistics_show_each_line(run):
    """Of the pool, of one entry, and of the function."""
    pool = pool_of("a", max_concurrent_requests=1)
    asker = Asker(run, pool)
    name = f"lines {run.flavour}"
    fetch = retry(name=name)(asker.fetch)
    calls = [asker.start() for _ in range(3)]
    each = (pool.get_stats("a"), pool.get_stats(), get_stats(name)["endpoints"]["a"])

    assert [(1, 2)] * 3 == [(stats["active_requests"], stats["queue_size"]) for stats in each]
    asker.gate.open()
    for call in calls:
        call.result()
    assert fetch.key_pool is pool


def test_a_strategy_sees_who_waits(run):
    """`active` runs, `queued` waits; together they are what an entry has to do."""
    pool, seen = pool_of("a", max_concurrent_requests=1), []
    pool._strategy = lambda offered: seen.append(offered[0])
    asker = Asker(run, pool)
    calls = [asker.start() for _ in range(3)]

    assert [(0, 0), (1, 0), (1, 1)] == [(record.active, record.queued) for record in seen]
    asker.gate.open()
    for call in calls:
        call.result()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_concurrent_requests": 0}, "entry 'b': max_concurrent_requests must be a whole"),
        ({"queue_size": 3}, "entry 'b': queue_size needs max_concurrent_requests beside it"),
        ({"max_concurrent_requests": 1, "aging": 0}, "entry 'b': aging must be a finite number"),
        ({"initial_retry_delay": -1}, "entry 'b': initial_retry_delay must be"),
        ({"failure_threshold": 0}, "entry 'b': failure_threshold must be"),
        ({"slow_call_rate": 0.5}, "entry 'b': slow_call_rate and slow_call_duration must be given"),
        ({"max_concurent_requests": 1}, "did you mean max_concurrent_requests"),
        ({"wieght": 1}, "did you mean weight"),
    ],
)
def test_bad_limits_are_refused_with_their_entry(settings, message):
    """The entry, the setting, the rule and the value; nothing is added or changed."""
    pool = pool_of("a")
    with pytest.raises(SettingsError, match=message) as added:
        pool.add("b", "key of b", **settings)
    with pytest.raises(SettingsError, match=message.replace("'b'", "'a'")):
        pool.update("a", **settings)
    with pytest.raises(SettingsError):
        KeyPool({"a": {"key": "key of a", **settings}})

    assert set(settings) >= {added.value.setting}
    assert (("a",), {}, {}) == (pool.names(), dict(pool.queues), dict(pool.circuit_breakers))


def test_settings_of_the_pool_hold_for_entries_without_their_own():
    """Those of an entry go before them, and None turns its limit off."""
    pool = KeyPool(
        {
            "a": "key of a",
            "b": {"key": "key of b", "max_concurrent_requests": 7, "weight": 2},
            "c": {"key": "key of c", "max_concurrent_requests": None},
        },
        max_concurrent_requests=2,
    )

    assert {"a": 2, "b": 7} == limits_of(pool)
    pool.update("a", max_concurrent_requests=3)
    pool.update("c", max_concurrent_requests=4)
    pool.update("b", max_concurrent_requests=None)
    assert {"a": 3, "c": 4} == limits_of(pool)


def limits_of(pool):
    """The limits of the entries that have one."""
    return {name: queue.max_concurrent_requests for name, queue in pool.queues.items()}


def test_the_rests_of_an_entry_are_its_own():
    """First rest and longest rest, each with that of the pool as the default."""
    with FakeClock():
        pool = pool_of("ab", initial_retry_delay=4)
        pool.update("b", initial_retry_delay=9)
        for name in "ab":
            pool.take(name=name).finish(throttled())

        assert {"a": 4, "b": 9} == pool.resting()
