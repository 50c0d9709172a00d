"""What a key pool keeps of an entry beside its state: key, settings, line, circuit, counters."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

from resilience._circuit_breaker import KNOWN as _BREAKER_KNOWN
from resilience._circuit_breaker import CircuitBreaker
from resilience._context import Priority
from resilience._core.key_entry import Entry, RestRules
from resilience._hooks import guarded
from resilience._queue import PriorityQueue
from resilience._rules import check, fail
from resilience._users import Users
from resilience.errors import SettingsError
from resilience.telemetry.events import Transition
from resilience.telemetry.history import name_of_entry
from resilience.telemetry.statistics import CallStatistics

__all__ = [
    "LIMITS",
    "Candidate",
    "Member",
    "Secret",
    "check_limits",
    "check_line",
    "make_breaker",
    "naming",
    "wants_breaker",
]

_QUEUE = frozenset({"aging", "max_concurrent_requests", "queue_size", "queue_timeout"})
_BREAKER = _BREAKER_KNOWN - {"name"}
_REST = frozenset({"initial_retry_delay", "max_retry_delay"})
LIMITS = _QUEUE | _BREAKER | _REST  # what may be set for the pool and for each entry


class Candidate(NamedTuple):
    """What a user's strategy sees of an entry.

    Attributes:
        active: Calls that run on it.
        queued: Calls that wait for it.
        last_used: When it was handed out last, in seconds of the monotonic clock, or None.
        average_latency: Seconds, a moving average; 0 before the first answer.
    """

    name: str
    active: int
    queued: int
    weight: float
    tiers: frozenset[Priority] | None
    last_used: float | None
    average_latency: float

    @classmethod
    def of(cls, entry: Entry) -> Candidate:
        """Return the record of an entry as it is now."""
        tiers = None if entry.tiers is None else frozenset(Priority(tier) for tier in entry.tiers)
        queued = entry.queued
        return cls(
            name=entry.name,
            active=max(0, entry.active - queued),
            queued=queued,
            weight=entry.weight,
            tiers=tiers,
            last_used=entry.last_used,
            average_latency=entry.latency,
        )


class Secret:
    """A key and its server, out of the reach of `vars()`, `repr` and pickle."""

    __slots__ = ("base_url", "key")

    def __init__(self, key: str | None, base_url: str | None) -> None:
        self.key = key
        self.base_url = base_url

    def __repr__(self) -> str:
        return "<hidden>"

    def __reduce__(self) -> str:
        msg = "a key pool holds secrets and cannot be pickled"
        raise TypeError(msg)


class Pool(Protocol):
    """What a queue needs to know of the pool of its entry."""

    name: str
    users: Users


class Member:
    """One entry of a pool; its queue and its breaker are those of the decorators.

    Attributes:
        own: The limits that were given for this entry, without those of the pool.
        queue: The line before it, or None where it has no limit of its own.
        breaker: The circuit of its server, or None.
    """

    kind = "entry"
    __slots__ = ("breaker", "entry", "own", "queue", "secret", "statistics")

    def __init__(self, entry: Entry, secret: Secret, own: dict[str, Any]) -> None:
        self.entry = entry
        self.secret = secret
        self.own = own
        self.queue: PriorityQueue | None = None
        self.breaker: CircuitBreaker | None = None
        self.statistics = CallStatistics(entry.name)
        self.statistics.watch(self)

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        queued = self.entry.queued
        return {
            "active_requests": max(0, self.entry.active - queued),
            "queue_size": queued,
            "circuit_state": None if self.breaker is None else self.breaker.state,
        }

    def limit(
        self, pool: Pool, limits: Mapping[str, Any], changed: Mapping[str, Any]
    ) -> PriorityQueue | None:
        """Obey these limits, of which some have changed; return the queue that is no more.

        The pool's lock is not held: who waits already may go on at once.
        """
        first = limits.get("initial_retry_delay", 1.0)
        self.entry.rules = RestRules(first, max(first, limits.get("max_retry_delay", 60.0)))
        chosen = {name: limits[name] for name in _QUEUE if name in limits}
        if chosen.get("max_concurrent_requests") is None:
            gone, self.queue = self.queue, None
            self.entry.line = None
            return gone
        if self.queue is None:
            self.queue = PriorityQueue(name=name_of_entry(pool.name, self.entry.name), **chosen)
            self.queue.users = pool.users
            self.entry.line = self.queue
        elif _QUEUE & changed.keys():
            self.queue.queue_timeout = chosen.get("queue_timeout")
            self.queue._machine.aging = chosen.get("aging")  # noqa: SLF001 - the queue is ours
            sizes = {"max_concurrent_requests", "queue_size"} & chosen.keys()
            self.queue.resize(**{name: chosen[name] for name in sizes})
        return None


def make_breaker(
    pool: str, entry: str, limits: Mapping[str, Any], told: Callable[[], None]
) -> CircuitBreaker:
    """Return the circuit of an entry; `told` hears of each change of its state."""
    chosen = {name: limits[name] for name in _BREAKER if name in limits}
    users = chosen.pop("on_transition", None)

    def on_transition(record: Transition) -> None:
        told()
        if users is not None:
            guarded(users, record)

    return CircuitBreaker(name=name_of_entry(pool, entry), on_transition=on_transition, **chosen)


def wants_breaker(limits: Mapping[str, Any]) -> bool:
    """Return whether a setting of a circuit breaker was given."""
    return not _BREAKER.isdisjoint(limits)


def check_limits(given: Mapping[str, Any], beside: Mapping[str, Any]) -> None:
    """Check limits of a pool or an entry, which hold `beside` others; SettingsError."""
    for name, value in given.items():
        if value is not None or name != "max_concurrent_requests":  # None: no limit of its own
            check(name, value)
    if wants_breaker(given):
        make_breaker("", "", {**beside, **given}, lambda: None)


def check_line(given: Mapping[str, Any], limits: Mapping[str, Any]) -> None:
    """Refuse settings of a line that there is not; SettingsError."""
    pointless = (_QUEUE & given.keys()) - {"max_concurrent_requests"}
    if pointless and limits.get("max_concurrent_requests") is None:
        setting = min(pointless)
        fail(setting, "needs max_concurrent_requests beside it", given[setting])


@contextmanager
def naming(entry: object) -> Generator[None]:
    """Let a SettingsError say which entry it is about."""
    try:
        yield
    except SettingsError as error:
        msg = f"entry {entry!r}: {error}"
        raise SettingsError(
            msg, setting=error.setting, rule=error.rule, value=error.value
        ) from None
