"""One use of one key: who has it, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilience import _clock
from resilience._secrets import fingerprint

if TYPE_CHECKING:
    from resilience._core.keys import Entry
    from resilience._key_pool import KeyPool

__all__ = ["Lease", "LeaseRequest"]


class Lease:
    """A key that was handed out; its outcome is charged to the entry that it came from.

    Attributes:
        name: The name of the entry.
        key: The secret, or None where a server needs none.
        base_url: The server that this entry stands for, or None.
    """

    __slots__ = ("_began", "_entry", "_open", "_pool", "base_url", "key", "name")

    def __init__(self, pool: KeyPool, entry: Entry, key: str | None, base_url: str | None) -> None:
        self._pool = pool
        self._entry = entry
        self._began = _clock.now()
        self._open = True
        self.name = entry.name
        self.key = key
        self.base_url = base_url

    def finish(self, error: BaseException | None) -> None:
        """Give the key back and report what became of the call; a second time changes nothing."""
        if self._open:
            self._open = False
            self._pool.settle(self._entry, self._began, error)

    def __repr__(self) -> str:
        shown = "no key" if self.key is None else f"key {fingerprint(self.key)}"
        return f"<Lease {self.name!r}: {shown}>"

    def __reduce__(self) -> str:
        msg = "a lease holds a secret and cannot be pickled"
        raise TypeError(msg)


class LeaseRequest:
    """`with pool.lease() as lease:` and `async with …`: the lease ends with the block."""

    __slots__ = ("_lease", "_name", "_pool", "_strategy")

    def __init__(self, pool: KeyPool, name: str | None, strategy: object) -> None:
        self._pool = pool
        self._name = name
        self._strategy = strategy
        self._lease: Lease | None = None

    def __enter__(self) -> Lease:
        self._lease = self._pool.take(name=self._name, strategy=self._strategy)
        return self._lease

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._lease is not None:
            self._lease.finish(error)

    async def __aenter__(self) -> Lease:
        self._lease = await self._pool.take_async(name=self._name, strategy=self._strategy)
        return self._lease

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)
