"""`@prioritized`: how many run, who is next, who is refused."""

from __future__ import annotations

import asyncio
import pickle

import pytest

from resilience import (
    DeadlineExceededError,
    Priority,
    PriorityQueue,
    QueueClosedError,
    QueueFullError,
    QueueTimeoutError,
    SettingsError,
    deadline,
    get_stats,
    prioritized,
    priority,
)
from resilience.telemetry import Queued
from resilience.testing import FakeClock, capture_events
from tests.support.queues import Held


def test_a_free_permit_costs_no_wait(run):
    """The call runs at once, where it is, and gives its permit back."""

    @run.decorate(prioritized)
    def fetch(number, *, by):
        return number * by, fetch.queue.active

    assert ((6, 1), 0) == (fetch(2, by=3), fetch.queue.active)


def test_at_most_so_many_run(run):
    """The default is five permits; the sixth call waits until one of the others has ended."""
    held = Held(run, PriorityQueue())
    calls = [held.start(number) for number in range(6)]

    assert (5, 1, [0, 1, 2, 3, 4]) == (held.queue.active, held.queue.size, held.ran)
    held.let_go(3)
    run.until(lambda: 5 in held.ran)
    assert [*range(6)] == held.let_all_go(*calls)
    assert (0, 0) == (held.queue.active, held.queue.size)


def test_by_priority_then_by_arrival(run):
    """HIGH before NORMAL before LOW, and equal ones in the order in which they came."""
    held = Held(run)
    calls = [held.start("first")]
    for name, tier in (("l1", 2), ("n1", 1), ("h1", 0), ("l2", 2), ("n2", None), ("h2", "high")):
        calls.append(held.start(name, priority=tier))
    sizes = held.queue.sizes
    held.let_all_go(*calls)

    assert ["first", "h1", "h2", "n1", "n2", "l1", "l2"] == held.ran
    assert {Priority.HIGH: 2, Priority.NORMAL: 2, Priority.LOW: 2} == sizes


def test_the_surrounding_priority_holds_unless_the_call_says_otherwise(run):
    """`priority=` of the call wins over `with priority(...)`, the inner block over the outer."""
    held = Held(run)
    calls = [held.start("first"), held.start("normal")]
    with priority(Priority.LOW):
        calls.append(held.start("low"))
        calls.append(held.start("high", priority=Priority.HIGH))
        with priority(Priority.HIGH):
            calls.append(held.start("high too"))
            calls.append(held.start("normal too", priority=Priority.NORMAL))
    held.let_all_go(*calls)

    assert ["first", "high", "high too", "normal", "normal too", "low"] == held.ran


def test_a_parameter_called_priority_is_the_functions_own(run):
    """Where the function has such a parameter it gets the value, and the queue does not look."""

    @run.decorate(prioritized)
    def fetch(priority):
        return priority

    assert "of its own" == fetch(priority="of its own")


def test_keyword_parameters_do_not_see_the_priority(run):
    """A function with `**kwargs` has no parameter of that name: the decorator takes it."""

    @run.decorate(prioritized)
    def fetch(**kwargs):
        return kwargs

    assert {"other": 1} == fetch(priority=Priority.HIGH, other=1)


@pytest.mark.parametrize("value", [3, -1, "urgent", 0.5, object()])
def test_a_bad_priority_is_refused(run, value):
    """A priority that does not exist is a mistake of the call, and nothing is called."""
    fetch = run.decorate(prioritized, lambda: "called")
    with pytest.raises(SettingsError) as error:
        fetch(priority=value)

    assert "priority" == error.value.setting


def test_a_full_queue_refuses_at_once(run):
    """One more than `queue_size` is refused, and the error says whose queue and how many wait."""
    held = Held(run, queue_size=2, name="model")
    calls = [held.start(number) for number in range(3)]
    with pytest.raises(QueueFullError, match="'model' is full: 2 calls wait already") as error:
        held.start("too many").result()

    assert "model" == error.value.name
    assert [0, 1, 2] == held.let_all_go(*calls)


def test_a_queue_of_size_nought_only_limits(run):
    """With `queue_size=0` nobody waits: a call runs at once or is refused."""
    held = Held(run, queue_size=0)
    call = held.start("inside")
    with pytest.raises(QueueFullError, match="0 calls wait"):
        held.start("outside").result()

    assert ["inside"] == held.let_all_go(call)
    assert ["again"] == held.let_all_go(held.start("again"))


def test_high_priority_is_bounded_as_well(run):
    """The bound is one for all tiers: a full queue makes no room for a higher priority."""
    held = Held(run, queue_size=1)
    calls = [held.start("inside"), held.start("low", priority=Priority.LOW)]
    with pytest.raises(QueueFullError):
        held.start("high", priority=Priority.HIGH).result()

    assert ["inside", "low"] == held.let_all_go(*calls)


def test_queue_timeout_ends_the_wait(run):
    """After `queue_timeout` seconds in line the call is refused, and its place is free."""
    with FakeClock(autojump=False) as clock:
        held = Held(run, queue_timeout=3, queue_size=1)
        inside, waiting = held.start("inside"), held.start("waiting")
        clock.advance(2.5)
        run.until(lambda: 2.5 == held.queue.oldest_wait)
        before = held.queue.size
        clock.advance(0.5)
        with pytest.raises(QueueTimeoutError, match="gave no permit within 3 s"):
            waiting.result()

        assert (1, 0) == (before, held.queue.size)
        assert ["inside"] == held.let_all_go(inside)


