"""What is published, when, and that nobody who listens can do harm."""

from __future__ import annotations

import dataclasses
import inspect
import logging
import threading

import pytest

from resilience import (
    CircuitOpenError,
    KeyPool,
    QueueFullError,
    RefusedError,
    circuit_breaker,
    prioritized,
    retry,
    telemetry,
)
from resilience._context import deadlines
from resilience.telemetry import (
    BatchFlushed,
    CallFinished,
    Event,
    GivenUp,
    KeyRested,
    Queued,
    Refused,
    RetryScheduled,
    Transition,
    subscribe,
    unsubscribe,
)
from resilience.telemetry.events import subscribe_when
from resilience.testing import FakeClock, capture_events, no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import failing
from tests.support.keys import throttled

CLASSES = [each for each in vars(telemetry).values() if inspect.isclass(each)]
KINDS = [each for each in CLASSES if issubclass(each, Event) and each is not Event]


def kinds(captured):
    """The names of the kinds of these events, in their order."""
    return [type(event).__name__ for event in captured]


@pytest.fixture
def listen():
    """Subscribe for the time of the test."""
    listeners = []

    def add(listener, *kinds):
        listeners.append(listener)
        subscribe(listener, *kinds)

    yield add
    for listener in listeners:
        unsubscribe(listener)


def nobody_listens_to(kind, monkeypatch):
    """Not even logs and OpenTelemetry, until the end of the test."""
    for field in ("subscriptions", "listeners", "is_wanted"):
        monkeypatch.setattr(kind, field, ())


# -- what is published -----------------------------------------------------------------------


def test_the_end_of_a_call_is_told_where_nothing_else_was_ever_used(run, monkeypatch):
    """Calls do not look for listeners before there was one, and from then on they do."""
    monkeypatch.setattr(deadlines, "in_use", False)
    fetch = run.decorate(retry(name="fetch"), lambda: "fine")
    fetch()
    before = deadlines.in_use
    with capture_events() as captured:
        fetch()

    assert (False, True) == (before, deadlines.in_use)
    assert ["CallFinished"] == kinds(captured)


def test_a_call_that_recovers(run):
    """Each retry, then the end of the call, with what a listener wants to know."""
    error = OSError("busy")
    fetch = run.decorate(retry(name="fetch", jitter=0), failing(error, "fine"))
    with FakeClock(), capture_events() as captured:
        fetch()
    retried, finished = captured

    assert ("fetch", 1, 5, 1, "backoff", error, "transient") == (
        retried.name,
        retried.attempt,
        retried.max_retries,
        retried.delay,
        retried.source,
        retried.exception,
        retried.reason,
    )
    expected = CallFinished(name="fetch", outcome="success", duration=1, exception=None)
    assert expected == finished


def test_a_call_that_does_not_recover(run):
    """The giving up says after how many attempts, why, and what the last error was."""
    errors = [OSError(), OSError()]
    fetch = run.decorate(retry(name="fetch", max_retries=1), failing(*errors))
    with no_waiting(), capture_events() as captured, pytest.raises(OSError) as caught:  # noqa: PT011
        fetch()
    _, given_up, finished = captured

    assert ("fetch", 2, errors[1]) == (given_up.name, given_up.attempts, given_up.exception)
    assert ("failure", caught.value) == (finished.outcome, finished.exception)


def test_everything_else_that_happens(run):
    """Transitions, rests and waits for a permit, each once, in the order of their happening."""
    pool, gate = pool_of("a"), run.gate()

    @run.drive
    @pool.inject("key")
    @prioritized(max_concurrent_requests=1, name="line")
    @circuit_breaker(failure_threshold=1, name="circuit")
    @run.steps
    def fetch(fails=None, *, key):
        yield gate.wait()
        if fails:
            raise fails

    with capture_events() as captured:
        first = run.start(fetch)
        run.until(lambda: 1 == gate.arrived)
        second = run.start(fetch, OSError("down"))
        run.until(lambda: 1 == fetch.queue.size)
        gate.open()
        first.result()
        with pytest.raises(OSError, match="down"):
            second.result()
        fetch.circuit_breaker.close()
        with pytest.raises(Exception, match="429"):
            fetch(throttled(7))
    others = [event for event in captured if not isinstance(event, CallFinished)]

    assert ["Queued", "Transition", "Transition", "KeyRested"] == kinds(others)
    assert ("line", 1) == (others[0].name, others[0].priority)
    assert ("circuit", "CLOSED", "OPEN") == (others[1].name, others[1].from_, others[1].to)
    assert ("keys", True, "a", 7, "rate_limit") == dataclasses.astuple(others[3])


