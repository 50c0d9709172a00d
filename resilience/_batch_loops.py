"""What event loops are asked to do for the batches of one function."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from resilience import _clock

if TYPE_CHECKING:
    from resilience._batch_state import BatchState

__all__ = ["LoopCall", "LoopTimers"]

Loop = asyncio.AbstractEventLoop


class LoopCall:
    """A call that a loop is going to make for a batch.

    A loop that is closed drops its calls: who waits there hears of it by the end of this object.
    """

    __slots__ = ("_call", "_loop", "_state")

    def __init__(self, state: BatchState, loop: Loop, call: Callable[[], object]) -> None:
        self._state = state
        self._loop = loop
        self._call = call

    def __call__(self) -> None:
        self._call()

    def __del__(self) -> None:
        if self._loop.is_closed():
            self._state.drop_closed_loops()


class LoopTimers:
    """One timer for each loop in which batches wait; each is touched in its loop's thread alone.

    One for each batch is mostly set in vain, since it is full before: 1.4 µs.
    """

    def __init__(self, state: BatchState, call: Callable[[Loop], object]) -> None:
        self._state = state
        self._call = call
        # A timer is not kept alive: its loop does that until it is closed.
        self._handles: dict[Loop, weakref.ref[_clock.Handle]] = {}

    def set(self, loop: Loop, due: float) -> None:
        """Call in the running loop at that moment, unless it is going to be called before."""
        if loop in self._handles:
            return

        def come() -> None:
            self._handles.pop(loop, None)
            self._call(loop)

        call = LoopCall(self._state, loop, come)
        seconds = max(0.0, due - _clock.now())
        self._handles[loop] = weakref.ref(_clock.call_later(loop, seconds, call))

    def __contains__(self, loop: Loop) -> bool:
        return loop in self._handles

    def cancel(self, loop: Loop) -> None:
        """Do not call in the running loop; it was set."""
        handle = self._handles.pop(loop)()
        if handle is not None:
            handle.cancel()

    def drop_closed(self) -> None:
        """Forget the loops that were closed."""
        for loop in list(self._handles):
            if loop.is_closed():
                self._handles.pop(loop, None)

    def keep_only(self, kept: Loop | None) -> None:
        """Forget the loops of threads that do not exist in a child."""
        self._handles = {loop: each for loop, each in self._handles.items() if loop is kept}
