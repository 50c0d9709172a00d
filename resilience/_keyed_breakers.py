"""One circuit breaker for each key of a function's calls."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from resilience._circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from resilience._users import Users

__all__ = ["MOST_KEYS", "KeyedBreakers"]

MOST_KEYS = 1_000  # breakers of one function: a key with endless values must not fill the memory


class _Keyed:
    """The breaker of one key, and when it was last asked for."""

    __slots__ = ("breaker", "used")

    def __init__(self, breaker: CircuitBreaker, used: int) -> None:
        self.breaker = breaker
        self.used = used


class KeyedBreakers(Mapping[Any, CircuitBreaker]):
    """One breaker for each key, made on demand; read-only, bounded, thread-safe.

    There is no lock: a key is the user's object, and its `__hash__` and `__eq__` may do anything.
    Single operations of a dict are atomic.
    """

    def __init__(self, make: Callable[[str], CircuitBreaker], users: Users) -> None:
        self._make = make
        self._users = users
        self._entries: dict[Any, _Keyed] = {}
        self._uses = itertools.count(1)

    def get_or_make(self, key: Any) -> CircuitBreaker:
        """Return the breaker of this key; beyond the bound the longest unused one goes."""
        entry = self._entries.get(key)
        if entry is None:
            made = _Keyed(self._make(f"[{key}]"), next(self._uses))
            made.breaker.users = self._users
            entry = self._entries.setdefault(key, made)
        entry.used = next(self._uses)
        while len(self._entries) > MOST_KEYS:
            oldest = min(list(self._entries.items()), key=lambda item: item[1].used)
            self._entries.pop(oldest[0], None)
        return entry.breaker

    def __getitem__(self, key: Any) -> CircuitBreaker:
        return self._entries[key].breaker

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
