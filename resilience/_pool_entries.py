"""The entries of a key pool: what can be asked, added, changed and removed while it works."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from resilience import _secrets
from resilience._context import Priority, as_priority
from resilience._core.keys import Entry, KeyRing
from resilience._rules import check, fail
from resilience._waiters import Waiter
from resilience.settings import reject_unknown
from resilience.telemetry.statistics import CallStatistics

__all__ = ["Candidate", "KeyEntries", "Secret", "entries_of"]

_SETTINGS = ("weight", "tiers", "group", "base_url", "key")


class Candidate(NamedTuple):
    """What a user's strategy sees of an entry.

    Attributes:
        active: Calls that run on it.
        queued: Calls that wait for it.
        last_used: When it was handed out last, in seconds of the monotonic clock, or None.
        average_latency: Seconds, a moving average; 0 before the first answer.
    """

    name: str
    active: int
    queued: int
    weight: float
    tiers: frozenset[Priority] | None
    last_used: float | None
    average_latency: float


class Secret:
    """A key and its server, out of the reach of `vars()`, `repr` and pickle."""

    __slots__ = ("base_url", "key")

    def __init__(self, key: str | None, base_url: str | None) -> None:
        self.key = key
        self.base_url = base_url

    def __repr__(self) -> str:
        return "<hidden>"

    def __reduce__(self) -> str:
        msg = "a key pool holds secrets and cannot be pickled"
        raise TypeError(msg)


class KeyEntries:
    """Management of a pool; every method is thread-safe and may run while keys are leased."""

    name: str
    _lock: threading.Lock
    _ring: KeyRing
    _secrets: dict[str, Secret]
    _statistics: dict[str, CallStatistics]
    _waiters: list[Waiter]
    _added: int

    def add(
        self,
        name: str,
        key: str | None,
        *,
        weight: float = 1.0,
        tiers: Iterable[Priority | int | str] | None = None,
        group: str | None = None,
        base_url: str | None = None,
    ) -> None:
        """Add an entry.

        Args:
            name: What it is called in logs, telemetry and `lease(name=…)`; new in this pool.
            key: The secret; None only where there is a `base_url` whose server needs none.
            weight: How much it takes beside the others, above 0, for "weighted" and the load of
                "least-loaded" and "two-choices" (1).
            tiers: The priorities that it serves (None: all).
            group: Entries of one group share one account's quota and rest together (None).
            base_url: The server that this entry stands for (None: the caller's own).

        Raises:
            SettingsError: for a value that breaks its rule; the message never shows the key.
        """
        check("entry", name)
        if name in self:
            fail("name", "must be new in the pool", name)
        _check_key(key, base_url)
        check("weight", weight)
        served = _served(tiers)
        if key is not None:
            _secrets.remember(key)
        with self._lock:
            self._added += 1
            self._ring.entries[name] = Entry(name, weight, served, group, self._added)
            self._secrets[name] = Secret(key, base_url)
            self._statistics[name] = CallStatistics(name)
        self._wake_all()

    def update(self, name: str, **settings: Any) -> None:
        """Change settings of an entry: those of `add`. A new key is ready at once.

        Raises:
            SettingsError: for an unknown entry or setting, or a value that breaks its rule.
        """
        reject_unknown(settings, _SETTINGS, "KeyPool.update")
        entry, secret = self._entry(name), self._secrets[name]
        key = settings.get("key", secret.key)
        base_url = settings.get("base_url", secret.base_url)
        _check_key(key, base_url)
        check("weight", settings.get("weight", entry.weight))
        tiers = _served(settings["tiers"]) if "tiers" in settings else entry.tiers
        if key is not None:
            _secrets.remember(key)
        with self._lock:
            entry.weight = settings.get("weight", entry.weight)
            entry.group = settings.get("group", entry.group)
            entry.tiers = tiers
            self._secrets[name] = Secret(key, base_url)
            if "key" in settings:
                entry.renew()
        self._wake_all()

    def remove(self, name: str) -> None:
        """Hand an entry out no more; calls that run on it end as they would.

        Raises:
            SettingsError: for an unknown entry.
        """
        self._entry(name)
        with self._lock:
            self._ring.entries.pop(name, None)
            self._secrets.pop(name, None)
            self._statistics.pop(name, None)

    def names(self) -> tuple[str, ...]:
        """Return the names of the entries, in the order in which they were added."""
        return tuple(self._ring.entries)

    def __contains__(self, name: object) -> bool:
        return name in self._ring.entries

    def __len__(self) -> int:
        return len(self._ring.entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _entry(self, name: str) -> Entry:
        reject_unknown((name,), self.names(), f"pool {self.name!r}")
        return self._ring.entries[name]

    def _wake_all(self) -> None:
        with self._lock:
            waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter.wake()


def entries_of(keys: object) -> dict[str, str | None]:
    """Return the entries that the first argument of a pool names."""
    if keys is None:
        return {}
    if isinstance(keys, str):
        return {"default": keys}
    if isinstance(keys, Mapping):
        return dict(keys)
    if isinstance(keys, Iterable):
        return {f"key_{number}": key for number, key in enumerate(keys, start=1)}
    return fail(
        "keys", "must be a mapping of names to keys, a list of keys, or one key", type(keys)
    )


def _check_key(key: object, base_url: object) -> None:
    """Refuse a bad key without showing it."""
    if base_url is not None and (not isinstance(base_url, str) or not base_url):
        fail("base_url", "must be a text that is not empty, or None", base_url)
    if key is None and base_url is None:
        fail("key", "must be given where there is no base_url", None)
    if key is not None and (not isinstance(key, str) or not key.strip()):
        fail("key", "must be a text that is not empty", f"<{type(key).__name__}>")
    if isinstance(key, str) and not key.isprintable():
        fail("key", "must have no control characters, such as a line break", "<hidden>")


def _served(tiers: Iterable[Priority | int | str] | None) -> frozenset[int] | None:
    if tiers is None:
        return None
    served = frozenset(int(as_priority(tier)) for tier in tiers)
    if not served:
        fail("tiers", "must name at least one priority, or be None", tiers)
    return served
