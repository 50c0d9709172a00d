"""What a client is made of: its arguments, checked, and the environment where they are silent."""

from __future__ import annotations

import math
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
from resilience.settings import reject_unknown

__all__ = ["ClientOptions", "key_pool"]

_OWN = ("connect_timeout", "max_answer_size", "name", "read_timeout")
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
            connect_timeout=_seconds("connect_timeout", connect_timeout),
            read_timeout=_seconds("read_timeout", read_timeout),
            max_answer_size=size,
            headers=_headers(provider, more),
        )

    @property
    def pool_size(self) -> int:
        """How many connections to one host are worth keeping open."""
        settings = self.settings
        return settings.max_concurrent_requests if settings.queue_enabled else _WIDE


def key_pool(provider: Provider, options: ClientOptions, api_key: str | None, keys: Any) -> KeyPool:
    """Return the pool of a client's keys: the argument, then `keys`, then the environment.

    Raises:
        MissingKeyError: if there is none and the API wants one; it names the variables.
    """
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
    url = provider.base_url if found is None else found
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        fail("base_url", "must be an address such as https://host/v1", url)
    if parts.username or parts.password or parts.query or parts.fragment:
        fail("base_url", "must have no password, query or fragment", "<hidden>")
    return url.rstrip("/")


def _headers(provider: Provider, more: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that carry settings of this API alone."""
    values = {
        header: more.get(setting) or lookup(provider.setting_variables.get(setting, ""))
        for setting, header in provider.setting_headers.items()
    }
    return checked_headers({header: value for header, value in values.items() if value})


def _seconds(setting: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value <= 0:
        fail(setting, "must be a finite number of seconds, more than 0", value)
    return float(value)
