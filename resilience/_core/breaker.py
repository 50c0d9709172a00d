"""The circuit breaker: which state follows which, and why.

```
           failure_threshold, failure_rate, slow_call_rate
   CLOSED ────────────────────────────────────────────────▶ OPEN
      ▲                                                    │   ▲
      │ probe_succeeded                      reset_timeout │   │ probe_failed
      └──────────────────────── HALF-OPEN ◀────────────────┘   │
                                    └──────────────────────────┘
```

`open()`, `close()`, `disable()` and `enable()` lead anywhere, with the reason "manual".

Two rules keep the machine honest under concurrency:

- the step from OPEN to HALF-OPEN also hands out the first permit, so that nobody slips through
  between the two;
- every permit names the state that admitted it; an answer that comes back to another state
  changes nothing (the generations of sony/gobreaker).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

from resilience._core.breaker_states import (
    BreakerRules,
    Closed,
    Disabled,
    HalfOpen,
    Open,
    State,
)

__all__ = ["Breaker", "Transition"]


class Transition(NamedTuple):
    """One change of state, with the names of both states and the reason."""

    source: str
    target: str
    reason: str


class Breaker:
    """One circuit; its driver holds a lock around every method, but may read the attributes.

    Attributes:
        closed: Whether calls pass without asking; the driver's fast path reads it.
        calm: Whether a success changes nothing, so that it need not be recorded; read likewise.
        permit: The permit of every call that passes while the circuit is closed.
        failures: Consecutive failures; they stay when the circuit opens.
    """

    __slots__ = (
        "_openings",
        "_permits",
        "calm",
        "closed",
        "failures",
        "permit",
        "rules",
        "state",
        "transitions",
    )

    def __init__(self, rules: BreakerRules) -> None:
        self.rules = rules
        self._openings = 0  # in a row, without a success between them
        self._permits: Iterator[int] | None = None  # while it has never opened there is but one
        self.permit = -1
        self.failures = 0
        self.transitions: tuple[Transition, ...] = ()  # taken and emptied by the driver
        self._enter(Closed(rules, 0))

    def admit(self, now: float) -> int | None:
        """Return a permit, or None for a refusal."""
        state = self.state
        if isinstance(state, Open) and state.is_over(now):
            self._move(HalfOpen(self.rules, self._numbers()), "reset_timeout")
        return self.state.admit(now)

    def wait(self, now: float) -> float:
        """Return the seconds until a call may pass; infinite where it is held open by hand.

        Needs no lock, as `still_admits`: what it says may be over in the next moment anyway.
        """
        state = self.state
        if isinstance(state, Closed | Disabled):
            return 0.0
        wait = state.retry_after(now)
        return math.inf if wait is None else wait

    def still_admits(self, permit: int) -> bool:
        """Return whether the call with this permit, which has not begun, may begin still."""
        state = self.state
        return isinstance(state, Disabled) or state.owns(permit)

    def release(self, permit: int) -> None:
        """Take back the permit of a call that says nothing about the service.

        Needs no lock: the garbage collector, which closes forgotten streams, may call it in the
        midst of any other step.
        """
        self.state.neutral(permit)

    def record(self, permit: int, *, failed: bool, now: float, slow: bool = False) -> None:
        """Take the answer of a call that was admitted with `permit`."""
        state = self.state
        if not state.owns(permit) or isinstance(state, Open | Disabled):
            return  # the answer is older than the last transition
        self.failures = self.failures + 1 if failed else 0
        self.calm = not failed and self.closed and not self.rules.windowed
        judge = state.failure if failed else state.success
        reason = judge(permit, now, slow=slow)
        if reason == "probe_succeeded":
            self._openings = 0
            self._move(Closed(self.rules, next(self._numbers())), reason)
        elif reason is not None:
            self._openings += 1
            self._move(Open(now, self.rules.open_for(self._openings)), reason)

    def name(self, now: float) -> str:
        """Return the state's name; OPEN reads as HALF-OPEN as soon as a probe would pass."""
        state = self.state
        return HalfOpen.name if isinstance(state, Open) and state.is_over(now) else state.name

    def hold_open(self, now: float) -> None:
        """Open by hand, until `close()`."""
        if not (isinstance(self.state, Open) and self.state.duration is None):
            self._move(Open(now, None), "manual")

    def close(self) -> None:
        """Close by hand, with nothing counted."""
        self._openings = 0
        self._move(Closed(self.rules, next(self._numbers())), "manual")

    def disable(self) -> None:
        """Let everybody pass and count nothing, until `enable()`."""
        self._move(Disabled(), "manual")

    def enable(self) -> None:
        """Close, if it was disabled."""
        if isinstance(self.state, Disabled):
            self.close()

    def _numbers(self) -> Iterator[int]:
        """Return the permits that are left: none is given twice."""
        if self._permits is None:
            self._permits = count(1)
        return self._permits

    def _move(self, target: State, reason: str) -> None:
        source = self.state
        if source.name != target.name:
            self.transitions += (Transition(source.name, target.name, reason),)
        self._enter(target)

    def _enter(self, state: State) -> None:
        self.state = state
        if isinstance(state, Closed):
            self.failures = 0
            self.permit = state.permit  # before `closed`, since others read both without a lock
        self.closed = isinstance(state, Closed)
        self.calm = self.closed and not self.rules.windowed
