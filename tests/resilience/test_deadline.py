"""`deadline`: the seconds that everything inside has left; and `priority`, which nests alike."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import math
import threading
from dataclasses import dataclass

import pytest

from resilience import (
    DeadlineExceededError,
    Priority,
    RefusedError,
    SettingsError,
    circuit_breaker,
    deadline,
    prioritized,
    priority,
    resilient,
    retry,
)
from resilience._context import current_priority
from resilience.testing import FakeClock
from tests.support.faults import failing

DECORATORS = [retry, circuit_breaker, prioritized, resilient]


def test_what_is_left_runs_down():
    """Seconds, never below 0; None where there is no deadline."""
    with FakeClock() as clock:
        assert deadline.remaining() is None
        with deadline(10):
            clock.advance(4)
            assert 6 == deadline.remaining()
            clock.advance(7)
            assert 0 == deadline.remaining()
        assert deadline.remaining() is None


@pytest.mark.parametrize(("outer", "inner", "left"), [(10, 3, 3), (3, 10, 3), (5, 5, 5)])
def test_deadlines_nest(outer, inner, left):
    """The one that ends first wins, and the outer one is back afterwards."""
    with FakeClock(), deadline(outer):
        with deadline(inner):
            assert left == deadline.remaining()
        assert outer == deadline.remaining()


def test_an_error_inside_takes_the_deadline_away():
    """The deadline holds for the block, however it is left."""
    with pytest.raises(KeyError), deadline(10):
        raise KeyError

    assert deadline.remaining() is None


def test_a_coroutine_has_the_deadline_of_its_caller():
    """It travels with the context, into tasks as well."""

    async def left():
        await asyncio.sleep(0)
        return deadline.remaining()

    async def main():
        with deadline(10):
            return await asyncio.gather(left(), asyncio.create_task(left()))

    with FakeClock():
        assert [10, 10] == asyncio.run(main())


def test_trap_5_a_thread_has_it_by_a_copied_context():
    """`asyncio.to_thread` and `copy_context().run` carry it over; a bare thread has none."""
    seen = []

    def look():
        seen.append(deadline.remaining())

    with FakeClock(), deadline(10):
        context = contextvars.copy_context()
        targets = [look, lambda: context.run(look)]
        for target in targets:
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()

    assert [None, 10] == seen


def test_one_object_serves_several_threads_and_tasks():
    """A deadline may be made once and entered at the same time in many places."""
    limit = deadline(10)
    entered = threading.Barrier(4)
    left = []

    def work():
        with limit:
            entered.wait()
            left.append(deadline.remaining())
            entered.wait()
        left.append(deadline.remaining())

    threads = [threading.Thread(target=work) for _ in range(4)]
    with FakeClock():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [10] * 4 + [None] * 4 == left


def test_one_object_can_be_entered_within_itself():
    """Each entry counts from its own beginning; the shorter one wins."""
    limit = deadline(10)
    with FakeClock() as clock, limit:
        clock.advance(4)
        with limit:
            assert 6 == deadline.remaining()
        assert 6 == deadline.remaining()
    assert deadline.remaining() is None


def test_trap_4_a_generator_with_a_deadline_does_not_disturb_its_consumer():
    """Closed inside a later deadline, it takes away its own and leaves the other."""

    def numbers():
        with deadline(5):
            yield 1

    stream = numbers()
    with FakeClock():
        next(stream)
        with deadline(10):
            stream.close()
            assert 10 == deadline.remaining()
        assert deadline.remaining() is None


def test_trap_4_a_generator_that_is_forgotten_inside_a_deadline_ends_quietly():
    """It is closed in some other context, whose deadline is not touched."""

    async def numbers():
        with deadline(5), priority(Priority.HIGH):
            yield 1

    async def main():
        async for _ in numbers():
            break
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(main())

    assert deadline.remaining() is None


@pytest.mark.parametrize("decorator", DECORATORS)
@pytest.mark.parametrize("late", [0, 3])
def test_a_call_after_the_deadline_is_refused(run, decorator, late):
    """Nothing is called; the error is a refusal and a `TimeoutError`."""
    body = failing()
    fetch = run.decorate(decorator, body)
    with FakeClock() as clock, deadline(late):
        clock.advance(late)
        with pytest.raises(DeadlineExceededError, match="the deadline had passed") as caught:
            fetch()

    assert [] == body.times
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, RefusedError)
    assert "failing.<locals>.fetch" == caught.value.name


def test_a_generator_after_the_deadline_is_refused(run):
    """At its first step, when it would begin."""

    def numbers():
        yield 1

    stream = retry(run.function(numbers))
    with FakeClock(), deadline(0), pytest.raises(DeadlineExceededError):
        run.items(stream)


def test_a_back_off_that_would_pass_it_ends_the_call(run):
    """The real error at once, while there is time to do something else."""
    body = failing(*[OSError] * 9)
    fetch = run.decorate(retry(jitter=0, name="fetch"), body)
    with FakeClock() as clock, deadline(6), pytest.raises(OSError, match="scripted") as caught:
        fetch()

    assert (3, [0, 1, 3]) == (clock.now, body.times)
    why = "3 attempts made; not retried: the next attempt in 4 s would pass the deadline"
    assert [f"fetch: {why}"] == caught.value.__notes__


def test_the_shorter_deadline_ends_the_back_off(run):
    """The outer one holds inside the inner one."""
    body = failing(*[OSError] * 9)
    fetch = run.decorate(retry(jitter=0), body)
    with FakeClock() as clock, deadline(2), deadline(60):
        with pytest.raises(OSError, match="scripted"):
            fetch()

        assert 1 == clock.now


def test_a_function_that_runs_is_not_interrupted(run):
    """What has begun may end after its deadline; only what would begin is refused."""
    with FakeClock() as clock, deadline(5):
        fetch = run.decorate(retry, lambda: clock.advance(60) or "late")

        assert "late" == fetch()


def test_a_deadline_that_passes_in_an_attempt_ends_with_its_error(run):
    """The attempt took all the time: its error is the call's, not a refusal."""
    with FakeClock() as clock, deadline(5):
        error = OSError("slow")

        def fetch():
            clock.advance(60)
            raise error

        with pytest.raises(OSError, match="slow") as caught:
            run.decorate(retry, fetch)()

    assert caught.value is error


