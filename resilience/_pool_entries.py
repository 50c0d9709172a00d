"""The entries of a key pool: what can be added, changed and removed while it works."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NoReturn

from resilience import _secrets
from resilience._circuit_breaker import CircuitBreaker
from resilience._context import Priority, as_priority
from resilience._core.key_entry import Entry
from resilience._core.keys import KeyRing
from resilience._pool_member import (
    LIMITS,
    Member,
    Secret,
    check_limits,
    check_line,
    make_breaker,
    naming,
    wants_breaker,
)
from resilience._rules import check, fail
from resilience._users import Users
from resilience._waiters import Waiter
from resilience.settings import reject_unknown

__all__ = ["KeyEntries", "entries_of", "reject_unknown_entry"]

_OWN = frozenset({"base_url", "group", "key", "tiers", "weight"})


class KeyEntries:
    """Management of a pool; every method is thread-safe and may run while keys are leased."""

    name: str
    users: Users
    _ring: KeyRing
    _members: dict[str, Member]
    _limits: dict[str, Any]  # those of the pool, which hold for every entry without its own
    _servers: Counter[str | None]  # how many entries stand for each
    _waiters: dict[Waiter, None]  # in order of arrival
    # Re-entrant: in any step the garbage collector may close a forgotten stream, and that gives a
    # lease of this very pool back, in the thread that holds the lock. No step minds.
    _lock: threading.RLock
    _changes: threading.Lock  # held around a whole change of entries; taken before the other one

    def add(
        self,
        name: str,
        key: str | None,
        *,
        weight: float = 1.0,
        tiers: Iterable[Priority | int | str] | None = None,
        group: str | None = None,
        base_url: str | None = None,
        **settings: Any,
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
            settings: Limits of its own, in place of those of the pool: those of `PriorityQueue`
                (its own line; `max_concurrent_requests=None`, the default, is none), those of
                `CircuitBreaker` (its own circuit), `initial_retry_delay` and `max_retry_delay`.

        Raises:
            SettingsError: for a value that breaks its rule; it names the entry and never the key.
        """
        check("entry", name)
        reject_unknown(settings, _OWN | LIMITS, "KeyPool.add")
        with naming(name):
            _check_key(key, base_url)
            check("weight", weight)
            check("group", group)
            served = _served(tiers)
            check_limits(settings, self._limits)
            check_line(settings, self._limits | settings)
        if key is not None:
            _secrets.remember(key)
        entry = Entry(name, weight, served, group)
        member = Member(entry, Secret(key, base_url), settings)
        with self._changes:
            if name in self:
                fail("name", "must be new in the pool", name)
            member.limit(self, self._limits | settings, settings)
            self._equip(member, afresh=True)
            with self._lock:
                self._ring.add(entry)
                self._members[name] = member
            self._serve((), (base_url,))
        self._wake_all()

    def update(self, name: str, **settings: Any) -> None:
        """Change settings of an entry: those of `add`. A new key or server is ready at once.

        Calls that run with the old one end as they would; how, says nothing about the new one.
        A higher limit wakes those who wait at once, a lower one lets the running ones finish;
        without a limit any more, those who wait go on at once. Calls that run when an entry gets
        its first limit are not counted. New settings of the circuit begin with a closed one.

        Raises:
            SettingsError: for an unknown entry or setting, or a value that breaks its rule;
                nothing is changed then.
        """
        reject_unknown(settings, _OWN | LIMITS, "KeyPool.update")
        limits = {setting: settings[setting] for setting in LIMITS & settings.keys()}
        with self._changes:
            member = self._member(name)
            entry, secret = member.entry, member.secret
            key = settings.get("key", secret.key)
            base_url = settings.get("base_url", secret.base_url)
            own = member.own | limits
            with naming(name):
                _check_key(key, base_url)
                check("weight", settings.get("weight", entry.weight))
                check("group", settings.get("group"))
                tiers = _served(settings["tiers"]) if "tiers" in settings else entry.tiers
                check_limits(limits, self._limits | member.own)
                check_line(limits, self._limits | own)
            if key is not None:
                _secrets.remember(key)
            is_new = "key" in settings or "base_url" in settings
            with self._lock:
                entry.weight = settings.get("weight", entry.weight)
                entry.group = settings.get("group", entry.group)
                entry.tiers = tiers
                member.own = own
                if is_new:
                    member.secret = Secret(key, base_url)
                    entry.renew()
                self._ring.note(entry)
            gone = member.limit(self, self._limits | own, limits)
            if gone is not None:
                gone.close()
            self._serve((secret.base_url,), (base_url,))
            self._equip(member, afresh=is_new or wants_breaker(limits))
        self._wake_all()

    def remove(self, name: str) -> None:
        """Hand an entry out no more; calls that run on it end as they would.

        Those that wait in its line go to other entries.

        Raises:
            SettingsError: for an unknown entry.
        """
        with self._changes:
            member = self._member(name)
            with self._lock:
                self._ring.remove(name)
                del self._members[name]
                queue, member.queue = member.queue, None
            self._serve((member.secret.base_url,), ())
            if queue is not None:
                queue.close()
        self._wake_all()

    def names(self) -> tuple[str, ...]:
        """Return the names of the entries, in the order in which they were added."""
        return tuple(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _member(self, name: str) -> Member:
        """Return an entry by name; SettingsError, with the nearest name, where there is none."""
        check("entry", name)
        member = self._members.get(name)
        if member is None:
            reject_unknown_entry(self, name)
            fail("entry", "was removed meanwhile", name)
        return member

    def _serve(self, left: Iterable[str | None], joined: Iterable[str | None]) -> None:
        """Count the servers: as soon as there are several, each has a circuit of its own."""
        were_several = len(self._servers) > 1
        self._servers.update(joined)
        self._servers.subtract(left)
        self._servers = +self._servers
        if len(self._servers) > 1 and not were_several:
            for member in self._members.values():
                self._equip(member)

    def _equip(self, member: Member, *, afresh: bool = False) -> None:
        """Give an entry the circuit that it needs: a new one, if `afresh` or there is none."""
        limits, base_url = self._limits | member.own, member.secret.base_url
        is_one_of_several = base_url is not None and len({*self._servers, base_url}) > 1
        if not (wants_breaker(limits) or is_one_of_several or member.breaker is not None):
            return
        if afresh or member.breaker is None:
            breaker: CircuitBreaker = make_breaker(
                self.name, member.entry.name, limits, self._wake_all
            )
            breaker.users = self.users
            with self._lock:
                member.breaker, member.entry.circuit = breaker, breaker.machine

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

    def renew_after_fork(self) -> None:
        """Forget the calls of threads that do not exist in a forked child."""
        self._lock = threading.RLock()
        self._changes = threading.Lock()
        self._waiters = {}
        # What the fork has caught in the midst of being added or removed is not there.
        self._ring.renew(self._members)
        self._members = {name: self._members[name] for name in self._ring.entries}
        for name, member in self._members.items():
            member.entry = self._ring.entries[name]

    def __reduce__(self) -> NoReturn:
        msg = "a key pool holds secrets and cannot be pickled"
        raise TypeError(msg)


def reject_unknown_entry(pool: KeyEntries, name: str) -> None:
    """Raise a `SettingsError`, with the nearest name, where a pool has no such entry."""
    reject_unknown((name,), pool.names(), f"pool {pool.name!r}", what="entry")


def entries_of(keys: object) -> dict[str, Mapping[str, Any]]:
    """Return the entries that the first argument of a pool names, as arguments of `add`."""
    if keys is None:
        return {}
    if isinstance(keys, str):
        return {"default": {"key": keys}}
    if isinstance(keys, Mapping):
        return {name: _arguments(name, value) for name, value in keys.items()}
    if isinstance(keys, Iterable):
        return {f"key_{number}": {"key": key} for number, key in enumerate(keys, start=1)}
    return fail(
        "keys", "must be a mapping of names to keys, a list of keys, or one key", type(keys)
    )


def _arguments(name: object, value: object) -> Mapping[str, Any]:
    """Return the arguments of `add` that stand in the place of a key, or the key as one."""
    if not isinstance(value, Mapping):
        return {"key": value}
    with naming(name):
        reject_unknown(map(str, value), _OWN | LIMITS, "keys")
    return {"key": None, **value}


def _check_key(key: object, base_url: object) -> None:
    """Refuse a bad key without showing it."""
    if base_url is not None and (not isinstance(base_url, str) or not base_url):
        fail("base_url", "must be a text that is not empty, or None", base_url)
    if key is None and base_url is None:
        fail("key", "must be given where there is no base_url", None)
    if key is not None and (not isinstance(key, str) or not key.strip()):
        shown = key if isinstance(key, str) else f"<{type(key).__name__}>"  # blank: no secret
        fail("key", "must be a text that is not empty", shown)
    if isinstance(key, str) and not key.isprintable():
        fail("key", "must have no control characters, such as a line break", "<hidden>")


def _served(tiers: Iterable[Priority | int | str] | None) -> frozenset[int] | None:
    if tiers is None:
        return None
    if not isinstance(tiers, Iterable):
        fail("tiers", "must be priorities, or None", tiers)
    served = frozenset(int(as_priority(tier)) for tier in tiers)
    if not served:
        fail("tiers", "must name at least one priority, or be None", tiers)
    return served
