"""Two threads that run in turn, and change places wherever a test wants: each way to meet, once.

Stress tests do not find what happens once in a million runs. Here a thread is stopped before each
instruction that touches what is shared, while the other one goes on.
"""

from __future__ import annotations

import dis
import functools
import itertools
import random
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

__all__ = ["Schedule", "ScheduledLock", "ScheduledWaiter", "chance_meetings", "every_way_to_meet"]

Make = Callable[["Schedule"], Iterable[Callable[[], object]]]

# The files whose instructions are points, and what is shared in them: its attributes, and every
# dictionary. The rest is a thread's own business.
_TRACED = ("/resilience/_queue", "/resilience/_shortcut.py", "/resilience/_core/queue.py")
_FIELDS = {"active", "closed", "draining", "drains", "fate", "limit", "room", "taken", "waiting"}
_OF_DICTIONARIES = ("CONTAINS_OP", "DELETE_SUBSCR", "STORE_SUBSCR")


def every_way_to_meet(make: Make) -> Iterator[Schedule]:
    """Run two bodies again and again: the first stops at each point, and there the second at each.

    `make` gives the bodies anew for each schedule. Yields each schedule once it has run.
    """
    for first in itertools.count():
        for second in itertools.count():
            schedule = Schedule((first, second))
            schedule.run(make(schedule))
            yield schedule
            if schedule.changes < 2:
                break
        if not schedule.changes:
            return


def chance_meetings(make: Make, number: int, seed: int) -> Iterator[Schedule]:
    """Run two bodies that change places often, so many times: who meets once may meet again."""
    chance = random.Random(seed)
    for _ in range(number):
        schedule = Schedule(int(chance.expovariate(0.1)) for _ in range(1_000))
        schedule.run(make(schedule))
        yield schedule


@functools.cache
def _points_of(code: CodeType) -> frozenset[int]:
    """Where the code looks at something shared, or changes it."""
    return frozenset(
        each.offset
        for each in dis.get_instructions(code)
        if each.opname in _OF_DICTIONARIES or each.argval in _FIELDS
    )


class Schedule:
    """Runs one of two threads at a time; they change places after so many points, in turn.

    After that they change where one waits or ends.

    Attributes:
        changes: How often one was interrupted.
        is_stuck: Nobody could go on although not everybody had ended.
        errors: What came out of the bodies.
    """

    def __init__(self, lengths: Iterable[int]) -> None:
        self._lengths = iter(lengths)
        self._left = next(self._lengths)
        self._turns = [threading.Semaphore(0), threading.Semaphore(0)]
        self._waits_for: list[Callable[[], bool]] = [_nothing, _nothing]
        self._end = threading.Semaphore(0)
        self.now = 0
        self.changes = 0
        self.is_stuck = False
        self.errors: list[BaseException] = []

    def run(self, bodies: Iterable[Callable[[], object]]) -> None:
        """Run them to their ends, or until nobody can go on."""
        for number, body in enumerate(bodies):
            threading.Thread(target=self._live, args=(number, body), daemon=True).start()
        self._turns[0].release()
        self._end.acquire()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Let the other one go on until something holds; for ever, if it never does."""
        me = self.now
        while not holds():
            self._waits_for[me] = holds
            if not self._give_way():
                self.is_stuck = True
                self._end.release()
            self._turns[me].acquire()
        self._waits_for[me] = _nothing

    def _live(self, me: int, body: Callable[[], object]) -> None:
        self._turns[me].acquire()
        sys._getframe().f_trace_opcodes = True  # from Python 3.12 on it must be so at `settrace`
        sys.settrace(self._trace)
        try:
            body()
        except BaseException as error:
            self.errors.append(error)
        finally:
            sys.settrace(None)
            other_has_ended = self._waits_for[1 - me] is _never
            self._waits_for[me] = _never
            if not self._give_way():
                self.is_stuck = not other_has_ended
                self._end.release()

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if not any(part in frame.f_code.co_filename for part in _TRACED):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and frame.f_lasti in _points_of(frame.f_code):
            self.point()
        return self._trace

    def point(self) -> None:
        """Count a point of the running thread, and change places if it is time."""
        self._left -= 1
        if self._left < 0 and self._waits_for[1 - self.now]():
            self._left = next(self._lengths, sys.maxsize)
            self.changes += 1
            self.rest()

    def rest(self) -> None:
        """Let the other one go on, if it can."""
        me = self.now
        if self._give_way():
            self._turns[me].acquire()

    def _give_way(self) -> bool:
        """Let the other one go on; False where it cannot."""
        other = 1 - self.now
        if not self._waits_for[other]():
            return False
        self.now = other
        self._turns[other].release()
        return True


class ScheduledLock:
    """A re-entrant lock between the two threads of a schedule."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._owner: int | None = None
        self._depth = 0

    def __enter__(self) -> None:
        me = self._schedule.now
        self._schedule.wait_until(lambda: self._owner in (None, me))
        self._owner = me
        self._depth += 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if not self._depth:
            self._owner = None

    def is_owned(self) -> bool:
        """Whether the running thread has it."""
        return self._owner == self._schedule.now


class ScheduledWaiter:
    """One of the two, waiting to be woken by the other."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._is_woken = False

    def wake(self) -> bool:
        """Wake it."""
        self._is_woken = True
        return True

    def wait(self, _timeout: float | None) -> None:
        """Let the other one go on until it has woken this one."""
        self._schedule.wait_until(lambda: self._is_woken)


def _nothing() -> bool:
    return True


def _never() -> bool:
    return False
