"""One use of one key: who has it, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilience import _clock
from resilience._marks import mark, marked, read_quietly, set_quietly
from resilience._secrets import fingerprint
from resilience.errors import RefusedError

if TYPE_CHECKING:
    from resilience._core.keys import Entry
    from resilience._key_pool import KeyPool
    from resilience._pool_entries import Secret

__all__ = ["Lease", "LeaseLapsedError", "LeaseRequest", "carry_waking"]


class LeaseLapsedError(RefusedError):
    """The entry began to rest while the call waited for a permit: another key is tried at once."""

    reason = "no_key"


class Lease:
    """A key that was handed out; its outcome is charged to the entry that it came from.

    Attributes:
        name: The name of the entry.
        key: The secret, or None where a server needs none.
        base_url: The server that this entry stands for, or None.
    """

    __slots__ = ("_began", "_entry", "_open", "_pool", "_secret", "base_url", "key", "name")

    def __init__(self, pool: KeyPool, entry: Entry, secret: Secret) -> None:
        self._pool = pool
        self._entry = entry
        self._secret = secret
        self._began = _clock.now()
        self._open = True
        self.name = entry.name
        self.key = secret.key
        self.base_url = secret.base_url

    def confirm(self) -> None:
        """Make sure that the entry may still be used; the call is about to be sent.

        Raises:
            LeaseLapsedError: if it rests by now.
        """
        now = _clock.now()
        if self._entry.rests_for and self._entry.wait(now):
            msg = f"key {self.name!r} rests by now"
            raise LeaseLapsedError(msg, name=self.name, retry_after=self._entry.wait(now))
        self._began = now

    def finish(self, error: BaseException | None) -> None:
        """Give the key back and report what became of the call; a second time changes nothing."""
        if self._open:
            self._open = False
            if error is not None:
                forget_waking(error)
            self._pool.settle(self._entry, self._secret, self._began, error)

    def __repr__(self) -> str:
        shown = "no key" if self.key is None else f"key {fingerprint(self.key)}"
        return f"<Lease {self.name!r}: {shown}>"

    def __reduce__(self) -> str:
        msg = "a lease holds a secret and cannot be pickled"
        raise TypeError(msg)


def carry_waking(error: BaseException, waking: float | None, earliest: float | None) -> None:
    """Let the error of a whole round say when the first key wakes, in place of its own hint.

    A retry waits for a throttled key (`waking`); whoever reads the error learns the `earliest`
    waking of any, a rejected one included.
    """
    mark(error, "waking", waking)
    if earliest is not None:
        mark(error, "own_hint", (read_quietly(error, "retry_after"),))
        set_quietly(error, "retry_after", earliest if waking is None else waking)


def forget_waking(error: BaseException) -> None:
    """Give the error its own hint back: one object may be raised again, and is news then."""
    own_hint = marked(error, "own_hint")
    if own_hint is not None:
        mark(error, "waking", None)
        mark(error, "own_hint", None)
        set_quietly(error, "retry_after", own_hint[0])


class LeaseRequest:
    """`with pool.lease() as lease:` and `async with …`: the lease ends with the block."""

    __slots__ = ("_leases", "_name", "_pool", "_strategy")

    def __init__(self, pool: KeyPool, name: str | None, strategy: object) -> None:
        self._pool = pool
        self._name = name
        self._strategy = strategy
        self._leases: list[Lease] = []  # it may be entered again while it is entered

    def __enter__(self) -> Lease:
        self._leases.append(self._pool.take(name=self._name, strategy=self._strategy))
        return self._leases[-1]

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self._leases.pop().finish(error)

    async def __aenter__(self) -> Lease:
        lease = await self._pool.take_async(name=self._name, strategy=self._strategy)
        self._leases.append(lease)
        return lease

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.__exit__(kind, error, traceback)
