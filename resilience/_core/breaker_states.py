"""The four states of a circuit breaker; each answers for itself.

A state says who may pass (`admit`), whose answer it listens to (`owns`), and which state follows
an answer (`success`, `failure`): the name of the reason for leaving, or None to stay. A neutral
answer (`neutral`) never leads anywhere, and is the one step that is taken without a lock.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from resilience._core.window import CountWindow, TimeWindow
from resilience._record import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resilience._core.window import Window

__all__ = [
    "PROBE_GUESS",
    "BreakerRules",
    "Closed",
    "Disabled",
    "HalfOpen",
    "Open",
    "State",
    "shared_rules",
]

PROBE_GUESS = 0.1  # seconds until a probe may have answered: when others may look again
# With `reset_timeout=0` every probe would count as lost at once, and everybody would pass.
_SHORTEST_LEASE = 1.0


@record
class BreakerRules:
    """The numbers that decide; times in seconds, rates in (0, 1].

    `failure_threshold` is None where only rates open the circuit; `window` is a number of calls
    or, as `window_seconds`, a time.
    """

    failure_threshold: int | None = 5
    reset_timeout: float = 30.0
    half_open_max_calls: int = 1
    success_threshold: int = 1
    failure_rate: float | None = None
    slow_call_rate: float | None = None
    minimum_calls: int = 10
    window: int = 100
    window_seconds: float | None = None
    max_reset_timeout: float | None = None

    @property
    def probe_lease(self) -> float:
        """The seconds after which a probe counts as lost; a `reset_timeout` of 0 bounds nobody."""
        return self.reset_timeout or _SHORTEST_LEASE

    @property
    def windowed(self) -> bool:
        """Whether single successes matter, so that each has to be recorded."""
        return self.failure_rate is not None or self.slow_call_rate is not None

    def new_window(self) -> Window:
        """Return an empty window of the right kind."""
        if self.window_seconds is not None:
            return TimeWindow(self.window_seconds)
        return CountWindow(self.window)

    def open_for(self, openings: int) -> float:
        """Return the seconds that the `openings`-th opening in a row lasts."""
        if self.max_reset_timeout is None:
            return self.reset_timeout
        try:
            grown = self.reset_timeout * 2.0 ** (openings - 1)
        except OverflowError:
            grown = self.max_reset_timeout
        return max(self.reset_timeout, min(self.max_reset_timeout, grown))


# Most circuits of a program have the same rules. Typed: 5 and 5.0 are shown as they were given.
shared_rules = lru_cache(maxsize=1_000, typed=True)(BreakerRules)


class Closed:
    """Everybody passes; failures are counted."""

    name = "CLOSED"
    __slots__ = ("_failures", "_rules", "_window", "permit")

    def __init__(self, rules: BreakerRules, permit: int) -> None:
        self._rules = rules
        self.permit = permit
        self._failures = 0  # in a row
        self._window = rules.new_window() if rules.windowed else None

    def admit(self, now: float) -> int | None:
        return self.permit

    def owns(self, permit: int) -> bool:
        return permit == self.permit

    def success(self, permit: int, now: float, *, slow: bool) -> str | None:
        self._failures = 0
        return self._verdict(now, failed=False, slow=slow)

    def failure(self, permit: int, now: float, *, slow: bool) -> str | None:
        self._failures += 1
        reason = self._verdict(now, failed=True, slow=slow)
        threshold = self._rules.failure_threshold
        if threshold is not None and self._failures >= threshold:
            return "failure_threshold"
        return reason

    def neutral(self, permit: int) -> None:
        """Nothing happened: the call held nothing that others wait for."""

    def retry_after(self, now: float) -> float | None:
        return None

    def _verdict(self, now: float, *, failed: bool, slow: bool) -> str | None:
        if self._window is None:
            return None
        rules = self._rules
        tally = self._window.record(now, failed=failed, slow=slow)
        if tally.total < rules.minimum_calls:
            return None
        if rules.failure_rate is not None and tally.failures / tally.total >= rules.failure_rate:
            return "failure_rate"
        if rules.slow_call_rate is not None and tally.slow / tally.total >= rules.slow_call_rate:
            return "slow_call_rate"
        return None


class Open:
    """Nobody passes until `duration` seconds are over; None holds it open."""

    name = "OPEN"
    __slots__ = ("_since", "duration")

    def __init__(self, since: float, duration: float | None) -> None:
        self._since = since
        self.duration = duration

    def admit(self, now: float) -> int | None:
        return None

    def owns(self, permit: int) -> bool:  # an answer from before changes nothing
        return False

    def neutral(self, permit: int) -> None:
        """Nothing happened."""

    def is_over(self, now: float) -> bool:
        return self.retry_after(now) == 0

    def retry_after(self, now: float) -> float | None:
        if self.duration is None:
            return None
        # A clock that went back (a test that froze and thawed it) must not hold the circuit
        # open for years: the wait begins anew instead.
        if now < self._since:  # noqa: PLR1730 - asked at each refusal, and `min` costs as much
            self._since = now
        left = self._since + self.duration - now
        return left if left > 0 else 0.0


class HalfOpen:
    """A few probes pass at a time; their answers decide."""

    name = "HALF-OPEN"
    __slots__ = ("_permits", "_probes", "_rules", "_successes")

    def __init__(self, rules: BreakerRules, permits: Iterator[int]) -> None:
        self._rules = rules
        self._permits = permits
        self._probes: dict[int, float] = {}  # permit: when it began
        self._successes = 0

    def admit(self, now: float) -> int | None:
        if len(self._probes) >= self._rules.half_open_max_calls:
            self._expire(now)
        if len(self._probes) >= self._rules.half_open_max_calls:
            return None
        permit = next(self._permits)
        self._probes[permit] = now
        return permit

    def owns(self, permit: int) -> bool:
        return permit in self._probes

    def success(self, permit: int, now: float, *, slow: bool) -> str | None:
        del self._probes[permit]
        if slow and self._rules.slow_call_rate is not None:
            return "probe_failed"  # a service that is as slow as before has not healed
        self._successes += 1
        return "probe_succeeded" if self._successes >= self._rules.success_threshold else None

    def failure(self, permit: int, now: float, *, slow: bool) -> str | None:
        del self._probes[permit]
        return "probe_failed"

    def neutral(self, permit: int) -> None:
        self._probes.pop(permit, None)

    def retry_after(self, now: float) -> float | None:
        """Return when it is worth while to ask again: a place is free by then, or may be.

        The answer of a probe may come at any time, and is the less likely to come soon the longer
        it has been awaited. So whoever is refused asks a few times, and is not far behind it.
        """
        began = list(self._probes.values())  # a copy: a neutral probe may leave at any moment
        if len(began) < self._rules.half_open_max_calls:
            return 0.0
        lease, awaited = self._rules.probe_lease, max(0.0, now - min(began))
        # Reckoned as in `_expire`: where this says 0, the next one is admitted.
        return min(max(0.0, lease - awaited), max(PROBE_GUESS, awaited))

    def _expire(self, now: float) -> None:
        """Take back the places of probes that never came back."""
        for permit, began in list(self._probes.items()):
            if now < began:  # the clock went back
                self._probes[permit] = now
            elif now - began >= self._rules.probe_lease:
                self._probes.pop(permit, None)


class Disabled:
    """Everybody passes and nothing is counted."""

    name = "DISABLED"
    __slots__ = ()

    def admit(self, now: float) -> int | None:
        return -1

    def owns(self, permit: int) -> bool:
        return False

    def neutral(self, permit: int) -> None:
        """Nothing happened."""

    def retry_after(self, now: float) -> float | None:
        return None


State = Closed | Open | HalfOpen | Disabled
