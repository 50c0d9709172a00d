"""The queue's machine: who gets the next permit, without clock, lock or thread."""

from __future__ import annotations

import random
import time

import pytest

from resilience._core.queue import QueueMachine
from resilience._core.queue_lines import JobTicket

HIGH, NORMAL, LOW = range(3)


class Job(JobTicket):
    """One that needs a worker as well."""

    def __init__(self, waiter):
        super().__init__()
        self.waiter = waiter


def wait(machine, tier, now, waiter, *, place=None, is_job=False):
    """One waiter more; its ticket."""
    if not is_job:
        return machine.wait(tier, now, waiter, place=place)
    ticket = Job(waiter)
    machine.stand(ticket, tier, now)
    return ticket


def machine_of(limit=1, size=100, aging=None, *, held=None):
    """A machine all of whose permits are taken, unless `held` says how many are."""
    machine = QueueMachine(limit, size, aging)
    for _ in range(limit if held is None else held):
        machine.take()
    return machine


def stand(machine, *tiers, now=0.0, place=None, is_job=False):
    """One waiter for each tier, in this order; each is called by tier and order: "1a", "1b"."""
    return [
        wait(machine, tier, now, f"{tier}{letter}", place=place, is_job=is_job)
        for tier, letter in zip(tiers, "abcdefgh", strict=False)
    ]


def served(machine, now=0.0):
    """The waiters in the order in which they are served, each as soon as the one before is done."""
    order = []
    while machine.waiting:
        order += [ticket.waiter for ticket in machine.leave(now)]
    return order


def test_by_tier_then_by_arrival():
    """HIGH goes before NORMAL before LOW, and equal ones go in the order in which they came."""
    machine = machine_of()
    stand(machine, LOW, NORMAL, HIGH, LOW, HIGH, NORMAL)

    assert ["0c", "0e", "1b", "1f", "2a", "2d"] == served(machine)


def test_a_permit_is_counted_before_anybody_wakes():
    """What is handed over is never free in between: a newcomer finds no permit."""
    machine = machine_of()
    stand(machine, NORMAL)
    granted = machine.leave(0.0)

    assert ([1], 1, False) == ([len(granted)], machine.active, machine.open)


def test_the_first_in_line_is_served_without_a_search():
    """A free permit costs as much with 20,000 waiters as with 500: within a wide margin."""

    def cost(waiters):
        machine = machine_of(size=waiters)
        for number in range(waiters):
            machine.wait(number % 3, 0.0, number, place=None)
        began = time.perf_counter()
        for _ in range(300):
            machine.leave(0.0)
        return time.perf_counter() - began

    assert min(cost(20_000) for _ in range(3)) < 10 * max(cost(500) for _ in range(3))


def test_who_gives_up_leaves_no_gap():
    """Waiters that go away, at the head or in the midst, are forgotten in their lines."""
    machine = machine_of()
    tickets = stand(machine, NORMAL, NORMAL, NORMAL, LOW)
    for index in (0, 2):
        machine.abandon(tickets[index], 0.0)

    assert (2, [0, 1, 1]) == (machine.waiting, machine.sizes())
    assert ["1b", "2d"] == served(machine)


def test_trap_3_a_permit_handed_to_one_who_has_gone_goes_on():
    """The hand-off window: granted, and given up before it ran; the next waiter gets the permit."""
    machine = machine_of()
    first, second = stand(machine, NORMAL, NORMAL)
    machine.leave(0.0)
    granted = machine.abandon(first, 0.0)

    assert [second] == granted
    assert ("refused", "granted", 1) == (first.fate, second.fate, machine.active)
    assert [] == machine.abandon(first, 0.0)
    assert 1 == machine.active


def test_one_that_comes_back_has_its_old_place():
    """Returners stand in front of their tier, in the order of their first arrival."""
    machine = machine_of()
    stand(machine, NORMAL, LOW, HIGH)
    for place in (0.3, 0.1, 0.2):  # they came before everybody who waits now
        machine.wait(NORMAL, 0.0, place, place=place)

    assert ["0c", 0.1, 0.2, 0.3, "1a", "2b"] == served(machine)


@pytest.mark.parametrize(
    ("now", "order"),
    [
        (9.9, ["0c", "1b", "2a"]),
        (10, ["1b", "0c", "2a"]),  # NORMAL counts as HIGH now, and came first
        (19.9, ["1b", "0c", "2a"]),
        (20, ["2a", "1b", "0c"]),
        (1_000, ["2a", "1b", "0c"]),
    ],
)
def test_aging_lifts_by_one_tier(now, order):
    """Each `aging` seconds of waiting count as one tier, up to HIGH; then arrival decides."""
    machine = machine_of(aging=10)
    stand(machine, LOW, NORMAL, HIGH)

    assert order == served(machine, now)


def test_aging_bounds_the_wait():
    """However many HIGH ones come, a LOW one is served once it counts as HIGH."""
    machine = machine_of(aging=10)
    machine.wait(LOW, 0.0, "low", place=None)
    now, order = 0.0, []
    while "low" not in order:
        machine.wait(HIGH, now, "high", place=None)
        machine.wait(HIGH, now, "high", place=None)  # more than are served
        order += [ticket.waiter for ticket in machine.leave(now)]
        now += 1

    assert 21 == len(order)


def test_a_tier_is_as_old_as_its_oldest_waiter():
    """One that came back goes first in its tier, and does not cost the others their age."""
    machine = machine_of(aging=10)
    machine.wait(NORMAL, 0.0, "old", place=None)
    machine.wait(NORMAL, 9.0, "back", place=0)
    machine.wait(HIGH, 10.0, "high", place=None)

    assert ["back", "old", "high"] == served(machine, now=10)


