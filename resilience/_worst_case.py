"""The worst case of a stack: how often a call is sent, and how long that may take."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeVar

from resilience._attempt_timeout import AttemptTimeoutLayer
from resilience._context import deadline
from resilience._pool_layer import PoolLayer
from resilience._prioritized import QueueLayer
from resilience._record import record
from resilience._retry import RetryLayer
from resilience._site import Layer

__all__ = ["WorstCase"]

L = TypeVar("L")


@record
class WorstCase:
    """The numbers; times in seconds.

    Attributes:
        attempts: The most attempts of all retries; each may try every key once.
        backoff: The longest that the computed delays come to.
        longest: The same if the server asks for more.
        keys: How many keys an attempt may try.
        attempt_timeout: The longest attempt, or None for no limit.
        queue_timeout: The longest wait for a permit; None without a queue, or without a limit.
        has_endless_waits: Whether a queue or a pool may let a call wait without a limit.
        deadline: The time that is left of a surrounding deadline, or None.
    """

    attempts: int
    backoff: float
    longest: float
    keys: int
    attempt_timeout: float | None
    queue_timeout: float | None
    has_endless_waits: bool
    deadline: float | None

    @classmethod
    def of(cls, layers: Sequence[Layer]) -> WorstCase:
        """Return the worst case of these layers, the outermost first, of which all work."""
        attempts, backoff, longest = _retries(_of_kind(layers, RetryLayer))
        pools = [layer.pool for layer in _of_kind(layers, PoolLayer)]
        queues = [layer.queue for layer in _of_kind(layers, QueueLayer)]
        waits = [queue.queue_timeout for queue in queues]
        limits = [layer.seconds for layer in _of_kind(layers, AttemptTimeoutLayer)]
        return cls(
            attempts=attempts,
            backoff=backoff,
            longest=longest,
            keys=prod(max(1, len(pool)) for pool in pools),
            attempt_timeout=min(limits, default=None),
            queue_timeout=sum(wait for wait in waits if wait is not None) if waits else None,
            has_endless_waits=None in waits or any(pool.waits for pool in pools),
            deadline=deadline.remaining(),
        )

    def __str__(self) -> str:
        return f"{_listed(self._times())}{self._open_ends()}"

    @property
    def requests(self) -> int:
        """The most requests of one call."""
        return self.attempts * self.keys

    def _times(self) -> list[str]:
        text = f"{self.requests} attempt{'s' * (self.requests != 1)}"
        if self.keys > 1:
            text += f" ({self.attempts} on each of {self.keys} keys)"
        waits = f"{self.backoff:g} s of back-off"
        if self.longest > self.backoff:
            waits += f" ({self.longest:g} s if the server asks for it)"
        times = [text, waits]
        if self.attempt_timeout is not None:
            times.append(f"{self.attempt_timeout * self.requests:g} s of attempts")
        if self.queue_timeout:
            times.append(f"{self.queue_timeout * self.requests:g} s in the queue")
        return times

    def _open_ends(self) -> str:
        if self.deadline is not None:
            return f"; the deadline ends it after {self.deadline:.3g} s"
        open_ends = []
        if self.attempt_timeout is None:
            open_ends.append("attempts have no time limit of their own")
        if self.has_endless_waits:
            open_ends.append("queue waits come on top")
        return f"; {', and '.join(open_ends)}" if open_ends else ""


def _retries(layers: list[RetryLayer]) -> tuple[int, float, float]:
    """Return the most attempts, and the most seconds of back-off: computed, and with hints."""
    retries = [layer for layer in layers if layer.is_on]
    attempts, computed, longest = 1, 0.0, 0.0
    for index, layer in enumerate(retries):
        inner = retries[index + 1 :]
        if inner and all(each.is_plain for each in (layer, *inner)):
            continue  # what the inner one has given up on is not repeated
        tries, shorter, longer = layer.worst_case()
        computed += shorter * attempts
        longest += longer * attempts
        attempts *= tries
    return attempts, computed, longest


def _of_kind(layers: Sequence[Layer], kind: type[L]) -> list[L]:
    return [layer for layer in layers if isinstance(layer, kind)]


def _listed(parts: list[str]) -> str:
    *first, last = parts
    joint = " and " if len(first) > 1 else ", "
    return joint.join((", ".join(first), last))
