"""Names of members: the API reads `maxOutputTokens` and `max_output_tokens` alike."""

from __future__ import annotations

import re

__all__ = ["camel_case", "snake_case"]

_UNDERSCORE = re.compile(r"_([a-z])")
_CAPITAL = re.compile(r"([A-Z])")
# What the user has named stays as it is.
_OPAQUE = frozenset(
    {
        "args",
        "labels",
        "parameters",
        "parametersJsonSchema",
        "partMetadata",
        "response",
        "responseJsonSchema",
        "responseSchema",
    }
)


def camel_case(value: object) -> object:
    """Give a body with all names of members as the API writes them."""
    if isinstance(value, list):
        return [camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    found: dict[str, object] = {}
    for name, member in value.items():
        renamed = _UNDERSCORE.sub(lambda match: match[1].upper(), str(name))
        found[renamed] = member if renamed in _OPAQUE else camel_case(member)
    return found


def snake_case(name: str) -> str:
    """Give a name as the API's errors write it: `generation_config`."""
    return _CAPITAL.sub(lambda match: f"_{match[1].lower()}", name)
