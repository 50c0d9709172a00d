"""`attempt_timeout`: the longest that one attempt may take."""

from __future__ import annotations

import asyncio

import pytest

from resilience import (
    DeadlineExceededError,
    Settings,
    SettingsError,
    _clock,
    deadline,
    get_stats,
    resilient,
)
from resilience.testing import FakeClock
from tests.support.faults import failing

TEN = Settings(attempt_timeout=10, max_retries=2, jitter=0, queue_enabled=False)


def stuck(times, seconds=3_600):
    """A coroutine function that hangs, and logs when it was called."""

    async def fetch():
        times.append(_clock.now())
        await _clock.sleep_async(seconds)
        return "late"

    return fetch


def test_a_coroutine_is_cancelled_and_retried():
    """A time-out of an attempt is a failure like any other; the last one comes out."""
    times = []
    fetch = resilient(TEN, name="stuck")(stuck(times))
    with FakeClock() as clock, pytest.raises(TimeoutError) as caught:
        asyncio.run(fetch())

    assert ([0, 11, 23], 33) == (times, clock.now)
    assert "stuck: the attempt took longer than attempt_timeout=10 s" == str(caught.value)
    assert not isinstance(caught.value, DeadlineExceededError)
    assert 1 == get_stats("stuck")["timeouts"]


def test_an_attempt_in_time_is_left_alone(run):
    """What ends before its time returns as it would."""

    @run.drive
    @resilient(TEN)
    @run.steps
    def fetch():
        yield _clock.sleep(9.9) if run.flavour == "sync" else _clock.sleep_async(9.9)
        return deadline.remaining()

    with FakeClock():
        assert 0.1 == pytest.approx(fetch())


def test_trap_2_the_cancellation_of_a_caller_wins():
    """Cancelled from outside, the attempt is no time-out, and is not retried."""
    times = []

    async def main():
        task = asyncio.create_task(resilient(TEN)(stuck(times))())
        await _clock.sleep_async(5)
        task.cancel()
        await task

    with FakeClock() as clock, pytest.raises(asyncio.CancelledError):
        asyncio.run(main())

    assert ([0], 5) == (times, clock.now)


def test_trap_3_a_cancellation_during_the_time_out_wins():
    """The caller cancels while the time-out is unwinding the attempt: nothing is retried."""
    attempts = []

    @resilient(TEN)
    async def fetch():
        attempts.append(1)
        try:
            await _clock.sleep_async(60)
        finally:
            asyncio.current_task().cancel()

    async def main():
        await asyncio.gather(asyncio.create_task(fetch()))

    with FakeClock() as clock, pytest.raises(asyncio.CancelledError):
        asyncio.run(main())

    assert ([1], 10) == (attempts, clock.now)


def test_trap_8_a_plain_function_is_not_stopped():
    """A thread cannot be stopped; what it returns late is still its result."""
    with FakeClock() as clock:
        fetch = resilient(TEN)(lambda: clock.advance(60) or "late")

        assert "late" == fetch()


def test_a_plain_function_runs_under_a_deadline():
    """Every wait of the toolkit inside obeys, and its refusal is the attempt's time-out."""
    left = []

    @resilient(max_retries=0, queue_enabled=False)
    def inner():
        left.append(deadline.remaining())

    @resilient(TEN, max_retries=1, name="around")
    def fetch():
        inner()
        _clock.sleep(10)
        inner()

    with FakeClock() as clock, pytest.raises(TimeoutError, match="around: the attempt took") as e:
        fetch()

    assert ([10, 10], 21) == (left, clock.now)
    assert not isinstance(e.value, DeadlineExceededError)
    assert isinstance(e.value.__cause__, DeadlineExceededError)


def test_the_shorter_deadline_of_the_caller_is_no_time_out(run):
    """When the whole call is over, it says so; the attempt is not blamed, nor retried."""
    inner = resilient(name="inner")(run.function(lambda: "never"))

    @run.drive
    @resilient(TEN)
    @run.steps
    def fetch():
        yield _clock.sleep(5) if run.flavour == "sync" else _clock.sleep_async(5)
        return (yield inner())

    with FakeClock() as clock, deadline(5):
        with pytest.raises(DeadlineExceededError, match="inner: the deadline had passed"):
            fetch()

        assert 5 == clock.now


def test_when_both_are_over_the_deadline_of_the_caller_counts():
    """The attempt took too long as well, but there is no time for another one."""
    inner = resilient(name="inner")(lambda: "never")

    @resilient(TEN)
    def fetch():
        _clock.sleep(12)
        return inner()

    with FakeClock() as clock, deadline(11):
        with pytest.raises(DeadlineExceededError, match="inner: the deadline had passed"):
            fetch()

        assert 12 == clock.now


def test_a_deadline_within_the_function_is_its_own(run):
    """A shorter deadline that the function itself has set is not the attempt's."""
    inner = resilient(name="inner")(run.function(lambda: "never"))

    @run.drive
    @resilient(TEN)
    @run.steps
    def fetch():
        with deadline(0):
            return (yield inner())

    with FakeClock(), pytest.raises(DeadlineExceededError, match="inner: the deadline had passed"):
        fetch()


@pytest.mark.parametrize(
    "error", [TimeoutError(), TimeoutError("of a socket")], ids=["bare", "own"]
)
def test_a_time_out_of_the_function_itself_is_kept(run, error):
    """It failed by itself long before its time; its error says what happened."""
    fetch = run.decorate(resilient(TEN, max_retries=0), failing(error))
    with FakeClock(), pytest.raises(TimeoutError) as caught:
        fetch()

    assert caught.value is error


def test_a_stream_is_timed_until_its_first_item(run):
    """Then the consumer sets the pace."""

    def numbers():
        yield deadline.remaining()
        yield deadline.remaining()

    with FakeClock():
        stream = resilient(TEN)(run.function(numbers))

        assert [10, None] == run.items(stream)


def test_a_stream_that_does_not_begin_is_retried():
    """The time-out comes while nothing has been handed out."""
    times = []

    @resilient(TEN)
    async def numbers():
        times.append(_clock.now())
        if len(times) == 1:
            await _clock.sleep_async(60)
        yield 1

    async def main():
        return [number async for number in numbers()]

    with FakeClock():
        assert [1] == asyncio.run(main())

    assert [0, 11] == times


def test_a_time_out_counts_in_the_breaker():
    """A service that hangs is a service that fails."""
    fetch = resilient(TEN, failure_threshold=2)(stuck([]))
    with FakeClock():
        with pytest.raises(TimeoutError):
            asyncio.run(fetch())

        assert "OPEN" == fetch.circuit_breaker.state


@pytest.mark.parametrize("value", [0, -1, "10", True, float("nan")])
def test_a_bad_time_out_is_refused(value):
    """More than 0 seconds, or None."""
    with pytest.raises(SettingsError, match="attempt_timeout must be"):
        resilient(attempt_timeout=value)
