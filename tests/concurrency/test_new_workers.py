"""Threads that start workers at once: whoever is given work is one that waits for it."""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace

import pytest

from resilience import _workers
from tests.support import schedules
from tests.support.schedules import ScheduledLock, every_way_to_meet

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12),
    reason="Python 3.12.1 itself crashes where two threads are traced, instruction by instruction",
)


class Idle:
    """A thread that the test runs, as far as it likes."""

    def __init__(self, args, **_):
        self.args = args

    def start(self):
        """Leave that to the test."""


def first():
    """Be some work."""


def second():
    """Be some other work."""


class Meeting:
    """Two who have work for a crew without threads; the second one's is done at once."""

    def __init__(self, schedule, monkeypatch):
        self.started = []
        self.crew = _workers._Crew("of a test")
        self.crew._lock = ScheduledLock(schedule)
        locks = {"Lock": threading.Lock, "RLock": threading.RLock}
        fake = SimpleNamespace(Thread=self.thread, **locks)
        monkeypatch.setattr(_workers, "threading", fake)

    def thread(self, **settings):
        """Take note of the worker whose thread is made."""
        self.started += settings["args"]
        return Idle(**settings)

    def give(self):
        """Give work to the crew."""
        self.crew.submit(first, 5)

    def give_and_do(self):
        """Give work to the crew, and be the thread that does it and waits for more."""
        self.crew.submit(second, 5)
        mine = next(worker for worker in self.started if worker.run is second)
        mine.run = None
        self.crew._has_nothing(mine)


@pytest.fixture
def states(monkeypatch):
    """What a crew counts is what threads change places at."""
    monkeypatch.setattr(schedules, "_TRACED", ("/resilience/_workers.py",))
    monkeypatch.setattr(schedules, "_FIELDS", {"_steady", "_threads"})
    schedules._points_of.cache_clear()
    yield
    schedules._points_of.cache_clear()


@pytest.mark.usefixtures("states")
def test_two_may_start_the_first_worker(monkeypatch):
    """Work that comes after that is given to the one that has nothing to do."""
    meetings = []

    def make(schedule):
        meetings.append(Meeting(schedule, monkeypatch))
        return [meetings[-1].give, meetings[-1].give_and_do]

    for schedule in every_way_to_meet(make):
        crew, started = meetings[-1].crew, meetings[-1].started
        crew.submit(second, 5)

        assert (False, []) == (schedule.is_stuck, schedule.errors)
        assert {first, second} == {each.run for each in started}
        assert (2, 2) == (len(started), crew.busy)

    assert 5 < len(meetings)
