"""The public signatures of both packages, one a line: `make api` writes them to api.txt."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, get_overloads

from tests.support.sources import sources

__all__ = ["ON_FILE", "PACKAGES", "public_api", "public_modules"]

PACKAGES = ("adapters", "resilience")
ON_FILE = Path(__file__).with_name("api.txt")


@functools.cache
def public_modules() -> list[str]:
    """Names of the modules that a program may import; the parts of an application are none."""
    modules = [source.module for source in sources(*PACKAGES) if source.is_public]
    return [name for name in modules if not name.startswith(("adapters.cli", "adapters.emulator."))]


def public_api() -> str:
    """One line for each public name, with a line more for each member of a class."""
    return "".join(f"{line}\n" for name in public_modules() for line in _of_module(name))


def _of_module(module_name: str) -> Iterator[str]:
    module = importlib.import_module(module_name)
    for name in sorted(getattr(module, "__all__", ())):
        value = getattr(module, name)
        if not isinstance(value, ModuleType) and _is_home(module, value):
            yield from _of_value(f"{module_name}.{name}", value)


def _is_home(module: ModuleType, value: Any) -> bool:
    """Whether to describe a value here; what a package hands on from a public module, is there."""
    home = getattr(value, "__module__", None)
    return home == module.__name__ or home not in public_modules()


def _of_value(path: str, value: Any) -> Iterator[str]:
    if inspect.isclass(value):
        yield from _of_class(path, value)
    else:
        yield from _of_member(path, value)


def _of_class(path: str, cls: type) -> Iterator[str]:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if not _is_private(base))
    yield f"class {path}{_constructor(cls)}{f' is a {bases}' if bases else ''}"
    for name, member in sorted(_members(cls).items()):
        if not name.startswith("_"):
            yield from _of_member(f"{path}.{name}", member)


def _members(cls: type) -> dict[str, Any]:
    """Its own members, and those of its private ancestors, which are described nowhere else.

    A value in place of a public ancestor's is left out: some classes get theirs with use. What is
    annotated there is a value, though it may be called.
    """
    private = [base for base in cls.__mro__[-2:0:-1] if _is_private(base)]
    public = [base for base in cls.__mro__[1:] if _is_ours(base) and base not in private]
    members = {
        name: _as_found(member, cls)
        for owner in [*private, cls]
        for name, member in vars(owner).items()
    }
    return {
        name: member
        for name, member in members.items()
        if not any(name in vars(base) for base in public)
        or (inspect.isroutine(member) and not any(_is_value(name, base) for base in public))
    }


def _is_value(name: str, owner: type) -> bool:
    return name in inspect.get_annotations(owner)


def _as_found(member: Any, cls: type) -> Any:
    """What a class gives for it: an operation is a method there."""
    is_descriptor = hasattr(type(member), "__get__")
    if callable(member) or isinstance(member, classmethod) or not is_descriptor:
        return member
    return member.__get__(None, cls)


def _is_ours(cls: type) -> bool:
    return cls.__module__.partition(".")[0] in PACKAGES


def _is_private(cls: type) -> bool:
    """Whether it is described nowhere."""
    if not _is_ours(cls):
        return cls is object
    return cls.__name__.startswith("_") or cls.__module__ not in public_modules()


def _of_member(path: str, member: Any) -> Iterator[str]:
    if isinstance(member, Enum):
        yield f"{path} = {member.value!r}"
    elif inspect.isroutine(member) or hasattr(member, "__wrapped__"):
        is_bound = inspect.ismethod(member)  # else it may be a class method or static method
        function = member if is_bound else getattr(member, "__func__", member)
        yield from (f"{path}{signature}" for signature in _signatures(function))
    else:
        yield path


def _constructor(cls: type) -> str:
    """Its parameters, where one of our own classes says them."""
    for ancestor in cls.__mro__:
        if not {"__init__", "__new__"}.isdisjoint(vars(ancestor)):
            shown = _is_ours(ancestor) and not issubclass(cls, Enum)
            return _shown(inspect.signature(cls)) if shown else ""
    return ""


def _signatures(function: Any) -> list[str]:
    overloads = get_overloads(inspect.unwrap(function)) or [function]
    return [_shown(inspect.signature(overload)) for overload in overloads]


def _shown(signature: inspect.Signature) -> str:
    """The signature without quotes around annotations, and without addresses in defaults."""
    parameters = [
        parameter.replace(annotation=_Verbatim(parameter.annotation), default=_default(parameter))
        for parameter in signature.parameters.values()
    ]
    returns = _Verbatim(signature.return_annotation)
    return str(signature.replace(parameters=parameters, return_annotation=returns))


def _default(parameter: inspect.Parameter) -> Any:
    default = parameter.default
    if default is parameter.empty or isinstance(default, str | int | float | tuple | None):
        return default
    return _Verbatim("...")


class _Verbatim:
    """Shows as the text of an annotation or default."""

    def __new__(cls, value: Any) -> Any:
        """Absent stays absent."""
        return value if value is inspect.Parameter.empty else super().__new__(cls)

    def __init__(self, value: Any) -> None:
        self.text = value if isinstance(value, str) else inspect.formatannotation(value)

    def __repr__(self) -> str:
        return self.text


if __name__ == "__main__":
    ON_FILE.write_text(public_api(), encoding="utf-8")
