"""The fixture `run` itself: what it promises to the other tests, in both flavours."""

from __future__ import annotations

import functools
import inspect
from contextvars import ContextVar

import pytest

from tests.support.run import Run

place = ContextVar("place", default="outside")


def transparent(function):
    """Decorate without changing anything, as the decorators under test do on success."""
    return function


def test_a_body_becomes_a_function_of_the_flavour(run):
    """A plain body is a coroutine function where coroutines are tested, and itself elsewhere."""
    function = run.function(lambda: 1)

    assert ("async" == run.flavour) is inspect.iscoroutinefunction(function)
    assert 1 == run.call(function)


def test_a_decorated_function_is_called_plainly(run):
    """What `decorate` gives takes arguments, returns results and raises errors as usual."""

    @run.decorate(transparent)
    def divide(number, *, by):
        return number / by

    assert 2 == divide(4, by=2)
    with pytest.raises(ZeroDivisionError):
        divide(4, by=0)


def test_handles_of_a_decorator_are_reached(run):
    """An attribute that the decorator has set is an attribute of the driven function."""

    def labelled(function):
        function.label = "here"
        return function

    assert "here" == run.decorate(labelled, lambda: None).label


def test_a_call_sees_the_context_of_the_test(run):
    """A context variable that the test sets after the first call is seen by the next one."""
    where = run.decorate(transparent, place.get)
    before = where()
    token = place.set("inside")
    after = where()
    place.reset(token)

    assert ("outside", "inside") == (before, after)


def test_even_a_keyboard_interrupt_reaches_the_test(run):
    """Errors that are no `Exception` come out of a call, and the next call works."""

    @run.decorate(transparent)
    def obey(error):
        if error:
            raise error
        return "done"

    with pytest.raises(KeyboardInterrupt):
        obey(KeyboardInterrupt())

    assert "done" == obey(None)


def test_a_generator_is_iterated_plainly(run):
    """Items, values sent, errors thrown and closing pass through a generator of either flavour."""
    seen = []

    @run.decorate(transparent)
    def echo():
        try:
            seen.append((yield 1))
            yield 2
        except KeyError:
            yield 3
        finally:
            seen.append("closed")

    items = echo()
    received = [next(items), items.send("sent"), items.throw(KeyError())]
    items.close()

    assert [1, 2, 3] == received
    assert ["sent", "closed"] == seen
    assert [1, 2] == run.items(echo.function)


def test_steps_await_what_they_yield(run):
    """In a body made of steps `yield` gives the result of a call, or raises its error there."""
    fail = run.function(functools.partial(int, "x"))
    double = run.function(lambda number: 2 * number)

    @run.drive
    @run.steps
    def both():
        try:
            yield fail()
        except ValueError:
            return (yield double(21))

    assert 42 == both()


def test_started_calls_run_at_the_same_time(run):
    """Calls that wait at a gate are there together, and end when it opens."""
    gate = run.gate()

    @run.drive
    @run.steps
    def held(value):
        yield gate.wait()
        return value

    calls = [run.start(held, value) for value in range(3)]
    run.until(lambda: 3 == gate.arrived)

    assert not any(call.done() for call in calls)
    gate.open()
    assert [0, 1, 2] == [call.result() for call in calls]


def test_a_started_call_hands_on_its_error(run):
    """The error of a call in the background is raised where its result is asked for."""
    call = run.start(run.function(functools.partial(int, "x")))

    with pytest.raises(ValueError, match="invalid literal"):
        call.result()


def test_a_call_left_running_fails_the_test(run):
    """A started call that never ends is an error of the test, not a silent leak."""
    gate = run.gate()
    call = run.start(gate.wait)
    run.until(lambda: 1 == gate.arrived)
    with pytest.raises(AssertionError, match="1 started calls never ended"):
        Run.close(run)

    gate.open()
    assert not isinstance(call.result(), Exception)
