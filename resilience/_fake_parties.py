"""Who uses a fake clock, and whether all of them wait.

A party is a thread, with the event loop that it runs, if it runs one.
Known to the clock are the thread that entered it, the threads that were started since, and any
other one that has slept or waited on it; not the threads of a test runner or an exporter.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass

from resilience._clock import Event
from resilience._fake_wakeups import Wakeup

__all__ = ["Block", "Parties", "Party"]


@dataclass(slots=True, eq=False)
class Block:
    """What a thread is blocked on.

    Attributes:
        event: What ends it early, when somebody sets it.
        wakeup: What ends it in time.
    """

    event: Event
    wakeup: Wakeup

    def holds(self) -> bool:
        """Whether neither has happened; a thread that has been woken counts as running already."""
        return self.wakeup.pending and not self.event.is_set()


@dataclass(slots=True, eq=False)
class Party:
    """What the clock knows of one thread.

    Attributes:
        blocked_on: What it waits for on the clock, or None while it runs.
        loop: The event loop that it runs, or ran last.
        idle_at: The clock's count of activity when the loop was last found with nothing to run.
        probing: The loop is being asked just now whether it has nothing to run.
        away: It has shown no sign for a while, so that nobody counts on it; until its next sign.
    """

    blocked_on: Block | None = None
    loop: asyncio.AbstractEventLoop | None = None
    idle_at: int = -1
    probing: bool = False
    away: bool = False

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note the loop that the thread runs now."""
        if self.loop is not loop:
            self.loop, self.idle_at, self.probing = loop, -1, False

    def blocks(self) -> bool:
        """Whether the thread itself waits."""
        return self.blocked_on is not None and self.blocked_on.holds()

    def waits(self, activity: int) -> bool:
        """Whether thread or loop has waited ever since that count of activity."""
        return self.blocks() or self.idle_at == activity


class Parties:
    """All of them; guarded by the clock's lock, but for `appear`."""

    def __init__(self) -> None:
        self._known: dict[threading.Thread, Party] = {}
        self._outside: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    def begin(self) -> None:
        """Leave out the threads that there are already, but for this one."""
        self._outside = weakref.WeakSet(threading.enumerate())
        self._outside.discard(threading.current_thread())

    def current(self) -> Party:
        """The party of the calling thread, which shows by this that it is there."""
        party = self._known.setdefault(threading.current_thread(), Party())
        party.away = False
        return party

    def appear(self) -> None:
        """Count on the calling thread again, if it is known."""
        party = self._known.get(threading.current_thread())
        if party is not None:
            party.away = False

    def drop_dead(self) -> bool:
        """Take in new threads and forget those that have ended; whether there were any of these."""
        known, alive = self._known, threading.enumerate()
        self._known = {
            thread: known.get(thread) or Party()
            for thread in alive
            if thread in known or thread not in self._outside
        }
        return not known.keys() <= self._known.keys()

    def all_wait(self, activity: int) -> bool:
        """Whether nobody who is counted on still runs."""
        return all(party.away or party.waits(activity) for party in self._known.values())

    def all_block(self) -> bool:
        """Whether every thread of the process waits: nothing can happen but by moving time."""
        parties = self._known.values()
        return len(parties) == threading.active_count() and all(p.blocks() for p in parties)

    def several_loops(self) -> bool:
        """Whether more than one loop runs."""
        return sum(party.loop is not None for party in self._known.values()) > 1

    def doubtful_loops(self, activity: int) -> Iterator[Party]:
        """Those whose loop may have got something to run since it was last asked."""
        parties = self._known.values()
        return (p for p in parties if p.loop is not None and p.idle_at != activity)

    def leave_out(self, activity: int) -> None:
        """Count no more on whoever still runs, or is blocked by something else than the clock."""
        for party in self._known.values():
            party.away = not party.waits(activity)
