"""`CircuitBreaker`: the object. Its machine is `_core.breaker`, its layer `_breaker_layer`."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from resilience import _clock, _fork
from resilience._core.breaker import Breaker
from resilience._core.breaker import Transition as Move
from resilience._core.breaker_states import BreakerRules, Disabled, Open, shared_rules
from resilience._hooks import guarded, name_of, says_yes
from resilience._retry_options import predicate
from resilience._rules import check_all, fail
from resilience._users import Users
from resilience.classify import classify
from resilience.errors import CircuitOpenError
from resilience.settings import reject_unknown
from resilience.telemetry.events import Transition, publish
from resilience.telemetry.gauges import Reading, number_of_state

__all__ = ["CircuitBreaker"]

_FOR_EVER = math.inf


class CircuitBreaker:
    """Stops calling a service that fails, and tries it again after a while.

    CLOSED: everybody passes. OPEN: everybody is refused with `CircuitOpenError` for
    `reset_timeout` seconds. HALF-OPEN: `half_open_max_calls` at a time pass as probes, everybody
    else is refused; `success_threshold` successes close it, one failure opens it again.
    Only failures of the service count (`resilience.classify`: transient errors), not rate limits,
    the caller's own mistakes or cancellation.
    Give one object to all functions that call one service: `@circuit_breaker(breaker)`.
    Thread-safe, and shared by threads and event loops.

    Args:
        failure_threshold: Consecutive failures that open it, at least 1 (5). With `failure_rate`
            it counts only if it is given as well; None: only rates count.
        reset_timeout: Seconds that it stays open before a probe, at least 0 (30).
        half_open_max_calls: Probes at a time, at least 1 (1).
        success_threshold: Successful probes that close it, at least 1 (1).
        failure_rate: Share of failures in the window that opens it, above 0, at most 1 (None).
        minimum_calls: Calls in the window before a rate counts, at least 1 (10).
        window: The last calls that rates look at: a number (100), or a `timedelta`.
        slow_call_duration: Seconds from which a call counts as slow (None).
        slow_call_rate: Share of slow calls that opens it, above 0, at most 1 (None).
        max_reset_timeout: Each opening in a row lasts twice as long, up to this many seconds
            (None: always `reset_timeout`).
        counts: Exception types, or a predicate, that say what a failure is (None: by
            `classify`).
        name: The name in errors, logs and telemetry.
        on_transition: Called after each change of state with one `Transition` record.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule.
    """

    __slots__ = (
        "__weakref__",
        "_counts",
        "_lock",
        "_on_transition",
        "machine",
        "name",
        "slow_from",
        "users",
    )

    gauges = frozenset({"resilience.circuit_breaker.state"})

    def __init__(self, **settings: Any) -> None:
        reject_unknown(settings, KNOWN, "CircuitBreaker")
        check_all(settings)
        self.name: str = settings.pop("name", None) or "circuit_breaker"
        self._on_transition = settings.pop("on_transition", None)
        self._counts = predicate("counts", settings.pop("counts", None))
        self.slow_from: float | None = settings.pop("slow_call_duration", None)
        self.machine = Breaker(_rules(settings, self.slow_from))
        self.users = Users()
        self._lock = threading.Lock()
        _fork.renew_after(self)

    @property
    def state(self) -> str:
        """The state: "CLOSED", "OPEN", "HALF-OPEN" (a probe would pass) or "DISABLED"."""
        with self._lock:
            return self.machine.name(_clock.now())

    @property
    def enabled(self) -> bool:
        """Whether it works: True, unless it was turned off by `disable()`."""
        return not isinstance(self.machine.state, Disabled)

    @property
    def failure_count(self) -> int:
        """Consecutive failures; those that opened it are kept until it closes."""
        return self.machine.failures

    @property
    def retry_after(self) -> float | None:
        """Seconds until it is worth while to ask again; None where it is closed or held open.

        While it is open: until a probe may pass. While probes are under way: 0.1 s at first, then
        as long as they have been awaited already.
        """
        with self._lock:
            return self.machine.state.retry_after(_clock.now())

    def explain(self) -> str:
        """Return the settings as text; of those that are off by default, the ones given."""
        rules = self.machine.rules
        span = rules.window if rules.window_seconds is None else f"{rules.window_seconds:g} s"
        given: dict[str, object] = {
            "failure_threshold": rules.failure_threshold,
            "failure_rate": rules.failure_rate,
            "slow_call_rate": rules.slow_call_rate,
            "slow_call_duration": _seconds(self.slow_from),
            "window": span if rules.windowed else None,
            "minimum_calls": rules.minimum_calls if rules.windowed else None,
            "reset_timeout": _seconds(rules.reset_timeout),
            "max_reset_timeout": _seconds(rules.max_reset_timeout),
            "half_open_max_calls": _unless_one(rules.half_open_max_calls),
            "success_threshold": _unless_one(rules.success_threshold),
        }
        shown = [f"{name}={value}" for name, value in given.items() if value is not None]
        return ", ".join([*shown, *([f"counts={name_of(self._counts)}"] if self._counts else [])])

    def open(self) -> None:
        """Open it and hold it open until `close()`."""
        self._change(lambda: self.machine.hold_open(_clock.now()))

    def close(self) -> None:
        """Close it and forget what was counted."""
        self._change(self.machine.close)

    def disable(self) -> None:
        """Let everybody pass and count nothing, until `enable()`."""
        self._change(self.machine.disable)

    def enable(self) -> None:
        """Work again after `disable()`, closed."""
        self._change(self.machine.enable)

    def admit(self) -> int:
        """Return a permit for one call, or raise `CircuitOpenError`; `record` takes it back."""
        if seconds := self.open_for():
            raise self.refusal(seconds)
        now, machine = _clock.now(), self.machine
        with self._lock:
            permit = machine.admit(now)
            state, seconds = machine.state.name, machine.wait(now)
            moves = self._take_moves()
        try:
            self._announce(moves)
        except BaseException:  # a hook that ends the program: the probe does not begin
            if permit is not None:
                machine.release(permit)
            raise
        if permit is None:  # others were faster
            raise self.refusal(seconds, state)
        return permit

    def open_for(self) -> float:
        """Return the seconds for which nobody passes, held open: inf; 0 where `admit` has to say.

        Nothing changes by it, so it needs no lock.
        """
        state = self.machine.state
        if not isinstance(state, Open):
            return 0.0
        left = state.retry_after(_clock.source.monotonic())
        return _FOR_EVER if left is None else left

    def refusal(self, seconds: float, state: str | None = None) -> CircuitOpenError:
        """Return the error, made without its constructor: that costs as much as all the rest."""
        error = CircuitOpenError.__new__(CircuitOpenError)
        error.name = self.name
        error.retry_after = None if seconds == _FOR_EVER else seconds
        if state is not None:
            error.state = state
        return error

    def record(
        self,
        permit: int,
        error: BaseException | None,
        started: float | None = None,
        *,
        elsewhere: bool = False,
    ) -> None:
        """Take the outcome of a call: the exception that it raised, or None for a success.

        `started` is when the call began, where slow calls count; `elsewhere` says that a failure
        counts in another circuit, and so not in this one.
        An answer that was admitted before the last change of state changes nothing.
        """
        try:
            is_neutral = error is not None and (elsewhere or not self._is_counted(error))
        except BaseException:  # a predicate that ends the program: nothing is known of the call
            self.machine.release(permit)
            raise
        if is_neutral:
            self.machine.release(permit)
            return
        now = _clock.now()
        is_timed = self.slow_from is not None and started is not None
        slow = is_timed and now - started >= self.slow_from  # type: ignore[operator]
        with self._lock:
            self.machine.record(permit, failed=error is not None, now=now, slow=slow)
            moves = self._take_moves()
        self._announce(moves)

    def _is_counted(self, error: BaseException) -> bool:
        """Return whether the error speaks against the service; if not, it is neutral."""
        verdict = classify(error)
        if verdict.kind == "neutral" or self._counts is None:
            return verdict.is_failure
        return says_yes(self._counts, error)

    def _change(self, change: Callable[[], None]) -> None:
        with self._lock:
            change()
            moves = self._take_moves()
        self._announce(moves)

    def _take_moves(self) -> tuple[Move, ...]:
        moves, self.machine.transitions = self.machine.transitions, ()
        return moves

    def _announce(self, moves: tuple[Move, ...]) -> None:
        """Tell everybody, after the lock was let go: a listener may use this very breaker."""
        for move in moves:
            record = Transition(
                name=self.name,
                measured=self.users.measure,
                from_=move.source,
                to=move.target,
                reason=move.reason,
            )
            publish(record)
            if self._on_transition is not None:
                guarded(self._on_transition, record)

    def read(self, gauge: str) -> Iterable[Reading]:
        """Return the state as a number, without the lock: whoever collects may hold one."""
        state = number_of_state(self.machine.name(_clock.now()))
        return [({"resilience.name": self.name}, state)]

    def renew_after_fork(self) -> None:
        """Take a new lock: the old one may have been held by a thread that does not exist here."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.name!r} {self.state}>"


