"""What a run counts of itself, and how fast it is of late."""

from __future__ import annotations

from collections import deque

from adapters.bulk._journal import Totals
from adapters.bulk._records import Progress
from resilience import _clock

__all__ = ["Meter"]

_SAMPLES = 20  # looks that "of late" means


class Meter:
    """Counts what one run does; only in its event loop.

    Args:
        totals: The counts of the results, which the journal keeps.
        total: How many rows there are, or None.
    """

    def __init__(self, totals: Totals, total: int | None) -> None:
        self._totals = totals
        self._total = total
        self._began = _clock.now()
        self._samples = deque([(self._began, totals.rows)], maxlen=_SAMPLES)
        self.requests = self.retries = self.throttled = 0

    @property
    def seconds(self) -> float:
        """How long the run has taken so far."""
        return max(0.0, _clock.now() - self._began)

    def count(self, attempts: int) -> None:
        """Note how many requests were sent for a row."""
        self.requests += attempts
        self.retries += max(0, attempts - 1)

    def look(self) -> None:
        """Note how far it is now; rates are between looks."""
        self._samples.append((_clock.now(), self._totals.rows))

    def progress(self, *, active: int, limit: int, resumes_at: float) -> Progress:
        """Return how far the run is."""
        now, totals = _clock.now(), self._totals
        since, before = self._samples[0]
        return Progress(
            total=self._total,
            done=totals.rows,
            failed=totals.failed,
            active=active,
            limit=limit,
            requests=self.requests,
            retries=self.retries,
            throttled=self.throttled,
            tokens=totals.total_tokens,
            seconds=self.seconds,
            rate=(totals.rows - before) / (now - since) if now > since else 0.0,
            waiting=max(0.0, resumes_at - now),
        )
