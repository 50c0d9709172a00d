"""How many requests a key may send still, as its server says with each answer.

Servers mean two things by "so many are left, and the reset is then": a window, in which nothing
more is served until it ends, or a bucket that fills all the time and is full by then. Only a
window can be obeyed beforehand: who waited for a full bucket would wait for much too long. Which
one it is shows when the server refuses: the wait that it asks for is that until the reset, or it
is shorter.
"""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["Quota", "Told"]

# Times are rounded, and told by the server's own clock; what drips from a bucket comes much sooner.
_NEARLY = 0.9
_ROUNDED = 1.0  # seconds: many servers tell whole ones


class Told(NamedTuple):
    """What an answer says.

    Attributes:
        about: What the quota is for, such as a model.
        limit: How many requests the server serves in all.
        left: How many more of them.
        reset: Seconds from when it answered until it serves as many as ever.
        wait: Seconds that it asks to wait, if it has refused the request.
    """

    about: object
    limit: int
    left: int
    reset: float
    wait: float | None = None


class Quota:
    """The window of one key; its driver holds a lock around every method.

    Requests are numbered as they are sent. What an answer says of its own request holds for all:
    if 7 are left after number 3, number 10 is the last one of the window. Until the first answer
    of a new window it is taken to be like the one before. What the server says of a request that
    was sent later holds, whatever it has said before.

    Attributes:
        is_kept: Whether the server has shown that nothing is served beyond a window.
    """

    __slots__ = (
        "_after",
        "_before",
        "_is_guess",
        "_is_one",
        "_kind",
        "_last",
        "_length",
        "_next",
        "_sent",
        "_told",
        "is_kept",
    )

    def __init__(self) -> None:
        self.is_kept = False
        self._sent = 0
        self._kind: tuple[object, int] | None = None  # what the quota is for, and its limit
        self._is_one = True  # always the same, and not one for each model
        self._length = 0.0  # seconds
        self._last = 0  # number of the window
        self._next = 0  # number that was not sent when the window became known
        # When the window ends is not known exactly: an answer is on its way for some time.
        self._after = self._before = self._told = -math.inf
        self._is_guess = False

    def send(self, now: float) -> int:
        """Return the number of a request that is sent now."""
        if self.is_kept and now >= self._before and self._kind is not None:
            self._last = self._sent + self._kind[1]
            self._after = self._before = now + self._length
            self._told, self._next = now, self._sent + 1
            self._is_guess = True
        self._sent += 1
        return self._sent

    def told(self, said: Told, number: int, began: float, now: float) -> None:
        """Take what the answer to request `number` says, which `began` then and is over `now`."""
        if said.wait is not None:
            self.is_kept = self.is_kept or (not said.left and said.wait >= _NEARLY * said.reset)
            return
        kind = said.about, said.limit
        self._is_one = self._is_one and self._kind in (None, kind)
        self._kind, self._length = kind, max(self._length, said.reset)
        after, before, last = began + said.reset, now + said.reset, number + said.left
        if not number or self._is_known_better(number, before):
            return
        if after <= self._before and before >= self._after:  # the window that is known
            last = min(last, self._last)
            if not self._is_guess:
                after, before = max(after, self._after), min(before, self._before)
        self._after, self._before, self._last, self._told = after, before, last, now
        self._next, self._is_guess = self._sent + 1, False

    def _is_known_better(self, number: int, before: float) -> bool:
        """Return whether an answer is of a window that is over, or was merely rounded down."""
        earlier = self._after - before
        if number < self._next:
            return earlier > 0
        return 0 < earlier <= _ROUNDED and not self._is_guess

    def wait(self, now: float) -> float:
        """Return the seconds until one more may be sent."""
        is_used_up = self.is_kept and self._is_one and self._sent >= self._last
        # A clock that went back (a test that froze and thawed it) knows of no window.
        return max(0.0, self._before - now) if is_used_up and now >= self._told else 0.0
