"""Which key is handed out: the strategies of the toolkit, and the user's own."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience import KeyPool, NoKeyAvailableError, Priority, SettingsError
from resilience._core.key_entry import Entry
from resilience._core.strategies import STRATEGIES
from resilience.testing import FakeClock
from tests.support.decorators import pool_of
from tests.support.keys import throttled


def play(pool, rounds, **options):
    """The names of so many leases, one after another."""
    names = ""
    for _ in range(rounds):
        with pool.lease(**options) as held:
            names += held.name
    return names


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [("round-robin", "abcabc"), ("first", "aaaaaa"), ("least-loaded", "abcabc")],
)
def test_a_strategy_by_name(strategy, expected):
    """With nothing else going on, they take entries in turn, or stay with the first."""
    assert expected == play(pool_of("abc", strategy=strategy), 6)


def test_weighted_goes_by_weight():
    """An entry of weight 3 gets three of four calls; a changed weight counts at once."""
    pool = pool_of("ab", strategy="weighted")
    pool.update("a", weight=3)

    assert Counter(a=6, b=2) == Counter(play(pool, 8))
    pool.update("b", weight=9)
    assert Counter(a=2, b=6) == Counter(play(pool, 8))


@pytest.mark.parametrize("strategy", ["least-loaded", "two-choices"])
def test_a_loaded_entry_is_spared(strategy):
    """Of two entries the one with fewer calls is taken, however chance falls."""
    pool = pool_of("ab", strategy=strategy)
    with pool.lease("a"):
        assert "bbbbbbbbbb" == play(pool, 10)


def test_a_lease_may_have_a_strategy_of_its_own():
    """Instead of the pool's, for this once."""
    pool = pool_of("abc")

    assert "aaa" == play(pool, 3, strategy="first")
    assert "cc" == play(pool, 2, strategy=lambda _: "c")
    with pytest.raises(SettingsError, match="strategy must be one of"):
        pool.lease(strategy="fastest")


def test_a_function_sees_the_candidates():
    """It gets a record for each entry that may serve now, and nothing secret."""
    seen = []
    with FakeClock() as clock:
        pool = KeyPool(strategy=seen.extend)
        pool.add("busy", "key of busy", weight=2, tiers=["HIGH", "NORMAL"])
        pool.add("resting", "key of resting")
        held = pool.take(name="busy")
        clock.advance(5)
        held.finish(None)
        pool.take(name="resting").finish(throttled(60))
        pool.take(name="busy")
        pool.take()
    (record,) = seen
    first = ("busy", 1, 0, 2, frozenset({Priority.HIGH, Priority.NORMAL}), 5, 5)

    assert first == record
    assert "key of" not in repr(record)


@pytest.mark.parametrize("choose", [lambda offered: offered[1], lambda offered: offered[1].name])
def test_a_function_returns_a_record_or_its_name(choose):
    """Both mean the same entry; here always the next but one."""
    assert "bac" == play(pool_of("abc", strategy=choose), 3)


class Strange:
    """An answer that raises where it is looked at."""

    @property
    def name(self):
        """Raise."""
        raise RuntimeError

    __hash__ = None

    def __eq__(self, other):
        """Raise."""
        raise RuntimeError("compared")


@pytest.mark.parametrize(
    "nonsense", [None, "nobody", 7, ["a"], Strange()], ids=lambda value: type(value).__name__
)
def test_nonsense_of_a_function_does_no_harm(nonsense):
    """Entries then go round."""
    assert "abca" == play(pool_of("abc", strategy=lambda _: nonsense), 4)


def test_an_entry_that_may_not_serve_is_not_taken():
    """A function cannot wake an entry that rests."""
    pool = pool_of("ab", strategy=lambda _: "a")
    pool.take(name="a").finish(throttled(60))

    assert "bb" == play(pool, 2)


def test_a_function_that_fails_is_logged_and_does_no_harm(caplog):
    """Entries then go round; the log has the traceback, and no key."""

    def broken(candidates):
        raise LookupError("key of a is not here")

    with caplog.at_level(logging.ERROR):
        assert "aba" == play(pool_of("ab", strategy=broken), 3)
    assert "LookupError" in caplog.text
    assert "broken" in caplog.text
    assert "key of a" not in caplog.text


def test_a_function_is_called_without_the_lock():
    """It may use the very pool that asks it."""
    names = []

    def nosy(candidates):
        names.append(pool.names())
        with pool.lease("b") as held:
            return held.name

    pool = pool_of("ab", strategy=nosy)

    assert "b" == play(pool, 1)
    assert [("a", "b")] == names


def test_a_function_is_not_asked_where_there_is_no_choice():
    """Not for an entry by name, and not where nobody can serve."""
    asked = []
    pool = pool_of("a", strategy=asked.append)
    pool.take(name="a").finish(throttled(60))
    with pytest.raises(NoKeyAvailableError, match="rests"):
        pool.take()

    assert [] == asked


def test_a_function_that_fails_is_one_line_in_the_log(caplog):
    """For each call one record, whatever it raises; the default serves instead."""
    with caplog.at_level(logging.ERROR):
        assert "ab" == play(pool_of("ab", strategy=lambda offered: offered[7]), 2)

    assert ["resilience.hooks"] * 2 == [record.name for record in caplog.records]
    assert all("IndexError" in record.getMessage() for record in caplog.records)


def test_an_interrupt_in_a_function_takes_nothing():
    """Ctrl-C comes out, and no entry counts a call that never began."""

    def interrupted(candidates):
        raise KeyboardInterrupt

    pool = pool_of("ab", strategy=interrupted)
    with pytest.raises(KeyboardInterrupt):
        pool.take()

    assert 0 == pool.get_stats()["active_requests"]


def test_a_slow_function_holds_nobody_up():
    """While it thinks, others get keys; what it chooses may be gone by then."""
    pool, gate, thinking = pool_of("ab"), threading.Event(), threading.Event()

    def slow(candidates):
        thinking.set()
        gate.wait()
        return "a"

    def ask():
        with pool.lease(strategy=slow) as held:
            return held.name

    with ThreadPoolExecutor(1) as executor:
        answer = executor.submit(ask)
        thinking.wait()
        try:
            assert "abab" == play(pool, 4)
            pool.take(name="a").finish(throttled(60))
        finally:
            gate.set()

        assert "b" == answer.result()


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_an_entry_that_was_tried_is_left_out(strategy):
    """In one round nobody is asked twice, however little there is to choose from."""
    pool = pool_of("abc", strategy=strategy)

    assert {"c"} == {pool.take(tried={"a", "b"}).name for _ in range(5)}
    with pytest.raises(NoKeyAvailableError):
        pool.take(tried={"a", "b", "c"})


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
def test_a_choice_looks_at_few_entries(strategy, monkeypatch):
    """Of a thousand that are ready not more than it needs, so that many keys cost no more."""
    pool = KeyPool([f"key {number}" for number in range(1_000)], strategy=strategy)
    looks, is_ready = [], Entry.is_ready

    def looked_at(entry, now, **options):
        looks.append(entry)
        return is_ready(entry, now, **options)

    monkeypatch.setattr(Entry, "is_ready", looked_at)
    for _ in range(10):
        pool.take()

    assert 20 >= len(looks)
