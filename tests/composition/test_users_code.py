"""Hooks, predicates, strategies and listeners that fail: no call hangs, none is lost."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

import pytest

from resilience import (
    CircuitBreaker,
    KeyPool,
    PriorityQueue,
    circuit_breaker,
    prioritized,
    retry,
)
from resilience._context import _PLACES
from resilience.telemetry import (
    CallFinished,
    KeyRested,
    RetryScheduled,
    Transition,
    subscribe,
    unsubscribe,
)
from resilience.testing import no_waiting
from tests.support.faults import HttpError, failing
from tests.support.run import SyncRun

THROTTLED = HttpError(429, {"Retry-After": "1"})


class Stop(BaseException):
    """What is no `Exception`: the program is to end."""


class Stack:
    """All layers around a body, with the user's code in one place."""

    def __init__(self, run, place, code, body):
        self.queue = PriorityQueue(max_concurrent_requests=2)
        self.pool = KeyPool(["a", "b"], **({"strategy": code} if place == "strategy" else {}))
        opens = 1 if place in ("on_transition", "Transition") else 99
        hooks = {name: code for name in ("counts", "on_transition") if name == place}
        self.breaker = CircuitBreaker(failure_threshold=opens, reset_timeout=5, **hooks)
        hooks = {name: code for name in ("on", "retry_result", "before_retry") if name == place}
        repeat = retry(max_retries=2, **hooks)
        guard = circuit_breaker(key=code) if place == "key" else circuit_breaker(self.breaker)

        def decorator(function):
            return repeat(self.pool(prioritized(self.queue)(guard(function))))

        self.function = run.decorate(decorator, lambda api_key: body())

    def outcome(self):
        """What a call returns, or the type of what it raises."""
        with no_waiting():
            try:
                return self.function()
            except BaseException as error:
                return type(error)

    @property
    def held(self):
        """All that is held of permits, places, keys and probes."""
        queue = (self.queue.active, self.queue.size, self.queue._holders, self.queue._away)
        return *queue, self.pool.get_stats()["active_requests"], _PLACES.get()


NOTHING = (0, 0, {}, {}, 0, ())

# Where the user's code stands; what the body does; what comes of the call if the code raises.
PLACES = {
    "on": (OSError, OSError),
    "retry_result": (None, "done"),
    "before_retry": (OSError, "done"),
    "counts": (OSError, "done"),
    "on_transition": (OSError, OSError),
    "strategy": (None, "done"),
    "key": (None, LookupError),
    "CallFinished": (None, "done"),
    "KeyRested": (THROTTLED, "done"),
    "RetryScheduled": (OSError, "done"),
    "Transition": (OSError, OSError),
}
EVENTS = {kind.__name__: kind for kind in (CallFinished, KeyRested, RetryScheduled, Transition)}


@pytest.fixture(params=PLACES)
def place(request):
    """Each place where the user's code is called."""
    return request.param


@pytest.fixture
def stack(run, place):
    """Put code in that place of a stack."""
    listeners = []

    def make(code):
        failure, _ = PLACES[place]
        if place in EVENTS:
            listeners.append(code)
            subscribe(code, EVENTS[place])
        return Stack(run, place, code, failing(*([failure] if failure else [])))

    yield make
    for listener in listeners:
        unsubscribe(listener)


def raising(kind):
    """Code that raises, in whatever place, and counts how often it did."""

    class Code:
        def __call__(self, *args, **kwargs):
            self.calls += 1
            raise kind("of the user's own")

        calls = 0

    return Code()


def test_an_exception_becomes_one_line_or_one_error(place, stack, caplog):
    """It is logged where the call can go on without; only what is asked for a key is needed."""
    code = raising(LookupError)
    made = stack(code)
    with caplog.at_level(logging.ERROR, "resilience"):
        outcome = made.outcome()

    lines = [line for line in caplog.records if "of the user's own" in line.getMessage()]
    assert (PLACES[place][1], NOTHING) == (outcome, made.held)
    assert (code.calls if place != "key" else 0) == len(lines)
    assert code.calls >= 1