def test_without_aging_nothing_is_lifted():
    """HIGH ones that keep coming are served before a LOW one, whatever its wait."""
    machine = machine_of()
    machine.wait(LOW, 0.0, "low", place=None)
    order = []
    for now in range(100):
        machine.wait(HIGH, now, "high", place=None)
        order += [ticket.waiter for ticket in machine.leave(now)]

    assert ["high"] * 100 == order


def test_a_clock_that_goes_back_ages_nobody():
    """A wait is never negative: in a time before its own a waiter counts as new."""
    machine = machine_of(aging=10)
    stand(machine, LOW, NORMAL, now=1e9)

    assert ["1b", "2a"] == served(machine, now=5)


def test_growing_grants_as_many_as_there_is_room_for():
    """After the limit has grown, so many go on at once as permits are free now."""
    machine = machine_of(limit=2)
    stand(machine, NORMAL, NORMAL, NORMAL)
    machine.limit = 4

    assert ["1a", "1b"] == [ticket.waiter for ticket in machine.grant(0.0)]
    assert (4, 1) == (machine.active, machine.waiting)


def test_trap_3_shrinking_hands_out_nothing_until_there_is_spare_capacity():
    """After the limit has shrunk, permits that come back are withheld until it is kept."""
    machine = machine_of(limit=3)
    stand(machine, NORMAL)
    machine.limit = 1

    assert [[], [], 1] == [machine.leave(0.0), machine.leave(0.0), len(machine.leave(0.0))]
    assert 1 == machine.active


def test_paused_it_hands_out_nothing():
    """Neither newcomers nor waiters get a permit until it goes on."""
    machine = machine_of(held=0)
    machine.paused = True
    stand(machine, NORMAL)

    assert (False, []) == (machine.open, machine.grant(0.0))
    machine.paused = False
    assert 1 == len(machine.grant(0.0))


def test_closing_refuses_everybody_who_waits():
    """Nobody is left in line, and nobody is granted anything any more."""
    machine = machine_of(limit=2)
    tickets = stand(machine, LOW, HIGH) + stand(machine, NORMAL, is_job=True)
    machine.closed = True

    assert {*tickets} == {*machine.refuse_all()}
    assert {"refused"} == {ticket.fate for ticket in tickets}
    assert (0, [0, 0, 0], []) == (machine.waiting, machine.sizes(), machine.leave(0.0))


def test_jobs_wait_for_a_worker_as_well():
    """A job needs a permit and a worker; a free permit that it cannot use goes to the next call."""
    machine = machine_of(limit=1, held=0)
    first, second = stand(machine, NORMAL, NORMAL, is_job=True)
    machine.grant(0.0)
    granted = [machine.leave(0.0)]  # the first one sleeps between two attempts
    granted.append([machine.open, machine.takes_job])
    granted.append(machine.worker_done(0.0))

    assert [[], [True, False], [second]] == granted
    assert "granted" == first.fate


def test_a_job_and_a_call_of_one_tier_go_by_arrival():
    """Submitted or called, equal priorities are first come, first served."""
    machine = machine_of()
    for number, is_job in enumerate([True, False, True, False]):
        wait(machine, NORMAL, 0.0, number, is_job=is_job)
    order = []
    while machine.waiting:
        granted = machine.leave(0.0)
        order += [ticket.waiter for ticket in granted]
        for _ in range(sum(ticket.is_job for ticket in granted)):
            machine.worker_done(0.0)

    assert [0, 1, 2, 3] == order


def test_the_longest_wait_is_known():
    """`oldest` is when the longest wait began, also among those who came back; None for nobody."""
    machine = machine_of()
    waits = [machine.oldest()]
    stand(machine, LOW, now=7)
    waits.append(machine.oldest())
    machine.wait(NORMAL, 5, "back", place=0)
    waits.append(machine.oldest())

    assert [None, 7, 5] == waits


def test_who_waits_costs_little():
    """Thousands of waiters in random order of leaving are forgotten one by one, in no time."""
    machine = machine_of(size=20_000)
    tickets = [machine.wait(n % 3, 0.0, n, place=None) for n in range(20_000)]
    random.Random(1).shuffle(tickets)
    for ticket in tickets:
        machine.abandon(ticket, 0.0)

    assert (0, None) == (machine.waiting, machine.oldest())


def test_many_who_go_away_cost_nothing_that_stays():
    """The line forgets them, wherever they stood: behind one that waits for ever as well."""
    machine = machine_of(size=30_000)
    first = machine.wait(NORMAL, 0.0, "first", place=None)
    line = machine.lines[False][NORMAL]
    for number in range(20_000):
        machine.abandon(machine.wait(NORMAL, 0.0, number, place=None), 0.0)

    assert (1, 1, first) == (machine.waiting, len(line), line.head)
    assert len(line._fresh) < 5


def test_gaps_in_a_line_are_nobodys_turn():
    """Whoever goes away from the midst is not met again, in whatever order they go."""
    chance = random.Random(7)
    for _ in range(50):
        machine = machine_of(size=100)
        tickets = [machine.wait(NORMAL, 0.0, number, place=None) for number in range(12)]
        gone = chance.sample(range(12), k=chance.randint(0, 12))
        for number in gone:
            machine.abandon(tickets[number], 0.0)

        assert [number for number in range(12) if number not in gone] == served(machine)
