"""Notes that one layer leaves on an exception for another one further out.

They go straight into the exception's own dictionary: a frozen class, slots, a property or a
foreign `__setattr__` cannot refuse them, and a foreign `__getattr__` cannot make them up.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

__all__ = ["key_of", "mark", "marked", "note", "read_quietly", "set_quietly"]


def key_of(name: str) -> str:
    """Return where a mark stands in `vars(error)`, for what is marked at each failure."""
    return f"_resilience_{name}"


def mark(error: BaseException, name: str, value: object) -> None:
    """Leave a value on the exception; it must pickle, since the exception may."""
    vars(error)[f"_resilience_{name}"] = value


def marked(error: BaseException, name: str) -> Any:
    """Return what was left, or None."""
    return vars(error).get(f"_resilience_{name}")


def note(error: BaseException, text: str, owner: str = "") -> None:
    """Add a note that the traceback shows; it replaces the last one of the same owner.

    So an exception object that is raised again and again does not grow.
    """
    own: dict[str, str] = vars(error).setdefault("_resilience_notes", {})
    with suppress(Exception):  # whatever a foreign class keeps under `__notes__`
        notes = vars(error).setdefault("__notes__", [])
        if own.get(owner) in notes:
            notes.remove(own[owner])
        notes.append(text)
        own[owner] = text


def set_quietly(error: BaseException, name: str, value: object) -> None:
    """Set an attribute, on a frozen exception too; one that computes it goes without."""
    try:
        setattr(error, name, value)
    except Exception:  # noqa: BLE001 - a property, or a foreign __setattr__
        vars(error)[name] = value


def read_quietly(thing: object, name: str) -> Any:
    """Return an attribute of a stranger's object, or None: whatever goes wrong, it says nothing."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property of a foreign error may raise anything
        return None
