"""The orders in which entries are kept: who has changed is in its place at the next choice."""

from __future__ import annotations

import pytest

from resilience._core.key_entry import Entry
from resilience._core.key_orders import LoadOrder, ShareOrder
from resilience._core.keys import KeyRing, Offer
from resilience._core.strategies import STRATEGIES

ORDERED = ("least-loaded", "weighted")
pytestmark = pytest.mark.parametrize("strategy", ORDERED)


def ring_of(names):
    """A ring with these entries."""
    ring = KeyRing()
    for name in names:
        ring.add(Entry(name))
    return ring


def choose(ring, strategy, now=0.0, tier=1, **options):
    """Take the entry that the strategy chooses, and return it."""
    chosen = STRATEGIES[strategy](Offer(ring, now, tier, (), **options), 0.5)
    if chosen is not None:
        ring.take(chosen, now)
    return chosen


def names_of(ring, strategy, count, now=0.0, **options):
    """The names of so many choices, none of which ends."""
    chosen = [choose(ring, strategy, now, **options) for _ in range(count)]
    return "".join("-" if each is None else each.name for each in chosen)


def rest(ring, name, seconds, now=0.0):
    """Let an entry rest."""
    ring.trouble(ring.entries[name], "rate_limit", seconds, now, now)


def test_who_rests_is_out_until_its_time(strategy):
    """And comes back among the others at once, without another look at it before."""
    ring = ring_of("abc")
    names_of(ring, strategy, 3)
    rest(ring, "b", 10)

    assert "acacac" == names_of(ring, strategy, 6, now=9)
    assert "b" in names_of(ring, strategy, 3, now=10)


def test_a_longer_rest_holds(strategy):
    """The end of the shorter one, which comes first, changes nothing."""
    ring = ring_of("ab")
    names_of(ring, strategy, 2)
    rest(ring, "b", 10)
    names_of(ring, strategy, 1)
    rest(ring, "b", 30)

    assert "aaa" == names_of(ring, strategy, 3, now=20)
    assert "b" in names_of(ring, strategy, 2, now=30)


def test_a_new_key_ends_a_rest(strategy):
    """It is noted, as every change is."""
    ring = ring_of("ab")
    rest(ring, "b", 10)
    names_of(ring, strategy, 1)
    ring.entries["b"].renew()
    ring.note(ring.entries["b"])

    assert "b" in names_of(ring, strategy, 2)


def test_a_clock_that_went_back_wakes_them(strategy):
    """Nobody rests until the time of another clock, as by the entries themselves."""
    ring = ring_of("ab")
    names_of(ring, strategy, 2, now=1e9)
    rest(ring, "b", 10, now=1e9)
    names_of(ring, strategy, 1, now=1e9)

    assert "aa" == names_of(ring, strategy, 2, now=5)
    assert "b" in names_of(ring, strategy, 3, now=15)


def test_whoever_rests_serves_where_anybody_may(strategy):
    """Where the pool is off; and the others know nothing of it."""
    ring = ring_of("ab")
    rest(ring, "b", 10)
    names_of(ring, strategy, 1)

    assert "b" in names_of(ring, strategy, 2, takes_any=True)
    assert "aa" == names_of(ring, strategy, 2)


def test_entries_come_and_go(strategy):
    """A new one is among them, a removed one is not, nor one that serves other priorities now."""
    ring = ring_of("ab")
    names_of(ring, strategy, 2)
    ring.add(Entry("c"))
    ring.remove("a")

    assert {*"bc"} == {*names_of(ring, strategy, 4)}
    ring.entries["b"].tiers = frozenset({0})
    ring.note(ring.entries["b"])
    assert "cccc" == names_of(ring, strategy, 4)
    assert "b" in names_of(ring, strategy, 3, tier=0)


def test_nobody_is_left(strategy):
    """Where all rest, or there is no entry, nobody is chosen."""
    ring = ring_of("a")
    rest(ring, "a", 10)

    assert "-" == names_of(ring, strategy, 1)
    assert "-" == names_of(KeyRing(), strategy, 1)


def test_trap_3_calls_begin_and_end_within_a_choice(strategy, monkeypatch):
    """The garbage collector may close a stream there, and whatever that does is in its place."""
    ring = ring_of("abcd")
    held = [choose(ring, strategy) for _ in range(8)]
    is_ready = Entry.is_ready

    def interfere(entry, now, **options):
        monkeypatch.setattr(Entry, "is_ready", is_ready)
        for each in held[:6]:
            ring.give_back(each, proved=True, began=0.0, now=now)
        rest(ring, "d", 10, now)

        assert choose(ring, strategy, now).name in "abc"
        return False

    monkeypatch.setattr(Entry, "is_ready", interfere)
    names_of(ring, strategy, 1)
    active = [entry.active for entry in ring.entries.values()]

    assert 4 == sum(active)
    assert {*"abc"} == {*names_of(ring, strategy, 6)}


def test_a_choice_that_was_broken_off_leaves_no_trace(strategy, monkeypatch):
    """After a Ctrl-C in its midst nobody is missing, whoever was about to be moved."""
    ring = ring_of("abc")
    names_of(ring, strategy, 3)
    order = {"least-loaded": LoadOrder, "weighted": ShareOrder}[strategy]
    enter = order._enter
    rest(ring, "b", 10)
    names_of(ring, strategy, 1)

    def interrupted(self, entry):
        if entry.name == "b":
            raise KeyboardInterrupt
        enter(self, entry)

    with monkeypatch.context() as patch:
        patch.setattr(order, "_enter", interrupted)
        with pytest.raises(KeyboardInterrupt):
            choose(ring, strategy, 10)

    assert "b" in names_of(ring, strategy, 4, now=10)


def test_who_was_kept_from_serving_does_not_run_hot(strategy):
    """A circuit that closes lets its entry in among the others; it makes up for one call."""
    ring = ring_of("abc")
    out = ring.entries["b"]
    out.circuit = circuit = type(
        "Circuit", (), {"wait": lambda _, now: 60.0 if now < 60 else 0.0}
    )()
    for _ in range(300):
        ring.give_back(choose(ring, strategy, 1), proved=True, began=1, now=1)
    assert circuit.wait(60) == 0
    taken = []
    for _ in range(30):
        taken.append(choose(ring, strategy, 60))
        ring.give_back(taken[-1], proved=True, began=60, now=60)

    assert 10 <= taken.count(out) <= 11
