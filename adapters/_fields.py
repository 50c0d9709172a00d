"""What callers put into requests: values for bodies and paths, checked by name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from adapters._json import encode_json
from resilience._rules import fail
from resilience.errors import SettingsError

__all__ = ["encode_fields", "encode_value", "extra_fields", "path_part", "texts_of"]

_NO_JSON = (TypeError, ValueError, RecursionError)


def encode_fields(fields: Mapping[str, Any], owner: str = "extra_body") -> bytes:
    """Encode the fields of a body.

    Raises:
        SettingsError: for the first one that JSON cannot express; where its name is no text, that
            of the argument which brought it, the `owner`, is told.
    """
    try:
        return encode_json(fields)
    except _NO_JSON:
        names: Mapping[Any, Any] = fields
        for name, value in names.items():
            encode_value(name if isinstance(name, str) else owner, {name: value})
        raise


def encode_value(setting: str, value: Any) -> bytes:
    """Encode an argument as JSON.

    Raises:
        SettingsError: for what JSON cannot express.
    """
    try:
        return encode_json(value)
    except _NO_JSON as error:
        rule = f"must be what JSON can express: {error}"
    # The value is not told: it may be large, or endless.
    raise SettingsError(f"{setting} {rule}", setting=setting, rule=rule)


def extra_fields(extra: Any) -> Mapping[str, Any]:
    """Return the fields of `extra_body`.

    Raises:
        SettingsError: unless it is a mapping, or None.
    """
    if extra is None:
        return {}
    if not isinstance(extra, Mapping):
        fail("extra_body", "must be a mapping of the names of fields to values", type(extra))
    return extra  # pyright: ignore[reportUnknownVariableType]


def path_part(setting: str, text: Any, *, safe: str = "") -> str:
    """Quote an argument for a path.

    Raises:
        SettingsError: unless it is a text that is not empty and has UTF-8.
    """
    rule = "must be a text that is not empty, without half a surrogate pair"
    if not isinstance(text, str) or not text:
        fail(setting, rule, text if isinstance(text, str) else type(text))
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError:
        fail(setting, rule, text)


def texts_of(setting: str, given: Any) -> Sequence[Any]:
    """Return a list that a call cuts into parts, or counts.

    Raises:
        SettingsError: unless it is a list or a tuple: a text would be taken for its letters.
    """
    if not isinstance(given, list | tuple):
        fail(setting, "must be a list", type(given))
    return given  # pyright: ignore[reportUnknownVariableType]
