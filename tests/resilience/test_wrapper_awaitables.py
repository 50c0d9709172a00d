"""A plain function that returns something to await: its decorators cannot see into that."""

from __future__ import annotations

import asyncio
import functools
import warnings

import pytest

from resilience import circuit_breaker, get_stats, prioritized, retry
from resilience.testing import capture_events
from tests.support.decorators import DECORATORS


async def fetch(key=None):
    """Be awaited by the caller."""
    return "answer"


def started(key=None):
    """Return a task."""
    return asyncio.ensure_future(fetch())


def promised(key=None):
    """Return a future."""
    future = asyncio.get_running_loop().create_future()
    future.set_result("answer")
    return future


class Caller:
    """Something that returns a coroutine when it is called."""

    def __call__(self, key=None):
        """Return it."""
        return fetch()


HIDDEN = {
    "a lambda": lambda key=None: fetch(),
    "a callable object": Caller(),
    "a partial of a function": functools.partial(lambda number, key=None: fetch(), 1),
    "a task": started,
    "a future": promised,
}


async def call_twice(function):
    """Await both results; return the answers and the messages of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers = [await function(), await function()]
    return answers, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("decorator", DECORATORS.values(), ids=DECORATORS)
@pytest.mark.parametrize("function", HIDDEN.values(), ids=HIDDEN)
def test_trap_16_a_hidden_coroutine_is_warned_of_once(decorator, function):
    """The result passes through, and the first call says that nobody looks into it."""
    answers, messages = asyncio.run(call_twice(decorator(function)))

    assert ["answer", "answer"] == answers
    assert 1 == len(messages)
    assert "make it a coroutine function (async def)" in messages[0]


def test_trap_16_the_warning_points_at_the_caller():
    """It names the line of the call, not one of the toolkit."""
    with pytest.warns(RuntimeWarning, match="cannot see into") as caught:
        retry(HIDDEN["a lambda"])().close()

    assert __file__ == caught[0].filename


def test_trap_16_the_warning_comes_while_somebody_listens_too():
    """The warning does not depend on who listens to events."""
    with capture_events() as events, pytest.warns(RuntimeWarning, match="cannot see into"):
        retry(HIDDEN["a lambda"])().close()

    assert ["CallFinished"] == [type(event).__name__ for event in events]


@pytest.mark.parametrize(
    "function",
    [fetch, functools.partial(fetch), functools.partial(functools.partial(fetch), key=None)],
    ids=["a coroutine function", "a partial of it", "a partial of that"],
)
@pytest.mark.parametrize("decorator", [retry, circuit_breaker, prioritized])
def test_trap_6_the_wrapper_is_of_the_kind_of_the_function(decorator, function):
    """What is a coroutine function is awaited inside, through partials too, without a warning."""
    answers, messages = asyncio.run(call_twice(decorator(function)))

    assert ["answer", "answer"] == answers
    assert [] == messages


def test_trap_6_an_object_with_an_async_call_is_awaited():
    """Its `__call__` says what it is, although `inspect.iscoroutinefunction` does not see it."""
    calls = []

    class Caller:
        async def __call__(self):
            calls.append(1)
            if len(calls) < 3:
                raise OSError
            return "answer"

    decorated = retry(name="async call", initial_retry_delay=0)(Caller())

    assert "answer" == asyncio.run(decorated())
    assert 2 == get_stats("async call")["retries"]