_OF_THE_OBJECT = {"counts", "name", "on_transition", "slow_call_duration"}
KNOWN = frozenset(BreakerRules.__annotations__) - {"window_seconds"} | _OF_THE_OBJECT


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:g} s"


def _unless_one(value: int) -> int | None:
    return value if value > 1 else None


def _rules(settings: dict[str, Any], slow_from: float | None) -> BreakerRules:
    """Return the machine's rules; what depends on two settings is checked here."""
    rates = settings.get("failure_rate"), settings.get("slow_call_rate")
    if (slow_from is None) != (rates[1] is None):
        fail("slow_call_rate", "and slow_call_duration must be given together", rates[1])
    if "failure_threshold" not in settings and rates != (None, None):
        settings["failure_threshold"] = None
    if settings.get("failure_threshold", 5) is None and rates == (None, None):
        fail("failure_threshold", "must be given where no rate is", None)
    window = settings.get("window", 100)
    if isinstance(window, timedelta):
        settings["window_seconds"] = window.total_seconds()
        del settings["window"]
    elif rates != (None, None) and settings.get("minimum_calls", 10) > window:
        fail("minimum_calls", f"must be at most window={window}", settings.get("minimum_calls", 10))
    longest, first = settings.get("max_reset_timeout"), settings.get("reset_timeout", 30.0)
    if longest is not None and longest < first:
        fail("max_reset_timeout", f"must be at least reset_timeout={first:g}", longest)
    return shared_rules(**settings)
