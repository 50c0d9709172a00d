"""Credentials of S3: two or three parts, which make one key of a pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from resilience import KeyPool, MissingKeyError
from resilience._environment import find_keys, lookup
from resilience._record import record
from resilience._rules import fail
from resilience._secrets import remember
from resilience.errors import SettingsError

__all__ = ["Credentials", "credentials", "from_environment", "packed_keys", "secrets_of"]

_PARTS = ("access_key", "secret_key", "session_token")
# The variables of the three parts: the vendor's, and those of an older framework.
_FAMILIES = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ("S3_ACCESS_KEY", "S3_SECRET_KEY", "S3_SESSION_TOKEN"),
)
_VISIBLE = "!\"#$&'()*+,-./;<=>?@[\\]^_`{|}~"  # all of ASCII but the colon and the percent sign


@record(kw_only=False)
class Credentials:
    """The parts of one key; `access_key` alone is no secret."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, key: str) -> Credentials:
        """Take a key apart.

        Raises:
            SettingsError: if it is none; the message does not show it.
        """
        parts = [unquote(part) for part in key.split(":")]
        if len(parts) not in {2, 3} or not all(parts):
            fail("key", "must be ACCESS_KEY:SECRET_KEY or ACCESS_KEY:SECRET_KEY:TOKEN", "<hidden>")
        found = cls(*parts)
        for secret in (found.secret_key, found.session_token):
            if secret is not None:
                remember(secret)
        return found


def credentials(access_key: str, secret_key: str, session_token: str | None = None) -> str:
    """Return the key that an entry of a pool has: `pool.add("name", s3.credentials(…))`.

    It is `access:secret` or `access:secret:token`; a colon or a percent sign within a part is
    percent-encoded.

    Raises:
        SettingsError: if a part is no text or empty.
    """
    parts = [access_key, secret_key] + [session_token] * (session_token is not None)
    for name, part in zip(_PARTS, parts, strict=False):
        if not isinstance(part, str) or not part:
            fail(name, "must be a text that is not empty", f"<{type(part).__name__}>")
    return ":".join(quote(str(part), safe=_VISIBLE) for part in parts)


@lru_cache(maxsize=256)
def secrets_of(key: str) -> tuple[str, ...]:
    """Return what of a key must not be shown: all of it, and every part but the first."""
    try:
        found = Credentials.of(key)
    except SettingsError:
        return (key,)
    return tuple(filter(None, (key, found.secret_key, found.session_token)))


def packed_keys(keys: Any) -> Any:
    """Return what a pool takes, where a mapping of parts stands for a key.

    Raises:
        SettingsError: if a key is none.
    """
    if isinstance(keys, KeyPool) or keys is None:
        return keys
    if isinstance(keys, Mapping):
        return {name: _packed(value) for name, value in keys.items()}
    return [_packed(value) for value in ([keys] if isinstance(keys, str) else keys)]


def _packed(value: Any) -> Any:
    if isinstance(value, Mapping) and "access_key" in value:
        parts = {name: value[name] for name in _PARTS if name in value}
        rest = {name: value[name] for name in value if name not in _PARTS}
        if "secret_key" not in parts:
            fail("secret_key", "must be given beside access_key", None)
        return {"key": credentials(**parts), **rest}
    key = value.get("key") if isinstance(value, Mapping) else value
    if isinstance(key, str):
        Credentials.of(key)
    return value


def from_environment() -> dict[str, str]:
    """Return a key for each numbered variable of the vendor's, else of the older ones.

    Raises:
        MissingKeyError: if there is none, or the other half of one is missing.
    """
    for names in _FAMILIES:
        try:
            found = find_keys(names[:1])
        except MissingKeyError:
            continue
        return {variable: _completed(variable, key, names) for variable, key in found.items()}
    variables = tuple(name for family in _FAMILIES for name in family[:2])
    msg = f"no credentials found: set {' and '.join(variables[:2])} in the environment or in .env"
    raise MissingKeyError(f"{msg}, or pass access_key and secret_key", variables=variables)


def _completed(variable: str, access_key: str, names: tuple[str, ...]) -> str:
    number = variable.removeprefix(names[0])
    secret_key, token = (lookup(f"{name}{number}") for name in names[1:])
    if secret_key is None:
        wanted = f"{names[1]}{number}"
        msg = f"{variable} is set, and {wanted}, which belongs to it, is not"
        raise MissingKeyError(msg, variables=(wanted,))
    return credentials(access_key, secret_key, token)
