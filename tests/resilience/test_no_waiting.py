"""`no_waiting`: sleeps that cost nothing, on a clock whose arithmetic still holds."""

from __future__ import annotations

import asyncio
import threading
import time

import freezegun
import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    DeadlineExceededError,
    KeyPool,
    _clock,
    batched,
    circuit_breaker,
    deadline,
    retry,
)
from resilience._timers import Timers
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import HttpError, failing
from tests.support.queues import Held


def frozen():
    """Real time that stands still, so that only sleeps move the clock; loops need the real one."""
    return freezegun.freeze_time("2026-01-01", real_asyncio=True)


def pause(run, seconds):
    """Sleep in the flavour of the run: blocks, or returns what is to be awaited."""
    return (_clock.sleep if run.flavour == "sync" else _clock.sleep_async)(seconds)


def test_a_sleep_moves_the_clock_instead_of_waiting(run):
    """An hour later by the clock, and by the date, nothing was waited for."""
    with frozen(), no_waiting():
        now, wall = _clock.now(), _clock.wall()
        for _ in range(60):
            run.call(pause, run, 60)

        assert 3600 == _clock.now() - now
        assert 3600 == _clock.wall() - wall


@pytest.mark.parametrize("seconds", [0, -5])
def test_a_sleep_of_nothing_moves_nothing(run, seconds):
    """Time never goes backwards."""
    with frozen(), no_waiting():
        now = _clock.now()
        run.call(pause, run, seconds)

        assert 0 == _clock.now() - now


def test_real_time_goes_on():
    """What really passes counts as well."""
    with frozen() as time_, no_waiting():
        now = _clock.now()
        _clock.sleep(10)
        time_.tick(5)

        assert 15 == _clock.now() - now


def test_an_hour_takes_milliseconds(run):
    """Without frozen time, too."""
    began = time.perf_counter()
    with no_waiting():
        for _ in range(60):
            run.call(pause, run, 60)

    assert time.perf_counter() - began < 1


def test_an_async_sleep_lets_others_run():
    """Each sleep gives the other tasks one turn."""

    async def main():
        order = []
        with no_waiting():
            asyncio.get_running_loop().call_soon(order.append, "other")
            await _clock.sleep_async(60)
        return [*order, "sleeper"]

    assert ["other", "sleeper"] == asyncio.run(main())


