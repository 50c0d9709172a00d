"""A key ring under random calls, against a model that only remembers what was reported."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from resilience._core.key_entry import Entry
from resilience._core.keys import KeyRing, Offer
from resilience._core.strategies import DEFAULT, STRATEGIES

TIERS = (0, 1, 2)
PICK = st.integers(0, 59)
WEIGHT = st.sampled_from([0.5, 1.0, 1.0, 4.0])  # sums of their turns are exact
GROUP = st.sampled_from([None, None, "one"])
RESTS = {"rate_limit": {2.0**n for n in range(6)} | {60.0}, "key": {300.0, 600, 1200, 2400, 3600}}


def load(entry):
    """What one call more would be for this entry."""
    return (entry.active + 1) / entry.weight


class PlainShares:
    """The shares of one priority by definition: whoever serves it and does not rest is compared."""

    def __init__(self):
        self.time = 0.0
        self.turns = {}  # of each entry that is in: its weight, and when its turn begins

    def choose(self, present, offered):
        """Of the offered whose turn has begun, the one whose turn ends first; time goes on.

        Where nobody's has, time goes on to the turn that begins next.
        """
        self.turns = {
            entry: self.turns[entry]
            if self.turns.get(entry, (None,))[0] == entry.weight
            else (entry.weight, self.time)
            for entry in present
        }
        while not (begun := [each for each in offered if self.begin(each) <= self.time]):
            later = [begin for _, begin in self.turns.values() if begin > self.time]
            if not later:
                return None
            self.time = min(later)
        chosen = min(begun, key=lambda each: (self.begin(each) + 1 / each.weight, each.position))
        self.time += 1 / sum(entry.weight for entry in present)
        end = self.begin(chosen) + 1 / chosen.weight
        self.turns[chosen] = chosen.weight, max(end, self.time - 1 / chosen.weight)
        return chosen

    def begin(self, entry):
        """When the turn of an entry begins."""
        return self.turns[entry][1]


class Facts:
    """What the model knows of an entry: reports since it was last proved, and calls under way."""

    def __init__(self):
        self.reports = []  # (until when it rests, whether somebody measured it)
        self.running = []  # when the calls began
        self.served_before = set()  # the others that were taken while it was offered too

    def until(self):
        """When its rests are over."""
        return max((until for until, _ in self.reports), default=0)

    def may_be_on_probation(self):
        """Whether one of its rests was guessed."""
        return any(not measured for _, measured in self.reports)

    def must_be_on_probation(self):
        """Whether all of them were."""
        return bool(self.reports) and not any(measured for _, measured in self.reports)


class KeyRingMachine(RuleBasedStateMachine):
    """Calls begin and end in any order while time goes on and entries come and go."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.ring = KeyRing()
        self.facts = {}  # of every entry that there ever was
        self.leases = []  # (entry, when it began)
        self.shares = {tier: PlainShares() for tier in TIERS}
        self.added = 0

    def take_lease(self, pick):
        """Choose a call that is under way; it ends now."""
        entry, began = self.leases.pop(pick % len(self.leases))
        self.facts[entry].running.remove(began)
        return entry, began

    @initialize(groups=st.tuples(GROUP, GROUP, GROUP))
    def begin_with_some(self, groups):
        """There are three entries at first, which serve everybody."""
        for group in groups:
            self.add(group, None)

    def add(self, group, tiers, weight=1.0):
        """A new entry is ready at once."""
        self.added += 1
        entry = Entry(f"{self.added}", weight, tiers, group)
        self.ring.add(entry)
        self.facts[entry] = Facts()

    @rule(
        change=st.sampled_from(["add", "remove", "renew", "weigh"]),
        pick=PICK,
        group=GROUP,
        tiers=st.sampled_from([None, frozenset({0}), frozenset({1, 2})]),
        weight=WEIGHT,
    )
    def manage(self, change, pick, group, tiers, weight):
        """Entries come; they go, while their calls go on; a new key is a new beginning."""
        entries = list(self.ring.entries.values())
        if change == "add" and len(entries) < 4:
            self.add(group, tiers, weight)
        elif change == "weigh":
            entries[pick % len(entries)].weight = weight
            self.ring.note(entries[pick % len(entries)])
        elif change == "remove" and len(entries) > 1:
            self.ring.remove(entries[pick % len(entries)].name)
        elif change == "renew":
            entry = entries[pick % len(entries)]
            entry.renew()
            self.ring.note(entry)
            self.facts[entry].reports = []

    @rule(
        tier=st.sampled_from(TIERS),
        strategy=st.sampled_from([DEFAULT, *STRATEGIES]),
        random=st.sampled_from([0.0, 0.6]),
        times=st.integers(1, 4),
    )
    def begin(self, tier, strategy, random, times):
        """Calls take what a strategy chooses, mostly the next one."""
        for _ in range(times):
            offer = Offer(self.ring, self.now, tier, ())
            offered, chosen = list(offer), STRATEGIES[strategy](offer, random)

            assert bool(offered) is (chosen is not None)
            if strategy == "weighted":
                self.check_share(tier, offered, chosen)
            if chosen is None:
                return
            if strategy == "least-loaded":
                assert load(chosen) == min(map(load, offered))
            self.ring.take(chosen, self.now)
            self.leases.append((chosen, self.now))
            self.facts[chosen].running.append(self.now)
            self.check_fairness(offered, chosen, is_fair=strategy == DEFAULT)

    def check_share(self, tier, offered, chosen):
        """The weighted choice is that of the plain definition, whatever has happened before."""
        serving = [each for each in self.ring.entries.values() if each.serves(tier)]
        present = [each for each in serving if not each.wait(self.now)]

        assert chosen is self.shares[tier].choose(present, offered)

    def check_fairness(self, offered, chosen, *, is_fair):
        """Under round-robin nobody is served twice while another one is ready all the time."""
        for entry, facts in self.facts.items():
            if entry is chosen or entry not in offered or not is_fair:
                facts.served_before = set()
            else:
                assert chosen not in facts.served_before
                facts.served_before.add(chosen)

    @precondition(lambda self: self.leases)
    @rule(pick=PICK, proved=st.booleans())
    def end(self, pick, proved):
        """An answer that the key was good for proves it, if the call began after the rest."""
        entry, began = self.take_lease(pick)
        self.ring.give_back(entry, proved=proved, began=began, now=self.now)
        if proved and began >= self.facts[entry].until():
            self.facts[entry].reports = []

    @precondition(lambda self: self.leases)
    @rule(
        pick=PICK,
        kind=st.sampled_from(["rate_limit", "rate_limit", "key"]),
        hint=st.sampled_from([None, None, 0.0, 0.5, 5.0, 100.0]),
    )
    def fail(self, pick, kind, hint):
        """Trouble makes the entry rest, and with a rate limit its group; never somebody else."""
        entry, began = self.take_lease(pick)
        seconds = self.ring.trouble(entry, kind, hint, began, self.now)
        self.ring.give_back(entry, proved=False, began=began, now=self.now)
        measured = kind == "rate_limit" and hint is not None

        assert seconds == hint if measured else seconds in RESTS[kind]
        for each, facts in self.facts.items():
            is_mate = each in self.ring.entries.values() and each.group == entry.group
            if each is entry or (kind == "rate_limit" and entry.group and is_mate):
                facts.reports.append((self.now + seconds, measured))

    @rule(seconds=st.sampled_from([0.5, 0.5, 0.5, 1.0, 4.0, 60.0, 300.0, 4000.0]))
    def wait(self, seconds):
        """Time goes on."""
        self.now += seconds

    @invariant()
    def nothing_in_flight_is_lost(self):
        """Each entry counts exactly the calls that are under way on it."""
        for entry, facts in self.facts.items():
            assert len(facts.running) == entry.active

    @invariant()
    def exactly_the_ready_ones_are_offered(self):
        """Never one that rests, always one that does not, and one call at a time on probation."""
        for tier in TIERS:
            offered = list(Offer(self.ring, self.now, tier, ()))
            for entry in self.ring.entries.values():
                facts = self.facts[entry]
                if entry in offered:
                    assert self.now >= facts.until()
                    assert entry.serves(tier)
                    assert not (facts.must_be_on_probation() and facts.running)
                elif entry.serves(tier):
                    is_tried = facts.may_be_on_probation() and facts.running
                    assert self.now < facts.until() or is_tried

    @invariant()
    def the_waking_is_true(self):
        """At the time that it names, and not before, somebody is ready, unless one is tried."""
        earliest = self.ring.earliest(self.now, 1, probe=0.0)
        serving = [entry for entry in self.ring.entries.values() if entry.serves(1)]

        assert (earliest is None) is not bool(serving)
        if serving:
            untils = [self.facts[entry].until() for entry in serving]
            assert max(0.0, min(untils) - self.now) == earliest


TestKeyRing = KeyRingMachine.TestCase
