"""The slow path of a retry: one object for each call whose first attempt failed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import PLACES, deadline
from resilience._core.retry import Stop, Wait
from resilience._hooks import guarded
from resilience._marks import mark, marked, note, set_quietly
from resilience.classify import Verdict, classify
from resilience.errors import NoKeyAvailableError, RefusedError
from resilience.telemetry.events import GivenUp, RetryScheduled, publish

if TYPE_CHECKING:
    from resilience._retry_options import RetryOptions
    from resilience._site import Site

__all__ = ["Recovery", "current_epoch"]

_SHORTEST_WAIT = 0.01  # seconds between two looks at a pool that says "now" but has no key yet


class _Epoch:
    """Counts the times that any retry gave up; tells a fresh mark from one of an earlier call."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


current_epoch = _Epoch()


class Recovery:
    """Decides after each failed attempt of one call: wait, give up, or accept the result.

    Attributes:
        last_result: What the last attempt returned that was not good enough.
    """

    __slots__ = (
        "_attempts",
        "_epoch",
        "_error",
        "_options",
        "_refusal",
        "_site",
        "_started",
        "last_result",
    )

    def __init__(
        self, options: RetryOptions, site: Site, started: float | None, epoch: int
    ) -> None:
        self._options = options
        self._site = site
        self._started = started
        self._epoch = epoch
        self._attempts = 0
        self._error: Exception | None = None  # the last real one
        self._refusal: RefusedError | None = None  # of the last attempt
        self.last_result: Any = None

    def __enter__(self) -> None:
        """Begin to repeat."""

    def __exit__(self, *_: object) -> None:
        self._error = self._refusal = None  # they hold the frame that holds this object
        if PLACES.get() is not None:
            PLACES.set(None)

    def failed(self, error: Exception) -> None:
        """Take note that an attempt raised; a refusal is no attempt, it was never sent."""
        if isinstance(error, RefusedError):
            self._refusal = error
            return
        self._attempts += 1
        self._error, self._refusal = error, None

    def accepts(self, result: Any) -> bool:
        """Return whether the result of an attempt is good enough."""
        wants_retry = self._options.retry_result
        if wants_retry is None or not bool(guarded(wants_retry, result)):
            return True
        self._attempts += 1
        self._error, self._refusal, self.last_result = None, None, result
        return False

    def next(self) -> RetryScheduled | None:
        """Return the retry to come, or None to return `last_result`; raises the final error."""
        decision, reason = self._decide()
        if self._refusal is None and self._site.statistics is not None:
            retried = isinstance(decision, Wait)
            self._site.statistics.attempt_failed(self._error, retried=retried)
        if not isinstance(decision, Wait):
            self._conclude(decision)
            return None
        scheduled = RetryScheduled(
            name=self._site.name,
            attempt=self._attempts,
            max_retries=self._options.policy.max_retries,
            delay=decision.delay,
            source=decision.source,
            exception=self._refusal or self._error,
            result=self.last_result,
            elapsed=None if self._started is None else self._elapsed(),
            reason=reason,
        )
        publish(scheduled)
        return scheduled

    def before_retry(self, scheduled: RetryScheduled) -> object:
        """Call the user's hook and return what it returned."""
        hook = self._options.before_retry
        return None if hook is None else guarded(hook, scheduled)

    def _decide(self) -> tuple[Wait | Stop | None, str]:
        """Return what comes next, None for an error that no retry is meant for, and its kind."""
        if self._refusal is not None:
            return self._after_refusal(self._refusal), "no_key"
        if self._error is None:
            return self._within_budget(self._ask_policy(None)), "result"
        verdict = self._verdict(self._error)
        if not self._is_meant_for(self._error, verdict):
            return None, verdict.kind
        return self._within_budget(self._ask_policy(verdict.retry_after)), verdict.kind

    def _after_refusal(self, refusal: RefusedError) -> Wait | Stop | None:
        """Wait for a key that is going to wake; every other refusal ends the call.

        What was refused was not sent, so it uses up no retry.
        """
        waking = refusal.retry_after
        if not isinstance(refusal, NoKeyAvailableError) or waking is None:
            return None
        if self._options.policy.max_retries == 0:
            return None
        return self._options.policy.until_waking(max(waking, _SHORTEST_WAIT), **self._limits())

    def _verdict(self, error: Exception) -> Verdict:
        verdict = classify(error)
        waking = marked(error, "waking") if "key_pool" in self._site.inside else None
        if waking is None:
            return verdict
        # All keys failed in this round: what counts is when the first one wakes.
        return Verdict("rate_limit", max(waking, _SHORTEST_WAIT))

    def _is_meant_for(self, error: Exception, verdict: Verdict) -> bool:
        if verdict.kind == "neutral":
            return False
        inner_gave_up = (marked(error, "given_up") or 0) > self._epoch
        if inner_gave_up and not self._options.retry_nested:
            return False
        on = self._options.on
        return verdict.is_retryable if on is None else bool(guarded(on, error))

    def _ask_policy(self, hint: float | None) -> Wait | Stop:
        return self._options.policy.after_failure(self._attempts, hint=hint, **self._limits())

    def _limits(self) -> dict[str, Any]:
        timed = self._options.policy.max_elapsed is not None
        return {
            "random": random.random(),  # noqa: S311 - spreads load, guards nothing
            "elapsed": self._elapsed() if timed else 0.0,
            "remaining": deadline.remaining(),
        }

    def _within_budget(self, decision: Wait | Stop) -> Wait | Stop:
        budget = self._options.budget
        if budget is None or isinstance(decision, Stop) or budget.spend():
            return decision
        return Stop("the retry budget is spent")

    def _elapsed(self) -> float:
        return max(0.0, _clock.now() - (self._started or 0.0))

    def _conclude(self, decision: Stop | None) -> None:
        """Raise the last real error, with a note; return where there is a result instead."""
        error, refusal = self._error, self._refusal
        reason = decision.reason if decision else str(refusal) if refusal else ""
        if decision is not None and refusal is None:
            current_epoch.value += 1
            publish(
                GivenUp(
                    name=self._site.name,
                    attempts=self._attempts,
                    reason=reason,
                    exception=error,
                )
            )
        if error is None:
            if refusal is not None and self._attempts == 0:
                raise refusal
            return
        if self._attempts > 1 or reason:
            attempts = "1 attempt" if self._attempts == 1 else f"{self._attempts} attempts"
            why = f"; not retried: {reason}" if reason else ""
            note(error, f"{self._site.name}: {attempts} made{why}")
        if decision is not None and refusal is None:
            mark(error, "given_up", current_epoch.value)
        _carry_hint(error)
        raise error


def _carry_hint(error: Exception) -> None:
    """Let a foreign error carry the server's hint too, where it has no such attribute."""
    if not hasattr(error, "retry_after"):
        hint = classify(error).retry_after
        if hint is not None:
            set_quietly(error, "retry_after", hint)
