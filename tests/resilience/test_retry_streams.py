"""Generators and async generators: retried until the first item has been handed out."""

from __future__ import annotations

import asyncio
import gc
import inspect

import pytest

from resilience import RetryBudget, SettingsError, get_stats, retry
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import HttpError


def opening(failures, items=(1, 2, 3), *, error=OSError):
    """A generator that fails so many times before its first item; `opened` counts the tries."""

    def numbers():
        numbers.opened += 1
        if numbers.opened <= failures:
            raise error("scripted")
        yield from items

    numbers.opened = 0
    return numbers


def test_trap_4_a_generator_is_retried_before_its_first_item(run):
    """Calling a generator runs nothing: a retry around the call alone would do nothing."""
    body = opening(2)
    stream = retry(jitter=0)(run.function(body))
    with FakeClock() as clock:
        assert [1, 2, 3] == run.items(stream)

        assert 1 + 2 == clock.now
    assert 3 == body.opened


def test_trap_4_a_generator_is_not_retried_after_its_first_item(run):
    """The consumer has seen something: repeating would hand it out twice."""
    opened = []

    def numbers():
        opened.append(1)
        yield 1
        raise OSError("in the middle")

    stream = run.iterate(retry(run.function(numbers)))
    with no_waiting():
        assert 1 == next(stream)
        with pytest.raises(OSError, match="in the middle"):
            next(stream)

    assert [1] == opened


def test_a_generator_that_keeps_failing_ends_with_the_last_error(run):
    """As a function would, with a note."""
    body = opening(99)
    stream = retry(max_retries=2)(run.function(body))
    with no_waiting(), pytest.raises(OSError, match="scripted") as caught:
        run.items(stream)

    assert 3 == body.opened
    assert "3 attempts made" in caught.value.__notes__[0]


def test_a_generator_obeys_the_limits_of_a_call(run):
    """No attempt to open it begins after `max_elapsed`, or beyond the budget."""
    body, budget = opening(99), RetryBudget(ratio=0, minimum=1)
    with FakeClock() as clock:
        with pytest.raises(OSError, match="scripted"):
            run.items(retry(jitter=0, max_elapsed=5)(run.function(body)))

        assert (3, 1 + 2) == (body.opened, clock.now)

    body = opening(99)
    with no_waiting(), pytest.raises(OSError, match="scripted"):
        run.items(retry(budget=budget)(run.function(body)))

    assert 2 == body.opened


def test_a_generator_waits_for_as_long_as_the_server_says(run):
    """A hint counts for a stream that could not be opened as for any call."""
    body = opening(1, error=lambda _: HttpError(429, {"Retry-After": "30"}))
    with FakeClock() as clock:
        assert [1, 2, 3] == run.items(retry(jitter=0)(run.function(body)))

        assert 30 == clock.now


def test_the_hook_is_called_for_a_generator(run):
    """Once for each further attempt to open it."""
    seen, body = [], opening(2)
    with no_waiting():
        run.items(retry(before_retry=seen.append)(run.function(body)))

    assert [1, 2] == [record.attempt for record in seen]


def test_an_async_generators_hook_may_be_a_coroutine_function():
    """It is awaited before the wait begins."""
    seen, failures = [], [OSError()]

    async def hook(record):
        await asyncio.sleep(0)
        seen.append(record.attempt)

    @retry(before_retry=hook)
    async def stream():
        if failures:
            raise failures.pop()
        yield 1

    async def consume():
        return [item async for item in stream()]

    with no_waiting():
        assert [1] == asyncio.run(consume())

    assert [1] == seen


def test_an_empty_generator_is_a_success(run):
    """No item is no failure."""
    body = opening(1, items=())
    with no_waiting():
        assert [] == run.items(retry(run.function(body)))

    assert 2 == body.opened


def test_nothing_runs_before_the_first_step(run):
    """A decorated generator is as lazy as a plain one."""
    body = opening(0)
    stream = run.iterate(retry(run.function(body)))

    assert 0 == body.opened
    assert [1, 2, 3] == list(stream)