def test_sleeps_of_several_threads_add_up():
    """None is lost."""
    with frozen(), no_waiting():
        now = _clock.now()
        threads = [
            threading.Thread(target=lambda: [_clock.sleep(1) for _ in range(500)]) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 2000 == _clock.now() - now


def test_waiting_for_an_event_stays_real():
    """It ends with the event, not before; and its time-out is real."""
    event = threading.Event()
    with no_waiting():
        threading.Thread(target=event.set).start()
        _clock.wait(event, 3600)

        assert event.is_set()
        _clock.wait(threading.Event(), 0.001)


def test_a_timeout_stays_real():
    """A long time-out lets work end in time; a short one ends it."""

    async def main():
        with no_waiting():
            async with _clock.timeout(3600):
                await _clock.sleep_async(60)
            with pytest.raises(TimeoutError):
                async with _clock.timeout(0.001):
                    await asyncio.Event().wait()

    asyncio.run(main())


def test_it_stands_on_the_clock_that_holds():
    """Inside a fake clock its time is the fake one and what was slept."""
    with FakeClock(start=100) as clock:
        with no_waiting():
            _clock.sleep(60)

            assert 160 == _clock.now()
            assert 100 == clock.now
        assert 100 == _clock.now()


def test_the_clock_before_comes_back():
    """After leaving, also by an error, sleeps are real again."""
    with pytest.raises(KeyError), no_waiting():
        raise KeyError

    assert _clock.system is _clock.current


def test_it_holds_for_functions_made_before(run):
    """The clock is looked up at each call, not when a function is made."""
    function = run.decorate(lambda made: made, lambda: _clock.sleep(3600))
    with no_waiting():
        assert function() is None


def test_a_back_off_costs_nothing(run):
    """A retry sleeps, and the time that it slept has passed."""
    body = failing(*[OSError] * 5)
    with frozen(), no_waiting():
        began = _clock.now()
        run.decorate(retry(jitter=0), body)()

        assert [0, 1, 3, 7, 15, 31] == [moment - began for moment in body.times]


def test_a_key_that_rests_costs_nothing(run):
    """A pool that waits for one does nothing but sleep."""
    pool = KeyPool(["a"], wait=True)
    body = failing(HttpError(429, {"Retry-After": "30"}))
    fetch = run.decorate(pool, lambda api_key: body())
    with frozen(), no_waiting():
        with pytest.raises(HttpError):
            fetch()
        began = _clock.now()

        assert "done" == fetch()
        assert 30 == _clock.now() - began


def test_a_deadline_comes_before_a_key_that_rests(run):
    """It is slept for no longer than there is time."""
    pool = KeyPool(["a"], wait=True)
    fetch = run.decorate(pool, failing_with(HttpError(429, {"Retry-After": "30"})))
    with frozen(), no_waiting():
        with pytest.raises(HttpError):
            fetch()
        with pytest.raises(DeadlineExceededError), deadline(10):
            fetch()


def failing_with(error):
    """A body that takes a key and fails always."""
    body = failing(then=error)
    return lambda api_key: body()


def test_an_open_circuit_stays_open(run):
    """Nobody sleeps, so no time passes; what is slept elsewhere counts."""
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=30)
    fetch = run.decorate(circuit_breaker(breaker), failing(OSError))
    with frozen(), no_waiting():
        with pytest.raises(OSError, match="scripted"):
            fetch()
        with pytest.raises(CircuitOpenError):
            fetch()
        _clock.sleep(30)

        assert "done" == fetch()


def test_a_permit_is_waited_for_until_it_comes(run):
    """A queue waits for somebody else, not for the time: no time-out ends that early."""
    held = Held(run, queue_timeout=3600)
    with no_waiting():
        first, second = held.start("first"), held.start("second")
        run.until(lambda: 1 == held.queue.size)

        assert ["first", "second"] == held.let_all_go(first, second)


def test_a_batch_that_is_not_full_is_flushed(run):
    """After `batch_timeout` of real time, which is short: nothing hangs."""
    double = run.decorate(batched(batch_timeout=0.001), lambda items: [2 * item for item in items])
    with no_waiting():
        assert 4 == double(2)


def test_a_batch_is_flushed_after_the_block_as_well(run):
    """The clock goes back on leaving; who waited since before that is not forgotten."""
    double = run.decorate(batched(batch_timeout=0.05), lambda items: [2 * item for item in items])
    with no_waiting():
        _clock.sleep(3600)
        call = run.start(double, 2)
        run.until(lambda: call.done() or double.batcher.waiting > 0)

    assert 4 == call.result()


def test_a_submitted_item_is_flushed_after_the_block_as_well():
    """The timer that sees to it follows the clock back."""
    double = batched(batch_timeout=0.05)(lambda items: [2 * item for item in items])
    with no_waiting():
        _clock.sleep(3600)
        future = double.submit(2)

    assert 4 == future.result(10)


def test_a_timer_does_not_outlast_a_clock_that_goes_back_while_it_is_looked_at():
    """It waits no longer than it was set for, though it was looked at in the time of the block."""
    looked, left, called = threading.Event(), threading.Event(), threading.Event()

    class SlowTimers(Timers):
        """Timers whose thread looks in the block, and waits after it."""

        def _pop_due(self):
            call = super()._pop_due()
            if self._heap:
                looked.set()
                left.wait()
            return call

    with no_waiting():
        _clock.sleep(3600)
        timers = SlowTimers()
        timers.at(_clock.now() + 0.05, called.set)
        looked.wait()
    timers._changed.clear()  # as if the thread had been there before: it has seen the change
    left.set()

    assert called.wait(10)
