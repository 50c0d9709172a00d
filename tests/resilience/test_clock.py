"""The clock seam: real time, another clock in its place, and time-outs on whichever holds."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from types import SimpleNamespace

import freezegun
import pytest

from resilience import _clock
from resilience.testing import FakeClock


@pytest.fixture
def slept(monkeypatch):
    """What this thread asked of `time.sleep`, which returns at once.

    Those of other libraries, which an earlier test has left behind, sleep on.
    """
    calls: list[float] = []
    me, sleep = threading.get_ident(), time.sleep

    def take(seconds: float) -> None:
        (calls.append if threading.get_ident() == me else sleep)(seconds)

    monkeypatch.setattr(time, "sleep", take)
    return calls


class Still(_clock.SystemClock):
    """A clock that shows 7."""

    def now(self):
        """Always the same."""
        return 7.0


def test_now_is_monotonic_time_and_wall_is_the_date(monkeypatch):
    """Both ask the module `time` at the moment of the call."""
    monkeypatch.setattr(time, "monotonic", lambda: 12.5)
    monkeypatch.setattr(time, "time", lambda: 99.5)

    assert (12.5, 99.5) == (_clock.now(), _clock.wall())


def test_now_costs_one_frame():
    """Between the caller and `time.monotonic` stands one Python function."""
    frames = []

    def profile(frame, event, argument):
        if event == "call":
            frames.append(frame.f_code.co_name)

    sys.setprofile(profile)
    try:
        _clock.now()
    finally:
        sys.setprofile(None)

    assert ["now"] == frames


def test_freezegun_moves_now_and_wall():
    """In frozen time both stand still until a tick moves them."""
    with freezegun.freeze_time("2026-01-01") as frozen:
        now, wall = _clock.now(), _clock.wall()
        frozen.tick(30)

        assert 1767225600 == wall
        assert (30, 30) == (_clock.now() - now, _clock.wall() - wall)


def test_the_source_shows_what_now_shows():
    """The hot path asks it: real time, frozen time, and whatever clock is installed."""
    with freezegun.freeze_time("2026-01-01") as frozen:
        before = _clock.source.monotonic()
        frozen.tick(30)

        assert (before + 30, before + 30) == (_clock.source.monotonic(), _clock.now())

        with FakeClock(start=5) as clock:
            clock.advance(2)

            assert 7 == _clock.source.monotonic()

        assert before + 30 == _clock.source.monotonic()

    assert time is _clock.source


def test_sleep_sleeps(slept):
    """A thread sleeps for the seconds that were asked for."""
    _clock.sleep(2.5)

    assert [2.5] == slept


@pytest.mark.parametrize("seconds", [0, -1, -0.001])
def test_no_sleep_of_nothing(slept, seconds):
    """`time.sleep` is not asked for 0, which is slow, nor for less, which is an error."""
    _clock.sleep(seconds)

    assert [] == slept


@pytest.mark.parametrize("seconds", [0, -1])
def test_an_async_sleep_of_nothing_lets_others_run(seconds):
    """For 0 or less the other tasks get one turn."""

    async def main():
        order = []
        asyncio.get_running_loop().call_soon(order.append, "other")
        await _clock.sleep_async(seconds)
        return [*order, "sleeper"]

    assert ["other", "sleeper"] == asyncio.run(main())


def test_an_async_sleep_asks_the_loop(monkeypatch):
    """A task sleeps for the seconds that were asked for."""
    calls = []

    async def sleep(seconds):
        calls.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(_clock.sleep_async(2.5))

    assert [2.5] == calls


def test_wait_ends_with_the_event():
    """An event that another thread sets ends the wait, whatever its time-out."""
    for timeout in (None, 3600):
        event = threading.Event()
        threading.Thread(target=event.set).start()
        _clock.wait(event, timeout)

        assert event.is_set()


@pytest.mark.parametrize("timeout", [1e12, float("inf")])
def test_wait_takes_a_timeout_of_for_ever(timeout):
    """What is longer than a lock can wait for becomes the longest that it can."""
    asked = []

    class Event(threading.Event):
        def wait(self, timeout=None):
            asked.append(timeout)

    _clock.wait(Event(), timeout)

    assert [threading.TIMEOUT_MAX] == asked


@pytest.mark.parametrize("timeout", [0, -1, 1e-6])
def test_wait_ends_with_the_time(timeout):
    """The time-out ends the wait and leaves the event alone."""
    event = threading.Event()
    _clock.wait(event, timeout)

    assert not event.is_set()


def test_call_later_sets_a_timer_of_the_loop():
    """The callback runs in the loop, unless it is cancelled before."""

    async def main():
        loop, calls = asyncio.get_running_loop(), []
        done = loop.create_future()
        _clock.call_later(loop, 0, lambda: calls.append("cancelled")).cancel()
        _clock.call_later(loop, 0, lambda: done.set_result(threading.get_ident()))
        return await done, calls

    assert (threading.get_ident(), []) == asyncio.run(main())


def test_install_puts_every_name_in_place_and_returns_the_clock_before():
    """All functions of the module are the new clock's, until the old one is put back."""
    clock = Still()
    previous = _clock.install(clock)
    try:
        names = ["now", "wall", "sleep", "sleep_async", "wait", "call_later"]

        assert [getattr(clock, name) for name in names] == [getattr(_clock, n) for n in names]
        assert 7 == _clock.now()
        assert clock is _clock.current
    finally:
        installed = _clock.install(previous)

    assert clock is installed
    assert _clock.system is _clock.current is previous
    assert _clock.system.now == _clock.now