def test_a_refusal_is_published_once_where_it_happens(run):
    """Not again by each decorated function that it passes through, nor by a retry."""
    inner = run.decorate(circuit_breaker(name="inner"), failing())
    inner.circuit_breaker.open()
    outer = run.drive(retry(name="outer")(run.steps(lambda: (yield inner.function()))))
    with capture_events() as captured, pytest.raises(CircuitOpenError):
        outer()
    refused = [event for event in captured if isinstance(event, Refused)]

    assert [Refused(name="inner", reason="circuit_open", retry_after=None)] == refused
    assert ["refused", "refused"] == [e.outcome for e in captured if isinstance(e, CallFinished)]


def test_events_are_frozen_and_flat():
    """A listener cannot change what the next one sees; every kind has a name."""
    known = {CallFinished, GivenUp, KeyRested, Queued, Refused, RetryScheduled, Transition}

    assert known | {BatchFlushed} == set(KINDS)
    for kind in KINDS:
        fields = [field.name for field in dataclasses.fields(kind)]
        event = kind(**dict.fromkeys(fields, "x"))

        assert "name" == fields[0]
        assert issubclass(kind, Event)
        with pytest.raises(dataclasses.FrozenInstanceError):
            event.name = "y"


# -- who listens -----------------------------------------------------------------------------


def test_a_listener_may_choose(run, listen):
    """Some kinds, all kinds, or all kinds by their base; and nothing more once it is gone."""
    some, everything, by_base = [], [], []
    listen(some.append, RetryScheduled)
    listen(everything.append)
    listen(by_base.append, Event)
    body = failing(OSError, "fine", "fine")
    fetch = run.decorate(retry, body)
    with no_waiting():
        fetch()
    for listener in (some.append, everything.append, by_base.append):
        unsubscribe(listener)
    fetch()

    assert ["RetryScheduled"] == kinds(some)
    assert ["RetryScheduled", "CallFinished"] == kinds(everything) == kinds(by_base)


def test_the_end_of_a_call_is_made_only_for_listeners(run, monkeypatch):
    """Nobody listens: nothing is built."""
    monkeypatch.setattr("resilience.telemetry.calls.publish", None)

    assert "done" == run.decorate(retry, failing())()


@pytest.mark.parametrize(("answers", "made"), [((False, False), []), ((False, True), [1, 2])])
def test_the_event_of_a_retry_is_made_only_where_it_is_wanted(run, monkeypatch, answers, made):
    """Logs and OpenTelemetry always listen; while none of them would do anything, none is built."""
    published = []
    monkeypatch.setattr("resilience._recovery.publish", published.append)
    nobody_listens_to(RetryScheduled, monkeypatch)
    for answer in answers:
        subscribe_when(print, RetryScheduled, when=lambda answer=answer: answer)
    with no_waiting():
        run.decorate(retry, failing(OSError, OSError))()

    assert made == [event.attempt for event in published]


def test_a_condition_of_several_listeners_is_asked_once(monkeypatch):
    """What costs something at each failure is one question for all whom it concerns."""
    asked = []
    nobody_listens_to(GivenUp, monkeypatch)

    def condition():
        asked.append(1)
        return False

    for listener in (print, repr):
        subscribe_when(listener, GivenUp, when=condition)

    assert (False, 1) == (GivenUp.is_wanted(), len(asked))


