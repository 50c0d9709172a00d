"""`KeyPool`: several keys, or several servers, behind one function."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ParamSpec, Self, TypeVar

from resilience import _clock, _fork
from resilience._context import Priority, current_priority, deadline
from resilience._core.keys import Entry, KeyRing, RestRules, Trouble
from resilience._core.strategies import DEFAULT, STRATEGIES
from resilience._environment import find_keys
from resilience._hooks import guarded
from resilience._lease import Lease, LeaseRequest
from resilience._pool_entries import Candidate, KeyEntries, Secret, entries_of
from resilience._pool_layer import PoolLayer
from resilience._rules import check, fail
from resilience._waiters import LoopWaiter, ThreadWaiter
from resilience._wrapper import decorate
from resilience.classify import classify
from resilience.errors import DeadlineExceededError, NoKeyAvailableError
from resilience.settings import reject_unknown
from resilience.telemetry.events import KeyRested, publish

__all__ = ["KeyPool"]

P = ParamSpec("P")
R = TypeVar("R")
Chooser = Callable[[Sequence[Candidate]], Candidate | str]


class KeyPool(KeyEntries):
    """Keys of one service, of which one that is throttled rests while the others work.

    A rate limit lets an entry rest for as long as the server says, else for
    `initial_retry_delay`, doubling; a rejected key (401, 403, no quota) is set aside for five
    minutes, doubling up to an hour, and then tried by one call.
    No secret shows in `repr`, logs, spans, metrics, errors or `vars()`; a pool cannot be pickled.
    Thread-safe, and shared by threads and event loops.

    Args:
        keys: Names and keys, a list of keys, or one key; more by `add`.
        strategy: "round-robin", "least-loaded", "weighted", "two-choices", "first", or a function
            of the candidates that returns one of them, or its name.
        wait: Whether to wait, within the deadline, where no entry can serve (False: refuse).
        name: The name in errors, logs and telemetry ("keys").
        initial_retry_delay: The first rest without a hint, in seconds (1).
        max_retry_delay: The longest rest without a hint, in seconds (60).

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule.
    """

    def __init__(
        self,
        keys: Mapping[str, str | None] | Iterable[str] | str | None = None,
        *,
        strategy: str | Chooser = DEFAULT,
        wait: bool = False,
        name: str | None = None,
        **settings: Any,
    ) -> None:
        reject_unknown(settings, ("initial_retry_delay", "max_retry_delay"), "KeyPool")
        check("name", name)
        check("wait", wait)
        for setting, value in settings.items():
            check(setting, value)
        self.name = name or "keys"
        self._strategy = _checked(strategy)
        self._wait = wait
        first = settings.get("initial_retry_delay", 1.0)
        self._ring = KeyRing(RestRules(first, max(first, settings.get("max_retry_delay", 60.0))))
        self._secrets = {}
        self._statistics = {}
        self._added = 0
        self.renew_after_fork()
        _fork.renew_after(self)
        for entry_name, key in entries_of(keys).items():
            self.add(entry_name, key)

    @classmethod
    def from_env(cls, *variables: str, **settings: Any) -> Self:
        """Return a pool of all keys in the environment and the nearest `.env`.

        Args:
            variables: Names such as "OPENAI_API_KEY"; each also with `_1`, `_2`, … behind it,
                with gaps. An entry is named for its variable.

        Raises:
            MissingKeyError: if there is none; it names the variables.
        """
        if not variables or not all(variables):
            fail("variables", "must be one or more names of environment variables", variables)
        settings.setdefault("name", variables[0])
        return cls(find_keys(variables), **settings)

    def lease(self, name: str | None = None, strategy: str | Chooser | None = None) -> LeaseRequest:
        """Return a context manager, sync and async, that gives a `Lease`.

        Args:
            name: The entry, or None for whichever the strategy chooses.
            strategy: Instead of the pool's own.

        Raises:
            NoKeyAvailableError: nobody can serve, and the pool does not wait; on entering.
        """
        return LeaseRequest(self, name, None if strategy is None else _checked(strategy))

    def take(self, **request: Any) -> Lease:
        """Return a lease, which the caller ends by `finish`; waits in this thread if `wait`."""
        lease, _ = self._try(**request)
        while lease is None:
            waiter = ThreadWaiter()
            with self._told_of_changes(waiter):
                lease, seconds = self._try(**request)
                if lease is None:
                    waiter.wait(seconds)
        return lease

    async def take_async(self, **request: Any) -> Lease:
        """Return a lease; as `take`, but for `await`."""
        lease, _ = self._try(**request)
        while lease is None:
            waiter = LoopWaiter()
            with self._told_of_changes(waiter):
                lease, seconds = self._try(**request)
                if lease is None:
                    await waiter.wait(seconds)
        return lease

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """Decorate: lease a key for each attempt and pass it as `api_key`."""
        return self.inject("api_key")(function)

    def inject(self, parameter: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Return a decorator that leases a key for each attempt and passes it as `parameter`.

        A call that brings the argument itself is left alone. On a rate limit, or where the key is
        rejected, the call goes on with another key at once: that is no retry and costs no delay.
        When every entry has failed in this call, the last real error is raised, with the earliest
        waking as `retry_after`.
        """
        check("parameter", parameter)
        layer = PoolLayer(self, parameter)
        return lambda function: decorate(function, lambda _: layer)

    def settle(
        self, entry: Entry, secret: Secret, began: float, error: BaseException | None
    ) -> None:
        """Charge the outcome of a call to the entry that it was made with.

        What was made with a key that has been replaced since says nothing about the new one.
        """
        verdict = None if error is None else classify(error)
        now = _clock.now()
        seconds = None
        with self._lock:
            speaks = self._secrets.get(entry.name, secret) is secret
            if speaks and verdict is not None and verdict.kind in ("rate_limit", "key"):
                kind: Trouble = "key" if verdict.kind == "key" else "rate_limit"
                seconds = self._ring.trouble(entry, kind, verdict.retry_after, began, now)
            proved = speaks and (verdict is None or verdict.kind == "permanent")
            self._ring.give_back(entry, proved=proved, began=began, now=now)
            is_ours = self._ring.entries.get(entry.name) is entry
            statistics = self._statistics[entry.name] if is_ours else None
        if statistics is not None:
            took = max(0.0, now - began)
            statistics.succeeded(took) if error is None else statistics.ended(error, took)
        self._wake_all()
        if verdict is not None and seconds:
            rested = KeyRested(
                name=self.name, key_name=entry.name, seconds=seconds, reason=verdict.kind
            )
            publish(rested)

    def waking(self, tier: int | None, name: str | None) -> tuple[float | None, float | None]:
        """Return the seconds until the first throttled entry is ready, and until any is."""
        tier = current_priority() if tier is None else tier
        with self._lock:
            now, ring = _clock.now(), self._ring
            throttled = ring.earliest(now, tier, name=name, only="rate_limit")
            return throttled, ring.earliest(now, tier, name=name)

    def resting(self) -> dict[str, float]:
        """Return the entries that are not handed out now, and for how many seconds."""
        now = _clock.now()
        with self._lock:
            waits = {name: entry.wait(now) for name, entry in self._ring.entries.items()}
        return {name: wait for name, wait in waits.items() if wait}

    def _try(
        self,
        *,
        name: str | None = None,
        strategy: Any = None,
        tier: Priority | None = None,
        tried: frozenset[str] | set[str] = frozenset(),
        wait: bool | None = None,
    ) -> tuple[Lease | None, float | None]:
        """Return a lease; or None and how long to wait; or raise that nobody can serve."""
        tier = current_priority() if tier is None else tier
        if name is not None:
            self._entry(name)
        chosen = self._choose(self._strategy if strategy is None else strategy, name, tier, tried)
        if chosen is not None:
            return Lease(self, *chosen), None
        refusal = self._refusal(name, tier)
        if not (self._wait if wait is None else wait) or refusal.retry_after is None:
            raise refusal
        left = deadline.remaining()
        if left == 0:
            msg = f"pool {self.name!r}: no key was ready before the deadline"
            raise DeadlineExceededError(msg, name=self.name) from refusal
        with self._lock:
            # Where entries are only being tried, the end of the trial is what wakes.
            seconds = self._ring.earliest(_clock.now(), tier, name=name, probe=math.inf)
        limits = [limit for limit in (left, seconds) if limit is not None and limit < math.inf]
        return None, min(limits, default=None)

    def _choose(
        self, strategy: Any, name: str | None, tier: int, tried: Iterable[str]
    ) -> tuple[Entry, Secret] | None:
        """Choose and count one entry, or return None; a user's strategy runs without the lock."""
        preferred = None
        if name is None and not isinstance(strategy, str):
            with self._lock:
                offered = self._ring.candidates(_clock.now(), tier, tried)
                records = tuple(_record(entry) for entry in offered)
            answer = guarded(strategy, records) if records else None
            preferred = answer.name if isinstance(answer, Candidate) else answer
            preferred = preferred if isinstance(preferred, str) else None
        with self._lock:
            now = _clock.now()
            ready = self._ring.candidates(now, tier, tried)
            if name is not None:
                ready = [entry for entry in ready if entry.name == name]
            if not ready:
                return None
            chosen = next((entry for entry in ready if entry.name == preferred), None)
            if chosen is None:  # what a strategy answers may be nonsense, or gone by now
                pick = STRATEGIES[strategy if isinstance(strategy, str) else DEFAULT]
                chosen = pick(ready, random.random())  # noqa: S311 - spreads load
            self._ring.take(chosen, now)
            return chosen, self._secrets[chosen.name]

    def _refusal(self, name: str | None, tier: int) -> NoKeyAvailableError:
        with self._lock:
            now = _clock.now()
            reasons = self._ring.reasons(now, tier)
            retry_after = self._ring.earliest(now, tier, name=name)
        if name is not None:
            reasons = {name: reasons.get(name, "was removed")}
        why = "; ".join(f"{entry} {reason}" for entry, reason in reasons.items()) or "it is empty"
        msg = f"no key of pool {self.name!r} can serve: {why}"
        return NoKeyAvailableError(msg, name=self.name, retry_after=retry_after, reasons=reasons)

    def __repr__(self) -> str:
        return f"<KeyPool {self.name!r}: {', '.join(self.names())}>"


def _checked(strategy: Any) -> Any:
    known = ", ".join(STRATEGIES)
    is_known = strategy in STRATEGIES if isinstance(strategy, str) else callable(strategy)
    if not is_known:
        fail("strategy", f"must be one of {known}, or a function of the candidates", strategy)
    return strategy


def _record(entry: Entry) -> Candidate:
    tiers = None if entry.tiers is None else frozenset(Priority(tier) for tier in entry.tiers)
    return Candidate(
        name=entry.name,
        active=entry.active,
        queued=0,
        weight=entry.weight,
        tiers=tiers,
        last_used=entry.last_used,
        average_latency=entry.latency,
    )
