"""Which entry of a pool a call gets, what it is told where it gets none, and what it reports."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import current_priority, deadline, deadlines
from resilience._core.keys import Offer
from resilience._core.strategies import DEFAULT, STRATEGIES
from resilience._hooks import guarded
from resilience._lease import Lease, LeaseLapsedError
from resilience._marks import mark
from resilience._pool_member import Candidate
from resilience._pool_quotas import KeyQuotas
from resilience._pool_search import Chooser, Search
from resilience._switches import is_off
from resilience.classify import classify
from resilience.errors import (
    CircuitOpenError,
    DeadlineExceededError,
    NoKeyAvailableError,
    RefusedError,
)
from resilience.telemetry.opentelemetry import is_metering

if TYPE_CHECKING:
    from resilience._core.key_entry import Entry, Trouble

__all__ = ["KeyChoice"]

_TROUBLES = ("key", "rate_limit")


class KeyChoice(KeyQuotas):
    """Handing out and taking back; a user's strategy runs without the lock."""

    _enabled: bool
    _strategy: str | Chooser
    _wait: bool

    @property
    def enabled(self) -> bool:
        """Whether keys rest, are set aside and make place for others."""
        return self._enabled

    def disable(self) -> None:
        """Hand out keys by the strategy and do no more, until `enable()`.

        Nobody rests or is set aside, no line and no circuit of an entry holds a call up, and the
        first error of a call is its own.
        """
        self._enabled = False
        self._wake_all()

    def enable(self) -> None:
        """Work again after `disable()`; rests that are not over hold again."""
        self._enabled = True

    def explain(self) -> str:
        """Return the settings as text; nothing of the keys."""
        strategy = self._strategy if isinstance(self._strategy, str) else "your own"
        count = len(self._members)
        entries = "1 entry" if count == 1 else f"{count} entries"
        text = f"{entries} of {self.name!r}, strategy {strategy}"
        return f"{text}, waits for a key" if self._wait else text

    @property
    def waits(self) -> bool:
        """Whether a call waits where no entry can serve."""
        return self._wait

    @property
    def is_off(self) -> bool:
        """Whether it does no more for the call in progress than hand out keys."""
        return not self._enabled or (deadlines.in_use and is_off("key_pool"))

    def _look(self, search: Search) -> Lease | None:
        """Return a lease; None where it is worth waiting for one; or raise the refusal."""
        if search.name is not None:
            self._member(search.name)
        lease = self._choose(search)
        if lease is None:
            self._plan_wait(search)
        return lease

    def _must_wait(self, search: Search) -> bool:
        """Return whether still nobody can serve, and say in the search how long to wait."""
        if search.name is not None:
            self._member(search.name)
        with self._lock:
            offer = self._offer(search, _clock.now(), takes_any=self.is_off)
            if any(search.name in (None, entry.name) for entry in offer):
                return False
        self._plan_wait(search)
        return True

    def _goes_on(self, search: Search, lease: Lease, error: BaseException) -> bool:
        """Return whether another entry may serve after this one has turned the call away."""
        if isinstance(error, LeaseLapsedError | CircuitOpenError):
            return True  # it is no candidate any more
        if not isinstance(error, RefusedError) or isinstance(error, DeadlineExceededError):
            return False
        passage = lease.passage
        if passage is not None and passage.queue is lease.member.queue:
            search.tried = {lease.name, *(each for each in self.names() if each in search.tried)}
            search.refusal = error.with_traceback(None)  # it would hold the frame that holds this
        return True

    def _choose(self, search: Search) -> Lease | None:
        """Choose and count one entry, or return None."""
        strategy = self._strategy if search.strategy is None else search.strategy
        preferred = search.name
        if preferred is None and not isinstance(strategy, str):
            preferred = self._ask(strategy, search)
        lease, is_free = None, self.is_off
        try:
            with self._lock:
                now = _clock.now()
                offer = self._offer(search, now, takes_any=is_free)
                chosen = self._pick(search, offer, strategy, preferred)
                if chosen is not None:
                    lease = Lease(self, self._members[chosen.name], now, is_free=is_free)
                    self._ring.take(chosen, now)
                    lease.is_open = True  # no call in between: Ctrl-C could come there
            if lease is not None and is_metering():
                self._measure_lease(lease.name)
        except BaseException as error:
            if lease is not None:
                lease.finish(error)
            raise
        return lease

    def _pick(
        self, search: Search, offer: Offer, strategy: str | Chooser, preferred: str | None
    ) -> Entry | None:
        """Return the preferred entry, if it may serve, else one by the strategy."""
        if preferred is not None:
            chosen = self._ring.entries.get(preferred)
            if chosen is not None and offer.allows(chosen):
                return chosen
            if search.name is not None:
                return None
        # What a strategy of the user's answers may be nonsense, or gone by now.
        pick = STRATEGIES[strategy if isinstance(strategy, str) else DEFAULT]
        return pick(offer, random.random())  # noqa: S311 - spreads load

    def _ask(self, strategy: Chooser, search: Search) -> str | None:
        """Return the name that a user's strategy chooses; None for whatever is no name."""
        with self._lock:
            offer = self._offer(search, _clock.now(), takes_any=self.is_off)
            records = tuple(map(Candidate.of, offer))
        answer: Any = guarded(strategy, records) if records else None
        preferred = answer.name if isinstance(answer, Candidate) else answer
        return preferred if isinstance(preferred, str) else None

    def _offer(self, search: Search, now: float, *, takes_any: bool) -> Offer:
        """Return who may serve, with or without those that rest, and those of open circuits."""
        circuits = not (deadlines.in_use and is_off("circuit_breaker"))
        return Offer(
            self._ring, now, search.tier, search.tried, takes_any=takes_any, circuits=circuits
        )

    def _plan_wait(self, search: Search) -> None:
        """Say how long to wait for an entry; raise where there is nothing to wait for."""
        error, search.refusal = search.refusal, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # it holds this frame
        refusal = self._refusal(search)
        waits = self._wait if search.wait is None else search.wait
        if not waits or refusal.retry_after is None:
            raise refusal
        left = deadline.remaining()
        if left == 0:
            msg = f"pool {self.name!r}: no key was ready before the deadline"
            raise DeadlineExceededError(msg, name=self.name) from refusal
        with self._lock:
            # Where entries are only being tried, the end of the trial is what wakes.
            now = _clock.now()
            seconds = self._ring.earliest(now, search.tier, name=search.name, probe=math.inf)
        search.seconds = min((each for each in (left, seconds) if each is not None), default=None)
        search.rests = seconds is not None

    def _refusal(self, search: Search) -> NoKeyAvailableError:
        name, tier = search.name, search.tier
        with self._lock:
            now = _clock.now()
            reasons = self._ring.reasons(now, tier)
            retry_after = self._ring.earliest(now, tier, name=name)
            rested = self._ring.earliest(now, tier, name=name, circuits=False)
        if name is not None:
            reasons = {name: reasons.get(name, "was removed")}
        why = "; ".join(f"{entry} {reason}" for entry, reason in reasons.items()) or "it is empty"
        msg = f"no key of pool {self.name!r} can serve: {why}"
        error = NoKeyAvailableError(msg, name=self.name, retry_after=retry_after, reasons=reasons)
        if rested != retry_after:
            mark(error, "rested", (rested,))  # a retry waits for a rest, never for a circuit
        return error

    def settle(self, lease: Lease, error: BaseException | None) -> None:
        """Charge the outcome of a call to the entry that it was made with, and give it back.

        What was made with a key that has been replaced since says nothing about the new one.
        """
        passage, began, now = lease.passage, lease.began, _clock.now()
        verdict = None if error is None else classify(error)
        seconds = None
        try:
            with self._lock:
                if not lease.is_open:
                    return
                speaks = lease.member.secret is lease.secret
                if verdict is None:
                    proved = speaks
                else:
                    proved = speaks and verdict.kind == "permanent"
                    if speaks and verdict.kind in _TROUBLES and not lease.is_free:
                        kind: Trouble = "key" if verdict.kind == "key" else "rate_limit"
                        hint = verdict.retry_after
                        seconds = self._ring.trouble(lease.entry, kind, hint, began, now)
                self._ring.give_back(lease.entry, proved=proved, began=began, now=now)
                lease.is_open = False
            if passage is not None:
                passage.record(error, began)
        finally:
            if passage is not None:
                passage.leave()  # after the rest began: who comes next looks at the key once more
        statistics, took = lease.member.statistics, max(0.0, now - began)
        if error is None:
            statistics.succeeded(took)
        else:
            statistics.ended(error, took)
        if self._waiters:
            self._wake_all()
        if verdict is not None and seconds:
            statistics.rested()
            self._publish_rest(lease.name, seconds, verdict.kind)

    def waking(self, tier: int | None, name: str | None) -> tuple[float | None, float | None]:
        """Return the seconds until the first throttled entry is ready, and until any is."""
        tier = current_priority() if tier is None else tier
        with self._lock:
            now, ring = _clock.now(), self._ring
            throttled = ring.earliest(now, tier, name=name, only="rate_limit", circuits=False)
            return throttled, ring.earliest(now, tier, name=name)

    def open_for(self, tier: int | None, name: str | None) -> float | None:
        """Return for how many seconds nobody can serve since circuits are open; None if one may."""
        tier = current_priority() if tier is None else tier
        with self._lock:
            now, ring = _clock.now(), self._ring
            if ring.earliest(now, tier, name=name, circuits=False) is not None:
                return None
            return ring.earliest(now, tier, name=name)