def test_the_kind_of_function_shows(run):
    """`inspect` sees a generator function where there was one."""
    stream = retry(run.function(opening(0)))
    asks = {"sync": inspect.isgeneratorfunction, "async": inspect.isasyncgenfunction}

    assert asks[run.flavour](stream)


def echo(log):
    """A generator that logs what is sent to it and thrown into it."""

    def generate():
        received = None
        try:
            while True:
                try:
                    received = yield received
                    log.append(("sent", received))
                except KeyError as error:
                    received = "caught"
                    log.append(("thrown", type(error)))
        finally:
            log.append("closed")

    return generate


def test_trap_4_values_and_errors_pass_into_a_generator(run):
    """`send`, `throw` and `close` reach the function behind the retry."""
    log = []
    stream = run.iterate(retry(run.function(echo(log))))

    assert [None, 1, "caught", 2, None] == [
        next(stream),
        stream.send(1),
        stream.throw(KeyError()),
        stream.send(2),
        next(stream),
    ]
    stream.close()
    assert [("sent", 1), ("thrown", KeyError), ("sent", 2), ("sent", None), "closed"] == log


def test_an_error_thrown_in_comes_out_unless_it_is_caught(run):
    """As from any generator; it is not retried."""
    log = []
    stream = run.iterate(retry(run.function(echo(log))))
    next(stream)
    with pytest.raises(OSError, match="thrown in"):
        stream.throw(OSError("thrown in"))

    assert ["closed"] == log
    assert [] == list(stream)


def test_leaving_early_closes_the_generator(run):
    """`break` and `close` end the function where it stands."""
    log = []
    stream = run.iterate(retry(run.function(echo(log))))
    for _ in stream:
        break
    stream.close()

    assert ["closed"] == log


def test_a_forgotten_generator_closes():
    """Without `close`, the garbage collection ends it."""
    log = []
    stream = retry(echo(log))()
    next(stream)
    del stream
    gc.collect()

    assert ["closed"] == log


def test_a_forgotten_async_generator_closes():
    """The loop's hooks end it when nobody holds it any more."""
    log = []

    @retry
    async def numbers():
        try:
            yield 1
            yield 2
        finally:
            log.append("closed")

    async def main():
        async for _ in numbers():
            break
        gc.collect()
        for _ in range(10):
            await asyncio.sleep(0)

    asyncio.run(main())

    assert ["closed"] == log


def test_a_generators_return_value_is_kept():
    """What `yield from` evaluates to."""

    @retry
    def numbers(*items):
        yield from items
        return "end"

    def outer(*items):
        return (yield from numbers(*items))

    for items in [(), (1,), (1, 2)]:
        ended = []

        def collect(items=items, ended=ended):
            ended.append((yield from outer(*items)))

        assert list(items) == list(collect())
        assert ["end"] == ended


def test_an_item_is_handed_over_before_the_next_is_asked_for(run):
    """There is no reading ahead beyond the first item."""
    asked = []

    def numbers():
        for number in range(3):
            asked.append(number)
            yield number

    stream = run.iterate(retry(run.function(numbers)))
    seen = [(next(stream), list(asked)) for _ in range(3)]
    stream.close()

    assert [(0, [0]), (1, [0, 1]), (2, [0, 1, 2])] == seen


def test_statistics_see_one_call_for_a_whole_stream(run):
    """It ends when the stream ends; an error in the middle is a failure."""
    name = f"stream {run.flavour}"

    def numbers():
        yield 1
        raise OSError("in the middle")

    stream = run.iterate(retry(name=name)(run.function(numbers)))
    next(stream)

    assert 0 == get_stats(name)["total_requests"]
    with pytest.raises(OSError, match="in the middle"):
        next(stream)
    assert (1, 0) == (get_stats(name)["failed_requests"], get_stats(name)["retries"])


def test_a_result_predicate_is_refused_on_a_generator(run):
    """What a generator returns comes after its items, when nothing can be repeated."""
    with pytest.raises(SettingsError, match="retry_result cannot be used with a generator"):
        retry(retry_result=bool)(run.function(opening(0)))
