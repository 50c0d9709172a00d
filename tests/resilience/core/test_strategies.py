"""How one of the ready entries is chosen."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.key_entry import Entry
from resilience._core.keys import KeyRing, Offer
from resilience._core.strategies import DEFAULT, STRATEGIES

ROUNDING = 1e-9


def ring_of(entries):
    """A ring with these entries."""
    ring = KeyRing()
    for entry in entries:
        ring.add(entry)
    return ring


def play(strategy, entries, rounds, random=0.5, *, keep=False):
    """The names that a strategy takes in so many calls, each ended at once unless they are kept."""
    ring = ring_of(entries)
    taken = ""
    for number in range(rounds):
        chosen = STRATEGIES[strategy](Offer(ring, number, 1, ()), random)
        ring.take(chosen, number)
        taken += chosen.name
        if not keep:
            ring.give_back(chosen, proved=True, began=number, now=number)
    return taken


def entries(*weights):
    """Entries a, b, … of these weights."""
    return [Entry(name, weight) for name, weight in zip("abcdef", weights, strict=False)]


def test_round_robin_takes_them_in_turn():
    """Everybody is next once in a round; it is the default."""
    assert "abcabca" == play(DEFAULT, entries(1, 1, 1), 7)


def test_first_stays_with_the_first():
    """The others are for when it cannot serve."""
    some = entries(1, 1, 1)

    assert "aaa" == play("first", some, 3)
    some[0].rest("rate_limit", 0, 99, probation=False)
    assert "bbb" == play("first", some, 3)


def test_least_loaded_takes_the_one_with_the_fewest_calls():
    """In turn where several are equal, and by weight where they are not."""
    assert "abcabc" == play("least-loaded", entries(1, 1, 1), 6, keep=True)
    assert Counter(a=6, b=3) == Counter(play("least-loaded", entries(2, 1), 9, keep=True))
    some = entries(1, 1)
    some[0].active = 5
    assert "bbbb" == play("least-loaded", some, 4)


def test_weighted_spreads_by_weight():
    """5, 1 and 1 of seven, evenly spread and not in a row."""
    assert "abaacaa" == play("weighted", entries(5, 1, 1), 7)
    assert "abacadabacad" == play("weighted", entries(3, 1, 1, 1), 12)
    assert Counter(a=500, b=100, c=100) == Counter(play("weighted", entries(5, 1, 1), 700))


@pytest.mark.parametrize("weights", [(5, 1, 1), (0.1, 0.3, 0.7), (3, 3, 7, 11)])
def test_weighted_does_not_drift(weights):
    """Fractions that add up to one only nearly give nobody a call more."""
    counts = Counter()
    for number, name in enumerate(play("weighted", entries(*weights), 3_000), start=1):
        counts[name] += 1
        for each, weight in zip("abcdef", weights, strict=False):
            assert 1 + ROUNDING > abs(counts[each] - number * weight / sum(weights))


@given(
    weights=st.lists(st.floats(0.1, 10), min_size=1, max_size=5),
    rounds=st.integers(1, 300),
)
def test_weighted_is_never_far_from_the_share(weights, rounds):
    """After any number of calls each entry has had its share, to less than one call."""
    counts = Counter(play("weighted", entries(*weights), rounds))
    for name, weight in zip("abcdef", weights, strict=False):
        share = rounds * weight / sum(weights)

        assert 1 + ROUNDING > abs(counts[name] - share)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_two_choices_looks_at_two_different_ones(count):
    """Each pair is as likely as any other, and the less loaded of the two is taken."""
    some = entries(*[1] * count)
    ranked = some[::-1]  # the least loaded first
    for load, entry in enumerate(ranked):
        entry.active = load
    draws = 60 * count * max(1, count - 1)
    pick, offer = STRATEGIES["two-choices"], Offer(ring_of(some), 0, 1, ())
    taken = Counter(pick(offer, number / draws).name for number in range(draws))
    pairs = max(1, count * (count - 1))
    expected = {
        entry.name: draws * 2 * worse // pairs
        for worse, entry in zip(range(count - 1, 0, -1), ranked, strict=False)
    }

    assert (expected or {"a": draws}) == taken


@given(
    strategy=st.sampled_from(sorted(STRATEGIES)),
    weights=st.lists(st.floats(0.1, 100), min_size=1, max_size=6),
    random=st.floats(0, 1, exclude_max=True),
)
def test_a_strategy_takes_one_of_the_candidates(strategy, weights, random):
    """Whatever the weights and whatever chance says."""
    some = entries(*weights)

    assert STRATEGIES[strategy](Offer(ring_of(some), 0, 1, ()), random) in some
    assert STRATEGIES[strategy](Offer(KeyRing(), 0, 1, ()), random) is None
