"""The shortcut of the usual stack: it does what the layers do, one after the other."""

from __future__ import annotations

import sys
from unittest.mock import Mock, call, patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import (
    CircuitBreaker,
    Priority,
    PriorityQueue,
    circuit_breaker,
    deadline,
    get_stats,
    prioritized,
    priority,
    reset_stats,
    resilient,
    retry,
)
from resilience._context import deadlines, place_kept
from resilience._waiters import holder
from resilience.telemetry.events import CallFinished
from resilience.testing import FakeClock, capture_events
from tests.support.faults import HttpError, failing
from tests.support.interrupts import interrupted_everywhere

SHORTCUT = "_shortcut.<locals>.call"
OUTCOMES = {
    "fine": lambda: "answer",
    "network": lambda: OSError("network"),
    "mistake": lambda: HttpError(400),
    "throttled": lambda: HttpError(429, {"Retry-After": "3"}),
    "Ctrl-C": KeyboardInterrupt,
}


@pytest.fixture(autouse=True)
def _no_deadline_yet(monkeypatch):
    """Let each test begin as a program that has never had a deadline."""
    monkeypatch.setattr(deadlines, "in_use", False)


def caller(*_, **__):
    """The name of the function that has called this one."""
    return sys._getframe(1).f_code.co_qualname


def lived_through(outcomes, rules, *, by_shortcut):
    """All that can be seen of calls whose attempts come to these outcomes, with either way."""
    body, answers, permits = failing(*(OUTCOMES[outcome]() for outcome in outcomes)), [], []

    @resilient(max_retries=2, jitter=0, name="lived", breaker=CircuitBreaker(**rules))
    def function(*args, **kwargs):
        permits.append([*queue._holders.values(), *queue._machine.passing.values()])
        return body(*args, **kwargs)

    queue, breaker = function.queue, function.circuit_breaker
    reset_stats("lived")
    with (
        capture_events() as events,
        FakeClock(),
        patch.object(deadlines, "in_use", not by_shortcut),
    ):
        while len(body.times) < len(outcomes) > len(answers):
            try:
                answers.append(function("argument", key="word"))
            except (Exception, KeyboardInterrupt) as error:  # what comes out is compared
                notes = list(getattr(error, "__notes__", []))
                answers.append((type(error), str(error), notes, error.__context__))
    ends = (queue.active, queue.size, queue._away, breaker.state, breaker.failure_count)
    counts = {
        name: value
        for name, value in get_stats("lived").items()
        if isinstance(value, int | str) and "latency" not in name
    }
    kinds = [type(event) for event in events if type(event) is not CallFinished]
    return answers, body.times, body.calls, permits, ends, counts, kinds


@pytest.mark.parametrize(
    "rules",
    [{"failure_threshold": 4}, {"failure_rate": 0.7, "minimum_calls": 3}],
    ids=lambda rules: next(iter(rules)),
)
@given(st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=1, max_size=12))
def test_whatever_the_outcomes_it_does_what_the_layers_do(rules, outcomes):
    """Answers, errors with their notes, attempts, places, counts and what is left over."""
    with patch("random.random", lambda: 0.5):
        layers = lived_through(outcomes, rules, by_shortcut=False)

        assert layers == lived_through(outcomes, rules, by_shortcut=True)


@pytest.mark.parametrize("metrics_enabled", [True, False])
def test_a_call_that_finds_all_well_goes_by_it(metrics_enabled):
    """With keywords and without; the function is called by the shortcut itself."""
    function = resilient(metrics_enabled=metrics_enabled)(caller)

    assert [SHORTCUT] * 2 == [function(), function(key="word")]


def test_three_decorators_have_it_as_well():
    """What counts is the layers, not who has put them there."""
    function = retry(prioritized(circuit_breaker(caller)))

    assert SHORTCUT == function()


@pytest.mark.parametrize(
    "settings",
    [{"max_retries": 0}, {"queue_enabled": False}, {"attempt_timeout": 9}, {"max_elapsed": 9}],
    ids=lambda settings: next(iter(settings)),
)
def test_other_stacks_have_none(settings):
    """A layer that is not there, one more, or one that looks at each success."""
    assert SHORTCUT != resilient(**settings)(caller)()


