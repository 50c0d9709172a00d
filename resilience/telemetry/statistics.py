"""Counters and latencies of each function, in the process, in bounded memory.

The success path costs one append: latencies are folded into the histogram in batches.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from resilience import _fork
from resilience._fork import SharedLock
from resilience._marks import read_quietly
from resilience._switches import Switch
from resilience.errors import RefusedError
from resilience.telemetry.events import Outcome
from resilience.telemetry.histogram import Histogram

__all__ = [
    "FOLD_AT",
    "CallStatistics",
    "Live",
    "Totals",
    "all_statistics",
    "error_type_of",
    "outcome_of",
    "statistics_of",
]

FOLD_AT = 1_024  # latencies that wait at most (32 kB): folding costs less the more there are
_MOST_TYPES = 100  # kinds of errors that are told apart; what comes later is "other"
# A server's own code, such as "rate_limit_exceeded"; a text with other characters has many values.
_CODE = re.compile(r"[\w.-]{1,64}", re.ASCII)
_NEUTRAL = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)

_registry: dict[str, CallStatistics] = {}
_lock = SharedLock()

Live = Callable[[], dict[str, Any]]


def outcome_of(error: BaseException | None) -> Outcome:
    """Return how a call ended that raised `error`, or nothing."""
    if error is None:
        return "success"
    if isinstance(error, RefusedError):
        return "refused"
    return "cancelled" if isinstance(error, _NEUTRAL) else "failure"


def error_type_of(error: BaseException) -> str:
    """Return a name with few values: the server's own code where the error has one."""
    code = read_quietly(error, "code")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else type(error).__qualname__


class CallStatistics:
    """What one name's calls came to; thread-safe.

    Attributes:
        pending: Latencies of calls that succeeded, in seconds, appended without the lock.
        switch: Turned off, nothing is counted.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.switch = Switch("metrics")
        self.renew_after_fork()
        _fork.renew_after(self)
        self.pending: deque[float] = deque()
        self._totals = Totals()
        self._live: dict[str, Live] = {}

    @property
    def counts(self) -> bool:
        """Whether calls are counted, but for those inside a `with disabled("metrics")`."""
        return self.switch.enabled

    def renew_after_fork(self) -> None:
        """Take a new lock: the old one may have been held by a thread that does not exist here.

        It is re-entrant: in any step the garbage collector may close a forgotten stream, whose end
        is counted here as well, in the thread that holds the lock.
        """
        self._lock = threading.RLock()

    def succeeded(self, seconds: float) -> None:
        """Count a call that returned after `seconds`."""
        if self.switch.is_off:
            return
        self.pending.append(seconds)
        if len(self.pending) >= FOLD_AT:
            self.fold()

    def fold(self) -> None:
        """Move the latencies that wait into the histogram; who appends the last one calls it."""
        with self._lock:
            self._fold()

    def ended(self, error: BaseException, seconds: float) -> None:
        """Count a call that raised `error` after `seconds`."""
        if self.switch.is_off:
            return
        outcome = outcome_of(error)
        with self._lock:
            totals = self._totals
            totals.outcomes[outcome] += 1
            if outcome == "failure":
                totals.latency.extend((seconds,))
                totals.counts["timeouts"] += isinstance(error, TimeoutError)
            if outcome != "cancelled":
                _count(totals.errors, type(error).__name__)

    def attempt_failed(self, error: BaseException | None, *, retried: bool) -> None:
        """Count an attempt that failed, and the retry that follows it."""
        if self.switch.is_off:
            return
        with self._lock:
            self._totals.counts["retries"] += retried
            if error is not None:
                _count(self._totals.attempt_errors, type(error).__name__)

    def used(self, model: str | None, input_tokens: int, output_tokens: int, total: int) -> None:
        """Count one request to a model and what it consumed."""
        if self.switch.is_off:
            return
        with self._lock:
            if model:
                _count(self._totals.models, model)
            self._totals.counts["input_tokens"] += input_tokens
            self._totals.counts["output_tokens"] += output_tokens
            self._totals.counts["total_tokens"] += total

    def watch(self, layer: str, live: Live) -> None:
        """Ask `live` for current values (queue size, circuit state) whenever somebody looks."""
        self._live[layer] = live

    def reset(self) -> None:
        """Forget everything that was counted."""
        with self._lock:
            self.pending.clear()
            self._totals = Totals()

    def snapshot(self) -> Totals:
        """Return a copy of all counts, and the live values."""
        with self._lock:
            self._fold()
            totals = Totals()
            totals.add(self._totals)
        for live in tuple(self._live.values()):
            totals.live.update(live())
        return totals

    def _fold(self) -> None:
        # Others append meanwhile without the lock; only its holder takes out.
        folded = [self.pending.popleft() for _ in range(len(self.pending))]
        self._totals.outcomes["success"] += len(folded)
        self._totals.latency.extend(folded)


class Totals:
    """Counts of one name, or of several added up."""

    def __init__(self) -> None:
        self.latency = Histogram()
        self.outcomes: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()  # retries, timeouts, tokens
        self.errors: Counter[str] = Counter()  # of calls
        self.attempt_errors: Counter[str] = Counter()
        self.models: Counter[str] = Counter()
        self.live: dict[str, Any] = {}

    def add(self, other: Totals) -> None:
        """Add the counts of `other`."""
        self.latency.merge(other.latency)
        for name in ("outcomes", "counts", "errors", "attempt_errors", "models"):
            getattr(self, name).update(getattr(other, name))

    def as_dict(self) -> dict[str, Any]:
        """Return the plain dictionary that `get_stats` promises."""
        latency = self.latency
        return {
            "total_requests": sum(self.outcomes.values()),
            "successful_requests": self.outcomes["success"],
            "failed_requests": self.outcomes["failure"],
            "refused_requests": self.outcomes["refused"],
            "cancelled_requests": self.outcomes["cancelled"],
            "timeouts": self.counts["timeouts"],
            "retries": self.counts["retries"],
            "average_latency": latency.total / latency.count if latency.count else 0.0,
            "latency": {
                "p50": latency.quantile(0.5),
                "p90": latency.quantile(0.9),
                "p99": latency.quantile(0.99),
                "max": latency.maximum,
            },
            "queue_size": self.live.get("queue_size", 0),
            "active_requests": self.live.get("active_requests", 0),
            "batch_waiting": self.live.get("batch_waiting", 0),
            "circuit_state": self.live.get("circuit_state"),
            "total_tokens": self.counts["total_tokens"],
            "input_tokens": self.counts["input_tokens"],
            "output_tokens": self.counts["output_tokens"],
            "requests_by_model": dict(self.models),
            "errors_by_type": dict(self.errors),
            "attempt_errors_by_type": dict(self.attempt_errors),
            "endpoints_count": len(self.live.get("endpoints", {})),
            "endpoints": dict(self.live.get("endpoints", {})),
        }


def statistics_of(name: str) -> CallStatistics:
    """Return the record for `name`, made on demand."""
    with _lock:
        record = _registry.get(name)
        if record is None:
            record = _registry[name] = CallStatistics(name)
        return record


def all_statistics() -> dict[str, CallStatistics]:
    """Return the records of all names, in the order in which they were made."""
    with _lock:
        return dict(_registry)


def _count(counter: Counter[str], name: str) -> None:
    known = name in counter or len(counter) < _MOST_TYPES
    counter[name if known else "other"] += 1
