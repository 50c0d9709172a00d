"""Counters and latencies of each function, in the process, in bounded memory.

A call costs one append, and so does an attempt that failed: what waits is folded in batches, and
the timeline gets its counts when an interval is over, which a call sees by the time that it has
anyway.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections import Counter

from resilience import _clock, _fork
from resilience._context import deadlines
from resilience._fork import SharedLock
from resilience._marks import read_quietly
from resilience._switches import Switch
from resilience.errors import RefusedError
from resilience.telemetry._totals import ATTEMPT, RETRIED, Totals, Watched
from resilience.telemetry.events import Outcome

__all__ = [
    "FOLD_AT",
    "CallStatistics",
    "all_statistics",
    "error_type_of",
    "outcome_of",
    "statistics_of",
]

FOLD_AT = 1_024  # latencies that wait at most (32 kB): folding costs less the more there are
# A server's own code, such as "rate_limit_exceeded"; a text with other characters has many values.
_CODE = re.compile(r"[\w.-]{1,64}", re.ASCII)
_NEVER = float("-inf")
_NEUTRAL = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)

_registry: dict[str, CallStatistics] = {}
_lock = SharedLock()


class _Guard:
    """The lock around every step that counts: one for all records, since it is held for moments.

    One of its own would take 270 bytes of each. It is re-entrant: in any step the garbage collector
    may close a forgotten stream, whose end is counted here as well, in the thread that holds it.
    """

    __slots__ = ("__weakref__", "lock")

    def __init__(self) -> None:
        self.renew_after_fork()
        _fork.renew_after(self)

    def renew_after_fork(self) -> None:
        """Take a new lock: the old one may have been held by a thread that does not exist here."""
        self.lock = threading.RLock()


_guard = _Guard()


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
        due: When the interval of the timeline ends; whoever counts something then, or later, calls
            `turn` first.
    """

    __slots__ = (
        "_failed",
        "_live",
        "_moved_under",
        "_totals",
        "due",
        "name",
        "pending",
        "switch",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.switch = Switch("metrics")
        self.pending: list[float] = []
        # Exceptions that wait likewise: their type, what they ended, and how long that had taken.
        self._failed: list[tuple[type, str, float | None]] = []
        self.due = _NEVER  # so the first call begins the timeline
        # Where the garbage collector comes in the midst of a step (see `_Guard`), what it counts
        # stays where it is until the next one. What is kept is the lock: a forked child has another
        # one, and goes on where a thread of its parent was in the midst of a step.
        self._moved_under: object = None
        self._totals = Totals()
        self._live: tuple[Watched, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether calls are counted, but for those inside a `with disabled("metrics")`."""
        return self.switch.enabled

    def succeeded(self, seconds: float) -> None:
        """Count a call that returned after `seconds`."""
        if deadlines.in_use and self.switch.is_off:
            return
        now = _clock.now()
        if now >= self.due:
            self.turn(now)
        self.pending.append(seconds)
        if len(self.pending) >= FOLD_AT:
            self.fold()

    def succeeded_since(self, began: list[float]) -> None:
        """Count calls that began at these moments and return now; the switch is on."""
        now = _clock.now()
        if now >= self.due:
            self.turn(now)
        self.pending.extend([now - since for since in began])
        if len(self.pending) >= FOLD_AT:
            self.fold()

    def fold(self) -> None:
        """Move the latencies that wait into the histogram; who appends the last one calls it."""
        with _guard.lock:
            self._fold()

    def turn(self, now: float) -> None:
        """Put what was counted so far into the interval that is over, and begin that of `now`."""
        with _guard.lock:
            # Latencies that wait are counted where they are: to fold a few costs more.
            self._turn(now, len(self.pending))

    def ended(self, error: BaseException, seconds: float, now: float | None = None) -> Outcome:
        """Count a call that raised `error` after `seconds`, and return how it ended.

        `now` is the time, where the caller knows it.
        """
        outcome = outcome_of(error)
        self._note(type(error), outcome, seconds if outcome == "failure" else None, now)
        return outcome

    def attempt_failed(self, error: BaseException | None, *, retried: bool) -> None:
        """Count an attempt that failed, and the retry that follows it."""
        self._note(type(error), RETRIED if retried else ATTEMPT)

    def used(self, model: str | None, **tokens: int) -> None:
        """Count one request to a model and what it consumed, by the names of `TOKENS`."""
        if self.switch.is_off:
            return
        with _guard.lock:
            self._totals.used(model, tokens)

    def rested(self) -> None:
        """Count that this entry of a pool was sent to rest."""
        if self.switch.is_off:
            return
        with _guard.lock:
            self._totals.own("counts")["cooldowns"] += 1

    def watch(self, watched: Watched) -> None:
        """Ask it for current values whenever somebody looks, in place of another of its kind."""
        others = [each for each in self._live if each.kind != watched.kind]
        self._live = (*others, watched)

    def reset(self) -> None:
        """Forget everything that was counted."""
        with _guard.lock:
            self.pending.clear()
            self._failed.clear()
            self._totals = Totals()
            self.due = _NEVER

    def snapshot(self) -> Totals:
        """Return a copy of all counts, and the live values."""
        with _guard.lock:
            self._fold()
            if any(self._totals.counters()):
                self._turn(_clock.now(), 0)
            totals = Totals()
            totals.add(self._totals)
        for watched in self._live:
            totals.live.update(watched.live())
        return totals

    def _note(
        self, kind: type, what: str, seconds: float | None = None, now: float | None = None
    ) -> None:
        if deadlines.in_use and self.switch.is_off:
            return
        if now is None:
            now = _clock.now()
        if now >= self.due:
            self.turn(now)
        self._failed.append((kind, what, seconds))
        if len(self._failed) >= FOLD_AT:
            self.fold()

    def _fold(self) -> None:
        if self._moved_under is _guard.lock:
            return
        self._moved_under = _guard.lock
        try:
            self._tally()
            # Others append meanwhile without the lock; only its holder takes out.
            folded = self.pending[:]
            del self.pending[: len(folded)]
            self._totals.own("outcomes")["success"] += len(folded)
            self._totals.latency.extend(folded)
        finally:
            self._moved_under = None

    def _tally(self) -> None:
        failed = self._failed[:]
        del self._failed[: len(failed)]
        for each, number in Counter(failed).items():
            self._totals.failed(*each, number)

    def _turn(self, now: float, waiting: int) -> None:
        if self._moved_under is _guard.lock:
            return
        self._moved_under = _guard.lock
        try:
            self._tally()
            self.due = self._totals.timeline.turn(now, self._totals.counters(waiting))
        finally:
            self._moved_under = None


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
