"""The end of a future, and somebody who wants to hear of it: told once, wherever they meet."""

from __future__ import annotations

import sys
from functools import partial

import pytest

from resilience import _future
from resilience._future import SubmittedFuture
from tests.support import schedules
from tests.support.schedules import ScheduledLock, every_way_to_meet

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] == (3, 12),
    reason="Python 3.12.1 itself crashes where two threads are traced, instruction by instruction",
)


class Audience(_future._Audience):
    """One whose lock is between the threads of a schedule."""

    def __init__(self, schedule):
        super().__init__()
        self.lock = ScheduledLock(schedule)


class Meeting:
    """A future, and two who have to do with it.

    Attributes:
        told: Who was told of the end, by the name under which it asked.
    """

    def __init__(self, schedule, monkeypatch):
        monkeypatch.setattr(_future._guard, "lock", ScheduledLock(schedule))
        monkeypatch.setattr(_future, "_Audience", partial(Audience, schedule))
        self.future, self.told = SubmittedFuture(), []

    def run(self):
        """Be the one that runs the call."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_result("done")

    def cancel(self):
        """Be its owner."""
        self.future.cancel()

    def listen(self):
        """Ask as `add_done_callback` does."""
        self.future.add_done_callback(lambda _: self.told.append("listen"))

    def wait(self):
        """Ask as `concurrent.futures.wait` does: look, and ask to be told of what comes."""
        with self.future._condition:
            if self.future._state in ("CANCELLED_AND_NOTIFIED", "FINISHED"):
                self.told.append("wait")
            else:
                self.future._waiters.append(self)

    def add_result(self, _):
        """Be told of the end."""
        self.told.append("wait")

    add_cancelled = add_result


@pytest.fixture(autouse=True)
def _traced(monkeypatch):
    """Threads change places where a future looks at its state, or changes it."""
    monkeypatch.setattr(schedules, "_TRACED", ("/resilience/_future.py",))
    monkeypatch.setattr(schedules, "_FIELDS", {"_state", "audience"})
    schedules._points_of.cache_clear()
    yield
    schedules._points_of.cache_clear()


@pytest.mark.parametrize(
    "bodies",
    [
        ("run", "listen"),
        ("run", "wait"),
        ("run", "cancel"),
        ("cancel", "listen"),
        ("cancel", "wait"),
        ("listen", "wait"),
    ],
)
def test_two_that_meet_anywhere(monkeypatch, bodies):
    """One is stopped at each point, and who comes then at each of its own."""
    meetings = []

    def make(schedule):
        meetings.append(Meeting(schedule, monkeypatch))
        return [getattr(meetings[-1], body) for body in bodies]

    for schedule in every_way_to_meet(make):
        meeting = meetings[-1]

        assert (False, []) == (schedule.is_stuck, schedule.errors)
        if "run" not in bodies:
            meeting.run()
        assert meeting.future.done()
        assert sorted({"listen", "wait"} & {*bodies}) == sorted(meeting.told)

    assert 5 < len(meetings)
