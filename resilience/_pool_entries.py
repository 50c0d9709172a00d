"""The entries of a key pool: what can be asked, added, changed and removed while it works."""

from __future__ import annotations

import copy
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, NoReturn

from resilience import _secrets
from resilience._context import Priority, as_priority
from resilience._core.keys import Entry, KeyRing
from resilience._rules import check, fail
from resilience._waiters import Waiter
from resilience.settings import reject_unknown
from resilience.telemetry.report import Report, report_of
from resilience.telemetry.statistics import CallStatistics, Totals

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
    _waiters: dict[Waiter, None]  # in order of arrival
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
        check("group", group)
        served = _served(tiers)
        if key is not None:
            _secrets.remember(key)
        with self._lock:
            self._added += 1
            self._ring.entries[name] = Entry(name, weight, served, group, self._added)
            self._secrets[name] = Secret(key, base_url)
            self._statistics[name] = CallStatistics(name)
            self._statistics[name].watch("entry", partial(self._live, name))
        self._wake_all()

    def update(self, name: str, **settings: Any) -> None:
        """Change settings of an entry: those of `add`. A new key or server is ready at once.

        Calls that run with the old one end as they would; how, says nothing about the new one.

        Raises:
            SettingsError: for an unknown entry or setting, or a value that breaks its rule.
        """
        reject_unknown(settings, _SETTINGS, "KeyPool.update")
        entry, secret = self._entry(name), self._secrets[name]
        key = settings.get("key", secret.key)
        base_url = settings.get("base_url", secret.base_url)
        _check_key(key, base_url)
        check("weight", settings.get("weight", entry.weight))
        check("group", settings.get("group"))
        tiers = _served(settings["tiers"]) if "tiers" in settings else entry.tiers
        if key is not None:
            _secrets.remember(key)
        with self._lock:
            entry.weight = settings.get("weight", entry.weight)
            entry.group = settings.get("group", entry.group)
            entry.tiers = tiers
            if "key" in settings or "base_url" in settings:
                self._secrets[name] = Secret(key, base_url)
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
        self._wake_all()

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
        reject_unknown((name,), self.names(), f"pool {self.name!r}", what="entry")
        return self._ring.entries[name]

    def get_stats(self, name: str | None = None) -> dict[str, Any]:
        """Return what the calls on one entry came to, or on all, with each in `endpoints`.

        The fields are those of `resilience.get_stats`.
        """
        if name is not None:
            return self._statistics[self._entry(name).name].snapshot().as_dict()
        each = {entry: record.snapshot() for entry, record in tuple(self._statistics.items())}
        total = Totals()
        for snapshot in each.values():
            total.add(snapshot)
        total.live["endpoints"] = {entry: snapshot.as_dict() for entry, snapshot in each.items()}
        total.live["active_requests"] = sum(s.live["active_requests"] for s in each.values())
        return total.as_dict()

    def generate_report(self, name: str | None = None, *, include_details: bool = False) -> Report:
        """Return the main figures of one entry, or of all, with rates; it prints as a table."""
        return report_of(self.get_stats(name), include_details=include_details)

    def reset_stats(self, name: str | None = None) -> None:
        """Forget what was counted, for one entry or for all."""
        for entry in self.names() if name is None else (self._entry(name).name,):
            self._statistics[entry].reset()

    def renew_after_fork(self) -> None:
        """Forget the calls of threads that do not exist in a forked child."""
        self._lock = threading.Lock()
        self._waiters = {}
        # Copies: the one lease that the child may have inherited is given back to the old ones.
        self._ring.entries = {each.name: copy.copy(each) for each in self._ring.entries.values()}
        for entry in self._ring.entries.values():
            entry.active = 0

    def _live(self, name: str) -> dict[str, Any]:
        entry = self._ring.entries.get(name)
        return {"active_requests": 0 if entry is None else entry.active}

    @contextmanager
    def _told_of_changes(self, waiter: Waiter) -> Generator[None]:
        """Wake `waiter` by whatever may make an entry ready but time."""
        with self._lock:
            self._waiters[waiter] = None
        try:
            yield
        finally:
            with self._lock:
                self._waiters.pop(waiter, None)

    def _wake_all(self) -> None:
        """Tell those who wait, after a change under the lock: who comes later sees the change."""
        if not self._waiters:
            return
        with self._lock:
            waiters = tuple(self._waiters)
        for waiter in waiters:
            waiter.wake()

    def __reduce__(self) -> NoReturn:
        msg = "a key pool holds secrets and cannot be pickled"
        raise TypeError(msg)


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
