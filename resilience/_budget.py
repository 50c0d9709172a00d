"""`RetryBudget`: a limit on retries that several functions share."""

from __future__ import annotations

import threading

from resilience import _clock, _fork
from resilience._core.budget import Budget
from resilience._rules import check

__all__ = ["RetryBudget"]


class RetryBudget:
    """Over the last `window` seconds, retries may be `minimum` plus `ratio` of the calls.

    When it is spent, the first failure of a call is final: retries cannot multiply the load of a
    service that fails for everybody.
    Give one object to all functions that call the same service. Thread-safe.

    Args:
        ratio: Retries for each call, at least 0.
        minimum: Retries that are always allowed in a window, at least 0.
        window: Seconds, more than 0.

    Raises:
        SettingsError: names the argument, the rule and the value.
    """

    __slots__ = ("__weakref__", "_budget", "_lock", "_window")

    def __init__(self, ratio: float = 0.2, minimum: int = 10, window: float = 10.0) -> None:
        check("ratio", ratio)
        check("minimum", minimum)
        check("window", window, rule="seconds")
        self._budget = Budget(ratio, minimum, window)
        self._window = window
        self._lock = threading.Lock()
        _fork.renew_after(self)

    def call(self) -> None:
        """Count one call."""
        now = _clock.now()
        with self._lock:
            self._budget.call(now)

    def spend(self) -> bool:
        """Take one retry, or answer False when the budget is spent."""
        now = _clock.now()
        with self._lock:
            return self._budget.spend(now)

    @property
    def remaining(self) -> float:
        """Retries that may be made now."""
        with self._lock:
            return max(0.0, self._budget.left(_clock.now()))

    @property
    def allows_nothing(self) -> bool:
        """Whether no retry can ever be made."""
        return not (self._budget.ratio or self._budget.minimum)

    def renew_after_fork(self) -> None:
        """Take a new lock: the old one may have been held by a thread that does not exist here."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        budget = self._budget
        return f"RetryBudget(ratio={budget.ratio}, minimum={budget.minimum}, window={self._window})"
