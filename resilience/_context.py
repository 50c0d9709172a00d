"""What travels with the call in progress: the deadline, the priority, the places in queues.

Context variables follow a call into coroutines and, by `contextvars.copy_context`, into the
threads of `submit()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from enum import IntEnum
from types import TracebackType
from typing import Any, Self

from resilience import _clock
from resilience._rules import check
from resilience.errors import DeadlineExceededError, SettingsError

__all__ = ["PLACES", "Priority", "check_deadline", "deadline", "deadlines", "priority"]


class Priority(IntEnum):
    """Who goes first: the smaller number; equal ones in order of arrival."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


_PRIORITY: ContextVar[Priority] = ContextVar("resilience.priority", default=Priority.NORMAL)
_DEADLINE: ContextVar[float | None] = ContextVar("resilience.deadline", default=None)

# The arrivals that the call in progress had in its queues, so that a retried attempt comes back
# with its old place. A queue writes it when an attempt fails, the retry clears it at its end.
PLACES: ContextVar[dict[object, int] | None] = ContextVar("resilience.places", default=None)


@contextmanager
def priority(value: Priority | int) -> Iterator[None]:
    """Give everything inside this priority, unless a call says otherwise by `priority=`."""
    token = _PRIORITY.set(as_priority(value))
    try:
        yield
    finally:
        _PRIORITY.reset(token)


def as_priority(value: Any) -> Priority:
    """Return the priority that `value` names: a member, its number or its name."""
    try:
        if isinstance(value, str):
            return Priority[value.upper()]
        return Priority(value)
    except (KeyError, ValueError):
        rule = "must be Priority.HIGH (0), NORMAL (1) or LOW (2)"
        msg = f"priority {rule}, not {value!r}"
        raise SettingsError(msg, setting="priority", rule=rule, value=value) from None


def current_priority() -> Priority:
    """Return the priority that the surrounding `with priority(...)` gives, else NORMAL."""
    return _PRIORITY.get()


class _Switch:
    """Whether any deadline was ever set: programs without one pay an attribute, not a look-up."""

    __slots__ = ("in_use",)

    def __init__(self) -> None:
        self.in_use = False


deadlines = _Switch()


class deadline:  # noqa: N801 - used as `with deadline(10):`, like a function
    """Give everything inside at most `seconds`: queue waits, retry sleeps, key waits, time-outs.

    Deadlines nest: the one that ends first wins.
    A call that begins after its deadline raises `DeadlineExceededError` and nothing is called; a
    back-off that would pass it ends the retry with the real error at once.
    A running function is not interrupted.

    Args:
        seconds: From now, at least 0.

    Raises:
        SettingsError: if `seconds` is not a number of at least 0.
    """

    __slots__ = ("_seconds", "_tokens")

    def __init__(self, seconds: float) -> None:
        check("deadline", seconds)
        self._seconds = seconds
        self._tokens: list[Token[float | None]] = []

    def __enter__(self) -> Self:
        deadlines.in_use = True
        end = _clock.now() + self._seconds
        outer = _DEADLINE.get()
        self._tokens.append(_DEADLINE.set(end if outer is None else min(end, outer)))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _DEADLINE.reset(self._tokens.pop())

    @staticmethod
    def remaining() -> float | None:
        """Return the seconds that the surrounding deadlines leave, at least 0; None without one."""
        if not deadlines.in_use:
            return None
        end = _DEADLINE.get()
        return None if end is None else max(0.0, end - _clock.now())


def check_deadline(name: str) -> None:
    """Refuse the call `name` if its deadline has passed; ask `deadlines.in_use` before."""
    if deadline.remaining() == 0:
        msg = f"{name}: the deadline had passed before the call"
        raise DeadlineExceededError(msg, name=name)
