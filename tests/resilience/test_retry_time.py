"""Long back-offs in no time, frozen time, time limits, and sleeping where one should not."""

from __future__ import annotations

import asyncio
import time
import warnings

import freezegun
import pytest

from resilience import _clock, deadline, retry
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import failing, gaps


def test_an_hour_of_back_off_takes_milliseconds(run):
    """Sixty retries of a minute each, on a clock that jumps."""
    body = failing(*[OSError] * 60)
    fetch = run.decorate(
        retry(max_retries=60, initial_retry_delay=60, backoff_factor=1, jitter=0), body
    )
    began = time.perf_counter()
    with FakeClock() as clock:
        assert "done" == fetch()

        assert 3600 == clock.now
    assert time.perf_counter() - began < 1


def test_many_calls_back_off_at_the_same_time(run):
    """Each waits for its own time; the clock jumps when all wait."""
    bodies = [failing(*[OSError] * 2) for _ in range(4)]
    with FakeClock() as clock:
        calls = [
            run.start(retry(jitter=0, initial_retry_delay=first)(run.function(body)))
            for first, body in enumerate(bodies, start=1)
        ]
        assert ["done"] * 4 == [call.result() for call in calls]

        assert 4 + 8 == clock.now
    assert [[1, 2], [2, 4], [3, 6], [4, 8]] == [gaps(body.times) for body in bodies]


def test_trap_7_frozen_time_limits_a_call(run):
    """`freezegun` moves the clock of `max_elapsed`, though the retry was made before."""
    body = failing(*[OSError] * 9)
    ticks = []

    def tick():
        ticks[0].tick(25)
        return body()

    fetch = run.decorate(retry(max_elapsed=60, initial_retry_delay=0), tick)
    with freezegun.freeze_time("2026-01-01", real_asyncio=True) as frozen:
        ticks.append(frozen)
        with pytest.raises(OSError, match="scripted") as caught:
            fetch()

    assert 3 == len(body.times)
    assert "would pass max_elapsed" in caught.value.__notes__[0]


def test_trap_7_time_that_goes_back_does_no_harm(run):
    """Freezing time in 1970 makes monotonic time jump back; a call under way goes on."""
    frozen = freezegun.freeze_time("1970-01-01", real_asyncio=True)
    outcomes = failing(OSError, OSError)

    def fetch():
        if len(outcomes.times) == 1:
            frozen.start()
        return outcomes()

    call = run.decorate(retry(max_elapsed=60, initial_retry_delay=0), fetch)
    try:
        assert "done" == call()
    finally:
        frozen.stop()


@pytest.mark.parametrize(
    ("max_elapsed", "times"), [(0.5, [0]), (1, [0]), (4, [0, 1, 3]), (7.1, [0, 1, 3, 7])]
)
def test_no_retry_begins_after_max_elapsed(run, max_elapsed, times):
    """Seconds since the call began, waits included; the error comes as soon as it is clear."""
    body = failing(*[OSError] * 9)
    fetch = run.decorate(retry(max_elapsed=max_elapsed, jitter=0), body)
    with FakeClock() as clock, pytest.raises(OSError, match="scripted"):
        fetch()

    assert (times, times[-1]) == (body.times, clock.now)


def test_the_time_that_attempts_take_counts(run):
    """`max_elapsed` is about the call, not about its back-off."""
    body = failing(*[OSError] * 9)

    def slow():
        _clock.sleep(20)
        return body()

    fetch = run.decorate(retry(max_elapsed=60, jitter=0), slow)
    with FakeClock(), pytest.raises(OSError, match="scripted"):
        fetch()

    assert [20, 41, 63] == body.times


def test_trap_16_a_sleep_in_a_running_loop_is_told_about_once():
    """A plain function in a coroutine stops the whole loop: the warning names the user's line."""
    fetch = retry(jitter=0)(failing(*[OSError] * 4))

    async def handler():
        return fetch()  # this line

    with (
        no_waiting(),
        pytest.warns(RuntimeWarning, match="sleeps inside a running event loop") as w,
    ):
        asyncio.run(handler())

    line = handler.__code__.co_firstlineno + 1
    assert [(__file__, line)] == [(warning.filename, warning.lineno) for warning in w]


@pytest.mark.parametrize(
    ("settings", "in_loop"),
    [({}, False), ({"initial_retry_delay": 0}, True)],
    ids=["thread", "0 s"],
)
def test_trap_16_a_harmless_sleep_is_not_told_about(settings, in_loop):
    """Neither outside of a loop, nor where nothing is waited for."""
    fetch = retry(**settings)(failing(OSError))

    async def handler():
        return fetch()

    with no_waiting(), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "done" == (asyncio.run(handler()) if in_loop else fetch())


def test_trap_16_a_thread_of_a_loop_may_sleep():
    """In `asyncio.to_thread` no loop runs: that is the way to do it."""
    fetch = retry(jitter=0)(failing(OSError))

    async def handler():
        return await asyncio.to_thread(fetch)

    with no_waiting():
        assert "done" == asyncio.run(handler())


def test_a_back_off_lets_other_tasks_run():
    """An awaited sleep gives the loop to the others."""
    order = []
    body = failing(OSError, OSError)

    @retry(jitter=0)
    async def fetch():
        order.append("fetch")
        return body()

    async def other():
        for _ in range(3):
            order.append("other")
            await _clock.sleep_async(1)

    async def main():
        await asyncio.gather(fetch(), other())

    with FakeClock(), deadline(60):
        asyncio.run(main())

    assert ["fetch", "other", "fetch", "other", "other", "fetch"] == order
