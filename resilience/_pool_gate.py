"""One call's way through what stands before an entry: its line, then its circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resilience._switches import is_off
from resilience._waiters import holder

if TYPE_CHECKING:
    from resilience._circuit_breaker import CircuitBreaker
    from resilience._pool_member import Member
    from resilience._queue import PriorityQueue

__all__ = ["Passage", "passage_of"]


def passage_of(member: Member) -> Passage | None:
    """Return the way to this entry; None where nothing stands before it."""
    if member.queue is None and member.breaker is None:
        return None
    return Passage(member.queue, member.breaker)


class Passage:
    """Holds the permits of one call until it leaves.

    Attributes:
        queue: The line that it stands in, or stood in.
    """

    __slots__ = ("_admission", "_arrival", "_breaker", "_me", "queue")

    def __init__(self, queue: PriorityQueue | None, breaker: CircuitBreaker | None) -> None:
        self.queue = queue
        self._breaker = breaker
        self._me: object = None
        self._arrival: int | None = None
        self._admission: int | None = None

    def wait(self, tier: int) -> None:
        """Wait in the line for a permit.

        Raises:
            RefusedError: it is full or closed, or the time is over.
        """
        if self.queue is not None and not is_off("prioritized"):
            self._me = holder()
            self._arrival = self.queue.enter(self._me, tier)
            self._share(self.queue)

    async def wait_async(self, tier: int) -> None:
        """Wait in the line for a permit; as `wait`, but for `await`."""
        if self.queue is not None and not is_off("prioritized"):
            self._me = holder()
            self._arrival = await self.queue.enter_async(self._me, tier)
            self._share(self.queue)

    def admit(self) -> None:
        """Ask the circuit.

        Raises:
            CircuitOpenError: it is open, or its probes are under way.
        """
        if self._breaker is not None and not is_off("circuit_breaker"):
            self._admission = self._breaker.admit()

    @property
    def is_open(self) -> bool:
        """Whether the circuit would let the call begin still."""
        if self._breaker is None or self._admission is None:
            return True
        return self._breaker.machine.still_admits(self._admission)

    @property
    def has_circuit(self) -> bool:
        """Whether the failures of the server count in a circuit of its own."""
        return self._breaker is not None

    def record(self, error: BaseException | None, began: float) -> None:
        """Tell the circuit what became of the call."""
        if self._breaker is not None and self._admission is not None:
            self._breaker.record(self._admission, error, began)

    def leave(self) -> None:
        """Give the permit back; a second time changes nothing."""
        if self.queue is not None and self._arrival is not None:
            self.queue.leave(self._me, self._arrival)

    def _share(self, queue: PriorityQueue) -> None:
        """Hold on to the permit that the caller has already, for as long as this call runs."""
        if self._arrival is None:
            self._arrival = queue.share(self._me)
