"""`FakeClock` as its users see it: one thread or one task, by hand, nested, left."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time

import freezegun
import pytest

from resilience import _clock
from resilience.errors import SettingsError
from resilience.testing import FakeClock


def pause(run, seconds):
    """Sleep in the flavour of the run: blocks, or returns what is to be awaited."""
    return (_clock.sleep if run.flavour == "sync" else _clock.sleep_async)(seconds)


def _read():
    return _clock.now()


def wait_until_planned(clock, number):
    """Wait until so many wake-ups are planned by other threads."""
    while len(clock._clock.moves._wakeups._sorted) < number:
        time.sleep(0)


def count_looks(clock):
    """Give a list that grows whenever the clock looks whether it may move."""
    looks, earliest = [], clock._clock.moves._wakeups.earliest
    clock._clock.moves._wakeups.earliest = lambda: looks.append(1) or earliest()
    return looks


def test_a_sleep_takes_no_time_but_the_clocks(run):
    """With nobody else about, time jumps by exactly what is slept."""
    with FakeClock() as clock:
        for seconds in (1, 2, 4, 8, 0.5):
            run.call(pause, run, seconds)

        assert 15.5 == clock.now == _clock.now()


def test_an_hour_takes_milliseconds(run):
    """Sixty minutes of sleep are over at once."""
    began = time.perf_counter()
    with FakeClock() as clock:
        for _ in range(60):
            run.call(pause, run, 60)

        assert 3600 == clock.now
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_sleep_of_nothing_moves_nothing(run, seconds):
    """Time stands still for 0 and for less."""
    with FakeClock() as clock:
        run.call(pause, run, seconds)

        assert 0 == clock.now


def test_it_starts_where_it_is_told():
    """`start` is what it shows first."""
    with FakeClock(start=100) as clock:
        _clock.sleep(5)

        assert 105 == clock.now


@pytest.mark.parametrize("start", [float("nan"), float("inf"), "soon", None])
def test_a_bad_start_is_refused(start):
    """The error names the argument, the rule and the value."""
    with pytest.raises(SettingsError, match=r"^start must be a finite number of seconds, not "):
        FakeClock(start)


@pytest.mark.parametrize("seconds", [-1, -0.001, float("nan"), float("inf"), "5", None])
def test_time_cannot_be_set_back(seconds):
    """`advance` names argument, rule and value, and leaves time where it was."""
    with FakeClock(start=3) as clock:
        with pytest.raises(ValueError, match=r"^seconds must be a finite number of ") as caught:
            clock.advance(seconds)

        assert isinstance(caught.value, SettingsError)
        assert "seconds" == caught.value.setting
        assert "must be a finite number of seconds, at least 0" == caught.value.rule
        assert 3 == clock.now


def test_the_date_moves_along(run):
    """`wall` begins with the real date and goes as fast as the clock."""
    with freezegun.freeze_time("2026-01-01"):
        clock = FakeClock(start=50)
    with clock:
        run.call(pause, run, 90)

        assert 1767225600 + 90 == _clock.wall()


def test_it_holds_for_functions_made_before(run):
    """The clock is looked up at each call, not when a function is made."""
    function = run.decorate(lambda made: made, _read)
    with FakeClock(start=5):
        assert 5 == function()


def test_the_clock_before_comes_back():
    """After leaving, also by an error, real time is real again."""
    with pytest.raises(KeyError), FakeClock():
        raise KeyError

    assert _clock.system is _clock.current
    assert _clock.system.sleep == _clock.sleep


def test_they_nest():
    """The inner one holds while it is entered; the outer one has stood still meanwhile."""
    with FakeClock() as outer:
        _clock.sleep(1)
        with FakeClock(start=100) as inner:
            _clock.sleep(5)

            assert (1, 105) == (outer.now, inner.now)
        _clock.sleep(1)

        assert (2, 105) == (outer.now, inner.now)


def test_one_can_be_entered_again():
    """It goes on from where it stood; the inner leaving of one entered twice ends nothing."""
    clock = FakeClock()
    with clock:
        with clock:
            _clock.sleep(1)
        _clock.sleep(1)

        assert 2 == clock.now
    with clock:
        _clock.sleep(1)

        assert 3 == clock.now
    assert _clock.system is _clock.current


def test_they_can_be_left_in_any_order():
    """The latest that is still entered holds, and in the end the one before them all."""
    first, second = FakeClock(start=100), FakeClock(start=200)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)

    assert 200 == _clock.now()
    second.__exit__(None, None, None)
    assert _clock.system is _clock.current


def test_a_clock_of_ones_own_comes_back():
    """What is put back is what was there, not the real clock."""
    own = _clock.SystemClock()
    previous = _clock.install(own)
    try:
        with FakeClock():
            pass

        assert own is _clock.current
    finally:
        _clock.install(previous)


def test_by_hand_time_holds_still(run):
    """With `autojump=False` a sleeper sleeps until somebody advances the clock far enough."""
    with FakeClock(autojump=False) as clock:
        call = run.start(pause, run, 10)
        run.until(lambda: clock._clock.moves._wakeups._sorted)
        clock.advance(9)

        assert not call.done()
        clock.advance(1)
        call.result()
        assert 10 == clock.now


def test_advance_wakes_in_the_order_of_time():
    """Whoever is due first is woken first, whoever came first of those due together."""

    async def main():
        order = []

        async def sleep(seconds, name):
            await _clock.sleep_async(seconds)
            order.append(name)

        with FakeClock(autojump=False) as clock:
            sleepers = [(3, "d"), (1, "a"), (2, "b"), (2, "c"), (9, "never")]
            tasks = [asyncio.ensure_future(sleep(*sleeper)) for sleeper in sleepers]
            await asyncio.sleep(0)
            clock.advance(5)
            await asyncio.gather(*tasks[:4])
            tasks[4].cancel()
            return order

    assert ["a", "b", "c", "d"] == asyncio.run(main())


def test_advance_works_from_any_thread():
    """A thread that never waits may move the clock under those who do."""
    with FakeClock(autojump=False) as clock:
        helper = threading.Thread(target=lambda: (wait_until_planned(clock, 1), clock.advance(5)))
        helper.start()
        _clock.sleep(5)
        helper.join()

        assert 5 == clock.now


def test_advance_also_moves_a_clock_that_jumps():
    """Both may be used together."""
    with FakeClock() as clock:
        clock.advance(5)
        _clock.sleep(1)
        clock.advance(0)

        assert 6 == clock.now


def test_whoever_sleeps_when_it_is_left_is_woken(run):
    """No sleeper stays behind, as if its time had come."""
    with FakeClock(autojump=False) as clock:
        call = run.start(pause, run, 10)
        run.until(lambda: clock._clock.moves._wakeups._sorted)

    assert call.result() is None


def test_whoever_waits_with_a_timeout_when_it_is_left_is_woken():
    """The same for an event that never comes."""
    with FakeClock(autojump=False) as clock:
        thread = threading.Thread(target=_clock.wait, args=(threading.Event(), 10))
        thread.start()
        wait_until_planned(clock, 1)
    thread.join()

    assert not thread.is_alive()


def test_whoever_waits_for_ever_goes_on_when_it_is_left():
    """Without a time-out only the event ends a wait."""
    event, ends = threading.Event(), []
    with FakeClock() as clock:
        body = lambda: (_clock.wait(event, None), ends.append(event.is_set()))  # noqa: E731
        thread = threading.Thread(target=body)
        thread.start()
        wait_until_planned(clock, 1)
        party = clock._clock.moves.parties._known[thread]
    while party.blocked_on is not None:
        time.sleep(0)
    for _ in range(100):  # enough for the thread to come out, if it were to
        time.sleep(0)
    event.set()
    thread.join()

    assert [True] == ends


def test_a_clock_that_was_left_holds_nobody(run):
    """A sleep that was asked of it late is over at once."""
    with FakeClock(autojump=False):
        sleep = _clock.sleep if run.flavour == "sync" else _clock.sleep_async
    run.call(sleep, 3600)

    assert _clock.system is _clock.current


def test_an_infinite_sleep_never_moves_time(run):
    """It leaves time to the others, and with no others time stands still."""
    with FakeClock() as clock:
        call = run.start(pause, run, float("inf"))
        run.call(pause, run, 5)
        looks = count_looks(clock)
        if run.flavour == "sync":
            run.until(lambda: len(looks) > 9)

        assert 5 == clock.now
        assert not call.done()
    call.result()


def test_two_who_wait_for_ever_wait_for_ever():
    """When everybody waits for events, time has nowhere to go: somebody else must set them."""
    first, second = threading.Event(), threading.Event()
    with FakeClock() as clock:
        looks = count_looks(clock)

        def outside():
            while len(looks) <= 9:
                time.sleep(0)
            first.set()
            second.set()

        clock._clock.moves.parties._outside.add(helper := threading.Thread(target=outside))
        threads = [helper, threading.Thread(target=_clock.wait, args=(first, float("inf")))]
        for thread in threads:
            thread.start()
        _clock.wait(second, None)
        for thread in threads:
            thread.join()

        assert 0 == clock.now


def test_a_wait_for_an_event_that_is_set_takes_no_time():
    """Nor does one whose time is over before it begins."""
    with FakeClock() as clock:
        event = threading.Event()
        _clock.wait(event, 0)
        _clock.wait(event, -1)
        event.set()
        _clock.wait(event, 10)
        _clock.wait(event, None)

        assert 0 == clock.now


def test_time_never_goes_backwards():
    """Whatever is done to it, what it shows only grows."""
    random_ = random.Random(7)
    with FakeClock() as clock:
        shown = [clock.now]
        for _ in range(300):
            step = random_.choice([_clock.sleep, clock.advance])
            step(random_.choice([0, 1e-9, 0.1, 1 / 3, 1e6]))
            shown.append(clock.now)

        assert sorted(shown) == shown


def test_it_works_in_frozen_time():
    """Frozen time around it does not stop it."""
    with freezegun.freeze_time("2026-01-01"), FakeClock() as clock:
        _clock.sleep(5)
        _clock.wait(threading.Event(), 5)

        assert 10 == clock.now


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # that is what is tested
def test_a_forked_child_does_not_wait_for_its_parents_threads():
    """Neither a lock that was held nor a sleeper that is gone holds the child up."""
    with FakeClock() as clock:
        event, held, release = threading.Event(), threading.Event(), threading.Event()
        moves = clock._clock.moves

        def holder():
            with moves.lock:
                held.set()
                release.wait()

        threads = [
            threading.Thread(target=_clock.wait, args=(event, 10_000)),
            threading.Thread(target=holder),
        ]
        threads[0].start()
        wait_until_planned(clock, 1)
        threads[1].start()
        held.wait()
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(10)  # ends a child that hangs
                _clock.sleep(5)
            finally:
                os._exit(clock.now != 5 or moves._wakeups.earliest() is not None)
        release.set()
        event.set()
        for thread in threads:
            thread.join()

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