@pytest.mark.parametrize("seconds", [-1, math.nan, math.inf, "5", None, True, 10**400])
def test_bad_seconds_are_refused(seconds):
    """Where the deadline is made, with the rule."""
    with pytest.raises(
        SettingsError, match="deadline must be a finite number of seconds"
    ) as caught:
        deadline(seconds)

    assert "deadline" == caught.value.setting


@pytest.mark.parametrize("value", [Priority.HIGH, 0, "HIGH", "high"])
def test_a_priority_has_several_names(value):
    """The member, its number or its name."""
    with priority(value):
        assert Priority.HIGH is current_priority()
    assert Priority.NORMAL is current_priority()


def test_priorities_nest():
    """The innermost one holds, also in tasks."""

    async def look():
        return current_priority()

    async def main():
        with priority(Priority.LOW):
            with priority(Priority.HIGH):
                inner = await asyncio.create_task(look())
            return inner, await asyncio.create_task(look())

    assert (Priority.HIGH, Priority.LOW) == asyncio.run(main())


@pytest.mark.parametrize("value", [3, -1, True, 1.0, "urgent", None, [], Priority])
def test_an_unknown_priority_is_refused(value):
    """Where the `with` begins, with the three that there are."""
    with pytest.raises(SettingsError, match=r"must be Priority\.HIGH") as caught:
        priority(value)

    assert ("priority", repr(value)) == (caught.value.setting, repr(caught.value.value))


@pytest.mark.parametrize("scope", [deadline(9), priority(0)], ids=["deadline", "priority"])
def test_any_exception_passes_unchanged(scope):
    """Even one that takes no attributes, which `contextlib` would replace."""

    @dataclass(frozen=True)
    class FrozenError(Exception):
        status: int

    with pytest.raises(FrozenError), scope:
        raise FrozenError(500)