@pytest.fixture(params=["system", "fake"])
def scope(request):
    """A time-out of nothing and of an hour, on the real clock and on a fake one."""
    times = SimpleNamespace(short=0.001, long=3600)
    if request.param == "system":
        yield times
    else:
        with FakeClock():
            yield times


async def forever():
    """Wait for what never comes."""
    await asyncio.Event().wait()


def test_timeout_ends_what_takes_too_long(scope):
    """Expiry is a `TimeoutError`, and the task goes on uncancelled."""

    async def main():
        with pytest.raises(TimeoutError):
            async with _clock.timeout(scope.short):
                await forever()
        await asyncio.sleep(0)
        return asyncio.current_task().cancelling()

    assert 0 == asyncio.run(main())


def test_timeout_of_nothing_ends_at_the_first_await(scope):
    """With no time left, what has to be waited for is not waited for."""

    async def main():
        with pytest.raises(TimeoutError):
            async with _clock.timeout(0):
                await forever()

    asyncio.run(main())


def test_timeout_lets_what_is_quick_pass(scope):
    """What ends in time gives its own result, or raises its own error."""

    async def main():
        async with _clock.timeout(scope.long):
            await asyncio.sleep(0)
        with pytest.raises(KeyError):
            async with _clock.timeout(scope.long):
                raise KeyError
        return "done"

    assert "done" == asyncio.run(main())


def test_timeout_passes_a_cancellation_from_outside_through(scope):
    """Cancelled is not timed out."""

    async def bounded():
        async with _clock.timeout(scope.long):
            await forever()

    async def main():
        task = asyncio.ensure_future(bounded())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    assert asyncio.run(main())


def test_the_shorter_of_two_timeouts_ends_its_own_part(scope):
    """An inner time-out leaves the outer one alone, and an outer one goes through an inner one."""

    async def main():
        ended = []
        async with _clock.timeout(scope.long):
            try:
                async with _clock.timeout(scope.short):
                    await forever()
            except TimeoutError:
                ended.append("inner")
        try:
            async with _clock.timeout(scope.short):
                try:
                    async with _clock.timeout(scope.long):
                        await forever()
                except TimeoutError:
                    ended.append("wrong")
        except TimeoutError:
            ended.append("outer")
        return ended

    assert ["inner", "outer"] == asyncio.run(main())


def test_a_timeout_on_a_fake_clock_takes_fake_time():
    """The error comes when the clock has moved by so much."""

    async def main():
        with FakeClock() as clock:
            with pytest.raises(TimeoutError):
                async with _clock.timeout(3600):
                    await forever()
            return clock.now

    assert 3600 == asyncio.run(main())


def test_a_timeout_that_is_not_needed_moves_no_fake_time():
    """Left in time, it is forgotten."""

    async def main():
        with FakeClock() as clock:
            async with _clock.timeout(3600):
                await _clock.sleep_async(1)
            return clock.now, clock._clock.moves._wakeups.earliest()

    assert (1, None) == asyncio.run(main())
