"""`FakeClock` with tasks: one loop, several loops in threads, loops and threads together.

Where a test is `patient`, the grace of real time is endless, as in the tests with threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import random
import socket
import threading

import pytest

from resilience import _clock, _fake_autojump
from resilience.testing import FakeClock


@pytest.fixture
def patient(monkeypatch):
    """Make the grace endless."""
    monkeypatch.setattr(_fake_autojump, "_LOOKS", (0.001,) * 1_000_000)
    monkeypatch.setattr(_fake_autojump, "_GRACE", 1_000)


def planned(clock):
    """The earliest thing that the clock would move to."""
    return clock._clock.moves._wakeups.earliest()


async def rounds(number):
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


def in_loops(*mains):
    """Run each coroutine function in a loop and a thread of its own; wait for them on the clock."""
    over, results = [threading.Event() for _ in mains], {}

    def target(number, main):
        try:
            results[number] = asyncio.run(main())
        finally:
            over[number].set()

    threads = [threading.Thread(target=target, args=pair) for pair in enumerate(mains)]
    for thread in threads:
        thread.start()
    for event in over:
        _clock.wait(event, None)
    for thread in threads:
        thread.join()
    return [results[number] for number in range(len(mains))]


@pytest.mark.usefixtures("patient")
def test_tasks_wake_in_the_order_of_time():
    """When all tasks sleep, time goes to the first that is to wake."""

    async def main():
        woken = []

        async def sleeper(seconds):
            for _ in range(3):
                await _clock.sleep_async(seconds)
            woken.append((seconds, _clock.now()))

        with FakeClock():
            await asyncio.gather(*(sleeper(seconds) for seconds in (7, 5, 3, 1)))
        return woken

    assert [(1, 3), (3, 9), (5, 15), (7, 21)] == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_time_stands_still_while_a_task_works():
    """A hand-over through many tasks is no reason to move."""

    async def main():
        with FakeClock() as clock:
            queue: asyncio.Queue[int] = asyncio.Queue(1)

            async def producer():
                for number in range(200):
                    await queue.put(number)
                    _clock.now()

            sleeper = asyncio.ensure_future(_clock.sleep_async(60))
            task = asyncio.ensure_future(producer())
            for _ in range(20):
                await queue.get()
            at = clock.now
            task.cancel()
            await sleeper
            return at, clock.now

    assert (0, 60) == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_a_task_that_gives_way_for_ever_holds_nobody_up():
    """A task that polls with `sleep(0)` has nothing to do with time."""

    async def main():
        with FakeClock() as clock:
            sleeper = asyncio.ensure_future(_clock.sleep_async(60))
            while not sleeper.done():  # noqa: ASYNC110 - polling is what is tested
                await asyncio.sleep(0)
            return clock.now

    assert 60 == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_a_cancelled_sleep_never_moves_time():
    """Its wake-up is dropped at once."""

    async def main():
        with FakeClock() as clock:
            task = asyncio.ensure_future(_clock.sleep_async(5))
            await asyncio.sleep(0)
            before = planned(clock)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return before.deadline, planned(clock), clock.now

    assert (5, None, 0) == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_a_cancelled_timer_never_moves_time_nor_runs():
    """Neither when it is cancelled early, nor when it has been fired but has not run yet."""

    async def main():
        loop, calls = asyncio.get_running_loop(), []
        with FakeClock() as clock:
            early = _clock.call_later(loop, 5, lambda: calls.append("early"))
            early.cancel()
            early.cancel()
            await _clock.sleep_async(10)
            late = _clock.call_later(loop, 5, lambda: calls.append("late"))
            clock.advance(5)
            late.cancel()
            await _clock.sleep_async(10)
            return calls, clock.now

    assert ([], 25) == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_a_sleep_that_is_cancelled_as_it_ends_is_cancelled():
    """Between its end and the task's turn, a cancellation wins, and nothing complains."""

    async def main():
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
        with FakeClock() as clock:
            task = asyncio.ensure_future(_clock.sleep_async(5))
            await asyncio.sleep(0)
            clock.advance(5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        return complaints

    assert [] == asyncio.run(main())


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("seconds", [0, -1])
def test_a_timer_of_nothing_runs_at_once(seconds):
    """In the next round of the loop, without moving time."""

    async def main():
        loop, calls = asyncio.get_running_loop(), []
        with FakeClock() as clock:
            _clock.call_later(loop, seconds, lambda: calls.append(clock.now))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return calls

    assert [0] == asyncio.run(main())


def test_a_timer_runs_in_its_loop_and_context():
    """In the loop's thread, with the context variables of whoever set it."""
    variable = contextvars.ContextVar("variable", default="outside")

    async def main():
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def callback():
            done.set_result((variable.get(), threading.get_ident(), clock.now))

        with FakeClock() as clock:
            variable.set("set")
            _clock.call_later(loop, 60, callback)
            variable.set("moved")
            await asyncio.to_thread(clock.advance, 60)
            return await done

    assert ("set", threading.get_ident(), 60) == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_real_work_ends_before_its_timeout():
    """An answer that comes over a socket beats a time-out of fake time."""

    async def main():
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with here, there, FakeClock() as clock:
            here.setblocking(False)
            async with _clock.timeout(60):
                reading = asyncio.ensure_future(loop.sock_recv(here, 100))
                await _clock.sleep_async(1)
                await asyncio.to_thread(there.send, b"answer")
                return await reading, clock.now

    assert (b"answer", 1) == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_whoever_sleeps_when_it_is_left_is_woken():
    """Tasks and timers that are left behind run as if their time had come."""

    async def main():
        loop, calls = asyncio.get_running_loop(), []
        with FakeClock():
            task = asyncio.ensure_future(_clock.sleep_async(3600))
            _clock.call_later(loop, 7200, lambda: calls.append("timer"))
            late = _clock.sleep_async(60)
            await asyncio.sleep(0)
        await task
        await late
        return calls

    assert ["timer"] == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_a_loop_that_was_closed_leaves_no_moments_behind():
    """What a dead loop had planned does not stop time on its way."""

    async def main():
        _clock.call_later(asyncio.get_running_loop(), 5, list)

    with FakeClock() as clock:
        asyncio.run(main())

        assert planned(clock) is None


@pytest.mark.usefixtures("patient")
def test_advance_survives_a_loop_that_was_closed():
    """Nobody is there to be woken, and nothing is raised."""

    async def main():
        _clock.call_later(asyncio.get_running_loop(), 5, list)

    with FakeClock() as clock:
        asyncio.run(main())
        clock.advance(10)

        assert 10 == clock.now


@pytest.mark.usefixtures("patient")
def test_one_clock_serves_loop_after_loop():
    """Two loops that take turns in a thread, each stopped and run again."""

    async def main(seconds):
        await _clock.sleep_async(seconds)
        return _clock.now()

    with FakeClock(), asyncio.Runner() as first, asyncio.Runner() as second:
        moments = [runner.run(main(10)) for runner in (first, second, first, second)]

    assert [10, 20, 30, 40] == moments


@pytest.mark.usefixtures("patient")
def test_a_loop_that_was_stopped_early_spoils_no_later_one():
    """A loop that ended while the clock was asking it leaves the next one to be asked."""

    async def leaving():
        task = asyncio.ensure_future(_clock.sleep_async(5))
        await asyncio.sleep(0)
        task.cancel()

    with FakeClock() as clock:
        asyncio.run(leaving())
        asyncio.run(_clock.sleep_async(10))

        assert 10 == clock.now


@pytest.mark.usefixtures("patient")
def test_a_loop_that_changes_its_thread_answers_for_the_new_one_alone():
    """What it was asked in its old thread is no answer for the loop that runs there now."""
    seen, moved = [], asyncio.new_event_loop()

    async def leaving():
        moved.create_task(_clock.sleep_async(5))
        await asyncio.sleep(0)

    async def busy(clock):
        await _clock.sleep_async(0.5)
        thread = threading.Thread(target=moved.run_until_complete, args=(rounds(200),))
        thread.start()
        thread.join()  # blocks this loop, so that time must not move
        seen.append(clock.now)

    with contextlib.closing(moved), FakeClock() as clock:
        moved.run_until_complete(leaving())
        asyncio.run(busy(clock))
        moved.run_until_complete(rounds(200))

    assert [0.5] == seen


@pytest.mark.usefixtures("patient")
def test_a_sleep_that_blocks_the_loop_moves_time():
    """A thread that sleeps waits, even if it runs a loop with work to do."""

    async def main():
        with FakeClock() as clock:
            task = asyncio.ensure_future(_clock.sleep_async(5))
            await asyncio.sleep(0)
            _clock.sleep(10)
            at = clock.now
            await task
            return at, clock.now

    assert (10, 10) == asyncio.run(main())


@pytest.mark.usefixtures("patient")
def test_loops_in_threads_share_the_time():
    """Time goes to the first wake-up of any loop, once all have nothing to do."""

    def sleeper(seconds):
        async def main():
            for _ in range(3):
                await _clock.sleep_async(seconds)
            return _clock.now()

        return main

    with FakeClock():
        assert [21, 15, 9, 3] == in_loops(*(sleeper(seconds) for seconds in (7, 5, 3, 1)))


@pytest.mark.usefixtures("patient")
def test_a_hand_over_from_a_thread_comes_before_time_moves():
    """A loop that a thread has woken runs before the thread's next sleep is over."""
    seen = []

    async def main():
        loop = asyncio.get_running_loop()
        with FakeClock():
            await _clock.sleep_async(1)
            futures = [loop.create_future() for _ in range(50)]

            def thread():
                for future in futures:
                    _clock.sleep(1)
                    loop.call_soon_threadsafe(future.set_result, _clock.now())

            work = asyncio.ensure_future(asyncio.to_thread(thread))
            for future in futures:
                sent = await future
                seen.append(_clock.now() - sent)
            await work

    asyncio.run(main())

    assert [0] * 50 == seen


@pytest.mark.usefixtures("patient")
def test_a_hand_over_between_loops_comes_before_time_moves():
    """The same between two loops, each in its thread."""
    ready, box, seen = threading.Event(), [], []

    async def receiver():
        loop = asyncio.get_running_loop()
        await _clock.sleep_async(0.5)
        box.extend((loop, loop.create_future()) for _ in range(30))
        ready.set()
        for _, future in box:
            sent = await future
            seen.append(_clock.now() - sent)

    async def sender():
        _clock.wait(ready, None)
        for loop, future in box:
            await _clock.sleep_async(1)
            loop.call_soon_threadsafe(future.set_result, _clock.now())

    with FakeClock():
        in_loops(receiver, sender)

    assert [0] * 30 == seen


@pytest.mark.usefixtures("patient")
def test_a_loop_that_has_answered_is_heard_again():
    """A loop that is woken by another one, after it had nothing to do, is given its turn."""
    asleep, idle, gate = threading.Event(), threading.Event(), threading.Event()
    shared, seen = [], []

    async def receiver():
        loop = asyncio.get_running_loop()
        shared.extend([loop, loop.create_future()])
        asleep.wait()
        sleeper = asyncio.ensure_future(_clock.sleep_async(30))
        await rounds(200)  # long enough to be found idle
        idle.set()
        await shared[1]
        gate.wait()  # it works, for as long as the other loop needs to be found idle
        seen.append(_clock.now())
        await sleeper

    async def sender():
        sleeper = asyncio.ensure_future(_clock.sleep_async(60))
        await asyncio.sleep(0)
        asleep.set()
        idle.wait()  # blocks this loop, so that time cannot move before
        shared[0].call_soon_threadsafe(shared[1].set_result, None)
        await rounds(200)
        gate.set()
        await sleeper

    with FakeClock():
        in_loops(receiver, sender)

    assert [0] == seen


@pytest.mark.usefixtures("patient")
def test_a_thread_that_wakes_a_loop_and_ends_counts_to_its_end():
    """What a thread did with its last breath is done before time moves."""
    gate, seen = threading.Event(), []

    async def main(clock):
        loop, moves = asyncio.get_running_loop(), clock._clock.moves
        future = loop.create_future()

        def thread():
            _clock.sleep(1)
            party = next(p for p in moves.parties._known.values() if p.loop is loop)
            while party.idle_at != moves._activity:  # the loop has nothing to do
                threading.Event().wait(0)
            loop.call_soon_threadsafe(future.set_result, None)

        worker = threading.Thread(target=thread)
        worker.start()
        sleeper = asyncio.ensure_future(_clock.sleep_async(60))
        await future
        worker.join()
        looks, drop_dead = [], moves.parties.drop_dead
        moves.parties.drop_dead = lambda: looks.append(1) or drop_dead()
        while len(looks) < 5:  # it works, while the thread in `in_loops` looks for a way to move
            gate.wait(0)
        seen.append(clock.now)
        await sleeper

    with FakeClock() as clock:
        in_loops(lambda: main(clock))

    assert [1] == seen


def test_the_grace_begins_anew_when_somebody_stirs():
    """A wait that ends is a sign of work, which may end others: a time-out gives it its time."""

    async def main():
        loop = asyncio.get_running_loop()
        with FakeClock(autojump=True) as clock:
            moves = clock._clock.moves
            _clock.call_later(loop, 60, list)
            answered = _clock.call_later(loop, 30, list)
            seen = moves._activity
            answered.cancel()
            moves._end_grace(seen)
            return clock.now

    assert 0 == asyncio.run(main())


def test_a_timeout_comes_after_another_one_was_not_needed():
    """Real work that ends in time does not keep the clock from giving up on the rest."""

    async def answer(future):
        with contextlib.suppress(TimeoutError):
            async with _clock.timeout(30):
                await future

    async def main():
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        with FakeClock() as clock:
            task = asyncio.ensure_future(answer(future))

            def work():
                moves = clock._clock.moves
                party = next(p for p in moves.parties._known.values() if p.loop is loop)
                while party.idle_at != moves._activity and clock.now == 0:
                    threading.Event().wait(0)
                loop.call_soon_threadsafe(lambda: future.done() or future.set_result(None))

            with pytest.raises(TimeoutError):
                async with _clock.timeout(60):
                    await asyncio.gather(task, asyncio.to_thread(work), asyncio.Event().wait())
            return clock.now

    assert 60 == asyncio.run(main())


def test_a_loop_that_is_blocked_hangs_nobody():
    """A loop whose thread is stuck in a lock is left out after a grace."""
    lock = threading.Lock()

    async def stuck():
        await _clock.sleep_async(1)
        with lock:
            return _clock.now()

    def holder():
        with lock:
            _clock.sleep(5)
            _clock.sleep(5)

    with FakeClock() as clock:
        thread = threading.Thread(target=holder)
        thread.start()
        moment = asyncio.run(stuck())
        thread.join()

        assert clock.now == moment == 10


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("seed", range(5))
def test_random_cancellation_leaves_nothing_behind(seed):
    """Whoever is not cancelled wakes exactly when it should; nothing stays planned."""
    random_ = random.Random(seed)

    async def sleeper(seconds):
        for _ in range(4):
            began = _clock.now()
            await _clock.sleep_async(seconds)
            assert began + seconds == _clock.now()

    async def main():
        tasks = [asyncio.ensure_future(sleeper(random_.randint(1, 9))) for _ in range(30)]
        for task in random_.sample(tasks, 15):
            await _clock.sleep_async(random_.choice([0, 0.5, 1, 2]))
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    with FakeClock() as clock:
        in_loops(main, main)

        assert planned(clock) is None
        assert 4 <= clock.now <= 66
