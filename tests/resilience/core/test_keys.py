"""Which keys are ready, which rest, and until when: the machine of a key pool."""

from __future__ import annotations

import pytest

from resilience._core.breaker import Breaker
from resilience._core.breaker_states import PROBE_GUESS, BreakerRules
from resilience._core.key_entry import Entry, RestRules
from resilience._core.keys import KeyRing, Offer

NORMAL = 1


def ring_of(names, **settings):
    """A ring with these entries; `settings` are those of each entry."""
    ring = KeyRing()
    for name in names:
        ring.add(Entry(name, rules=RestRules(first=1.0, longest=60.0), **settings))
    return ring


def ready(ring, now, tier=NORMAL, tried=()):
    """The names of the entries that may serve, in the order in which they are offered."""
    return "".join(entry.name for entry in Offer(ring, now, tier, tried))


def take(ring, name, now=0.0):
    """Begin a call on this entry."""
    ring.take(ring.entries[name], now)


def end(ring, name, began, now, *, proved=True):
    """End a call on this entry."""
    ring.give_back(ring.entries[name], proved=proved, began=began, now=now)


def trouble(ring, name, kind="rate_limit", hint=None, began=0.0, now=0.0):
    """Report trouble of a call on this entry; the seconds that it rests."""
    return ring.trouble(ring.entries[name], kind, hint, began, now)


def test_the_ring_goes_on_after_the_last_one():
    """Candidates begin with the one behind the last that served."""
    ring = ring_of("abc")
    orders = []
    for name in "abca":
        orders.append(ready(ring, 0))
        take(ring, name)

    assert ["abc", "bca", "cab", "abc"] == orders


def test_a_removed_entry_does_not_upset_the_order():
    """The turn is a place in the ring, not a name: the next one is still the next one."""
    ring = ring_of("abcd")
    take(ring, "b")
    ring.remove("b")

    assert "cda" == ready(ring, 0)


def test_only_those_of_the_tier_that_were_not_tried_are_offered():
    """An entry may serve some priorities; in one round each is tried once."""
    ring = ring_of("abc")
    ring.entries["a"].tiers = frozenset({0})

    assert "bc" == ready(ring, 0)
    assert "abc" == ready(ring, 0, tier=0)
    assert "ac" == ready(ring, 0, tier=0, tried={"b"})


@pytest.mark.parametrize(("hint", "rest"), [(None, 1), (7.5, 7.5), (0.25, 0.25), (600, 600)])
def test_a_throttled_entry_rests_for_as_long_as_the_server_says(hint, rest):
    """Without a word of the server, for the first rest of the rules."""
    ring = ring_of("ab")

    assert rest == trouble(ring, "a", hint=hint)
    assert "b" == ready(ring, rest - 0.01)
    assert "ab" == ready(ring, rest)


def test_a_hint_of_nothing_is_no_rest():
    """`Retry-After: 0` lets it serve at once."""
    ring = ring_of("a")

    assert 0 == trouble(ring, "a", hint=0.0)
    assert "a" == ready(ring, 0)


def test_rests_without_a_hint_double_up_to_the_longest():
    """1, 2, 4, … 60 seconds, as long as each trial fails."""
    ring, now, rests = ring_of("a"), 0.0, []
    for _ in range(8):
        take(ring, "a", now)
        rests.append(trouble(ring, "a", began=now, now=now))
        end(ring, "a", now, now, proved=False)
        now += rests[-1]

    assert [1, 2, 4, 8, 16, 32, 60, 60] == rests


def test_a_success_after_the_rest_begins_the_count_anew():
    """The next rest is the first one again."""
    ring = ring_of("a")
    trouble(ring, "a")
    trouble(ring, "a", began=1, now=1)
    take(ring, "a", 3)
    end(ring, "a", 3, 4)

    assert 1 == trouble(ring, "a", began=5, now=5)


def test_calls_that_were_throttled_together_count_once():
    """Twenty concurrent 429s are one trouble: the rest is the first one, from the last of them."""
    ring = ring_of("a")
    rests = [trouble(ring, "a", began=0, now=now / 100) for now in range(20)]

    assert [1] * 20 == rests
    assert "" == ready(ring, 1.18)
    assert "a" == ready(ring, 1.2)
    assert 2 == trouble(ring, "a", began=2, now=2)