def test_what_ends_the_program_goes_through(stack):
    """It reaches the caller, and everything that was held is given back."""
    made = stack(raising(Stop))

    assert (Stop, NOTHING) == (made.outcome(), made.held)


def test_a_call_after_it_works(run, place, stack):
    """The failure leaves nothing behind that would hold up the next call."""
    raises = [Stop]

    def code(*args, **kwargs):
        if raises:
            raise raises.pop()("of the user's own")
        return False

    made = stack(code)
    made.outcome()
    made.breaker.close()

    assert ("done", NOTHING) == (made.outcome(), made.held)


def test_a_code_whose_name_cannot_be_shown(place, stack, caplog):
    """A `__repr__` that raises is the user's own code as well."""

    class Nameless(type(raising(LookupError))):
        def __repr__(self):
            raise ValueError

    made = stack(Nameless())
    with caplog.at_level(logging.ERROR, "resilience"):
        assert (PLACES[place][1], NOTHING) == (made.outcome(), made.held)


@pytest.mark.parametrize("place", ["on", "retry_result", "counts"])
def test_an_answer_that_is_neither_true_nor_false(place, stack, caplog):
    """Such as an array: what asking it raises is treated like what the predicate raises."""

    class Array:
        def __bool__(self):
            raise LookupError("of the user's own")

    made = stack(lambda *_: Array())
    with caplog.at_level(logging.ERROR, "resilience"):
        assert (PLACES[place][1], NOTHING) == (made.outcome(), made.held)
    assert "of the user's own" in caplog.text


@pytest.mark.parametrize("run", [SyncRun], ids=["sync"], indirect=True)
def test_slow_code_holds_nobody_up(run, stack):
    """While it runs in one thread, calls of others begin and end; no lock is held."""
    inside, goes_on = threading.Event(), threading.Event()

    def slow(*args, **kwargs):
        if threading.current_thread() is not threading.main_thread():
            inside.set()
            goes_on.wait(30)
        return False

    made = stack(slow)
    call = run.start(made.outcome)
    inside.wait(30)
    meanwhile = Stack(run, "", None, failing()).outcome(), made.function, made.breaker.state
    others = made.pool.names(), made.queue.size, made.breaker.close()
    with made.queue.permit(), made.pool.lease():
        pass
    goes_on.set()
    call.result()

    assert ("done", ("key_1", "key_2")) == (meanwhile[0], others[0])
    assert NOTHING == made.held


@pytest.mark.parametrize(
    ("way", "outcome"),
    [
        ("counts", OSError),
        ("on_transition", OSError),
        ("on_transition", "done"),
        ("Transition", OSError),
        ("Transition", "done"),
    ],
)
def test_a_probe_whose_hook_ends_the_program_gives_its_place_back(run, way, outcome):
    """The next call may probe at once; nothing waits for an answer that never comes."""
    raises = []

    def code(*args):
        if raises:
            raise raises.pop()("of the user's own")
        return True

    hooks = {} if way == "Transition" else {way: code}
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=0, **hooks)
    body = failing(OSError, outcome)
    fetch = run.decorate(circuit_breaker(breaker), body)
    if way == "Transition":
        subscribe(code, Transition)
    try:
        with pytest.raises(OSError, match="scripted"):
            fetch()
        raises.append(Stop)
        with pytest.raises(Stop):
            fetch()
        with suppress(OSError):  # what was a success, or has not been counted, may be a failure now
            fetch()
    finally:
        unsubscribe(code)

    assert ("done", "CLOSED") == (fetch(), breaker.state)


def test_a_place_is_not_kept_for_a_call_that_a_listener_ended(run):
    """A pool without a retry around it gives up its place in line as well."""
    queue = PriorityQueue()

    def listener(event):
        raise Stop

    def body(api_key):
        raise THROTTLED

    pool = KeyPool(["a", "b"])
    fetch = run.decorate(lambda function: pool(prioritized(queue)(function)), body)
    subscribe(listener, KeyRested)
    try:
        with pytest.raises(Stop):
            fetch()
    finally:
        unsubscribe(listener)

    assert (0, {}, ()) == (queue.active, queue._away, _PLACES.get())
