"""A function with a pool: another key at once, one clear error when none is left."""

from __future__ import annotations

import gc
import traceback
import weakref

import pytest

from resilience import (
    SettingsError,
    deadline,
)
from resilience.telemetry import CallFinished, RetryScheduled
from resilience.testing import FakeClock, capture_events
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import KeyServer, rejected, throttled


def in_flight(pool):
    """Calls that hold a key now."""
    return pool.get_stats()["active_requests"]


# -- the argument ----------------------------------------------------------------------------


def test_the_key_is_passed_as_api_key(run):
    """`@pool` is short for `@pool.inject("api_key")`."""
    pool = pool_of("a")

    assert "key of a" == run.decorate(pool, lambda api_key: api_key)()
    assert "key of a" == run.decorate(pool.inject("token"), lambda *, token: token)()
    assert {"secret": "key of a"} == run.decorate(pool.inject("secret"), lambda **more: more)()


def test_a_call_that_brings_its_own_key_is_left_alone(run):
    """By name or by position; nothing is leased then, and nothing rests."""
    pool = pool_of("a")

    @run.decorate(pool)
    def fetch(number, api_key="", other=0):
        if api_key == "mine":
            raise throttled(60)
        return number, api_key

    for arguments, names in (((1, "mine"), {}), ((1,), {"api_key": "mine"})):
        with pytest.raises(HttpError):
            fetch(*arguments, **names)
    assert (1, "key of a") == fetch(1)
    assert 1 == pool.get_stats()["total_requests"]


@pytest.mark.parametrize(
    "function", [lambda: 1, lambda number: 1, lambda *args: 1, lambda api_key, /: 1]
)
def test_a_function_must_take_the_key(function):
    """What cannot be passed is a mistake at the line of the decorator."""
    with pytest.raises(SettingsError, match="must be one that <lambda> takes by name"):
        pool_of("a")(function)


def test_a_builtin_that_tells_no_parameters_is_believed():
    """What has no signature may take anything."""
    assert {"token": "key of a"} == pool_of("a").inject("token")(dict)()


@pytest.mark.parametrize("parameter", ["", "api key", None, 3])
def test_a_parameter_has_a_name(parameter):
    """A bad name is refused."""
    with pytest.raises(SettingsError, match="parameter must be the name of a parameter"):
        pool_of("a").inject(parameter)


# -- another key at once ---------------------------------------------------------------------


@pytest.mark.parametrize("error", [throttled(30), throttled(), rejected(), rejected(403)])
def test_another_key_takes_over_at_once(run, error):
    """It costs no time, is no retry, and the call succeeds."""
    server = KeyServer(a=[error], b=[error])
    fetch = run.decorate(pool_of("abc").inject("key"), server.answer)
    with FakeClock() as clock, capture_events() as events:
        assert "c" == fetch()
        assert 0 == clock.now
    assert "abc" == server.asked
    assert [] == [event for event in events if isinstance(event, RetryScheduled)]
    assert ["success"] == [e.outcome for e in events if isinstance(e, CallFinished)]


def test_other_arguments_stay_what_they_are(run):
    """Each attempt gets what the caller passed, and the key of its own lease."""
    calls = []

    @run.decorate(pool_of("ab"))
    def fetch(*args, **kwargs):
        calls.append((args, kwargs))
        if len(calls) == 1:
            raise throttled()

    fetch(1, name="x")

    assert [((1,), {"name": "x", "api_key": f"key of {name}"}) for name in "ab"] == calls


def test_each_entry_is_tried_once_in_a_round(run):
    """When all have failed the last real error comes out, as it is."""
    errors = [throttled(30), throttled(20), rejected()]
    server = KeyServer(a=errors[:1], b=errors[1:2], c=errors[2:])
    pool = pool_of("abc")
    with FakeClock(), pytest.raises(HttpError) as caught:
        run.decorate(pool.inject("key"), server.answer)()

    assert "abc" == server.asked
    assert errors[2] is caught.value
    assert 20 == caught.value.retry_after
    assert 0 == in_flight(pool)


