"""A retry inside a retry: the outer one does not repeat what the inner one has given up on."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience import (
    CircuitOpenError,
    RetryBudget,
    circuit_breaker,
    get_stats,
    prioritized,
    retry,
)
from resilience.testing import FakeClock, capture_events, no_waiting
from tests.support.bodies import as_coroutine_function
from tests.support.faults import HttpError, failing

THREE = {"max_retries": 2, "initial_retry_delay": 0, "jitter": 0}


def around(run, decorator, function):
    """A decorated function of the run's flavour that does nothing but call another one."""

    @decorator
    @run.steps
    def caller():
        return (yield function())

    return caller


def failing_calls(run, call):
    """Make the call, which fails."""
    with no_waiting(), pytest.raises(OSError, match="scripted"):
        run.call(call)


def test_trap_11_three_layers_of_three_make_three_calls(run):
    """Not twenty-seven."""
    body = failing(*[OSError] * 99)
    inner = retry(**THREE)(run.function(body))
    outer = around(run, retry(**THREE), around(run, retry(**THREE), inner))
    failing_calls(run, outer)

    assert 3 == len(body.times)


def test_trap_11_stacked_decorators_do_not_multiply(run):
    """The same where the three stand on one function."""
    body = failing(*[OSError] * 99)
    failing_calls(run, retry(**THREE)(retry(**THREE)(retry(**THREE)(run.function(body)))))

    assert 3 == len(body.times)


def test_retry_nested_multiplies(run):
    """Who wants the outer one to repeat says so."""
    body = failing(*[OSError] * 99)
    inner = retry(**THREE)(run.function(body))
    failing_calls(run, around(run, retry(retry_nested=True, **THREE), inner))

    assert 9 == len(body.times)


def test_what_the_inner_one_is_not_meant_for_is_the_outer_ones(run):
    """Giving up is one thing; an error that the inner one lets pass is another."""
    body = failing(*[OSError] * 99)
    inner = retry(on=KeyError, **THREE)(run.function(body))
    failing_calls(run, around(run, retry(**THREE), inner))

    assert 3 == len(body.times)


def test_an_inner_one_that_is_turned_off_does_not_count(run):
    """With `max_retries=0` it is as if it were not there."""
    body = failing(*[OSError] * 99)
    inner = retry(max_retries=0)(run.function(body))
    failing_calls(run, around(run, retry(**THREE), inner))

    assert 3 == len(body.times)


def test_an_error_made_of_the_one_given_up_on_is_not_repeated(run):
    """Translating an error (`raise … from …`) does not bring back what was given up on."""
    body = failing(*[OSError] * 99)
    inner = retry(**THREE)(run.function(body))

    @retry(**THREE)
    @run.steps
    def translated():
        try:
            yield inner()
        except OSError as error:
            raise HttpError(503) from error

    with no_waiting(), pytest.raises(HttpError):
        run.call(translated)

    assert 3 == len(body.times)


def test_a_group_with_an_error_given_up_on_is_not_repeated():
    """Tasks of a group retry on their own; the retry around the group adds nothing."""
    body = failing(*[OSError] * 99)

    @retry(**THREE)
    async def inner():
        return body()

    @retry(**THREE)
    async def outer():
        async with asyncio.TaskGroup() as group:
            group.create_task(inner())

    with no_waiting(), pytest.raises(ExceptionGroup):
        asyncio.run(outer())

    assert 3 == len(body.times)


def test_what_follows_a_failed_fallback_is_repeated(run):
    """An error that merely came up while another one was handled is a failure of its own."""
    first, second = failing(*[OSError] * 99), failing(*[KeyError] * 99)
    inner, fallback = (retry(**THREE)(run.function(first)), run.function(second))

    @retry(**THREE)
    @run.steps
    def outer():
        try:
            return (yield inner())
        except OSError:
            return (yield fallback())

    with no_waiting(), pytest.raises(KeyError):
        run.call(outer)

    assert (9, 3) == (len(first.times), len(second.times))