def test_a_longer_rest_is_never_cut_short():
    """Whoever asks for longer wins, whichever comes last."""
    ring = ring_of("a")
    trouble(ring, "a", hint=30)
    trouble(ring, "a", hint=5, now=1)

    assert "" == ready(ring, 29)
    assert "a" == ready(ring, 30)


def test_a_late_success_does_not_end_a_rest():
    """A call that began before the throttling proves nothing about the time after it."""
    ring = ring_of("a")
    take(ring, "a", 0)
    take(ring, "a", 0)
    trouble(ring, "a", hint=10, now=1)
    end(ring, "a", 0, 1, proved=False)
    end(ring, "a", 0, 2)

    assert "" == ready(ring, 9)


def test_a_rest_that_was_guessed_ends_on_probation():
    """One call at a time, until one of them succeeds."""
    ring = ring_of("a")
    trouble(ring, "a")
    take(ring, "a", 1)

    assert "" == ready(ring, 1.5)
    end(ring, "a", 1, 2, proved=False)
    assert "a" == ready(ring, 2)
    take(ring, "a", 2)
    end(ring, "a", 2, 3)
    take(ring, "a", 3)
    assert "a" == ready(ring, 3)


def test_a_rest_that_was_measured_ends_for_all():
    """The server said when: from then on everybody may come."""
    ring = ring_of("a")
    trouble(ring, "a", hint=1)
    take(ring, "a", 1)

    assert "a" == ready(ring, 1)


def test_a_rejected_key_is_set_aside_with_growing_pauses():
    """Five minutes, doubling up to an hour, each ended by one trial."""
    ring, now, pauses = ring_of("ab"), 0.0, []
    for _ in range(6):
        take(ring, "a", now)
        pauses.append(trouble(ring, "a", "key", began=now, now=now))
        end(ring, "a", now, now, proved=False)
        assert "b" == ready(ring, now + pauses[-1] - 1)
        now += pauses[-1]

    assert [300, 600, 1200, 2400, 3600, 3600] == pauses
    take(ring, "a", now)
    assert "b" == ready(ring, now)


def test_a_server_may_ask_for_a_longer_pause():
    """A hint with a rejection makes the pause longer, never shorter."""
    assert 900 == trouble(ring_of("a"), "a", "key", hint=900)
    assert 300 == trouble(ring_of("a"), "a", "key", hint=1)


def test_troubles_of_different_kinds_are_counted_apart():
    """Many throttlings do not make the first pause of a rejected key longer."""
    ring = ring_of("a")
    for now in (0, 10, 20, 30):
        trouble(ring, "a", began=now, now=now)

    assert 300 == trouble(ring, "a", "key", began=100, now=100)
    assert 1 == trouble(ring, "a", began=400, now=400)


@pytest.mark.parametrize("hint", [None, 5, 900])
def test_a_rejected_key_stays_rejected(hint):
    """A throttling that is reported late neither ends the pause nor the probation after it."""
    ring = ring_of("a")
    trouble(ring, "a", "key", now=1)
    trouble(ring, "a", hint=hint, now=2)
    wakes = max(301, 2 + (hint or 0))

    assert "" == ready(ring, wakes - 0.1)
    assert "rejected" in ring.reasons(wakes - 0.1, NORMAL)["a"]
    take(ring, "a", wakes)
    assert "" == ready(ring, wakes)
    assert 600 == trouble(ring, "a", "key", began=wakes, now=wakes)


def test_a_throttled_key_may_turn_out_to_be_rejected():
    """What is worse wins, at once."""
    ring = ring_of("a")
    trouble(ring, "a", hint=5)
    trouble(ring, "a", "key", now=1)

    assert "" == ready(ring, 300)
    assert ring.earliest(1, NORMAL, only="rate_limit") is None


def test_a_group_rests_together():
    """Keys of one account's quota rest when one of them is throttled; a stranger does not."""
    ring = ring_of("abcd")
    for name in "abc":
        ring.entries[name].group = "one"
    trouble(ring, "b", hint=10)

    assert "d" == ready(ring, 9)
    assert "abcd" == ready(ring, 10)


def test_the_rest_of_a_group_doubles_as_one():
    """Whichever of them is tried next: the account is still throttled."""
    ring = ring_of("ab", group="one")

    assert 1 == trouble(ring, "a")
    assert 2 == trouble(ring, "b", began=1, now=1)
    assert 4 == trouble(ring, "a", began=3, now=3)


