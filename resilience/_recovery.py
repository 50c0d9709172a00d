"""The slow path of a retry: one object for each call whose first attempt failed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import deadline, deadlines, forget_places, lend_permit
from resilience._core.retry import Stop
from resilience._giving_up import current_epoch, give_up, note_shared, was_given_up
from resilience._hooks import guarded, says_yes
from resilience._marks import marked, note, read_quietly, set_quietly
from resilience.classify import Verdict, classify
from resilience.errors import NoKeyAvailableError, RefusedError
from resilience.telemetry.events import GivenUp, RetryScheduled, publish

if TYPE_CHECKING:
    from resilience._core.retry import Wait
    from resilience._retry_options import RetryOptions
    from resilience._site import Site
    from resilience._switches import Switch

__all__ = ["Recovery", "Terms"]

_SHORTEST_WAIT = 0.01  # seconds between two looks at a pool that says "now" but has no key yet


class Terms:
    """What the retry of one function knows before any call."""

    __slots__ = (
        "has_circuit",
        "has_hook",
        "has_keys",
        "is_plain",
        "options",
        "policy",
        "site",
        "statistics",
        "switch",
    )

    def __init__(self, options: RetryOptions, site: Site, switch: Switch) -> None:
        options.check_for(site)
        self.options = options
        self.policy = options.policy
        self.site = site
        self.statistics = site.statistics
        self.switch = switch
        self.has_keys = "key_pool" in site.inside
        self.has_circuit = self.has_keys or "circuit_breaker" in site.inside
        self.has_hook = options.before_retry is not None
        self.is_plain = options.is_plain and not self.has_circuit  # the error alone decides


class Recovery:
    """Decides after each failed attempt of one call: wait, give up, or accept the result.

    Errors hold the frames that hold this object. So that a call leaves no cycle behind, nobody
    keeps an error or its record any longer than needed.

    Attributes:
        delay: Seconds until the next attempt.
        last_result: What the last attempt returned that was not good enough.
    """

    __slots__ = (
        "_attempts",
        "_epoch",
        "_error",
        "_kind",
        "_refusal",
        "_scheduled",
        "_started",
        "_terms",
        "delay",
        "last_result",
    )

    def __init__(self, terms: Terms, started: float | None, epoch: int) -> None:
        self._terms = terms
        self._started = started
        self._epoch = epoch
        self._attempts = 0
        self._error: Exception | None = None  # the last real one
        self._refusal: RefusedError | None = None  # of the last attempt
        self._kind = ""  # of what the last attempt came to
        self._scheduled: RetryScheduled | None = None  # for the user's hook
        self.delay = 0.0
        self.last_result: Any = None

    def end(self) -> None:
        """Keep nothing: the call is over, or goes on no more."""
        self._error = self._refusal = self._scheduled = None
        forget_places()

    def failed(self, error: Exception) -> None:
        """Take note that an attempt raised; a refusal is no attempt, it was never sent."""
        if isinstance(error, RefusedError):
            self._refusal = error
            return
        self._attempts += 1
        if error is self._error:
            note_shared(error)
        self._error = error
        self._refusal = self.last_result = None

    def accepts(self, result: Any) -> bool:
        """Return whether the result of an attempt is good enough."""
        wants_retry = self._terms.options.retry_result
        if wants_retry is None or self._terms.switch.is_off or not says_yes(wants_retry, result):
            return True
        self._attempts += 1
        self._error, self._refusal, self.last_result = None, None, result
        return False

    def goes_on(self) -> bool:
        """Return whether another attempt follows; if not, raise the error, if there is one."""
        decision, terms = self._decide(), self._terms
        if terms.statistics is not None and self._refusal is None:
            terms.statistics.attempt_failed(self._error, retried=isinstance(decision, tuple))
        if isinstance(decision, tuple):
            self.delay = decision[0]
            if terms.has_hook or RetryScheduled.is_wanted():
                self._schedule(decision)
            lend_permit()
            return True
        self._conclude(decision)
        if self._error is not None:
            raise self._error
        return False

    def call_hook(self) -> object:
        """Call the user's hook before a retry and return what it returned."""
        hook = self._terms.options.before_retry
        return None if hook is None else guarded(hook, self._scheduled)

    def _schedule(self, wait: Wait) -> None:
        delay, source = wait
        self._scheduled = RetryScheduled(
            name=self._terms.site.name,
            measured=self._terms.site.measures,
            attempt=self._attempts,
            max_retries=self._terms.policy.max_retries,
            delay=delay,
            source=source,
            exception=self._refusal or self._error,
            result=None if self._refusal else self.last_result,
            elapsed=None if self._started is None else self._elapsed(),
            reason=self._kind,
        )
        publish(self._scheduled)

    def _decide(self) -> Wait | Stop | None:
        """Return what comes next; None for an error that no retry is meant for."""
        terms, error = self._terms, self._error
        if (
            error is None
            or self._refusal is not None
            or not terms.is_plain
            or deadlines.in_use
            or self._epoch != current_epoch.value
        ):
            return self._decide_on_all()
        # In most retries nothing else has to be asked: two thirds of the cost.
        verdict = classify(error)
        self._kind = verdict.kind
        if verdict.kind not in ("transient", "rate_limit"):
            return None
        return terms.policy.after_failure(self._attempts, verdict.retry_after, random.random())  # noqa: S311

    def _decide_on_all(self) -> Wait | Stop | None:
        terms, policy, error, hint = self._terms, self._terms.policy, self._error, None
        # Turned off, it is not here for others.
        if policy.max_retries == 0 or (deadlines.in_use and terms.switch.is_off):
            return None
        if self._refusal is not None:
            self._kind = "no_key"
            return self._after_refusal(self._refusal)
        self._kind = "result"
        if error is not None:
            verdict = classify(error)
            if terms.has_keys:
                verdict = self._with_waking(verdict, error)
            if not self._is_meant_for(error, verdict):
                return None
            self._kind, hint = verdict.kind, verdict.retry_after
        decision = policy.after_failure(
            self._attempts,
            hint,
            random.random(),  # noqa: S311 - spreads load, guards nothing
            0.0 if policy.max_elapsed is None else self._elapsed(),
            deadline.remaining() if deadlines.in_use else None,
        )
        if terms.has_circuit and error is not None:
            decision = self._unless_open(decision, error)
        return decision if terms.options.budget is None else self._within_budget(decision)

    def _after_refusal(self, refusal: RefusedError) -> Wait | Stop | None:
        """Wait for a key that is going to wake; every other refusal ends the call.

        What was refused was not sent, so it uses up no retry. A pool says on its refusal when the
        first key has rested, if that is not when anybody may serve: nobody sleeps towards an open
        circuit.
        """
        rested = marked(refusal, "rested")
        waking = rested[0] if rested else refusal.retry_after
        if not isinstance(refusal, NoKeyAvailableError) or waking is None:
            return None
        return self._terms.policy.until_waking(
            max(waking, _SHORTEST_WAIT),
            random=random.random(),  # noqa: S311 - spreads load, guards nothing
            elapsed=self._elapsed(),
            remaining=deadline.remaining(),
        )

    @staticmethod
    def _with_waking(verdict: Verdict, error: Exception) -> Verdict:
        """Return what counts where all keys failed in this round: when the first one wakes."""
        waking = marked(error, "waking")
        return verdict if waking is None else Verdict("rate_limit", max(waking, _SHORTEST_WAIT))

    def _is_meant_for(self, error: Exception, verdict: Verdict) -> bool:
        options = self._terms.options
        # Mostly nobody has given up on anything since the call began.
        if self._epoch != current_epoch.value and self._is_nested(error):
            return False
        if options.on is None:
            return verdict.is_retryable
        return verdict.kind != "neutral" and says_yes(options.on, error)

    def _is_nested(self, error: Exception) -> bool:
        """Return whether a retry inside has given up on it, which this one respects."""
        terms = self._terms
        return not terms.options.retry_nested and was_given_up(error, terms.site, self._epoch)

    def _unless_open(self, decision: Wait | Stop, error: Exception) -> Wait | Stop:
        """Do not sleep towards a circuit that this very failure has opened for longer."""
        if isinstance(decision, Stop):
            return decision
        open_for = marked(error, "circuit_open_for")
        if open_for is None or open_for <= decision[0]:
            return decision
        set_quietly(error, "retry_after", open_for)
        return Stop(f"the circuit is open for {open_for:.3g} s")

    def _within_budget(self, decision: Wait | Stop) -> Wait | Stop:
        budget = self._terms.options.budget
        if budget is None or isinstance(decision, Stop) or budget.spend():
            return decision
        return Stop("the retry budget is spent")

    def _elapsed(self) -> float:
        return max(0.0, _clock.now() - (self._started or 0.0))

    def _conclude(self, decision: Stop | None) -> None:
        """Write on the last real error what was tried, for people and for a retry further out."""
        refusal = self._refusal
        if self._attempts == 0:  # nothing was sent: the refusal is all there is to say
            self._error = refusal
            return
        error, attempts, name = self._error, self._attempts, self._terms.site.name
        reason = decision.reason if decision else str(refusal or "")
        if reason:
            given_up = GivenUp(
                name=name,
                measured=self._terms.site.measures,
                attempts=attempts,
                reason=reason,
                exception=error,
            )
            publish(given_up)
        if error is None:
            return
        if attempts > 1 or reason:
            made = "1 attempt" if attempts == 1 else f"{attempts} attempts"
            why = f"; not retried: {reason}" if reason else ""
            note(error, f"{name}: {made} made{why}", name)
        if reason:
            give_up(error, self._terms.site)
        _carry_hint(error, refusal)


def _carry_hint(error: Exception, refusal: RefusedError | None) -> None:
    """Let the error say when to come back: what the refusal that ended the call said, if any.

    A foreign error, which has no such attribute, carries the server's hint as well.
    """
    if refusal is not None and refusal.retry_after is not None:
        set_quietly(error, "retry_after", refusal.retry_after)
    elif read_quietly(error, "retry_after") is None:
        hint = classify(error).retry_after
        if hint is not None:
            set_quietly(error, "retry_after", hint)
