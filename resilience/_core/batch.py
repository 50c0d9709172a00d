"""When the items of one batch have waited long enough: it is full, or its oldest item's time is up.

A machine is one batch, from the first item to the moment in which it is taken. It is taken once,
and takes no item after that: so an item is in exactly one batch, and no batch grows above the size.
Its driver holds a lock around each method.
"""

from __future__ import annotations

import math
from itertools import islice
from typing import Any, Literal

__all__ = ["BatchMachine", "Flush"]

Flush = Literal["size", "time", "explicit"]


class BatchMachine:
    """Items that share a key, in order of arrival.

    Attributes:
        size: How many items it takes at most.
        oldest: The item that leads: the batch is due when its time is up; None without one.
        flush: Why the batch was taken; None as long as it takes items.
        waited: Seconds that its oldest item had waited by then.
        was_led: Another item led before, so that it may be due later than what began after it.
    """

    __slots__ = ("_arrivals", "_since", "_timeout", "flush", "oldest", "size", "waited", "was_led")

    def __init__(self, size: int, timeout: float) -> None:
        self.size = size
        self._timeout = timeout
        self._arrivals: dict[Any, float] = {}
        self._since = math.inf
        self.oldest: Any = None
        self.flush: Flush | None = None
        self.waited = 0.0
        self.was_led = False

    def __len__(self) -> int:
        return len(self._arrivals)

    @property
    def items(self) -> list[Any]:
        """The items, the oldest first."""
        return list(self._arrivals)

    @property
    def due(self) -> float:
        """The moment at which the oldest item has waited for `timeout` seconds."""
        return self._since + self._timeout

    def is_due(self, now: float) -> bool:
        """Return whether the oldest item has waited long enough, or the clock was set back."""
        return not self._since <= now < self.due

    def add(self, item: Any, now: float) -> int:
        """Take an item in, only before the batch is taken; return how many there are now.

        With `size` of them it is full, and has to be taken.
        """
        arrivals = self._arrivals
        if not arrivals:
            self.oldest, self._since = item, now
        arrivals[item] = now
        return len(arrivals)

    def remove(self, item: Any) -> bool:
        """Let an item leave; return whether it led, so that another one leads now."""
        led = self.oldest is item
        if led:  # first, as it may be interrupted after that: somebody leads in any case
            others = islice(self._arrivals.items(), 1, None)
            self.oldest, self._since = next(others, (None, math.inf))
            self.was_led = True
        self._arrivals.pop(item, None)
        return led

    def forget(self) -> None:
        """Let go of the items, which have been answered."""
        self._arrivals.clear()
        self.oldest = None

    def take(self, flush: Flush, now: float) -> None:
        """Close the batch; its items stay as they are."""
        self.waited = max(0.0, now - self._since)
        self.flush = flush  # last and in one step: it may be interrupted anywhere before
