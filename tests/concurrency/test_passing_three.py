"""Three that meet: one leaves without the lock, while one waits and one comes."""

from __future__ import annotations

import sys
import threading

import pytest

from resilience import PriorityQueue, prioritized
from resilience._context import Priority
from tests.support.interrupts import interrupted_everywhere

LONG = 30.0  # seconds; only a queue that has lost somebody takes as long


class Line:
    """A queue whose one permit somebody holds who has passed without a step; others come."""

    def __init__(self):
        self.queue = PriorityQueue(max_concurrent_requests=1)
        self.queue._machine.passing["first"] = 1
        self.ran: list[str] = []
        self.inside = self.most = 0
        self.work = prioritized(self.queue, metrics_enabled=False)(self._work)

    def _work(self, name):
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.ran.append(name)
        self.inside -= 1

    def leave(self):
        """Be the first one, which has left and is stopped before it can hand its permit on."""
        self.queue._machine.passing.pop("first", None)

    def call(self, name):
        """Come in a thread of its own; return how to wait for the end."""
        before = self.queue.size
        thread = threading.Thread(target=self.work, args=(name,), daemon=True)
        thread.start()
        while self.queue.size == before and thread.is_alive():
            pass
        return lambda: thread.join(LONG)

    def submit(self, name):
        """Come as a job."""
        future = self.work.submit(name)
        return lambda: future.result(LONG)


@pytest.mark.parametrize("third", ["call", "submit"])
@pytest.mark.parametrize("second", ["call", "submit"])
def test_trap_3_who_comes_before_the_permit_is_handed_on_overtakes_nobody(second, third):
    """Whose turn it is gets the permit, although a newcomer sees it first."""
    line = Line()
    ends = [getattr(line, second)("second")]
    line.leave()
    ends.append(getattr(line, third)("third"))
    for end in ends:
        end()

    assert (["second", "third"], 1) == (line.ran, line.most)
    assert (0, 0, 1) == (line.queue.active, line.queue.size, line.queue._machine.room)


@pytest.mark.parametrize("third", ["call", "submit"])
@pytest.mark.parametrize("second", ["call", "submit"])
def test_trap_3_a_permit_that_comes_free_in_a_newcomers_step_wakes_whom_it_goes_to(
    monkeypatch, second, third
):
    """The newcomer waits on, and the one that it found waiting is not forgotten."""
    line = Line()
    ends = [getattr(line, second)("second")]

    def leave_meanwhile():
        line.leave()
        return Priority.NORMAL

    for module in ("_queue_state", "_queue_jobs"):
        monkeypatch.setattr(f"resilience.{module}.current_priority", leave_meanwhile)
    ends.append(getattr(line, third)("third"))
    for end in ends:
        end()

    assert (["second", "third"], 1) == (line.ran, line.most)
    assert (0, 0, 1) == (line.queue.active, line.queue.size, line.queue._machine.room)


def test_what_was_put_off_in_a_step_that_takes_a_permit_is_done_after_it():
    """A stream that the garbage collector closes just then does not hold its permit for longer."""
    queue = PriorityQueue(max_concurrent_requests=2)
    queue._machine.passing["forgotten"] = 1

    def collect():
        queue.leave("forgotten", 1)
        yield 2

    queue._machine.arrivals = collect()
    with queue.permit():
        active = queue.active

    assert 1 == active


def test_trap_3_ctrl_c_where_a_stream_takes_over_its_callers_permit_loses_none():
    """Interrupted anywhere on the way to the stream, the caller's permit is given back."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @prioritized(queue)
    def stream():
        sys.settrace(None)  # what follows is another matter
        yield

    @prioritized(queue)
    def work():
        list(stream())

    places = set()
    for place in interrupted_everywhere(work):
        places.add(place.split(":")[0])

        assert (0, {}) == (queue.active, queue._holders), place

    # A tracer in 3.13 is not told of each function that is called.
    later = {"QueueMachine.settle"} if sys.version_info < (3, 13) else set()
    assert {"QueueMachine.adopt"} | later <= places


def test_while_it_is_off_a_step_lets_nobody_pass_by_the_way():
    """One that looked before the queue was turned off takes a permit, and is the last one."""
    queue = PriorityQueue(max_concurrent_requests=3)
    queue.disable()

    assert 0 < queue._machine.take()
    assert 0 == queue._machine.room