def test_the_error_keeps_its_own_history(run):
    """What it was raised from, and in, is not replaced by the pool's refusal."""

    @run.decorate(pool_of("a"))
    def fetch(api_key):
        try:
            int("the first cause")
        except ValueError:
            raise throttled(1)  # noqa: B904 - its context is what is looked at

    with pytest.raises(HttpError) as caught:
        fetch()

    assert isinstance(caught.value.__context__, ValueError)
    assert "NoKeyAvailableError" not in "".join(traceback.format_exception(caught.value))


def test_one_error_object_may_be_raised_again(run):
    """Its own hint counts each time, not what the pool wrote on it for its caller."""
    pool, error = pool_of("a"), throttled()
    fetch = run.decorate(pool.inject("key"), KeyServer(a=[error] * 3).answer)
    rests = []
    with FakeClock() as clock:
        for _ in range(3):
            with pytest.raises(HttpError):
                fetch()
            rests.append(error.retry_after)
            clock.advance(rests[-1])

    assert [1, 2, 4] == rests


def test_a_deadline_ends_a_round(run):
    """When the time is over no further key is tried: the real error comes out."""
    server = KeyServer(b=["b"])
    with FakeClock() as clock:

        @run.decorate(pool_of("ab").inject("key"))
        def fetch(*, key):
            clock.advance(10)
            if key == "key of a":
                raise throttled(1)
            return server.receive(key)

        with deadline(5), pytest.raises(HttpError):
            fetch()
        assert "b" == fetch()

    assert "b" == server.asked


def test_leases_end_whatever_the_call_comes_to(run):
    """Success, failure, refusal, interrupt: nothing stays in flight."""
    pool = pool_of("ab")
    server = KeyServer(
        a=[OSError(), throttled(), KeyboardInterrupt()],
        b=[HttpError(404), rejected(), SystemExit()],
    )
    fetch = run.decorate(pool.inject("key"), server.answer)
    outcomes = []
    with FakeClock() as clock:
        for _ in range(6):
            try:
                outcomes.append(fetch())
            except BaseException as error:
                outcomes.append(type(error).__name__)
            clock.advance(300)

            assert 0 == in_flight(pool)
    expected = ["OSError", "HttpError", "HttpError", "KeyboardInterrupt", "SystemExit", "a"]
    assert expected == outcomes


def test_a_call_leaves_no_cycle_behind(run):
    """An error of a key that another one made good is gone with the call."""
    errors = []

    class ThrottledError(HttpError):
        def __init__(self):
            super().__init__(429)
            errors.append(weakref.ref(self))

    def answer(*, key):
        if key == "key of a":
            raise ThrottledError
        return key

    fetch = run.decorate(pool_of("ab").inject("key"), answer)
    gc.collect()
    gc.disable()
    try:
        fetch()
        assert [None] == [error() for error in errors]
    finally:
        gc.enable()


# -- streams ---------------------------------------------------------------------------------


def test_a_stream_changes_its_key_before_its_first_item(run):
    """And holds its lease until the end."""
    pool, server = pool_of("ab"), KeyServer(a=[throttled()])
    stream = run.decorate(pool.inject("key"), server.stream)()

    assert 0 == in_flight(pool)
    assert ("b", 1) == (next(stream), in_flight(pool))
    assert ["the end"] == list(stream)
    assert 0 == in_flight(pool)
    assert "ab" == server.asked


def test_a_stream_that_is_throttled_later_makes_its_key_rest(run):
    """No other key begins again; the error comes out and is charged to the entry."""
    pool = pool_of("ab")

    @run.decorate(pool.inject("key"))
    def numbers(*, key):
        yield 1
        raise throttled(60)

    with pytest.raises(HttpError):
        list(numbers())

    assert ["a"] == list(pool.resting())
    assert 0 == in_flight(pool)
