"""One use of one key: who has it, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._marks import mark, marked, read_quietly, set_quietly
from resilience._pool_gate import passage_of
from resilience._secrets import fingerprint
from resilience.errors import RefusedError

if TYPE_CHECKING:
    from resilience._core.key_quota import Told
    from resilience._key_pool import KeyPool
    from resilience._pool_choice import KeyChoice
    from resilience._pool_member import Member

__all__ = ["Lease", "LeaseLapsedError", "LeaseRequest", "carry_waking", "counts_elsewhere"]


class LeaseLapsedError(RefusedError):
    """The entry began to rest while the call waited for a permit: another key is tried at once."""

    reason = "no_key"


class Lease:
    """A key that was handed out; its outcome is charged to the entry that it came from.

    Attributes:
        is_open: Whether it has been counted and not been given back yet.
        number: Which of the requests of its entry it is, where they are numbered; else 0.
        name: The name of the entry.
        key: The secret, or None where a server needs none.
        base_url: The server that this entry stands for, or None.
    """

    __slots__ = (
        "_is_free",
        "_pool",
        "base_url",
        "began",
        "entry",
        "is_open",
        "key",
        "member",
        "name",
        "number",
        "passage",
        "secret",
    )

    def __init__(self, pool: KeyChoice, member: Member, now: float, *, is_free: bool) -> None:
        self._pool = pool
        self.is_open = False
        self.member = member
        self.entry = entry = member.entry
        self.secret = secret = member.secret
        self._is_free = is_free
        self.passage = None if is_free else passage_of(member)
        self.began = now
        self.number = 0
        self.name = entry.name
        self.key = secret.key
        self.base_url = secret.base_url

    @property
    def is_free(self) -> bool:
        """Whether the pool is off for it, now or when it was handed out: nobody rests then."""
        return self._is_free or self._pool.is_off

    def confirm(self) -> None:
        """Make sure that the entry may still be used; the call is about to be sent.

        Raises:
            LeaseLapsedError: if it rests by now, or its circuit has opened.
        """
        now = _clock.now()
        if self.entry.rests_for and self.entry.wait(now) and not self.is_free:
            msg = f"key {self.name!r} rests by now"
            raise LeaseLapsedError(msg, name=self.name, retry_after=self.entry.wait(now))
        if self.passage is not None and not self.passage.is_open and not self.is_free:
            msg = f"the circuit of key {self.name!r} has opened"
            raise LeaseLapsedError(msg, name=self.name, retry_after=self.entry.circuit_wait(now))
        self.began = now

    def send(self) -> None:
        """Do as `confirm`, and count the request that is about to be sent.

        Raises:
            LeaseLapsedError: as `confirm`, or if the server allows no more for now.
        """
        self.confirm()
        wait = 0.0 if self.entry.quota is None or self.is_free else self._pool.send(self)
        if wait:
            msg = f"key {self.name!r} is used up by now"
            raise LeaseLapsedError(msg, name=self.name, retry_after=wait)

    def tell(self, said: Told) -> None:
        """Report what the answer to the request says of the quota of the key."""
        self._pool.tell(self, said)

    def finish(self, error: BaseException | None) -> None:
        """Give the key back and report what became of the call; a second time changes nothing."""
        if self.is_open:
            if error is not None:
                forget_waking(error)
            self._pool.settle(self, error)
        elif self.passage is not None:
            self.passage.leave()  # where a Ctrl-C came in the midst of the first time

    def __repr__(self) -> str:
        shown = "no key" if self.key is None else f"key {fingerprint(self.key)}"
        return f"<Lease {self.name!r}: {shown}>"

    def __reduce__(self) -> str:
        msg = "a lease holds a secret and cannot be pickled"
        raise TypeError(msg)


def counts_elsewhere(arguments: dict[str, Any]) -> bool:
    """Return whether a call with these arguments has a lease whose entry has its own circuit."""
    return any(
        type(value) is Lease and value.passage is not None and value.passage.has_circuit
        for value in arguments.values()
    )


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