def test_what_is_unusual_is_left_to_the_layers():
    """A deadline, a priority, a place that is kept, a circuit or a queue that is turned off."""
    function = resilient(caller)
    with deadline(60):
        ways = [function()]
    deadlines.in_use = False
    ways.append(function(priority=Priority.HIGH))
    function.queue._away[holder()] = 1
    ways.append(function())
    function.circuit_breaker.disable()
    ways.append(function())
    function.circuit_breaker.enable()
    function.queue.disable()
    ways.append(function())
    function.queue.enable()

    assert SHORTCUT not in ways
    assert SHORTCUT == function()


def test_a_further_attempt_is_left_to_the_layers():
    """The retry repeats the queue and what is within, as ever."""
    ways = []

    def fails_once():
        ways.append(sys._getframe(1).f_code.co_qualname)
        if len(ways) == 1:
            raise OSError

    with FakeClock():
        resilient(fails_once)()

    assert SHORTCUT == ways[0]
    assert SHORTCUT != ways[1]


def test_a_call_within_a_call_goes_on_under_its_permit():
    """One that calls itself needs no second permit, and gives none back too early."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @resilient(queue=queue)
    def countdown(number):
        inside = countdown(number - 1) if number else 0
        return max(inside, queue.active)

    with priority(Priority.LOW):
        assert 1 == countdown(3)
    assert (0, 1) == (queue.active, queue._machine.room)


def test_a_call_under_a_permit_of_its_caller_goes_on_under_that():
    """It takes no second one, although there is one."""
    queue = PriorityQueue(max_concurrent_requests=2)
    count = resilient(queue=queue)(lambda: queue.active)
    with queue.permit():
        assert 1 == count()


def test_an_interrupted_call_gives_up_its_places():
    """Who does not come back has told all queues that keep a place."""
    place = Mock()

    def interrupted():
        place_kept(place)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resilient(interrupted)()

    assert [call.forget_place()] == place.mock_calls


def test_a_stream_that_is_opened_inside_keeps_the_permit():
    """It outlives the call whose permit it shares, and gives it back at its own end."""
    queue, ways = PriorityQueue(max_concurrent_requests=1), []

    @prioritized(queue)
    def stream():
        yield from "ab"

    @resilient(queue=queue)
    def opened():
        ways.append(sys._getframe(1).f_code.co_qualname)
        items = stream()
        return next(items), items

    first, items = opened()
    active = queue.active

    assert ("a", 1, ["b"], 0) == (first, active, list(items), queue.active)
    assert [SHORTCUT] == ways


def test_trap_3_ctrl_c_anywhere_loses_no_permit():
    """Interrupted at any point up to the function, nothing is held and nothing is counted."""
    queue = PriorityQueue(max_concurrent_requests=1)
    fetch = resilient(queue=queue, metrics_enabled=False)(lambda: sys.settrace(None))
    places = set()
    for place in interrupted_everywhere(fetch):
        places.add(place.split(":")[0])
        machine = queue._machine

        assert (0, 0, {}, 1) == (queue.active, queue.size, queue._holders, machine.room), place
        assert 0 == fetch.circuit_breaker.failure_count

    assert {SHORTCUT} <= places


def test_trap_3_ctrl_c_after_a_success_loses_no_permit():
    """It is the same behind the function, where the success ends a row of failures."""
    queue = PriorityQueue(max_concurrent_requests=1)
    fetch = resilient(queue=queue, metrics_enabled=False)(lambda: None)
    breaker, places = fetch.circuit_breaker, set()
    breaker.record(breaker.admit(), OSError())
    for place in interrupted_everywhere(fetch):
        places.add(place.split(":")[0])

        assert (0, 0, {}) == (queue.active, queue.size, queue._holders), place
        breaker.close()
        breaker.record(breaker.admit(), OSError())

    assert {SHORTCUT, "Breaker.record"} <= places
