"""Frozen records: as `@dataclass(frozen=True, slots=True, kw_only=True)`, but cheap to define.

`dataclass` writes the methods of each class as text and compiles them at once: 0.45 ms a class, a
quarter of the time that importing a client of an API took. Here all records share their methods,
and `__init__`, which has to be fast, is compiled when the first record of its kind is made, or
when somebody looks at it. What is left is 0.05 ms a class, and a program pays for what it uses.

`fields`, `replace`, `asdict` and `match` see a dataclass, checkers and `inspect.signature` too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

__all__ = ["record"]

T = TypeVar("T")


@overload
def record(cls: type[T], /) -> type[T]: ...


@overload
def record(*, kw_only: bool = ...) -> Callable[[type[T]], type[T]]: ...


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
def record(cls: type[Any] | None = None, /, *, kw_only: bool = True) -> Any:
    """Make a class of annotated fields, all known by `dataclasses.field`, a frozen record.

    It cannot be the base of a dataclass, only of another record.

    Args:
        cls: The class.
        kw_only: Whether its fields are given by name only.
    """

    def make(cls: type[Any]) -> type[Any]:
        bare = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
        for name, method in _METHODS.items():
            if name not in vars(bare):
                setattr(bare, name, method)
        if "__init__" not in vars(bare):
            bare.__init__ = _Init(bare)
        return bare

    return make if cls is None else make(cls)


class _NotGiven:
    """The default of a field that a factory fills."""

    def __repr__(self) -> str:
        return "<factory>"


_NOT_GIVEN = _NotGiven()


class _Init:
    """In the place of an `__init__` until it is looked up; two threads may both compile it."""

    def __init__(self, owner: type[Any]) -> None:
        self._owner = owner

    def __get__(self, instance: object, cls: type | None = None) -> Any:
        self._owner.__init__ = init = _compiled(self._owner)
        return init if instance is None else init.__get__(instance)


def _compiled(cls: type[Any]) -> Any:
    """Return the `__init__` that `dataclass` would have written, with a setter for each slot."""
    scope: dict[str, Any] = {"_not_given": _NOT_GIVEN}
    steps = [_step(cls, each, scope) for each in fields(cls)]
    if hasattr(cls, "__post_init__"):
        steps.append("self.__post_init__()")
    by_name = [_parameter(each) for each in fields(cls) if each.kw_only]
    by_place = [_parameter(each) for each in fields(cls) if not each.kw_only]
    parameters = ", ".join(["self", *by_place, *(["*", *by_name] if by_name else [])])
    body = "".join(f"\n    {step}" for step in steps or ["pass"])
    exec(f"def __init__({parameters}):{body}", scope)  # noqa: S102 - of names of our own
    init = scope["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    init.__annotations__ = {each.name: each.type for each in fields(cls)} | {"return": None}
    return init


def _parameter(each: Field[Any]) -> str:
    if each.default is not MISSING:
        return f"{each.name}=_default_{each.name}"
    return each.name if each.default_factory is MISSING else f"{each.name}=_not_given"


def _step(cls: type[Any], each: Field[Any], scope: dict[str, Any]) -> str:
    """Return the line that sets a field, and put what it and its parameter need into `scope`."""
    name = each.name
    scope[f"_set_{name}"] = getattr(cls, name).__set__
    scope[f"_default_{name}"], scope[f"_make_{name}"] = each.default, each.default_factory
    if each.default_factory is MISSING:
        return f"_set_{name}(self, {name})"
    return f"_set_{name}(self, _make_{name}() if {name} is _not_given else {name})"


@recursive_repr()
def _repr(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


@cache
def _compared(cls: type[Any]) -> Callable[[object], Any]:
    """Return what gets the values by which records of a class are equal, as a tuple or alone."""
    names = [each.name for each in fields(cls) if each.compare]
    return attrgetter(*names) if names else type


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    kind: Any = type(self)
    values = _compared(kind)
    return values(self) == values(other)


def _hash(self: Any) -> int:
    kind: Any = type(self)
    return hash(_compared(kind)(self))


def _refuse_to_set(_: object, name: str, __: object) -> NoReturn:
    msg = f"cannot assign to field {name!r}"
    raise FrozenInstanceError(msg)


def _refuse_to_delete(_: object, name: str) -> NoReturn:
    msg = f"cannot delete field {name!r}"
    raise FrozenInstanceError(msg)


def _restore(self: object, state: Any) -> None:
    """Set what `object.__getstate__` found: copies and pickles set no attributes.

    That is the slots, and before them what a plain class on top of a record has beside its fields.
    """
    for found in state if isinstance(state, tuple) else (state,):
        for name, value in (found or {}).items():
            object.__setattr__(self, name, value)


_METHODS: dict[str, Any] = {
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__setstate__": _restore,
}
