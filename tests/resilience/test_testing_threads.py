"""`FakeClock` with several threads: when it jumps, how far, and that it never hangs.

Most tests here are `patient`: the grace of real time is longer than a test may last, so that time
moves only where the clock is sure; what should move at once and does not fails as a hang.
"""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience import _clock, _fake_autojump
from resilience.testing import FakeClock


@pytest.fixture
def patient(monkeypatch):
    """Make the grace endless, and see to it that threads of other tests do not call for one."""
    others = set(threading.enumerate()) - {threading.current_thread()}
    monkeypatch.setattr(_fake_autojump, "_LOOKS", (0.001,) * 1_000_000)
    monkeypatch.setattr(threading, "active_count", lambda: len({*threading.enumerate()} - others))


def run_all(*bodies):
    """Run each body in a thread, wait for them on the clock, hand on their first error."""
    over, errors, left = threading.Event(), [], list(bodies)

    def target(body):
        try:
            body()
        except BaseException as error:
            errors.append(error)
        finally:
            left.pop()
            if not left:
                over.set()

    threads = [threading.Thread(target=target, args=(body,), daemon=True) for body in bodies]
    for thread in threads:
        thread.start()
    _clock.wait(over, None)
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


@pytest.mark.usefixtures("patient")
def test_threads_wake_in_the_order_of_time():
    """Time goes from one wake-up to the next, and each sleeper sees its own moment."""
    woken = []

    def sleeper(seconds):
        def body():
            for _ in range(3):
                _clock.sleep(seconds)
            woken.append((seconds, _clock.now()))

        return body

    with FakeClock():
        run_all(*(sleeper(seconds) for seconds in (7, 5, 3, 1)))

    assert [(1, 3), (3, 9), (5, 15), (7, 21)] == woken


@pytest.mark.usefixtures("patient")
def test_a_thread_that_has_been_started_is_counted_before_it_sleeps():
    """The first sleeper does not run away with the time while others are on their way."""
    woken = []

    def late():
        sum(range(100_000))  # busy, and not yet known by any sleep
        _clock.sleep(1)
        woken.append(_clock.now())

    with FakeClock():
        run_all(lambda: _clock.sleep(10), late)

    assert [1] == woken


@pytest.mark.usefixtures("patient")
def test_threads_from_before_are_not_counted():
    """A thread of somebody else's, which knows nothing of the clock, does not hold it up."""
    event = threading.Event()
    thread = threading.Thread(target=event.wait)
    thread.start()
    with FakeClock() as clock:
        _clock.sleep(5)

        assert 5 == clock.now
    event.set()
    thread.join()


@pytest.mark.usefixtures("patient")
def test_a_thread_from_before_counts_from_its_first_sleep():
    """Whoever has waited on the clock is one of those who wait."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with FakeClock() as clock:
            over = threading.Event()

            def body():
                _clock.sleep(5)
                over.set()

            future = pool.submit(body)
            _clock.wait(over, None)
            future.result()

            assert 5 == clock.now


@pytest.mark.usefixtures("patient")
def test_an_event_ends_a_wait_at_once():
    """Who waits with a time-out goes on at the time at which another thread sets the event."""
    event, ended = threading.Event(), []

    def waiter():
        _clock.wait(event, 60)
        ended.append((event.is_set(), _clock.now()))

    def setter():
        _clock.sleep(5)
        event.set()
        _clock.sleep(100)

    with FakeClock() as clock:
        run_all(waiter, setter)

        assert [(True, 5)] == ended
        assert 105 == clock.now


@pytest.mark.usefixtures("patient")
def test_a_wait_whose_event_is_set_holds_time_until_it_has_run():
    """Woken counts as running: in every round the waiter sees the setter's time."""
    events, seen = [threading.Event() for _ in range(200)], []

    def waiter():
        for event in events:
            _clock.wait(event, None)
            seen.append(_clock.now())

    def setter():
        for event in events:
            _clock.sleep(1)
            event.set()

    with FakeClock():
        run_all(waiter, setter)

    assert list(range(1, 201)) == seen


@pytest.mark.usefixtures("patient")
def test_a_timeout_that_was_not_needed_never_moves_time():
    """After the event the time-out is forgotten."""
    event = threading.Event()
    with FakeClock() as clock:
        run_all(lambda: _clock.wait(event, 60), event.set)
        _clock.sleep(1)

        assert 1 == clock.now


@pytest.mark.usefixtures("patient")
def test_when_every_thread_waits_a_timeout_comes_at_once():
    """With nobody left to set the event there is no need of a grace."""
    with FakeClock() as clock:
        _clock.wait(threading.Event(), 60)

        assert 60 == clock.now


