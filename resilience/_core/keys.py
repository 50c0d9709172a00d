"""Which key next, and when the first one is ready that is not now."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterator
from copy import copy
from operator import attrgetter

from resilience._core.breaker_states import PROBE_GUESS
from resilience._core.key_entry import Entry, Trouble
from resilience._core.key_orders import Order
from resilience._core.key_quota import Quota, Told

__all__ = ["KeyRing", "Offer"]

_position = attrgetter("position")


class Offer:
    """Who may serve one call now, in turn: after the one that served last.

    It is looked at one by one, so that a choice need not look at all.

    Args:
        ring: All entries.
        now: The time in seconds.
        tier: The priority that is to be served.
        tried: The names of entries that are out of the question.
        takes_any: Whether those that rest, and those of open circuits, may serve too.
        circuits: Whether an open circuit keeps an entry from serving.
    """

    __slots__ = ("_circuits", "_now", "_ring", "_takes_any", "_tier", "_tried")

    def __init__(
        self,
        ring: KeyRing,
        now: float,
        tier: int,
        tried: Collection[str],
        *,
        takes_any: bool = False,
        circuits: bool = True,
    ) -> None:
        self._ring = ring
        self._now = now
        self._tier = tier
        self._tried = tried
        self._takes_any = takes_any
        self._circuits = circuits

    def allows(self, entry: Entry) -> bool:
        """Return whether this entry may serve."""
        tiers = entry.tiers
        if tiers is not None and self._tier not in tiers:
            return False
        if self._tried and entry.name in self._tried:
            return False
        return self._takes_any or entry.is_ready(self._now, circuits=self._circuits)

    def __iter__(self) -> Iterator[Entry]:
        return filter(self.allows, self._ring.in_turn())

    @property
    def everybody(self) -> list[Entry]:
        """All entries in the order of adding, whether they may serve or not."""
        return self._ring.in_order

    def in_order(self) -> Iterator[Entry]:
        """Return those who may serve, in the order of adding."""
        return filter(self.allows, self.everybody)

    def first_by(self, kind: type[Order]) -> Entry | None:
        """Return the first one who may serve of such an order; the next in turn within a choice."""
        order = self._ring.order(kind, self._tier, takes_any=self._takes_any)
        if order.is_choosing:
            return next(iter(self), None)
        return order.choose(self._now, self.allows)


class KeyRing:
    """All entries; its driver holds a lock around every method."""

    __slots__ = ("_added", "_last", "_orders", "entries", "in_order")

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.in_order: list[Entry] = []  # of adding
        self._orders: dict[tuple[type[Order], int, bool], Order] = {}  # those that were asked for
        self._added = 0
        self._last = 0  # the position of the entry that served last, counted from 1

    def add(self, entry: Entry) -> None:
        """Put an entry behind all others."""
        self._added += 1
        entry.position = self._added
        self.entries[entry.name] = entry
        self.in_order.append(entry)
        self.note(entry)

    def remove(self, name: str) -> Entry:
        """Hand an entry out no more, and return it."""
        entry = self.entries.pop(name)
        self.in_order.remove(entry)
        self.note(entry)
        return entry

    def renew(self, names: Collection[str]) -> None:
        """Forget the calls in flight, which are those of another process, and all but these names.

        The entries are copies then: what this process has inherited is given back to the old ones.
        """
        known = (each for each in self.in_order if each.name in self.entries and each.name in names)
        self.in_order = [copy(entry) for entry in known]
        for entry in self.in_order:
            entry.active, entry.quota = 0, None
        self.entries = {entry.name: entry for entry in self.in_order}
        self._orders = {}

    def in_turn(self) -> Iterator[Entry]:
        """Return all entries, those first that come after the one that served last."""
        entries, turn = self.in_order, self._last
        if self._added != len(entries):  # one was removed: positions are places no more
            turn = bisect_right(entries, turn, key=_position)
        return map(entries.__getitem__, range(turn - len(entries), turn))

    def order(self, kind: type[Order], tier: int, *, takes_any: bool) -> Order:
        """Return the entries that serve a priority in such an order."""
        order = self._orders.get((kind, tier, takes_any))
        if order is None or not order.is_whole:
            order = kind(self.entries, self.in_turn(), tier, takes_any=takes_any)
            self._orders[kind, tier, takes_any] = order
        return order

    def note(self, entry: Entry) -> None:
        """Take note that something has changed by which entries are ordered or left out."""
        for order in self._orders.values():
            order.noted[entry] = None

    def take(self, entry: Entry, now: float) -> None:
        """Count a call that begins on this entry."""
        if self._orders:
            self.note(entry)  # first: nothing may come between the count and what follows it
        entry.active += 1
        entry.last_used = now
        self._last = entry.position

    def give_back(self, entry: Entry, *, proved: bool, began: float, now: float) -> None:
        """Count a call that ended; `proved` says that the server took the key.

        What began before the rest did proves nothing about the time after it.
        """
        if self._orders:
            self.note(entry)
        entry.active -= 1
        if proved:
            seconds = now - began if now > began else 0.0
            entry.latency = 0.8 * entry.latency + 0.2 * seconds if entry.latency else seconds
            if entry.trouble is not None and began >= entry.rests_since + entry.rests_for:
                entry.recover()
                self.note(entry)

    def tell(self, entry: Entry, said: Told, number: int, began: float, now: float) -> None:
        """Take what an answer says of the quota of a key.

        Not for a group, whose keys use up one quota together, nor where the reset is further away
        than the longest rest: to be refused may be better than to wait for that.
        """
        if entry.group is None and said.reset <= entry.rules.longest:
            entry.quota = entry.quota or Quota()
            entry.quota.told(said, number, began, now)

    def trouble(
        self, entry: Entry, kind: Trouble, hint: float | None, began: float, now: float
    ) -> float:
        """Let an entry, and for a rate limit its whole group, rest; return for how long."""
        entry.count(kind, began)
        if kind == "key":
            seconds = max(entry.rules.pause(entry.times), hint or 0.0)
        else:
            seconds = entry.rules.rest(entry.times) if hint is None else hint
        probation = kind == "key" or hint is None
        entry.rest(kind, now, seconds, probation=probation)
        self.note(entry)
        if kind == "rate_limit" and entry.group is not None:
            for each in self.in_order:
                if each.group == entry.group and each is not entry:
                    each.rest(kind, now, seconds, probation=probation)
                    each.times = max(each.times, entry.times)  # what doubles is the group's rest
                    self.note(each)
        return seconds

    def earliest(
        self,
        now: float,
        tier: int,
        *,
        name: str | None = None,
        only: Trouble | None = None,
        circuits: bool = True,
        probe: float = PROBE_GUESS,
    ) -> float | None:
        """Return the seconds until somebody may be ready; None if nobody ever is.

        Args:
            now: The time in seconds.
            tier: The priority that is to be served.
            name: Look at this entry alone.
            only: Look only at entries with this trouble, or none.
            circuits: Look as well at those that their circuit keeps from serving.
            probe: What to say of an entry that is being tried.
        """
        waits = [
            max(entry.pause(now), entry.circuit_wait(now))
            or (probe if entry.probation and entry.active else 0.0)
            for entry in self.in_order
            if entry.serves(tier)
            and (name is None or entry.name == name)
            and (only is None or entry.trouble in (only, None))
            and (circuits or not entry.circuit_wait(now))
        ]
        earliest = min(waits, default=None)
        return None if earliest == math.inf else earliest

    def reasons(self, now: float, tier: int) -> dict[str, str]:
        """Return for each entry why it cannot serve this priority."""
        return {entry.name: entry.explain(now, tier) for entry in self.in_order}
