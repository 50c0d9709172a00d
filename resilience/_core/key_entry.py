"""One entry of a key pool: whether it may serve, and until when it may not.

An entry is *ready*, *resting* (the server throttled it) or *set aside* (the server rejected the
key itself). What comes back from a rest that the server did not measure, or from being set aside,
is on *probation*: one call at a time, until one succeeds.
An entry may have a circuit of its own, which keeps it from serving as well, and a line of its
own, in which calls wait for a permit; it only asks them how they are.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

from resilience._core.key_quota import Quota

__all__ = ["Entry", "RestRules", "Trouble"]

Trouble = Literal["rate_limit", "key"]

FIRST_PAUSE = 300.0  # seconds that a rejected key is set aside; a person has to mend it
LONGEST_PAUSE = 3600.0


class Circuit(Protocol):
    """What choosing asks of the circuit of an entry."""

    def wait(self, now: float) -> float: ...

    def name(self, now: float) -> str: ...


class Line(Protocol):
    """What choosing asks of the line before an entry."""

    @property
    def size(self) -> int: ...

    @property
    def active(self) -> int: ...

    @property
    def max_concurrent_requests(self) -> int: ...


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
        active: Calls that have it, those that wait in its line included.
        circuit: Keeps it from serving while its server is down, or None.
        quota: How many requests its server allows still, where it says so; else None.
        line: Where calls wait for a permit of this entry, or None.
        rests_for: Seconds from `rests_since` on during which nobody gets it.
        trouble: Why it is not, or was not: "rate_limit", "key" or None.
        times: Troubles in a row.
        probation: Whether one call at a time may use it.
    """

    __slots__ = (
        "active",
        "circuit",
        "group",
        "last_used",
        "latency",
        "line",
        "name",
        "position",
        "probation",
        "quota",
        "rests_for",
        "rests_since",
        "rules",
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
        rules: RestRules | None = None,
    ) -> None:
        self.name = name
        self.weight = weight
        self.tiers = tiers
        self.group = group
        self.rules = rules or RestRules()
        self.circuit: Circuit | None = None
        self.line: Line | None = None
        self.position = 0  # in the order of adding
        self.active = 0
        self.quota: Quota | None = None
        self.last_used: float | None = None
        self.latency = 0.0  # a moving average
        self.rests_since = 0.0
        self.rests_for = 0.0
        self.trouble: Trouble | None = None
        self.times = 0
        self.probation = False

    @property
    def queued(self) -> int:
        """How many wait in its line."""
        return 0 if self.line is None else self.line.size

    @property
    def has_permit(self) -> bool:
        """Whether a call need not wait in its line."""
        line = self.line
        return line is None or line.active < line.max_concurrent_requests

    def serves(self, tier: int) -> bool:
        return self.tiers is None or tier in self.tiers

    def is_ready(self, now: float, *, circuits: bool = True) -> bool:
        if self.probation and self.active:
            return False
        if (self.rests_for or self.quota is not None) and self.pause(now):
            return False
        return self.circuit is None or not circuits or not self.circuit.wait(now)

    def wait(self, now: float) -> float:
        """Return the seconds that it rests still."""
        if not self.rests_for:
            return 0.0
        # A clock that went back (a test that froze and thawed it) must not make it rest for years.
        self.rests_since = min(self.rests_since, now)
        return max(0.0, self.rests_since + self.rests_for - now)

    def pause(self, now: float) -> float:
        """Return the seconds that it rests still, or has used up what its server allows."""
        wait = self.wait(now) if self.rests_for else 0.0
        return wait if self.quota is None else max(wait, self.quota.wait(now))

    def circuit_wait(self, now: float) -> float:
        """Return the seconds that its circuit keeps it from serving; infinite where held open."""
        return 0.0 if self.circuit is None else self.circuit.wait(now)

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
        self.recover()
        self.quota = None

    def recover(self) -> None:
        """Be ready at once: the server has taken the key."""
        self.trouble, self.times, self.probation = None, 0, False
        self.rests_since = self.rests_for = 0.0

    def explain(self, now: float, tier: int) -> str:
        """Return why it cannot serve, in a few words."""
        wait, circuit_wait = self.wait(now), self.circuit_wait(now)
        if not self.serves(tier):
            return "does not serve this priority"
        if wait and self.trouble == "key":
            return f"was rejected by the server and is tried again in {wait:.1f} s"
        pause = self.pause(now)
        if pause and pause >= circuit_wait:
            return f"rests for {pause:.1f} s" if pause == wait else f"is used up for {pause:.1f} s"
        if circuit_wait and self.circuit is not None:
            state = self.circuit.name(now)
            if state == "HALF-OPEN":
                return "its circuit is HALF-OPEN, and others are trying it"
            end = "until it is closed by hand" if math.isinf(circuit_wait) else ""
            return f"its circuit is {state} {end or f'for {circuit_wait:.1f} s'}"
        return "is being tried" if self.probation and self.active else "is ready by now"
