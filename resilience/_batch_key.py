"""What makes calls fit into one batch: the same instance and the same other arguments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from inspect import Parameter
from typing import Any, NamedTuple

from resilience._rules import fail
from resilience._site import parameters_of

__all__ = ["Arguments", "Options", "frozen"]

_PLAIN = frozenset({bool, bytes, int, str, type(None)})
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


class Options(NamedTuple):
    """What a call has beside its item.

    Attributes:
        before: The instance or class of a method.
        after: Positional arguments behind the list that have no name.
        kwargs: All others.
        key: Calls with equal keys may share a batch.
    """

    before: tuple[Any, ...]
    after: tuple[Any, ...]
    kwargs: dict[str, Any]
    key: Any


Reader = Callable[[tuple[Any, ...], dict[str, Any]], tuple[Any, Options]]

_NO_OPTIONS = Options((), (), {}, None)


class Arguments:
    """Tells the item from the other arguments, by the function's signature.

    The list is the first positional parameter, or the second where the first is `self` or `cls`.
    """

    def __init__(self, function: Callable[..., Any], key: Callable[..., Any] | None) -> None:
        self._function = function
        self._key = key
        known = parameters_of(function)
        parameters = list((_UNKNOWN if known is None else known).values())
        self._skipped = int(bool(parameters) and parameters[0].name in ("self", "cls"))
        rest = parameters[self._skipped :]
        if not rest or rest[0].kind in (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD):
            fail("function", "must take a list as its first positional parameter", function)
        self.item_name = rest[0].name if rest[0].kind in _NAMED else None
        self._names = _names_behind(rest)
        self._defaults = {
            each.name: frozen(each.default)
            for each in rest[1:]
            if each.kind in _NAMED and each.default is not Parameter.empty
        }
        self.takes_priority = "priority" in (each.name for each in parameters)

    @property
    def for_most_calls(self) -> tuple[Reader, int, Options | None]:
        """What reads them, how many positional arguments they have, and all the same options.

        `read` raises nothing for such a call.
        """
        count = self._skipped + 1 if self._key is None else 0
        return self.read, count, None if self._skipped else _NO_OPTIONS

    def read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Options]:
        """Return the item and the rest; runs the user's `key` and the `__hash__` of arguments.

        Raises:
            TypeError: the call does not fit the function.
        """
        skipped = self._skipped
        if len(args) == skipped + 1 and not kwargs and self._key is None:  # most calls
            return args[-1], Options(args[:-1], (), {}, id(args[0])) if skipped else _NO_OPTIONS
        if len(args) <= skipped:
            args = self._with_item(args, kwargs)
        item, before, after = args[skipped], args[:skipped], args[skipped + 1 :]
        if after and self._names is not None:
            kwargs = {**self._named(args, after, kwargs), **kwargs}
            after = ()
        owner, chosen = id(args[0]) if skipped else None, self._frozen(kwargs)
        if self._key is not None:
            added = frozen(self._key(item, *after, **kwargs))
            key: Any = (owner, frozen(after), chosen, added)
        else:  # nothing but defaults is the same as nothing
            key = (owner, frozen(after), chosen) if after or chosen else owner
        return item, Options(before, after, kwargs, key)

    def split(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], Iterable[Any], tuple[Any, ...]]:
        """Return what stands before the items of a `map`, the items, and what stands behind."""
        skipped = self._skipped
        if len(args) <= skipped:
            args = self._with_item(args, kwargs)
        return args[:skipped], args[skipped], args[skipped + 1 :]

    def _with_item(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Return the arguments with an item that was given by its parameter's name."""
        if len(args) < self._skipped or self.item_name not in kwargs:
            name = getattr(self._function, "__qualname__", repr(self._function))
            msg = f"{name} is batched: call it with one item, as {name}(item, **options)"
            raise TypeError(msg)
        return (*args, kwargs.pop(self.item_name))

    def _named(
        self, args: tuple[Any, ...], after: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the positional arguments behind the item by the names of their parameters."""
        named = dict(zip(self._names or (), after, strict=False))
        if len(named) < len(after) or not named.keys().isdisjoint(kwargs):
            inspect.signature(self._function).bind(*args, **kwargs)  # it says what is wrong
        return named

    def _frozen(self, kwargs: dict[str, Any]) -> frozenset[Any]:
        """Return the options that are not the defaults, by value."""
        pairs = ((name, frozen(value)) for name, value in kwargs.items())
        return frozenset(
            (name, value)
            for name, value in pairs
            if name not in self._defaults or self._defaults[name] != value
        )


# A builtin that has no signature: the list comes first, and who knows what follows.
_UNKNOWN = {"items": Parameter("items", Parameter.VAR_POSITIONAL)}


def _names_behind(rest: list[Parameter]) -> list[str] | None:
    """Return the names of the parameters behind the list; None where some can have none."""
    behind = rest[1:] if rest[0].kind is not Parameter.VAR_POSITIONAL else rest
    kinds = {each.kind for each in behind}
    if kinds & {Parameter.POSITIONAL_ONLY, Parameter.VAR_POSITIONAL}:
        return None
    return [each.name for each in behind if each.kind is Parameter.POSITIONAL_OR_KEYWORD]


def frozen(value: Any) -> Any:  # noqa: PLR0911 - one line a type
    """Return something that can be hashed and equals only the frozen form of an equal value.

    Types count: 1, True and 1.0 differ. Lists, tuples, dicts and sets go by their contents,
    whatever else cannot be hashed by identity.
    """
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind in (float, complex):
        return kind, repr(value)  # not a number equals itself here, and 0.0 is not -0.0
    if kind in (list, tuple):
        return kind, tuple(map(frozen, value))
    if kind is dict:
        return kind, frozenset((frozen(name), frozen(each)) for name, each in value.items())
    if kind in (set, frozenset):
        return kind, frozenset(map(frozen, value))
    try:
        hash(value)
    except TypeError:
        return kind, _Identity(value)
    return kind, value


class _Identity:
    """Stands for an object that cannot be hashed, and keeps it: a number may be given again."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __hash__(self) -> int:
        return id(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other._value is self._value