def test_an_inner_one_in_a_thread_counts():
    """The call goes on in another thread; so does the mark."""
    body = failing(*[OSError] * 99)
    inner = retry(**THREE)(body)

    @retry(**THREE)
    def outer(executor):
        return executor.submit(inner).result()

    with no_waiting(), ThreadPoolExecutor(1) as executor, pytest.raises(OSError, match="scripted"):
        outer(executor)

    assert 3 == len(body.times)


def test_a_plain_inner_one_in_a_thread_of_a_coroutine_counts():
    """`asyncio.to_thread` is a common bridge."""
    body = failing(*[OSError] * 99)
    inner = retry(**THREE)(body)

    @retry(**THREE)
    async def outer():
        return await asyncio.to_thread(inner)

    with no_waiting(), pytest.raises(OSError, match="scripted"):
        asyncio.run(outer())

    assert 3 == len(body.times)


def test_an_inner_one_in_a_task_of_its_own_counts():
    """A task that the call starts belongs to the call."""
    body = failing(*[OSError] * 99)
    inner = retry(**THREE)(as_coroutine_function(body))

    @retry(**THREE)
    async def outer():
        return await asyncio.create_task(inner())

    with no_waiting(), pytest.raises(OSError, match="scripted"):
        asyncio.run(outer())

    assert 3 == len(body.times)


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_an_inner_one_that_is_submitted_counts(flavour):
    """It runs in a worker of its queue; the outer one waits for its future."""
    body = failing(*[OSError] * 99)
    inner = retry(**THREE)(prioritized(body))

    @retry(**THREE)
    def outer():
        return inner.submit().result()

    @retry(**THREE)
    async def outer_async():
        return await asyncio.wrap_future(inner.submit())

    with no_waiting(), pytest.raises(OSError, match="scripted"):
        outer() if flavour == "sync" else asyncio.run(outer_async())

    assert 3 == len(body.times)


def test_an_inner_generator_counts():
    """A stream that could not be opened is not opened again by the stream around it."""
    opened = []

    @retry(**THREE)
    def inner():
        opened.append(1)
        raise OSError("scripted")
        yield

    @retry(**THREE)
    def outer():
        yield from inner()

    with no_waiting(), pytest.raises(OSError, match="scripted"):
        list(outer())

    assert 3 == len(opened)


def test_an_inner_async_generator_counts():
    """The same where both are awaited."""
    opened = []

    @retry(**THREE)
    async def inner():
        opened.append(1)
        raise OSError("scripted")
        yield

    @retry(**THREE)
    async def outer():
        async for item in inner():
            yield item

    async def consume():
        return [item async for item in outer()]

    with no_waiting(), pytest.raises(OSError, match="scripted"):
        asyncio.run(consume())

    assert 3 == len(opened)


def test_a_shared_exception_object_is_retried_in_each_call(run):
    """A singleton that ended one call says nothing about the next, of this function or another."""
    error = OSError("shared")
    bodies = [failing(*[error] * 99) for _ in range(3)]
    functions = [run.decorate(retry(**THREE), body) for body in bodies]
    with no_waiting():
        for _ in range(2):
            for function in functions:
                with pytest.raises(OSError, match="shared"):
                    function()

    assert [6, 6, 6] == [len(body.times) for body in bodies]


def test_a_shared_exception_object_is_retried_in_calls_at_the_same_time(run):
    """Nor does it for a neighbour that is under way when a call gives up."""
    error = OSError("shared")
    gates = [run.gate(), run.gate()]
    tries = []

    @run.drive
    @retry(max_retries=1, initial_retry_delay=0)
    @run.steps
    def fetch(number):
        tries.append(number)
        if tries.count(number) == 1:
            yield gates[number].wait()
        raise error

    slow, quick = run.start(fetch, 0), run.start(fetch, 1)
    run.until(lambda: 1 == gates[0].arrived == gates[1].arrived)
    gates[1].open()
    with pytest.raises(OSError, match="shared"):
        quick.result()
    gates[0].open()
    with pytest.raises(OSError, match="shared"):
        slow.result()

    assert [0, 0] == [number for number in tries if number == 0]


