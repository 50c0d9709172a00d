"""Which key next, which one rests, and until when.

An entry is *ready*, *resting* (the server throttled it) or *set aside* (the server rejected the
key itself). What comes back from a rest that the server did not measure, or from being set aside,
is on *probation*: one call at a time, until one succeeds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

__all__ = ["Entry", "KeyRing", "RestRules"]

Trouble = Literal["rate_limit", "key"]

FIRST_PAUSE = 300.0  # seconds that a rejected key is set aside; a person has to mend it
LONGEST_PAUSE = 3600.0
PROBE_GUESS = 0.1  # seconds until a probe may have answered: when others may look again


class RestRules:
    """How long an entry rests when the server does not say; seconds."""

    __slots__ = ("first", "longest")

    def __init__(self, first: float = 1.0, longest: float = 60.0) -> None:
        self.first = first
        self.longest = longest

    def rest(self, times: int) -> float:
        """Return the rest after the `times`-th throttling in a row: it doubles."""
        return min(self.longest, self.first * 2.0 ** min(times - 1, 60))

    def pause(self, times: int) -> float:
        """Return the pause after the `times`-th rejection in a row: it doubles too."""
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(times - 1, 60))


class Entry:
    """The state of one key; the key itself is not in here.

    Attributes:
        rests_for: Seconds from `rests_since` on during which nobody gets it.
        trouble: Why it is not, or was not: "rate_limit", "key" or None.
        times: Troubles in a row.
        probation: Whether one call at a time may use it.
    """

    __slots__ = (
        "active",
        "credit",
        "group",
        "last_used",
        "latency",
        "name",
        "position",
        "probation",
        "rests_for",
        "rests_since",
        "tiers",
        "times",
        "trouble",
        "weight",
    )

    def __init__(
        self,
        name: str,
        weight: float = 1.0,
        tiers: frozenset[int] | None = None,
        group: str | None = None,
        position: int = 0,
    ) -> None:
        self.name = name
        self.weight = weight
        self.tiers = tiers
        self.group = group
        self.position = position  # in the order of adding
        self.active = 0
        self.credit = 0.0  # of the smooth weighted round-robin
        self.last_used: float | None = None
        self.latency = 0.0  # a moving average
        self.rests_since = 0.0
        self.rests_for = 0.0
        self.trouble: Trouble | None = None
        self.times = 0
        self.probation = False

    def serves(self, tier: int) -> bool:
        return self.tiers is None or tier in self.tiers

    def is_ready(self, now: float) -> bool:
        return self.wait(now) == 0 and not (self.probation and self.active)

    def wait(self, now: float) -> float:
        """Return the seconds until it is ready, but for the probe that may be under way."""
        # A clock that went back (a test that froze and thawed it) must not make it rest for years.
        self.rests_since = min(self.rests_since, now)
        return max(0.0, self.rests_since + self.rests_for - now)

    def count(self, kind: Trouble, began: float) -> None:
        """Count a trouble in a row: what calls that `began` before the rest report, counts once."""
        is_late = self.trouble is not None and began < self.rests_since + self.rests_for
        if is_late and self.trouble in (kind, "key"):
            return
        self.times = self.times + 1 if self.trouble == kind else 1

    def rest(self, kind: Trouble, now: float, seconds: float, *, probation: bool) -> None:
        """Rest for so long, unless it rests for longer already; a rejected key stays rejected."""
        wait = self.wait(now)
        if not wait or self.trouble != "key":
            self.trouble, self.probation = kind, probation
        if seconds > wait:
            self.rests_since, self.rests_for = now, seconds

    def renew(self) -> None:
        """Be ready at once: the key is a new one."""
        self.trouble, self.times, self.probation = None, 0, False
        self.rests_since = self.rests_for = 0.0

    def explain(self, now: float, tier: int) -> str:
        """Return why it cannot serve, in a few words."""
        wait = self.wait(now)
        if not self.serves(tier):
            return "does not serve this priority"
        if wait and self.trouble == "key":
            return f"was rejected by the server and is tried again in {wait:.1f} s"
        if wait:
            return f"rests for {wait:.1f} s"
        return "is being tried" if self.probation and self.active else "is ready by now"


class KeyRing:
    """All entries; its driver holds a lock around every method."""

    __slots__ = ("_last", "entries", "rules")

    def __init__(self, rules: RestRules) -> None:
        self.rules = rules
        self.entries: dict[str, Entry] = {}
        self._last = -1  # the position of the entry that served last

    def candidates(self, now: float, tier: int, tried: Iterable[str]) -> list[Entry]:
        """Return the entries that may serve now, beginning after the one that served last."""
        ready = [
            entry
            for entry in self.entries.values()
            if entry.name not in tried and entry.serves(tier) and entry.is_ready(now)
        ]
        turn = bisect_right(ready, self._last, key=lambda entry: entry.position)
        return ready[turn:] + ready[:turn]

    def take(self, entry: Entry, now: float) -> None:
        """Count a call that begins on this entry."""
        entry.active += 1
        entry.last_used = now
        self._last = entry.position

    def give_back(self, entry: Entry, *, proved: bool, began: float, now: float) -> None:
        """Count a call that ended; `proved` says that the server took the key.

        What began before the rest did proves nothing about the time after it.
        """
        entry.active -= 1
        if not proved:
            return
        seconds = max(0.0, now - began)
        entry.latency = seconds if not entry.latency else 0.8 * entry.latency + 0.2 * seconds
        if began >= entry.rests_since + entry.rests_for:
            entry.renew()

    def trouble(
        self, entry: Entry, kind: Trouble, hint: float | None, began: float, now: float
    ) -> float:
        """Let an entry, and for a rate limit its whole group, rest; return for how long."""
        entry.count(kind, began)
        if kind == "key":
            seconds = max(self.rules.pause(entry.times), hint or 0.0)
        else:
            seconds = self.rules.rest(entry.times) if hint is None else hint
        probation = kind == "key" or hint is None
        entry.rest(kind, now, seconds, probation=probation)
        if kind == "rate_limit" and entry.group is not None:
            for each in self.entries.values():
                if each.group == entry.group and each is not entry:
                    each.rest(kind, now, seconds, probation=probation)
                    each.times = max(each.times, entry.times)  # what doubles is the group's rest
        return seconds

    def earliest(
        self,
        now: float,
        tier: int,
        *,
        name: str | None = None,
        only: Trouble | None = None,
        probe: float = PROBE_GUESS,
    ) -> float | None:
        """Return the seconds until somebody may be ready; None if nobody serves this priority.

        Args:
            now: The time in seconds.
            tier: The priority that is to be served.
            name: Look at this entry alone.
            only: Look only at entries with this trouble, or none.
            probe: What to say of an entry that is being tried.
        """
        waits = [
            entry.wait(now) or (probe if entry.probation and entry.active else 0.0)
            for entry in self.entries.values()
            if entry.serves(tier)
            and (name is None or entry.name == name)
            and (only is None or entry.trouble in (only, None))
        ]
        return min(waits, default=None)

    def reasons(self, now: float, tier: int) -> dict[str, str]:
        """Return for each entry why it cannot serve this priority."""
        return {name: entry.explain(now, tier) for name, entry in self.entries.items()}
