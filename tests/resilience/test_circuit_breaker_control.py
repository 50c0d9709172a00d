"""`CircuitBreaker`: orders by hand, what is announced, and calls back into it."""

from __future__ import annotations

import os
import threading
import tracemalloc

import pytest

from resilience import CircuitBreaker, CircuitOpenError, circuit_breaker, get_stats
from resilience.telemetry import Transition, subscribe, unsubscribe
from resilience.testing import FakeClock, capture_events
from tests.support.faults import failing


def transitions(events):
    """The changes of state among the events, as (from, to, reason)."""
    moves = [event for event in events if isinstance(event, Transition)]
    return [(move.from_, move.to, move.reason) for move in moves]


def fail(fetch, times=1):
    """Call it so often, and expect its failure each time."""
    for _ in range(times):
        with pytest.raises(OSError, match="scripted"):
            fetch()


def test_open_holds_until_close(run):
    """Opened by hand it admits no probe; closed by hand it has forgotten what was counted."""
    with FakeClock(autojump=False) as clock:
        body = failing(OSError)
        fetch = run.decorate(circuit_breaker(failure_threshold=2), body)
        fail(fetch)
        breaker = fetch.circuit_breaker
        breaker.open()
        clock.advance(1_000_000)
        with pytest.raises(CircuitOpenError, match="when it has been closed by hand") as error:
            fetch()
        shown = breaker.state, breaker.retry_after
        breaker.close()

        assert ("OPEN", None) == shown
        assert error.value.retry_after is None
        assert ("CLOSED", 0) == (breaker.state, breaker.failure_count)
        assert "done" == fetch()


def test_disabled_it_lets_everything_pass(run):
    """Disabled it neither refuses nor counts, and works again when it is enabled."""
    fetch = run.decorate(circuit_breaker(failure_threshold=1), failing(*[OSError] * 4))
    fail(fetch)
    fetch.circuit_breaker.disable()
    fail(fetch, 3)
    before = fetch.circuit_breaker.state
    fetch.circuit_breaker.enable()

    assert ("DISABLED", "CLOSED") == (before, fetch.circuit_breaker.state)
    assert "done" == fetch()


def test_orders_void_the_answers_of_calls_under_way(run):
    """A call that began before an order was given cannot undo it."""
    gate = run.gate()

    @run.drive
    @circuit_breaker(failure_threshold=1)
    @run.steps
    def fetch():
        yield gate.wait()
        raise OSError

    call = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    fetch.circuit_breaker.close()
    gate.open()
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        call.result()

    assert "CLOSED" == fetch.circuit_breaker.state


def test_every_transition_is_announced(run):
    """Each change of state is one record, to the hook and to those who listen to events."""
    told = []
    with FakeClock(autojump=False) as clock, capture_events() as events:
        fetch = run.decorate(
            circuit_breaker(failure_threshold=2, name="model", on_transition=told.append),
            failing(*[OSError] * 3),
        )
        fail(fetch, 2)
        clock.advance(30)
        fail(fetch)
        clock.advance(30)
        fetch()
        fetch.circuit_breaker.open()

    assert [
        ("CLOSED", "OPEN", "failure_threshold"),
        ("OPEN", "HALF-OPEN", "reset_timeout"),
        ("HALF-OPEN", "OPEN", "probe_failed"),
        ("OPEN", "HALF-OPEN", "reset_timeout"),
        ("HALF-OPEN", "CLOSED", "probe_succeeded"),
        ("CLOSED", "OPEN", "manual"),
    ] == transitions(told)
    assert transitions(told) == transitions(events)
    assert {"model"} == {record.name for record in told}
    with pytest.raises(AttributeError):
        told[0].name = "another"


def test_a_failing_hook_harms_nobody(run, caplog):
    """What the hook raises stands in the log; the call and the circuit go on."""

    def broken(record):
        raise ZeroDivisionError

    fetch = run.decorate(
        circuit_breaker(failure_threshold=1, on_transition=broken), failing(OSError)
    )
    fail(fetch)

    assert "OPEN" == fetch.circuit_breaker.state
    assert "broken" in caplog.text


@pytest.mark.parametrize("way", ["hook", "listener", "predicate"])
def test_trap_10_user_code_may_call_back_into_the_breaker(run, way):
    """Hooks, listeners and predicates are called without the lock: they may use the breaker."""
    breaker, seen = None, []

    def look(_):
        threads = [threading.Thread(target=lambda: seen.append(breaker.state))]
        threads[0].start()
        threads[0].join(5)  # another thread gets in, and this one too
        breaker.close()
        return True

    settings = {"hook": {"on_transition": look}, "predicate": {"counts": look}}.get(way, {})
    breaker = CircuitBreaker(failure_threshold=1, **settings)
    fetch = run.decorate(circuit_breaker(breaker), failing(OSError))
    if way == "listener":
        subscribe(look, Transition)
    try:
        fail(fetch)
    finally:
        unsubscribe(look)

    assert ["CLOSED" if way == "predicate" else "OPEN"] == seen[:1]
    assert "CLOSED" == breaker.state


def test_statistics_show_the_state(run):
    """`get_stats` has the state as it is at that moment."""
    fetch = run.decorate(circuit_breaker(failure_threshold=1), failing(OSError))
    fail(fetch)

    assert "OPEN" == get_stats(fetch.function)["circuit_state"]


def test_success_takes_no_lock(run):
    """While all is well, calls do not meet at a lock."""
    fetch = run.decorate(circuit_breaker, failing())
    with fetch.circuit_breaker._lock:  # a thread that asks for it now waits for ever
        assert "done" == fetch()


def test_a_breaker_can_be_used_alone():
    """`admit` and `record` are all that a program needs that does not decorate."""
    breaker = CircuitBreaker(failure_threshold=1, name="alone")
    breaker.record(breaker.admit(), ConnectionError())
    with pytest.raises(CircuitOpenError):
        breaker.admit()

    assert "<CircuitBreaker 'alone' OPEN>" == repr(breaker)


def test_trap_9_a_forked_child_can_use_a_breaker_whose_lock_was_held():
    """A lock that some thread holds at the fork is not held in the child for ever."""
    breaker = CircuitBreaker(failure_threshold=1)
    with breaker._lock:
        child = os.fork()
        if child == 0:
            breaker.record(breaker.admit(), OSError())
            os._exit(0 if breaker.state == "OPEN" else 1)
    _, status = os.waitpid(child, 0)

    assert 0 == os.waitstatus_to_exitcode(status)


def test_a_breaker_is_small():
    """A breaker takes less than 1.3 kB, so that there may be one for each key."""
    tracemalloc.start()
    try:
        CircuitBreaker()
        before = tracemalloc.get_traced_memory()[0]
        breakers = [CircuitBreaker() for _ in range(500)]
        each = (tracemalloc.get_traced_memory()[0] - before) / len(breakers)
    finally:
        tracemalloc.stop()

    assert 1_300 > each


def test_calls_leave_nothing_behind(run):
    """However many calls there were, the memory of a windowed breaker is that of its window."""
    fetch = run.decorate(circuit_breaker(failure_rate=1), failing())
    for _ in range(150):
        fetch()

    assert 100 == len(fetch.circuit_breaker.machine.state._window._outcomes)