def test_who_listens_always_wants_every_event(listen):
    """A plain listener has no condition."""
    before = CallFinished.is_wanted()
    listen(list, CallFinished)

    assert (False, True) == (before, CallFinished.is_wanted())


@pytest.mark.parametrize("listens_to", [[], [RetryScheduled, Transition, CallFinished]])
def test_a_listener_that_fails_harms_nothing(run, listen, caplog, listens_to):
    """The call goes on, the other listeners hear of it, and the log says so once."""
    heard = []

    def broken(event):
        raise LookupError("of the listener")

    listen(broken, *listens_to)
    listen(heard.append)
    decorator = circuit_breaker(failure_threshold=1, reset_timeout=0)
    fetch = run.decorate(lambda f: retry(decorator(f)), failing(OSError))
    with no_waiting(), caplog.at_level(logging.ERROR, logger="resilience.telemetry"):
        assert "done" == fetch() == fetch()

    assert {"RetryScheduled", "Transition", "CallFinished"} <= set(kinds(heard))
    failures = [record for record in caplog.records if "broken" in record.getMessage()]
    assert 1 == len(failures)
    assert "LookupError: of the listener" in failures[0].getMessage()
    unsubscribe(broken)
    listen(broken)
    with no_waiting():
        fetch()
    assert 2 == sum("broken" in record.getMessage() for record in caplog.records)


def test_trap_10_listeners_are_called_without_a_lock(run, listen):
    """From another thread a listener may ask everything of the breaker, queue and pool."""
    seen = []

    def ask(event):
        """Look from a thread of its own, and wait for it: a lock that is held would stop it."""
        thread = threading.Thread(target=look, args=(event,))
        thread.start()
        thread.join()

    def look(event):
        breaker, queue = fetch.circuit_breaker, fetch.queue
        queue.resize(max_concurrent_requests=queue.max_concurrent_requests)
        pool.update("b", weight=2)
        seen.append((type(event).__name__, breaker.state, queue.sizes, pool.get_stats()))
        if isinstance(event, Transition) and event.to == "OPEN":
            breaker.close()

    pool, script = pool_of("ab"), [throttled(5), OSError(), None]

    def answer(*, key):
        if outcome := script.pop(0):
            raise outcome

    inside = circuit_breaker(failure_threshold=1)
    fetch = run.decorate(lambda f: retry(pool.inject("key")(prioritized(inside(f)))), answer)
    listen(ask)
    with no_waiting():
        fetch()

    assert {"KeyRested", "Transition", "RetryScheduled", "CallFinished"} == {s[0] for s in seen}


def test_trap_10_a_refused_call_may_be_looked_at(listen):
    """The queue and the pool that refuse hold no lock while they say so."""
    pool, seen = KeyPool({"a": "made up"}), []
    fetch = prioritized(max_concurrent_requests=1, queue_size=0)(failing())
    listen(lambda event: seen.append((event.reason, fetch.queue.sizes, pool.names())), Refused)
    pool.take().finish(throttled(60))
    with fetch.queue.permit():
        thread = threading.Thread(target=refused, args=(fetch,))
        thread.start()
        thread.join()
    refused(pool(lambda api_key: api_key))

    assert ["queue_full", "no_key"] == [reason for reason, *_ in seen]


def refused(function):
    """Call what refuses."""
    with pytest.raises(RefusedError) as caught:
        function()
    assert isinstance(caught.value, QueueFullError) or caught.value.reasons


def test_methods_can_be_unsubscribed(run):
    """Each look at a bound method makes a new one, which is the same listener all the same."""

    class Listener:
        def __init__(self):
            self.heard = []

        def hear(self, event):
            self.heard.append(event)

    listener, other = Listener(), Listener()
    subscribe(listener.hear)
    subscribe(other.hear)
    unsubscribe(listener.hear)
    run.decorate(retry, failing())()
    unsubscribe(other.hear)

    assert (0, 1) == (len(listener.heard), len(other.heard))
    assert not any(listener.hear in kind.listeners for kind in KINDS)
