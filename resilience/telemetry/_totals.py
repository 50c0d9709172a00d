"""Counts of one name, or of several added up, and the dictionary that shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from types import NoneType
from typing import Any, NoReturn, Protocol

from resilience.telemetry.histogram import Histogram
from resilience.telemetry.timeline import Timeline

__all__ = ["ATTEMPT", "GRAVEST_FIRST", "RETRIED", "TOKENS", "Totals", "Watched", "count"]

ATTEMPT, RETRIED = "attempt", "retried attempt"  # that failed
GRAVEST_FIRST = ("OPEN", "HALF-OPEN", "DISABLED", "CLOSED")  # states of circuits

# What a model counts, in the order in which it is shown.
TOKENS = (
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_MOST_TYPES = 100  # errors and models that are told apart; what comes later is "other"
_COUNTERS = ("outcomes", "counts", "errors", "attempt_errors", "models")


class _Empty(Counter[str]):
    """Stands for each that has counted nothing yet."""

    def __setitem__(self, name: str, number: int) -> NoReturn:
        msg = f"{name!r} is counted in Totals.own(...)"
        raise TypeError(msg)


_NONE = _Empty()


class Watched(Protocol):
    """A layer, or an entry of a pool, that has values that change."""

    @property
    def kind(self) -> str:
        """What it is called among the layers of a function."""
        ...

    def live(self) -> dict[str, Any]:
        """Return the values as they are now: sizes, states."""
        ...


class Totals:
    """Counts of one name, or of several added up.

    Attributes:
        live: What is so just now: sizes, states; `entries` holds those of its pools, by name.
    """

    __slots__ = (*_COUNTERS, "latency", "live", "timeline", "tokens")

    def __init__(self) -> None:
        self.latency = Histogram()
        self.timeline = Timeline()
        # Most functions never need most of them; what is written to is had by `own`.
        self.outcomes: Counter[str] = _NONE
        self.counts: Counter[str] = _NONE  # retries, timeouts, cooldowns, tokens
        self.errors: Counter[str] = _NONE  # of calls
        self.attempt_errors: Counter[str] = _NONE
        self.models: Counter[str] = _NONE
        self.tokens: dict[str, Counter[str]] = {}  # by model
        self.live: dict[str, Any] = {}

    def own(self, name: str) -> Counter[str]:
        """Return the counter of that name, made when it is first written to."""
        counter: Counter[str] = getattr(self, name)
        if counter is _NONE:
            counter = Counter()
            setattr(self, name, counter)
        return counter

    @property
    def requests(self) -> int:
        """Calls that ended."""
        return sum(self.outcomes.values())

    def add(self, other: Totals) -> None:
        """Add the counts of `other`; what is live adds up in no such way."""
        self.latency.merge(other.latency)
        self.timeline.merge(other.timeline)
        for name in _COUNTERS:
            if counted := getattr(other, name):
                self.own(name).update(counted)
        for model, tokens in other.tokens.items():
            self.tokens.setdefault(model, Counter()).update(tokens)

    def add_all(self, others: Iterable[Totals]) -> Totals:
        """Add the counts of these, and what is live in their queues; return itself."""
        for other in others:
            self.add(other)
            for field in ("queue_size", "active_requests"):
                self.live[field] = self.live.get(field, 0) + other.live.get(field, 0)
            states = (self.live.get("circuit_state"), other.live.get("circuit_state"))
            self.live["circuit_state"] = next(
                (each for each in GRAVEST_FIRST if each in states), None
            )
        return self

    def used(self, model: str | None, tokens: dict[str, int]) -> None:
        """Count what one request to a model consumed."""
        counters = [self.own("counts")]
        if model:
            known = count(self.own("models"), model)
            counters.append(self.tokens.setdefault(known, Counter()))
        for kind, number in tokens.items():
            for each in counters:
                each[kind] += number

    def failed(self, kind: type, what: str, seconds: float | None, number: int) -> None:
        """Count so many attempts or calls that ended by an exception of this kind.

        Args:
            kind: The type of the exception; `NoneType` of an attempt whose result was not good
                enough.
            what: "attempt", "retried attempt", or the outcome of a call.
            seconds: How long a failed call took.
            number: How many there were.
        """
        if what in (ATTEMPT, RETRIED):
            self.own("counts")["retries"] += number * (what == RETRIED)
            if kind is not NoneType:
                count(self.own("attempt_errors"), kind.__name__, number)
            return
        self.own("outcomes")[what] += number
        if seconds is not None:
            self.latency.extend((seconds,) * number)
            self.own("counts")["timeouts"] += number * issubclass(kind, TimeoutError)
        if what != "cancelled":
            count(self.own("errors"), kind.__name__, number)

    def counters(self, more: int = 0) -> tuple[int, ...]:
        """Return what the timeline follows, with so many successes `more`."""
        ended = self.outcomes.get  # which, unlike `[]`, is C alone
        return (
            ended("success", 0) + more,
            ended("failure", 0),
            ended("refused", 0),
            ended("cancelled", 0),
            self.counts.get("retries", 0),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plain dictionary that `get_stats` promises."""
        latency, live = self.latency, self.live
        entries: dict[str, Totals] = live.get("entries", {})
        return {
            "total_requests": self.requests,
            "successful_requests": self.outcomes["success"],
            "failed_requests": self.outcomes["failure"],
            "refused_requests": self.outcomes["refused"],
            "cancelled_requests": self.outcomes["cancelled"],
            "timeouts": self.counts["timeouts"],
            "retries": self.counts["retries"],
            "cooldowns": sum(each.counts["cooldowns"] for each in entries.values() or (self,)),
            "average_latency": latency.total / latency.count if latency.count else 0.0,
            "latency": {
                "p50": latency.quantile(0.5),
                "p90": latency.quantile(0.9),
                "p99": latency.quantile(0.99),
                "max": latency.maximum,
            },
            "queue_size": live.get("queue_size", 0),
            "active_requests": live.get("active_requests", 0),
            "batch_waiting": live.get("batch_waiting", 0),
            "circuit_state": live.get("circuit_state"),
            **{kind: self.counts[kind] for kind in TOKENS},
            "requests_by_model": dict(self.models),
            "tokens_by_model": {
                model: {kind: tokens[kind] for kind in TOKENS}
                for model, tokens in self.tokens.items()
            },
            "errors_by_type": dict(self.errors),
            "attempt_errors_by_type": dict(self.attempt_errors),
            "endpoints_count": len(entries),
            "endpoints": {name: entry.as_dict() for name, entry in entries.items()},
        }


def count(counter: Counter[str], name: str, number: int = 1) -> str:
    """Count so many of this name, or of the "other" ones; return which it was."""
    known = name if name in counter or len(counter) < _MOST_TYPES else "other"
    counter[known] += number
    return known
