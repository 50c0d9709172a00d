"""A submitted call that is cancelled while its turn comes: it runs or is cancelled, never both."""

from __future__ import annotations

import sys
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from resilience import PriorityQueue, _future, prioritized
from tests.support import schedules
from tests.support.schedules import ScheduledLock, chance_meetings, every_way_to_meet

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12),
    reason="Python 3.12.1 itself crashes where two threads are traced, instruction by instruction",
)


class Lazy(ThreadPoolExecutor):
    """Keeps what it was given for the test to run."""

    def __init__(self):
        super().__init__()
        self.work = []

    def submit(self, function):
        self.work.append(function)
        return Future()


class Audience(_future._Audience):
    """One whose lock is between the threads of a schedule."""

    def __init__(self, schedule):
        super().__init__()
        self.lock = ScheduledLock(schedule)


class Meeting:
    """Two jobs behind one permit, the first one about to run; somebody else has the second one."""

    def __init__(self, schedule, monkeypatch):
        self.queue = PriorityQueue(max_concurrent_requests=1)
        self.lock = ScheduledLock(schedule)
        self.queue._lock, self.queue._is_mid_step = self.lock, self.lock.is_owned

        monkeypatch.setattr(_future, "_Audience", partial(Audience, schedule))
        self.executor, self.ran, self.heard = Lazy(), [], []
        decorator = prioritized(self.queue, executor=self.executor, metrics_enabled=False)
        submit = decorator(self.ran.append).submit
        self.first, self.second = submit("first"), submit("second")
        self.cancelled = None

    def work(self):
        """Be the thread that runs what there is to run."""
        self.executor.work.pop()()

    def cancel(self):
        """Cancel the second one."""
        self.cancelled = self.second.cancel()

    def listen(self):
        """Ask to be told of the second one's end."""
        self.second.add_done_callback(self.heard.append)

    def check(self, schedule):
        """Each has one end, all of them are told, and the queue is free."""
        second, ran = self.second, ["first"] if self.cancelled else ["first", "second"]

        assert (False, []) == (schedule.is_stuck, schedule.errors)
        assert (ran, True) == (self.ran, self.first.done())
        assert (True, bool(self.cancelled)) == (second.done(), second.cancelled())
        assert (0, 0, {}) == (self.queue.active, self.queue.size, self.queue._holders)
        assert self.heard in ([], [second])


@pytest.fixture
def states(monkeypatch):
    """The states of futures are points at which threads change places, too."""
    monkeypatch.setattr(
        schedules, "_TRACED", (*schedules._TRACED, "/resilience/_jobs.py", "/resilience/_future.py")
    )
    monkeypatch.setattr(schedules, "_FIELDS", {"_state", "audience", "fate"})
    schedules._points_of.cache_clear()
    yield
    schedules._points_of.cache_clear()


@pytest.mark.usefixtures("states")
@pytest.mark.parametrize("other", ["cancel", "listen"])
def test_the_second_one_is_met_anywhere(monkeypatch, other):
    """The worker is stopped at each point, and who comes then at each of its own."""
    meetings = []

    def make(schedule):
        meetings.append(Meeting(schedule, monkeypatch))
        return [meetings[-1].work, getattr(meetings[-1], other)]

    for schedule in every_way_to_meet(make):
        meetings[-1].check(schedule)

    outcomes = {meeting.cancelled for meeting in meetings}
    assert 50 < len(meetings)
    assert ({True, False} if other == "cancel" else {None}) == outcomes
    if other == "listen":
        assert all(meeting.heard == [meeting.second] for meeting in meetings)


@pytest.mark.usefixtures("states")
def test_the_second_one_is_met_by_chance(monkeypatch):
    """They change places at any points, often."""
    meetings = []

    def make(schedule):
        meetings.append(Meeting(schedule, monkeypatch))
        return [meetings[-1].work, meetings[-1].cancel]

    for schedule in chance_meetings(make, number=200, seed=5):
        meetings[-1].check(schedule)