@pytest.mark.usefixtures("patient")
def test_real_work_ends_before_its_timeout():
    """A thread that the clock does not know may still set the event: fake time gives it time."""
    event, began = threading.Event(), threading.Event()

    def work():
        began.wait()
        for _ in range(50):
            time.sleep(0)
        event.set()

    thread = threading.Thread(target=work)
    thread.start()
    with FakeClock() as clock:
        began.set()
        _clock.wait(event, 60)

        assert event.is_set()
        assert 0 == clock.now
    thread.join()


@pytest.mark.usefixtures("patient")
def test_a_sleep_goes_before_a_timeout_of_the_same_moment():
    """A thread that sets the event at the last moment is woken without a grace."""
    event, over = threading.Event(), threading.Event()

    def setter():
        _clock.sleep(60)
        event.set()

    thread = threading.Thread(target=over.wait)  # for which a time-out would have to give a grace
    thread.start()
    with FakeClock() as clock:
        run_all(lambda: _clock.wait(event, 60), setter)

        assert 60 == clock.now
    over.set()
    thread.join()


def test_a_thread_that_is_blocked_elsewhere_hangs_nobody():
    """A known thread in a join, and another one at a lock, are left out after a grace."""
    lock = threading.Lock()

    def holder():
        with lock:
            for _ in range(5):
                _clock.sleep(60)

    def contender():
        _clock.sleep(1)
        with lock:
            _clock.sleep(60)

    with FakeClock() as clock:
        _clock.sleep(1)
        threads = [threading.Thread(target=body) for body in (holder, contender)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert clock.now >= 1 + 5 * 60


def test_a_timeout_ends_a_wait_while_others_are_busy_elsewhere():
    """After the grace a time-out comes, although a thread might still set the event."""
    event = threading.Event()
    with FakeClock() as clock:
        thread = threading.Thread(target=_clock.wait, args=(event, 60))
        thread.start()
        thread.join()

        assert 60 == clock.now


def test_the_grace_is_paid_once():
    """Whoever has been away for a grace is not waited for again until it shows up."""
    began = time.perf_counter()
    with FakeClock() as clock:
        thread = threading.Thread(target=lambda: [_clock.sleep(60) for _ in range(500)])
        thread.start()
        thread.join()

        assert 30_000 == clock.now
    assert time.perf_counter() - began < 2  # 500 graces would take 7 s


def test_whoever_reads_the_clock_is_counted_again():
    """A thread that was away shows up by asking for the time."""
    with FakeClock() as clock:
        party = clock._clock.moves.parties.current()
        thread = threading.Thread(target=_clock.sleep, args=(60,))
        thread.start()
        thread.join()

        assert party.away
        _clock.now()
        assert not party.away


@pytest.mark.usefixtures("patient")
def test_a_thread_that_ends_is_not_waited_for():
    """Of two sleepers the one that stays goes on as soon as the other one has ended."""
    with FakeClock() as clock:
        run_all(lambda: _clock.sleep(1), lambda: [_clock.sleep(3) for _ in range(50)])

        assert 150 == clock.now


@pytest.mark.usefixtures("patient")
def test_an_error_in_one_thread_leaves_the_others_alone():
    """Its sleep is over, theirs go on."""

    def failing():
        _clock.sleep(1)
        raise KeyError

    with FakeClock() as clock:
        with pytest.raises(KeyError):
            run_all(failing, lambda: _clock.sleep(60))

        assert 60 == clock.now


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("seed", range(10))
def test_random_interleavings(seed):
    """Whoever sleeps wakes exactly when it should, whoever waits at the event or the time-out."""
    random_ = random.Random(seed)
    events = [threading.Event() for _ in range(12)]
    plans = [
        [(random_.choice("swwe"), random_.choice(events), random_.randint(1, 9)) for _ in range(12)]
        for _ in range(6)
    ]

    def body(plan):
        def steps():
            for kind, event, seconds in plan:
                began = _clock.now()
                if kind == "s":
                    _clock.sleep(seconds)
                    assert began + seconds == _clock.now()
                elif kind == "w":
                    _clock.wait(event, seconds)
                    assert event.is_set() or began + seconds == _clock.now()
                    assert began + seconds >= _clock.now()
                else:
                    event.set()
                    assert began == _clock.now()

        return steps

    with FakeClock() as clock:
        run_all(*(body(plan) for plan in plans))

        assert 0 < clock.now <= 9 * 12
        assert clock._clock.moves._wakeups.earliest() is None
