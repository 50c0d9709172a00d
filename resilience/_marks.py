"""Notes that one layer leaves on an exception for another one further out."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

__all__ = ["mark", "marked", "note", "set_quietly"]


def mark(error: BaseException, name: str, value: object) -> None:
    """Leave a value on the exception."""
    set_quietly(error, f"_resilience_{name}", value)


def marked(error: BaseException, name: str) -> Any:
    """Return what was left, or None."""
    return getattr(error, f"_resilience_{name}", None)


def note(error: BaseException, text: str) -> None:
    """Add a note that the traceback shows; one that is there already is not repeated."""
    if text not in getattr(error, "__notes__", ()):
        error.add_note(text)


def set_quietly(error: BaseException, name: str, value: object) -> None:
    """Set an attribute; an exception that takes none goes without."""
    with suppress(Exception):  # slots, a property, or a foreign __setattr__
        setattr(error, name, value)
