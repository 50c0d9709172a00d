"""JSON: encoding what is sent, and looking at what came without trusting its form. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeGuard

__all__ = ["count_or_0", "encode_json", "is_list", "is_object", "word_or_none"]


def encode_json(value: Any, *, default: Callable[[Any], Any] | None = None) -> bytes:
    """Encode as compact UTF-8; `default` makes JSON of what is none.

    Half a surrogate pair has no UTF-8: then all is sent as JSON's own escapes, which carry it to
    the server unchanged, and make one character again of two halves that stand side by side.

    Raises:
        TypeError: if JSON cannot express a value.
        ValueError: for NaN and infinity, and for an object that contains itself.
    """
    try:
        return _dumps(value, default, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _dumps(value, default, ensure_ascii=True).encode("ascii")


def _dumps(value: Any, default: Callable[[Any], Any] | None, *, ensure_ascii: bool) -> str:
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        separators=(",", ":"),
        allow_nan=False,
        default=default,
    )


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Say whether it is a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Say whether it is a JSON array."""
    return isinstance(value, list)


def word_or_none(value: object) -> str | None:
    """Return a text that is not empty, else None."""
    return value if isinstance(value, str) and value else None


def count_or_0(value: object) -> int:
    """Return a whole number of at least 0, else 0."""
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return max(value, 0)