def test_a_shared_exception_object_that_another_retry_gave_up_on_is_retried(run):
    """A neighbour of another function repeats it and gives up while this call is under way."""
    error, gate, tries = OSError("shared"), run.gate(), []
    neighbour = run.decorate(retry(max_retries=1, initial_retry_delay=0), failing(*[error] * 2))

    @run.drive
    @retry(max_retries=1, initial_retry_delay=0)
    @run.steps
    def fetch():
        tries.append(1)
        yield gate.wait()
        raise error

    slow = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    with pytest.raises(OSError, match="shared"):
        neighbour()
    gate.open()
    with pytest.raises(OSError, match="shared"):
        slow.result()

    assert 2 == len(tries)


def test_a_shared_exception_object_that_one_call_may_not_repeat_is_retried_in_another(run):
    """A call that has no budget gives up at once; its neighbour, which has some, does not."""
    outcomes, budget = [OSError("shared")] * 2, RetryBudget(ratio=0, minimum=1)
    gates = [run.gate(), run.gate()]

    @run.drive
    @retry(budget=budget, initial_retry_delay=0)
    @run.steps
    def fetch(number):
        yield gates[number].wait()
        if outcomes:
            raise outcomes.pop()
        return "done"

    with FakeClock(autojump=False) as clock:
        poor, rich = run.start(fetch, 0), run.start(fetch, 1)
        run.until(lambda: 1 == gates[0].arrived == gates[1].arrived)
        budget.spend()
        gates[0].open()
        with pytest.raises(OSError, match="shared"):
            poor.result()
        clock.advance(20)
        gates[1].open()

        assert "done" == rich.result()


def test_a_call_of_itself_does_not_multiply(run):
    """Recursion is nesting, too."""
    attempts = []

    @retry(**THREE)
    @run.steps
    def fetch(depth):
        attempts.append(depth)
        if depth == 0:
            raise OSError("scripted")
        return (yield fetch(depth - 1))

    with no_waiting(), pytest.raises(OSError, match="scripted"):
        run.call(fetch, 2)

    assert [2, 1, 0, 0, 0] == attempts


def test_each_retry_gives_up_in_the_log_once(run):
    """The inner one tells that it gave up; the outer one, which did nothing, is silent."""
    name = f"inner of {run.flavour}"
    inner = retry(name=name, **THREE)(run.function(failing(*[OSError] * 99)))
    outer = around(run, retry(name="around", **THREE), inner)
    with capture_events() as events:
        failing_calls(run, outer)

    assert [name] == [event.name for event in events if type(event).__name__ == "GivenUp"]
    assert 2 == get_stats(name)["retries"]


def test_what_ended_in_a_refusal_is_not_repeated_further_out(run):
    """The inner one stopped since the circuit opened: the outer one would only knock again."""
    body = failing(*[OSError] * 99)
    breaker = circuit_breaker(failure_threshold=2)
    inner = retry(max_retries=5)(breaker(run.function(body)))
    with FakeClock() as clock, pytest.raises(OSError, match="scripted") as caught:
        run.call(around(run, retry(), inner))

    assert 2 == len(body.times)
    assert not isinstance(caught.value, CircuitOpenError)
    assert 3 >= clock.now


def test_marks_of_many_threads_do_not_mix():
    """Eight threads with one exception object: every call makes all its attempts."""
    error = OSError("shared")
    with no_waiting(), pytest.raises(OSError, match="shared"):
        retry(**THREE)(failing(*[error] * 3))()
    counts = []
    barrier = threading.Barrier(8)

    def work():
        body = failing(*[error] * 99)
        fetch = retry(**THREE)(body)
        barrier.wait()
        for _ in range(20):
            with pytest.raises(OSError, match="shared"):
                fetch()
        counts.append(len(body.times))

    with ThreadPoolExecutor(8) as executor:
        for future in [executor.submit(work) for _ in range(8)]:
            future.result()

    assert [60] * 8 == counts
