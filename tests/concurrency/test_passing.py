"""Calls that pass a queue without its lock: wherever two meet, no permit is lost or doubled."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial

import pytest

from resilience import PriorityQueue, QueueClosedError, prioritized, resilient
from resilience._context import deadlines
from tests.support.schedules import (
    Schedule,
    ScheduledLock,
    ScheduledWaiter,
    chance_meetings,
    every_way_to_meet,
)

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12),
    reason="Python 3.12.1 itself crashes where two threads are traced, instruction by instruction",
)


class Meeting:
    """A queue with one permit, for the two threads of one schedule."""

    def __init__(self, schedule, monkeypatch):
        self.queue = PriorityQueue(max_concurrent_requests=1)
        lock = ScheduledLock(schedule)
        self.queue._lock, self.queue._is_mid_step = lock, lock.is_owned
        for module in ("_queue", "_queue_calls", "_queue_control"):
            waiter = f"resilience.{module}.ThreadWaiter"
            monkeypatch.setattr(waiter, lambda: ScheduledWaiter(schedule))
        self.schedule = schedule
        self.inside = self.most = 0
        self.work_under_permit = prioritized(self.queue, metrics_enabled=False)(self.work)
        self.work_in_stack = resilient(queue=self.queue, metrics_enabled=False)(self.work)

    def work(self):
        """What the permit is for."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.schedule.rest()
        self.inside -= 1

    def call(self):
        """Be a call, unless there is a drain just now."""
        with suppress(QueueClosedError):
            self.work_under_permit()

    def shortcut(self):
        """Be a call of a whole stack."""
        with suppress(QueueClosedError):
            self.work_in_stack()

    def use(self):
        """Hold a permit that was taken by a step."""
        with self.queue.permit():
            self.work()

    def drain(self):
        """Wait for the end of all work, and let work begin again."""
        self.queue.drain()
        self.most += self.inside  # of those that were accepted nobody is left
        self.queue.resume()

    def resize(self):
        """Be one more for a while."""
        self.queue.resize(max_concurrent_requests=2)
        self.queue.resize(max_concurrent_requests=1)

    def pause(self):
        """Hold newcomers up for a while."""
        self.queue.pause()
        self.queue.resume()


class Twosome:
    """Makes a meeting for each schedule, of two methods of `Meeting`; `meeting` is the last one."""

    def __init__(self, monkeypatch, first, second, times=1):
        self.monkeypatch = monkeypatch
        self.methods = first, second
        self.times = times

    def __call__(self, schedule: Schedule):
        self.meeting = Meeting(schedule, self.monkeypatch)
        return [partial(self.repeat, getattr(self.meeting, method)) for method in self.methods]

    def repeat(self, method):
        """Do the same several times."""
        for _ in range(self.times):
            method()

    def check(self, schedule: Schedule):
        """All ended, never more were inside than might be, and the queue is free again."""
        queue, most = self.meeting.queue, 2 if "resize" in self.methods else 1

        assert (False, []) == (schedule.is_stuck, schedule.errors)
        assert (0, 0, 1) == (queue.active, queue.size, queue._machine.room)
        assert most >= self.meeting.most


@pytest.fixture(autouse=True)
def _no_deadline_yet(monkeypatch):
    """Let stacks go by their shortcut."""
    monkeypatch.setattr(deadlines, "in_use", False)


@pytest.mark.parametrize("second", ["call", "shortcut", "use", "drain", "resize", "pause"])
@pytest.mark.parametrize("first", ["call", "shortcut"])
def test_trap_3_two_that_meet_anywhere(monkeypatch, first, second):
    """A call is stopped at each point, and who comes then at each of its own."""
    two = Twosome(monkeypatch, first, second)
    ways = 0
    for schedule in every_way_to_meet(two):
        two.check(schedule)
        ways += 1

    assert 50 < ways


@pytest.mark.parametrize("second", ["call", "shortcut", "use", "drain", "resize", "pause"])
@pytest.mark.parametrize("first", ["call", "shortcut"])
def test_trap_3_two_that_meet_again_and_again(monkeypatch, first, second):
    """They come several times and change places at any points."""
    two = Twosome(monkeypatch, first, second, times=3)
    for schedule in chance_meetings(two, number=150, seed=3):
        two.check(schedule)
