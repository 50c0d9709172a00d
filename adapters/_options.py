"""What a client is made of: its arguments, checked, and the environment where they are silent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self
from urllib.parse import urlsplit

from adapters._build import checked_headers
from adapters._http import MAX_ANSWER_SIZE
from adapters._provider import Provider
from resilience import KeyPool, MissingKeyError, Settings
from resilience._environment import lookup
from resilience._rules import check, fail
from resilience.errors import SettingsError
from resilience.settings import reject_unknown

__all__ = ["ClientOptions", "key_pool"]

_OWN = ("connect_timeout", "max_answer_size", "name", "read_timeout")
_LONGEST_WAIT = 1_000_000  # seconds; sockets count milliseconds in 32 bits
_UNSENDABLE = re.compile(r"[\s\x00-\x20\x7f\ud800-\udfff]")
_WIDE = 100  # connections kept where nothing limits how many are used


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """The checked arguments of one client."""

    name: str
    base_url: str
    settings: Settings
    timeout: float | None
    connect_timeout: float
    read_timeout: float
    max_answer_size: int
    headers: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(
        cls,
        provider: Provider,
        *,
        base_url: str | None,
        settings: Settings | None,
        timeout: float | None,
        more: dict[str, Any],
    ) -> Self:
        """Check the arguments of a client; `more` are settings of all kinds by name.

        Raises:
            SettingsError: for an unknown setting, with the nearest known one, and for a value that
                breaks its rule.
        """
        shared = [each.name for each in fields(Settings)]
        reject_unknown(more, {*shared, *_OWN, *provider.setting_headers}, f"{provider.name}.Client")
        changes = {name: more[name] for name in shared if name in more}
        name = more.get("name")
        check("name", name)
        size = more.get("max_answer_size", MAX_ANSWER_SIZE)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            fail("max_answer_size", "must be a whole number of bytes, at least 1", size)
        connect_timeout = more.get("connect_timeout", 5.0)
        read_timeout = more.get("read_timeout", provider.read_timeout)
        return cls(
            name=name or provider.name,
            base_url=_base_url(provider, base_url),
            settings=(settings or Settings()).replace(**changes),
            timeout=None if timeout is None else _seconds("timeout", timeout),
            connect_timeout=_wait("connect_timeout", connect_timeout),
            read_timeout=_wait("read_timeout", read_timeout),
            max_answer_size=size,
            headers=_headers(provider, more),
        )

    @property
    def pool_size(self) -> int:
        """How many connections to one host are worth keeping open."""
        settings = self.settings
        return settings.max_concurrent_requests if settings.queue_enabled else _WIDE


def key_pool(provider: Provider, options: ClientOptions, api_key: Any, keys: Any) -> KeyPool:
    """Return the pool of a client's keys: the argument or `keys`, else the environment's.

    Raises:
        MissingKeyError: if there is none and the API wants one; it names the variables.
        SettingsError: if both are given, or what is given is no key.
    """
    if api_key is not None and keys is not None:
        msg = "api_key and keys cannot both be given: which of them should be used?"
        raise SettingsError(msg, setting="api_key", rule="cannot be given beside keys")
    if not isinstance(api_key, str | None):
        fail("api_key", "must be text", type(api_key))
    given = keys if api_key is None else api_key
    if isinstance(given, KeyPool):
        return given
    limits: dict[str, Any] = {
        "name": options.name,
        "initial_retry_delay": options.settings.initial_retry_delay,
        "max_retry_delay": options.settings.max_retry_delay,
    }
    if given is not None:
        return KeyPool(given, **limits)
    try:
        return KeyPool.from_env(*provider.key_variables, **limits)
    except MissingKeyError:
        if provider.needs_key:
            raise
    pool = KeyPool(**limits)
    pool.add("default", None, base_url=options.base_url)
    return pool


def _base_url(provider: Provider, given: str | None) -> str:
    """Return the address without a slash at its end; a password in it would show in errors."""
    found = given
    if found is None and provider.base_url_variable is not None:
        found = lookup(provider.base_url_variable)
    url: Any = provider.base_url if found is None else found
    if not isinstance(url, str) or not _is_address(url):
        fail("base_url", "must be an address such as https://host/v1", url)
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query or parts.fragment:
        fail("base_url", "must have no password, query or fragment", "<hidden>")
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_known = parts.scheme in ("http", "https") and bool(parts.hostname)
        return is_known and parts.port != 0 and not _UNSENDABLE.search(url)
    except ValueError:  # of brackets or of the port
        return False


def _headers(provider: Provider, more: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that carry settings of this API alone."""
    values = {
        header: more.get(setting) or lookup(provider.setting_variables.get(setting, ""))
        for setting, header in provider.setting_headers.items()
    }
    return checked_headers({header: value for header, value in values.items() if value})


def _seconds(setting: str, value: Any) -> float:
    check(setting, value, "seconds")
    return float(value)


def _wait(setting: str, value: Any) -> float:
    if _seconds(setting, value) > _LONGEST_WAIT:
        fail(setting, f"must be at most {_LONGEST_WAIT:,} seconds", value)
    return float(value)
