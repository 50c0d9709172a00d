"""What a client is made of: its arguments, checked, and the environment where they are silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any, Self, TypeVar

from adapters._addresses import checked_address, complete_address
from adapters._build import checked_headers
from adapters._provider import OwnSetting, Provider
from resilience import Settings
from resilience._environment import lookup
from resilience._record import record
from resilience._rules import check, fail
from resilience.settings import reject_unknown

__all__ = ["MAX_ANSWER_SIZE", "Setup", "reject_unknown_settings"]

N = TypeVar("N", bound=tuple[str, ...] | None)

MAX_ANSWER_SIZE = 64 * 1024 * 1024

_BY_MORE = (
    "batch_models",
    "batch_operations",
    "connect_timeout",
    "max_answer_size",
    "name",
    "read_timeout",
)
_ARGUMENTS = ("api_key", "base_url", "keys", "settings", "timeout")  # for whoever misspells one
_LONGEST_WAIT = 1_000_000  # seconds; sockets count milliseconds in 32 bits
_WIDE = 100  # connections kept where nothing limits how many are used


@record
class Setup:
    """The checked arguments of one client; every function that builds a request gets them first.

    Attributes:
        provider: The API.
        name: In statistics, spans and logs.
        base_url: Where requests go, without a slash at its end.
        settings: Of the stack.
        timeout: Seconds for a whole call, or None.
        connect_timeout: Seconds.
        read_timeout: Seconds for a single wait.
        max_answer_size: Bytes.
        batch_models: Patterns of the models whose single calls are combined.
        batch_operations: The operations of which that is true, or None for all that can.
        own: The settings that only this API has, by name; each of them is there.
        headers: Those that carry some of them.
        learned: What the adapter has found out about its servers: the one thing that changes.
    """

    provider: Provider
    name: str
    base_url: str
    settings: Settings
    timeout: float | None
    connect_timeout: float
    read_timeout: float
    max_answer_size: int
    batch_models: tuple[str, ...]
    batch_operations: tuple[str, ...] | None
    own: Mapping[str, Any] = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    learned: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)

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
        reject_unknown_settings(provider, more)
        if settings is not None and not isinstance(settings, Settings):
            fail("settings", "must be a Settings, or None", f"<{type(settings).__name__}>")
        changes = {name: more[name] for name in shared if name in more}
        name = more.get("name")
        check("name", name)
        own = {name: _own(name, each, more) for name, each in provider.own_settings.items()}
        return cls(
            provider=provider,
            name=name or provider.name,
            base_url=_base_url(provider, base_url),
            settings=(settings or Settings()).replace(**changes),
            timeout=None if timeout is None else _seconds("timeout", timeout),
            connect_timeout=_wait("connect_timeout", more.get("connect_timeout", 5.0)),
            read_timeout=_wait("read_timeout", more.get("read_timeout", provider.read_timeout)),
            max_answer_size=_size("max_answer_size", more.get("max_answer_size", MAX_ANSWER_SIZE)),
            batch_models=_names("batch_models", more, provider.batch_models),
            batch_operations=_names("batch_operations", more, provider.batch_operations),
            own=own,
            headers=_headers(provider, own),
        )

    @property
    def width(self) -> int:
        """How many requests may run at once, and so how many connections are worth keeping."""
        settings = self.settings
        return settings.max_concurrent_requests if settings.queue_enabled else _WIDE


def reject_unknown_settings(provider: Provider, more: Mapping[str, Any], *arguments: str) -> None:
    """Refuse what is neither a setting nor an argument of a client; `arguments` are its own."""
    shared = [each.name for each in fields(Settings)]
    known = {*shared, *_BY_MORE, *_ARGUMENTS, *arguments, *provider.own_settings}
    reject_unknown(more, known, f"{provider.name}.Client")


def _base_url(provider: Provider, given: str | None) -> str:
    found: Any = given
    if found is None:
        found = _from_environment(provider.base_url_variables) or provider.base_url
    if not isinstance(found, str):
        return checked_address("base_url", found)
    return complete_address("base_url", found, provider.normalize_url)


def _own(name: str, setting: OwnSetting, more: Mapping[str, Any]) -> Any:
    value = more.get(name)
    if value is None:
        value = _from_environment(setting.variables)
    if value is None:
        return setting.default
    broken = setting.rule(value) if setting.rule is not None else None
    if broken is not None:
        fail(name, broken, value)
    return value


def _headers(provider: Provider, own: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers that carry settings of this API alone."""
    values = {setting.header: own[name] for name, setting in provider.own_settings.items()}
    return checked_headers({header: value for header, value in values.items() if header and value})


def _from_environment(variables: tuple[str, ...]) -> str | None:
    return next((value for value in map(lookup, variables) if value), None)


def _names(setting: str, more: Mapping[str, Any], default: N) -> tuple[str, ...] | N:
    value = more.get(setting)
    if value is None:
        return default
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        fail(setting, "must be a list of names, or None", value)
    return tuple(value)


def _seconds(setting: str, value: Any) -> float:
    check(setting, value, "seconds")
    return float(value)


def _wait(setting: str, value: Any) -> float:
    if _seconds(setting, value) > _LONGEST_WAIT:
        fail(setting, f"must be at most {_LONGEST_WAIT:,} seconds", value)
    return float(value)


def _size(setting: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        fail(setting, "must be a whole number of bytes, at least 1", value)
    return value