def test_only_the_rejected_key_of_a_group_is_set_aside():
    """A key that was revoked says nothing about the others of its account."""
    ring = ring_of("ab", group="one")
    trouble(ring, "a", "key")

    assert "b" == ready(ring, 0)


def test_a_group_does_not_wake_a_rejected_key():
    """A throttling of the group leaves a rejected member set aside, and on probation after it."""
    ring = ring_of("ab", group="one")
    trouble(ring, "a", "key")
    trouble(ring, "b", hint=5, now=1)

    assert "b" == ready(ring, 299)
    take(ring, "a", 300)
    assert "b" == ready(ring, 300)


def test_a_removed_entry_still_speaks_for_its_group():
    """A call that ends after its entry was removed is charged to that entry, not to a new one."""
    ring = ring_of("ab", group="one")
    gone = ring.remove("a")
    ring.trouble(gone, "rate_limit", 10, 0, 0)
    ring.give_back(gone, proved=False, began=0, now=0)
    ring.add(Entry("a"))

    assert "a" == ready(ring, 5)


def test_a_new_key_is_ready_at_once():
    """Nothing that the old one did is held against it."""
    ring = ring_of("a")
    trouble(ring, "a", "key")
    ring.entries["a"].renew()
    take(ring, "a", 0)

    assert "a" == ready(ring, 0)
    assert 300 == trouble(ring, "a", "key", began=1, now=1)


def test_the_earliest_waking():
    """The shortest wait among those that serve the tier; None where nobody does."""
    ring = ring_of("abc")
    ring.entries["c"].tiers = frozenset({0})
    trouble(ring, "a", hint=30)
    trouble(ring, "b", hint=20)

    assert 20 == ring.earliest(0, NORMAL)
    assert 15 == ring.earliest(5, NORMAL)
    assert 25 == ring.earliest(5, NORMAL, name="a")
    assert 0 == ring.earliest(5, 0)
    assert ring.earliest(5, NORMAL, name="c") is None
    assert KeyRing().earliest(0, NORMAL) is None


def test_the_earliest_waking_while_one_is_tried():
    """Nobody knows how long the trial takes: there is a guess, or what the asker says."""
    ring = ring_of("a")
    trouble(ring, "a")
    take(ring, "a", 1)

    assert PROBE_GUESS == ring.earliest(1, NORMAL)
    assert 99 == ring.earliest(1, NORMAL, probe=99)


def test_every_entry_says_why_it_cannot_serve():
    """A few words for each, with the seconds that are left."""
    ring = ring_of("abcde")
    ring.entries["a"].tiers = frozenset({0})
    trouble(ring, "b", hint=12.34)
    trouble(ring, "c", "key")
    trouble(ring, "d", hint=None)
    take(ring, "d", 1)
    expected = {
        "a": "does not serve this priority",
        "b": "rests for 11.3 s",
        "c": "was rejected by the server and is tried again in 299.0 s",
        "d": "is being tried",
        "e": "is ready by now",
    }

    assert expected == ring.reasons(1, NORMAL)


@pytest.mark.parametrize(
    ("rest", "reason"), [(5, "its circuit is OPEN for 30.0 s"), (60, "rests for 60.0 s")]
)
def test_the_reason_is_what_lasts_longer(rest, reason):
    """Of a rest and an open circuit, since that is when it may serve."""
    ring, breaker = ring_of("a"), Breaker(BreakerRules(failure_threshold=1))
    ring.entries["a"].circuit = breaker
    breaker.record(breaker.permit, failed=True, now=0)
    trouble(ring, "a", hint=rest)

    assert {"a": reason} == ring.reasons(0, NORMAL)
    assert max(rest, 30) == ring.earliest(0, NORMAL)
    assert ring.earliest(0, NORMAL, circuits=False) is None


def test_a_clock_that_went_back_does_not_make_a_key_rest_for_years():
    """Thawed after a freezer that was far ahead, it rests for its time from now."""
    ring = ring_of("a")
    trouble(ring, "a", hint=10, began=1e9, now=1e9)

    assert "" == ready(ring, 100)
    assert "a" == ready(ring, 110)


def test_latency_is_a_moving_average_of_answers():
    """A fifth of each new answer; what failed without an answer says nothing."""
    ring = ring_of("a")
    for seconds, proved in ((10, True), (20, True), (99, False)):
        take(ring, "a", 0)
        end(ring, "a", 0, seconds, proved=proved)

    assert pytest.approx(12) == ring.entries["a"].latency
    assert 0 == ring.entries["a"].active
