"""A pool that is managed while many threads and tasks use it: nothing is lost or mixed up."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import threading
from collections import Counter

import pytest

from resilience import (
    KeyPool,
    NoKeyAvailableError,
    QueueFullError,
    QueueTimeoutError,
    RefusedError,
    SettingsError,
    retry,
)
from resilience.testing import no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.interrupts import interrupted_everywhere
from tests.support.keys import rejected, throttled

NAMES = "abcdefgh"


def in_threads(number, work):
    """Run `work(0)`, `work(1)`, … at the same time; what they returned or raised."""
    results = [None] * number
    barrier = threading.Barrier(number)

    def target(index):
        barrier.wait()
        try:
            results[index] = work(index)
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=target, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class Manager:
    """Changes a pool at random, and remembers every entry that there ever was."""

    def __init__(self, pool):
        self.pool = pool
        self.members = list(pool._members.values())
        self.lock = threading.Lock()

    def act(self, luck):
        """Do one thing; an entry that is gone by then is a `SettingsError` and nothing else."""
        name = luck.choice(NAMES)
        action = luck.choice([self.add, self.update, self.remove, self.look, self.reset])
        with contextlib.suppress(SettingsError):
            action(name, luck)

    def add(self, name, luck):
        """Add an entry, with a limit or without."""
        limits = luck.choice([{}, {"max_concurrent_requests": 2}, {"failure_threshold": 2}])
        self.pool.add(name, f"key of {name}", group=luck.choice([None, "one"]), **limits)
        member = self.pool._members.get(name)
        with self.lock:
            self.members += [member] if member else []

    def update(self, name, luck):
        """Change anything."""
        change = luck.choice(
            [
                {"weight": luck.random() + 0.1},
                {"key": f"new key of {name}"},
                {"max_concurrent_requests": luck.choice([None, 1, 3]), "tiers": None},
                {"base_url": f"http://{name}"},
                {"reset_timeout": 0, "failure_threshold": 3},
                {"group": luck.choice([None, "one", "two"])},
            ]
        )
        self.pool.update(name, **change)

    def remove(self, name, luck):
        """Remove it, unless it is the last."""
        if len(self.pool) > 2:
            self.pool.remove(name)

    def look(self, name, luck):
        """Look at everything that can be looked at."""
        stats = self.pool.get_stats()

        assert stats["endpoints_count"] == len(stats["endpoints"])
        assert set(self.pool.names()) <= set(NAMES)
        self.pool.get_stats(name)
        for look in (self.pool.resting, self.pool.generate_report, self.pool.__repr__):
            look()
        assert {*self.pool.queues, *self.pool.circuit_breakers} <= set(NAMES)

    def reset(self, name, luck):
        """Forget what was counted."""
        self.pool.reset_stats(luck.choice([name, None]))

    def all_idle(self):
        """Whether no entry that there ever was has a call, a permit or a probe left."""
        for member in self.members:
            assert 0 == member.entry.active
            if member.queue is not None:
                assert (0, 0) == (member.queue.active, member.queue.size)
        return True


def outcome_of(luck):
    """What a call comes to: mostly well."""
    fate = luck.random()
    errors = {0.1: throttled(0), 0.2: HttpError(500), 0.25: KeyboardInterrupt(), 0.253: rejected()}
    for limit, error in errors.items():
        if fate < limit:
            raise error
    return "well"


def test_sixteen_threads_use_what_others_change():
    """Eight call, by strategy and by name, and eight manage: no error but those that are meant."""
    pool = KeyPool({name: f"key of {name}" for name in NAMES}, max_concurrent_requests=3)
    manager = Manager(pool)

    @pool.inject("key")
    def fetch(luck, *, key):
        return outcome_of(luck)

    def call(luck):
        if luck.random() < 0.7:
            return fetch(luck)
        with pool.lease(luck.choice([None, *NAMES]), luck.choice([None, "two-choices"])):
            return outcome_of(luck)

    def work(index):
        luck, ended = random.Random(index), Counter()
        for _ in range(150):
            if index % 2:
                manager.act(luck)
                continue
            try:
                ended[call(luck)] += 1
            except (RefusedError, HttpError, SettingsError, KeyboardInterrupt) as error:
                ended[type(error).__name__] += 1
        return ended

    results = in_threads(16, work)

    assert [] == [result for result in results if isinstance(result, BaseException)]
    assert [150, 0] * 8 == [result.total() for result in results]
    assert manager.all_idle()
    assert {} == pool._waiters


def test_each_outcome_is_charged_to_the_entry_that_was_leased():
    """While entries of the same names come and go, each call counts on its own one."""
    pool = pool_of("abcd")
    charged, lock = Counter(), threading.Lock()
    members = set(pool._members.values())

    def work(index):
        luck = random.Random(index)
        for _ in range(200):
            if index == 0:
                name = luck.choice("abcd")
                pool.remove(name)
                pool.add(name, f"key of {name}")
                members.add(pool._members[name])
                continue
            lease = pool.take()
            lease.finish(luck.choice([None, HttpError(500)]))
            with lock:
                charged[lease.member] += 1

    assert [None] * 8 == in_threads(8, work)
    counted = {each: each.statistics.snapshot().as_dict()["total_requests"] for each in members}
    assert dict(charged) == {each: number for each, number in counted.items() if number}
    assert 7 * 200 == charged.total()


@pytest.mark.parametrize("name", ["update", "remove", "get_stats", "reset_stats", "lease"])
def test_an_entry_that_goes_in_between_is_an_unknown_one(name, monkeypatch):
    """Whatever is looked up when it is removed: a `SettingsError`, never a `KeyError`."""
    pool = pool_of("ab")
    look_up = pool._member

    def late(entry):
        if entry in pool:
            del pool._members[entry]
            pool._ring.remove(entry)
        return look_up(entry)

    monkeypatch.setattr(pool, "_member", late)
    with pytest.raises(SettingsError, match="has no entry 'a'"):
        pool.lease("a").__enter__() if name == "lease" else getattr(pool, name)("a")


def test_of_two_that_add_one_name_one_is_told():
    """The name is looked at and taken in one step."""
    pool = KeyPool()

    def work(index):
        with contextlib.suppress(SettingsError):
            pool.add("same", f"key of {index}")
            return index
        return None

    results = [result for result in in_threads(16, work) if result is not None]

    assert 1 == len(results) == len(pool)
    assert f"key of {results[0]}" == pool.take().key


@pytest.mark.parametrize("part", ["_members", "_ring.entries", "_ring.in_order"])
def test_trap_9_a_fork_in_the_midst_of_a_change_leaves_whole_entries(part):
    """What another thread had half added or removed is not there in the child; the rest is."""
    pool = pool_of("abc")
    entry = pool._ring.entries["b"]
    if part == "_members":
        del pool._members["b"]
    elif part == "_ring.entries":
        del pool._ring.entries["b"]
    else:
        pool._ring.in_order.remove(entry)
    pool.renew_after_fork()

    assert ("a", "c") == pool.names()
    assert list("acac") == [pool.take().name for _ in range(4)]


@pytest.mark.parametrize("limits", [{}, {"max_concurrent_requests": 1, "failure_threshold": 3}])
def test_trap_3_ctrl_c_at_any_point_loses_no_lease(limits):
    """Interrupted anywhere on the way to the function, key and permit are given back.

    Without a line so it is on the way back; what leaves a queue is the affair of its own tests.
    """
    pool, places = pool_of("ab", **limits), set()
    fetch = pool.inject("key")(lambda *, key: sys.settrace(None) if limits else key)
    for place in interrupted_everywhere(fetch):
        places.add(place.split(":")[0])
        held = sum(queue.active + queue.size for queue in pool.queues.values())

        assert (0, 0) == (pool.get_stats()["active_requests"], held), place

    assert "KeyChoice._choose" in places
    assert 20 < len(places)


@pytest.mark.parametrize("strategy", ["least-loaded", "weighted"])
def test_trap_3_ctrl_c_at_any_point_leaves_the_order_whole(strategy):
    """Interrupted in the midst of a choice, it still chooses by load and by weight."""
    pool = pool_of("abc", strategy=strategy)
    fetch = pool.inject("key")(lambda *, key: key)
    pool.update("c", weight=2)
    seen = Counter()
    for place in interrupted_everywhere(fetch):
        seen[place.split(":")[0].split(".")[0]] += 1
        leases = [pool.take() for _ in range(8)]

        assert Counter(a=2, b=2, c=4) == Counter(lease.name for lease in leases), place
        for lease in leases:
            lease.finish(None)

    assert {"Order"} < seen.keys()


# -- a storm ---------------------------------------------------------------------------------


def storm_pool():
    """A pool in which everything can happen: limits, lines that overflow, circuits, groups."""
    pool = KeyPool(name="storm", max_concurrent_requests=4, queue_size=100, failure_threshold=5)
    for name in NAMES:
        pool.add(name, f"key of {name}", group="one" if name < "c" else None)
    pool.update("h", queue_timeout=0)
    for name in NAMES:
        pool.update(name, reset_timeout=0, initial_retry_delay=0)
    return pool


ANSWERS = {"well", "HttpError", "KeyboardInterrupt", "CancelledError"}
REFUSALS = {each.__name__ for each in (NoKeyAvailableError, QueueFullError, QueueTimeoutError)}


def all_back(pool):
    """Whether permits, places and leases are back at nothing."""
    stats = pool.get_stats()
    held = Counter()
    for queue in pool.queues.values():
        held.update(active=queue.active, waiting=queue.size)
    counts = (stats["active_requests"], stats["queue_size"], held.total(), pool._waiters)
    return counts == (0, 0, 0, {})


def test_a_hundred_threads_are_all_answered():
    """Each call once, whatever it comes to, and nothing is left behind."""
    pool = storm_pool()

    @retry(max_retries=2, initial_retry_delay=0)
    @pool.inject("key")
    def fetch(luck, *, key):
        return outcome_of(luck)

    def work(index):
        luck, answers = random.Random(index), []
        for _ in range(10):
            try:
                answers.append(fetch(luck))
            except (Exception, KeyboardInterrupt) as error:
                answers.append(type(error).__name__)
        return answers

    with no_waiting():
        answers = [answer for answers in in_threads(100, work) for answer in answers]

    assert 1_000 == len(answers)
    assert set(answers) <= ANSWERS | REFUSALS
    assert all_back(pool)


def test_a_thousand_tasks_are_all_answered():
    """Every seventh is cancelled, wherever it is: in a line, in the request, between two keys."""
    pool = storm_pool()
    luck = random.Random(0)

    @retry(max_retries=2, initial_retry_delay=0)
    @pool.inject("key")
    async def fetch(*, key):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return outcome_of(luck)

    async def one():
        try:
            return await fetch()
        except KeyboardInterrupt as error:  # a loop would stop all its tasks
            return type(error).__name__

    async def main():
        tasks = [asyncio.create_task(one()) for _ in range(1_000)]
        for tick in range(0, 1_000, 7):
            tasks[tick].cancel()
            if not tick % 5:
                await asyncio.sleep(0)
        return await asyncio.gather(*tasks, return_exceptions=True)

    with no_waiting():
        answers = asyncio.run(main())
    named = Counter(
        type(answer).__name__ if isinstance(answer, BaseException) else answer for answer in answers
    )

    assert set(named) <= ANSWERS | REFUSALS
    assert named["well"] > 100 < named["CancelledError"]
    assert all_back(pool)
