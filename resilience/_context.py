"""What travels with the call in progress: the deadline, the priority, the places in queues.

Context variables follow a call into coroutines and, by `contextvars.copy_context`, into the
threads of `submit()`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextvars import Context, ContextVar
from enum import IntEnum
from types import TracebackType
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeVar

from resilience import _clock
from resilience._rules import check, fail
from resilience.errors import DeadlineExceededError

__all__ = [
    "Held",
    "Priority",
    "Scope",
    "check_deadline",
    "deadline",
    "deadline_end",
    "deadlines",
    "forget_places",
    "lend_permit",
    "permit_reserved",
    "place_kept",
    "priorities",
    "priority",
]


T = TypeVar("T")


class Priority(IntEnum):
    """Who goes first: the smaller number; equal ones in order of arrival."""

    HIGH = 0
    NORMAL = 1
    LOW = 2


class _Use:
    """Whether something that surrounds a call was ever used.

    Programs that never did so pay an attribute at each layer, not a look-up.
    """

    __slots__ = ("in_use",)

    def __init__(self) -> None:
        self.in_use = False


deadlines = _Use()  # a deadline was set, a feature turned off or an end of a call listened to
priorities = _Use()  # there was a `with priority(...)`

_NORMAL = Priority.NORMAL  # to look a member up costs several times as much, up to Python 3.11
_TIERS = {key: tier for tier in Priority for key in (tier.name, tier.value)}
_PRIORITY: ContextVar[Held[Priority] | None] = ContextVar("resilience.priority", default=None)
_DEADLINE: ContextVar[Held[float] | None] = ContextVar("resilience.deadline", default=None)

# The queues that keep a place for the call in progress, since an attempt of it failed: a retried
# attempt comes back with its old place. The retry clears it at its end.
_PLACES: ContextVar[tuple[HasPlaces, ...]] = ContextVar("resilience.places", default=())


# The queue whose permit a submitted call brings along, until the call asks for it.
_RESERVED: ContextVar[HasPlaces | None] = ContextVar("resilience.reserved", default=None)


class HasPlaces(Protocol):
    """A queue that keeps places."""

    def forget_place(self) -> None:
        """Take note that the thread or task does not come back any more."""

    def lend_permit(self) -> None:
        """Let others use a permit that is only reserved; its place is kept."""


def permit_reserved(queue: HasPlaces) -> None:
    """Take note that the call in progress brings a permit of this queue along."""
    _RESERVED.set(queue)


def lend_permit() -> None:
    """Let others use the permit that the call brings along, since it is about to wait.

    Whoever holds what it waits for may be waiting for that permit.
    """
    queue = _RESERVED.get()
    if queue is not None:
        _RESERVED.set(None)
        queue.lend_permit()


def place_kept(queue: HasPlaces) -> None:
    """Take note that the queue keeps the place of the call in progress."""
    places = _PLACES.get()
    if queue not in places:
        _PLACES.set((*places, queue))


def forget_places() -> None:
    """Give up all places: the call in progress makes no further attempt."""
    places = _PLACES.get()
    if places:
        _PLACES.set(())
        for queue in places:
            queue.forget_place()


class Held(NamedTuple, Generic[T]):
    """What holds inside a `with`, which object set it, and what holds around it."""

    value: T
    owner: object
    outer: Held[T] | None


class Scope(ABC, Generic[T]):
    """What holds for everything inside; one object may be entered by several tasks and threads."""

    __slots__ = ()

    _variable: ClassVar[ContextVar[Any]]

    @abstractmethod
    def _value(self) -> T:
        """Return what is to hold inside."""

    def __enter__(self) -> Self:
        self._variable.set(Held(self._value(), self, self._variable.get()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._variable.set(_without(self._variable.get(), self))


def _without(held: Held[T] | None, owner: object) -> Held[T] | None:
    """Return what holds once `owner` has been left.

    It need not be the innermost: a generator in a `with` of its own is left when its consumer
    wants, and one that is forgotten in some other context, where it never was.
    """
    if held is None or held.owner is owner:
        return None if held is None else held.outer
    return held._replace(outer=_without(held.outer, owner))


class priority(Scope[Priority]):  # noqa: N801 - used as `with priority(HIGH):`, like a function
    """Give everything inside this priority, unless a call says otherwise by `priority=`.

    The innermost one holds.

    Args:
        value: A `Priority`, its number or its name.

    Raises:
        SettingsError: if it is none of these.
    """

    __slots__ = ("_tier",)

    _variable = _PRIORITY

    def __init__(self, value: Priority | int | str) -> None:
        self._tier = as_priority(value)

    def _value(self) -> Priority:
        priorities.in_use = True
        return self._tier


def as_priority(value: Any) -> Priority:
    """Return the priority that `value` names: a member, its number or its name."""
    key = value.upper() if isinstance(value, str) else value
    known = isinstance(key, int | str) and not isinstance(key, bool) and key in _TIERS
    if not known:
        fail("priority", "must be Priority.HIGH (0), NORMAL (1) or LOW (2)", value)
    return _TIERS[key]


def current_priority() -> Priority:
    """Return the priority that the surrounding `with priority(...)` gives, else NORMAL."""
    held = _PRIORITY.get()
    return _NORMAL if held is None else held.value


def priority_in(context: Context) -> Priority | None:
    """Return the priority that a `with priority(...)` gives in this context, or None."""
    held = context.get(_PRIORITY)
    return None if held is None else held.value


def act_for(tier: Priority | None, end: float | None) -> None:
    """Go on with this priority and this deadline alone, for calls that are answered together.

    Places that the context has brought along are somebody else's.
    """
    _PRIORITY.set(None if tier is None else Held(tier, None, None))
    _DEADLINE.set(None if end is None else Held(end, None, None))
    _PLACES.set(())


class deadline(Scope[float]):  # noqa: N801 - used as `with deadline(10):`, like a function
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

    __slots__ = ("_seconds",)

    _variable = _DEADLINE

    def __init__(self, seconds: float) -> None:
        check("deadline", seconds)
        self._seconds = seconds

    def _value(self) -> float:
        deadlines.in_use = True
        return _clock.now() + self._seconds

    @staticmethod
    def remaining() -> float | None:
        """Return the seconds that the surrounding deadlines leave, at least 0; None without one."""
        if not deadlines.in_use:
            return None
        end = deadline_end()
        return None if end is None else max(0.0, end - _clock.now())


def deadline_end() -> float | None:
    """Return when the first of the surrounding deadlines ends; None without one."""
    held = _DEADLINE.get() if deadlines.in_use else None
    if held is None:
        return None
    end = held.value
    while (held := held.outer) is not None:
        end = min(end, held.value)
    return end


def check_deadline(name: str) -> None:
    """Refuse the call `name` if its deadline has passed; ask `deadlines.in_use` before."""
    if deadline.remaining() == 0:
        msg = f"{name}: the deadline had passed before the call"
        raise DeadlineExceededError(msg, name=name)