def test_a_queue_timeout_of_nought_waits_for_nobody(run):
    """It is over at once; a free permit is still taken."""
    held = Held(run, queue_timeout=0)
    inside = held.start("inside")
    with FakeClock(), pytest.raises(QueueTimeoutError, match="within 0 s"):
        held.start("outside").result()

    assert ["inside"] == held.let_all_go(inside)


@pytest.mark.parametrize("queue_timeout", [None, 5])
def test_the_deadline_ends_the_wait(run, queue_timeout):
    """A deadline that passes in the queue is told as such, and nothing is called."""
    with FakeClock(autojump=False) as clock:
        held = Held(run, queue_timeout=queue_timeout)
        inside = held.start("inside")
        with deadline(2):
            waiting = held.start("waiting")
        clock.advance(2)
        with pytest.raises(DeadlineExceededError, match="before the deadline"):
            waiting.result()

        assert ["inside"] == held.let_all_go(inside) == held.ran


def test_the_shorter_of_both_limits_is_told(run):
    """Where `queue_timeout` ends before the deadline it is the reason."""
    with FakeClock(autojump=False) as clock:
        held = Held(run, queue_timeout=1)
        inside = held.start("inside")
        with deadline(2):
            waiting = held.start("waiting")
        clock.advance(1)
        with pytest.raises(QueueTimeoutError):
            waiting.result()

        assert ["inside"] == held.let_all_go(inside)


def test_a_deadline_that_has_passed_takes_no_permit(run):
    """Nothing is called, even where a permit is free."""
    held = Held(run)
    with deadline(0), pytest.raises(DeadlineExceededError, match="before the call"):
        held.start("late").result()

    assert ([], 0) == (held.ran, held.queue.active)


def test_a_wait_that_ends_in_time_is_an_event(run):
    """Whoever had to wait is told of with priority and seconds; a free permit is no event."""
    with FakeClock(autojump=False) as clock, capture_events() as events:
        held = Held(run, name="model")
        calls = [held.start("inside"), held.start("waiting", priority=Priority.LOW)]
        clock.advance(4)
        held.let_all_go(*calls)

    assert [Queued(name="model", priority=2, waited=4)] == [
        event for event in events if isinstance(event, Queued)
    ]


def test_aging_lets_nobody_wait_for_ever(run):
    """A LOW call that has waited twice `aging` goes before a HIGH one that came later."""
    with FakeClock(autojump=False) as clock:
        held = Held(run, aging=10)
        calls = [held.start("inside"), held.start("low", priority=Priority.LOW)]
        clock.advance(20)
        calls.append(held.start("high", priority=Priority.HIGH))
        held.let_all_go(*calls)

    assert ["inside", "low", "high"] == held.ran


def test_disabled_it_limits_nothing(run):
    """With `queue_enabled=False` everybody passes at once, and nothing is counted."""
    held = Held(run, queue_enabled=False, queue_size=0)
    calls = [held.start(number) for number in range(4)]

    assert ([0, 1, 2, 3], 0) == (held.ran, held.queue.active)
    assert [0, 1, 2, 3] == held.let_all_go(*calls)


def test_an_error_gives_the_permit_back(run):
    """Whatever the function raises, the next call runs."""

    @run.decorate(prioritized(max_concurrent_requests=1))
    def fetch(error):
        if error is not None:
            raise error
        return "done"

    for error in (OSError(), asyncio.CancelledError(), KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(error)):
            fetch(error)

    assert ("done", 0) == (fetch(None), fetch.queue.active)


def test_functions_that_share_a_queue_share_its_permits(run):
    """One `PriorityQueue` for several functions: their calls wait for each other."""
    queue = PriorityQueue(max_concurrent_requests=1)
    one, other = Held(run, queue), Held(run, queue)
    first, second = one.start("first"), other.start("second")

    assert (["first"], []) == (one.ran, other.ran)
    one.let_go("first")
    other.let_go("second")
    assert ["first", "second"] == [first.result(), second.result()]


def test_statistics_show_the_queue(run):
    """`get_stats` has how many run and how many wait at that moment."""
    held = Held(run)
    calls = [held.start("inside"), held.start("waiting")]
    stats = get_stats(held.function)
    held.let_all_go(*calls)

    assert (1, 1) == (stats["active_requests"], stats["queue_size"])


@pytest.mark.parametrize("error", [QueueFullError, QueueTimeoutError, QueueClosedError])
def test_refusals_survive_pickling(error):
    """A refusal that crosses a process keeps its text and the queue's name."""
    copy = pickle.loads(pickle.dumps(error("queue 'q' refuses", name="q")))

    assert (error, "queue 'q' refuses", "q") == (type(copy), str(copy), copy.name)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"max_concurrent_requests": 0}, "max_concurrent_requests"),
        ({"max_concurrent_requests": 1.5}, "max_concurrent_requests"),
        ({"queue_size": -1}, "queue_size"),
        ({"queue_size": "x"}, "queue_size"),
        ({"aging": 0}, "aging"),
        ({"queue_timeout": -1}, "queue_timeout"),
        ({"queue_enabled": 1}, "queue_enabled"),
        ({"executor": object()}, "executor"),
        ({"name": ""}, "name"),
        ({"max_concurent_requests": 1}, "max_concurent_requests"),
    ],
)
def test_bad_settings_show_at_decoration(settings, setting):
    """The error names the setting that breaks its rule, before any call is made."""
    with pytest.raises(SettingsError) as error:
        prioritized(**settings)

    assert setting == error.value.setting


def test_a_shared_queue_has_its_own_settings():
    """Beside a `PriorityQueue` no settings are taken: they would be silently without effect."""
    with pytest.raises(SettingsError, match="takes no settings beside a PriorityQueue"):
        prioritized(PriorityQueue(), queue_size=1)
