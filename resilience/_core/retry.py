"""What comes after a failed attempt: another one after a while, or the end.

The rules, in the order in which they win:

1. no retry beyond `max_retries`;
2. a server's hint is never undercut: where it is longer than `max_retry_delay` allows, or than
   the time that is left, the call ends at once with its own error, so that another key, a
   fallback or a queue can use the hint;
3. a back-off that would pass the deadline or `max_elapsed` is not begun.
"""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from resilience._core.backoff import Backoff
from resilience._record import record

__all__ = ["RetryPolicy", "Stop", "Wait"]

Source = Literal["backoff", "server"]


# Try again after so many seconds, which the back-off or the server chose. One is made for each
# failure: a plain tuple costs a tenth of an object.
Wait = tuple[float, Source]


@record(kw_only=False)
class Stop:
    """Do not try again; `reason` completes the sentence "not retried: …"."""

    reason: str


@record
class RetryPolicy:
    """The numbers that decide; safe to share, since it never changes."""

    max_retries: int = 5
    backoff: Backoff = field(default_factory=Backoff)
    max_elapsed: float | None = None

    def after_failure(
        self,
        attempt: int,
        hint: float | None,
        random: float,
        elapsed: float = 0.0,
        remaining: float | None = None,
    ) -> Wait | Stop:
        """Decide after the failure of attempt number `attempt` (1, 2, …).

        Args:
            attempt: The number of the attempt that failed.
            hint: Seconds that the server asked for, or None.
            random: A number in [0, 1).
            elapsed: Seconds since the call began.
            remaining: Seconds that the deadline leaves, or None where there is none.
        """
        if attempt > self.max_retries:
            return Stop(f"max_retries={self.max_retries} is reached")
        if hint is not None and hint > self.backoff.maximum:
            return self._too_long(hint)
        computed = self.backoff.delay(attempt, random)
        if hint is None or hint < computed:
            if remaining is None and self.max_elapsed is None:  # as nearly always
                return computed, "backoff"
            return self._within_limits((computed, "backoff"), elapsed, remaining)
        return self._after_server(hint, random, elapsed, remaining)

    def until_waking(
        self, waking: float, *, random: float, elapsed: float = 0.0, remaining: float | None = None
    ) -> Wait | Stop:
        """Decide on waiting `waking` seconds for a key: nothing failed, nothing is backed off."""
        if waking > self.backoff.maximum:
            return self._too_long(waking)
        return self._after_server(waking, random, elapsed, remaining)

    def _too_long(self, hint: float) -> Stop:
        longest = f"max_retry_delay={self.backoff.maximum:g} s"
        return Stop(f"the server asks for {hint:.4g} s, longer than {longest}")

    def _after_server(
        self, hint: float, random: float, elapsed: float, remaining: float | None
    ) -> Wait | Stop:
        """Wait for as long as the server asked, and a little more where there is time for it."""
        jittered: Wait = (self.backoff.after_hint(hint, random), "server")
        if self._within_limits(jittered, elapsed, remaining) is jittered:
            return jittered
        return self._within_limits((hint, "server"), elapsed, remaining)

    def _within_limits(self, wait: Wait, elapsed: float, remaining: float | None) -> Wait | Stop:
        if remaining is None and self.max_elapsed is None:
            return wait
        delay, _ = wait
        limits = [
            ("the deadline", remaining),
            ("max_elapsed", None if self.max_elapsed is None else self.max_elapsed - elapsed),
        ]
        for name, left in limits:
            if left is not None and delay >= left:
                return Stop(f"the next attempt in {delay:.3g} s would pass {name}")
        return wait
