"""Base URLs: where a client's requests go, checked before anything is sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from resilience._rules import fail

__all__ = ["an_address", "checked_address", "complete_address"]

_RULE = "must be an address such as https://host/v1"
_UNSENDABLE = r"[\s\x00-\x20\x7f\ud800-\udfff]"


def checked_address(setting: str, url: Any) -> str:
    """Return the address without a slash at its end.

    Raises:
        SettingsError: if it is none, or holds a password, which would show in errors.
    """
    if not isinstance(url, str) or not _is_address(url):
        fail(setting, _RULE, url)
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        fail(setting, "must have no password, query or fragment", "<hidden>")
    return url.rstrip("/")


@lru_cache(maxsize=1024)
def complete_address(setting: str, url: str, normalize: Callable[[str], str] | None) -> str:
    """Return the address of a server as a client's own `base_url` would be understood.

    Raises:
        SettingsError: see `checked_address`.
    """
    return checked_address(setting, url if normalize is None else normalize(url))


def an_address(value: Any) -> str | None:
    """Be the rule of a setting that is a base URL, or None."""
    return None if value is None or (isinstance(value, str) and _is_address(value)) else _RULE


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in ("http", "https") and bool(parts.hostname)
        return is_known and parts.port != 0 and not re.search(_UNSENDABLE, url)
    except ValueError:  # of brackets or of the port
        return False
