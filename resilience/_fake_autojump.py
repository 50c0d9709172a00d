"""When the time of a fake clock moves: as soon as everybody waits, to the earliest wake-up.

A thread waits while it is blocked on the clock; an event loop waits when it has gone round
`_ROUNDS` times and no wait has begun or ended in them. Then time moves at once.
Some things cannot be known: whether a thread that is busy elsewhere will come back, and whether
real work, such as a request to a server, ends before its time-out. They get a grace of real time:
when for some milliseconds nobody has begun or ended to wait, time moves all the same, so that
nothing hangs.
No thread of its own sees to this: those who wait do.
"""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import suppress

from resilience import _fork
from resilience._clock import Event
from resilience._fake_parties import Block, Parties, Party
from resilience._fake_wakeups import Wakeup, Wakeups

__all__ = ["Autojump"]

# More rounds than a hand-over between tasks takes (a time-out that cancels a group of groups: about
# ten), and still a fraction of a millisecond.
_ROUNDS = 50

# Real seconds between the looks of a thread that waits: soon after a change, then less often.
_LOOKS = (0.001, 0.002, 0.004, 0.008)
_GRACE = sum(_LOOKS)


class Autojump:
    """Time, who waits for it, and the rule by which it moves; thread-safe.

    Attributes:
        time: Seconds; grows only.
        parties: Who uses the clock; to be touched under `lock`.
    """

    def __init__(self, start: float, *, enabled: bool) -> None:
        self.time = start
        self.enabled = enabled
        self.parties = Parties()
        # Re-entrant, since a garbage collection may cancel a timer at any point.
        self.lock = threading.RLock()
        self._wakeups = Wakeups()
        self._open = False
        # Counts the beginnings and ends of waits, and the ends of threads. That a loop is idle, or
        # that a grace is over, is true only as long as this stands still.
        self._activity = 0
        self._confirming = -1
        _fork.renew_after(self)

    def renew_after_fork(self) -> None:
        """Forget what the threads that the child does not have held and waited for."""
        self.lock = threading.RLock()
        self._wakeups = Wakeups()

    def open(self) -> None:
        """Begin; the calling thread is known from now on."""
        with self.lock:
            self.parties.begin()
            self._open = True

    def close(self) -> None:
        """Wake everybody as if their time had come, now and from now on."""
        with self.lock:
            self._open = False
            self._fire(math.inf)

    def advance(self, seconds: float) -> None:
        """Move time, and wake whoever is due by then in the order of time."""
        with self.lock:
            self._move(self.time + seconds)

    def plan(self, wakeup: Wakeup) -> None:
        """Wake at its deadline; at once, if that has passed."""
        with self.lock:
            self._activity += 1
            self._wakeups.add(wakeup)
            self._fire(self.time if self._open else math.inf)

    def drop(self, wakeup: Wakeup) -> None:
        """Do not wake any more; such a wake-up never moves time."""
        with self.lock:
            if self._wakeups.remove(wakeup):
                self._activity += 1

    def block(self, event: Event, wakeup: Wakeup) -> None:
        """Block this thread until the event is set or the wake-up has been fired."""
        block = Block(event, wakeup)
        with self.lock:
            party = self.parties.current()
            party.blocked_on = block
            self.plan(wakeup)
            self._settle()
        try:
            while block.holds():
                self._watch(block)
        finally:
            with self.lock:
                party.blocked_on = None
                self.drop(wakeup)

    def probe(self, party: Party) -> None:
        """Find out whether the party's loop has anything to run; its idleness may move time."""
        if self.enabled and party.loop is not None and not party.probing:
            party.probing = True
            with suppress(RuntimeError):  # it has just been closed
                party.loop.call_soon_threadsafe(
                    self._probe, party, party.loop, self._activity, _ROUNDS
                )

    def _probe(self, party: Party, loop: asyncio.AbstractEventLoop, seen: int, rounds: int) -> None:
        with self.lock:
            if rounds == 0:
                party.probing, party.idle_at = False, seen
                self._settle()
                if self._activity == seen:
                    loop.call_later(_GRACE, self._end_grace, seen)
                return
        loop.call_soon(self._probe, party, loop, seen, rounds - 1)

    def _watch(self, block: Block) -> None:
        """Wait until something changes, for one grace at most; then move on."""
        seen = self._activity
        for pause in _LOOKS:
            if block.event.wait(pause) or not block.holds():
                return
            with self.lock:
                self._settle()
            if self._activity != seen:
                return
        self._end_grace(seen)

    def _settle(self) -> None:
        """Move on if everybody waits; else ask the loops, of which it is not certain."""
        wakeup = self._wakeups.earliest()
        if wakeup is None or not self.enabled:
            return
        if self.parties.drop_dead():  # they may have woken a loop with their last breath
            self._activity += 1
        if not self.parties.all_wait(self._activity):
            self._ask()
        elif wakeup.guard and not self.parties.all_block():
            return
        elif self.parties.several_loops() and self._confirming != self._activity:
            # One loop may have woken another that had answered before: hear them all once more.
            self._activity += 1
            self._confirming = self._activity
            self._ask()
        else:
            self._move(wakeup.deadline)

    def _end_grace(self, seen: int) -> None:
        with self.lock:
            wakeup = self._wakeups.earliest()
            if wakeup is None or not self.enabled:
                return
            if self._activity == seen:
                self.parties.leave_out(seen)
                self._move(wakeup.deadline)
            else:
                self._ask()

    def _ask(self) -> None:
        for party in self.parties.doubtful_loops(self._activity):
            self.probe(party)

    def _move(self, moment: float) -> None:
        self.time = moment
        self._fire(self.time)
        if self._wakeups.earliest() is not None:
            self._ask()

    def _fire(self, moment: float) -> None:
        for wakeup in self._wakeups.pop_due(moment):
            self._activity += 1
            wakeup.fire()
