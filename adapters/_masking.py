"""Masking: what a server sends back must not show what was sent to it in confidence."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from adapters._json import is_list, is_object

__all__ = ["MASK", "mask", "mask_causes", "secret_forms"]

MASK = "[masked]"

# Shorter ones are no secrets: masking "a" would blacken every word and hide nothing.
_SHORTEST_SECRET = 4


def secret_forms(secrets: Iterable[str | None]) -> tuple[str, ...]:
    """List the forms in which a server may echo `secrets`: as they are, quoted for a URL, or JSON.

    The longest come first, so that a secret which contains another one is masked whole.
    """
    plain = {secret for secret in secrets if secret and len(secret) >= _SHORTEST_SECRET}
    quoted = {quote(secret, safe="") for secret in plain}
    quoted |= {json.dumps(secret)[1:-1] for secret in plain}
    return tuple(sorted(plain | quoted, key=len, reverse=True))


def mask(value: Any, forms: tuple[str, ...]) -> Any:
    """Copy `value` (text, bytes or parsed JSON) with every secret replaced, in keys too.

    JSON has to be masked after parsing: its escapes can spell one secret in many ways.
    """
    if not forms:
        return value
    if isinstance(value, str):
        return _masked_text(value, forms)
    if isinstance(value, bytes):
        return _masked_text(value.decode("utf-8", "replace"), forms).encode()
    if is_object(value):
        return {mask(key, forms): mask(item, forms) for key, item in value.items()}
    if is_list(value):
        return [mask(item, forms) for item in value]
    return value


def mask_causes(error: BaseException, forms: tuple[str, ...]) -> None:
    """Put a stand-in for the causes of `error` if a text of theirs shows a secret.

    The libraries below quote what they cannot parse, and a traceback prints all of it.
    """
    cause = error.__cause__ or error.__context__
    if cause is not None and any(form in text for text in _texts(error) for form in forms):
        # A stand-in and no copy: the attributes of a foreign error may hold the text as well.
        error.__cause__ = ValueError(f"{type(cause).__name__}: {MASK}")
        error.__context__ = None


def _texts(error: BaseException) -> Iterator[str]:
    """Give the texts of the causes of an error, however deep."""
    waiting, seen = [error.__cause__, error.__context__], {id(error)}
    while waiting:
        cause = waiting.pop()
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield f"{cause} {cause!r} {cause.args} {getattr(cause, '__notes__', '')}"
        waiting += [cause.__cause__, cause.__context__, *cause.args]


def _masked_text(text: str, forms: tuple[str, ...]) -> str:
    for form in forms:
        text = text.replace(form, MASK)
    return text
