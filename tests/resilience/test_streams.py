"""Trap 4: a generator under the layers, which are around its opening, and hold until its end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import circuit_breaker, deadline, get_stats, prioritized, resilient, retry
from resilience.testing import no_waiting
from tests.support.decorators import pool_of, whole_stack
from tests.support.run import AsyncRun, SyncRun

# What everything here is put on: one of each layer, so that whatever leaks, leaks.
POOL = pool_of("a")


def stack(function):
    """Retry, key pool, queue and breaker around a generator function that takes `key`."""
    return retry(jitter=0)(POOL.inject("key")(prioritized(circuit_breaker(function))))


def held(function):
    """Permits and leases that are held now."""
    return function.queue.active, POOL.get_stats()["active_requests"]


def three(*, key):
    """Give three items."""
    yield from (1, 2, 3)


def test_trap_4_a_call_alone_does_nothing(run):
    """Nothing is sent, held or counted before the first step."""
    numbers = run.decorate(stack, three)
    name = numbers.circuit_breaker.name
    before = get_stats(name)["total_requests"]
    numbers.circuit_breaker.open()
    stream = numbers()

    assert (0, 0) == held(numbers)
    stream.close()
    numbers.circuit_breaker.close()
    assert [] == list(stream)
    assert [1, 2, 3] == list(numbers())
    assert before + 1 == get_stats(name)["total_requests"]


def test_trap_4_a_generator_is_retried(run):
    """What fails before its first item begins again."""
    tries = []

    @run.decorate(retry)
    def numbers():
        tries.append(1)
        if len(tries) < 3:
            raise OSError
        yield len(tries)

    with no_waiting():
        assert [3] == list(numbers())


def test_trap_4_nothing_is_repeated_after_the_first_item(run):
    """The consumer gets each item once, and then the error."""
    tries, received = [], []

    @run.decorate(stack)
    def numbers(*, key):
        tries.append(key)
        yield 1
        raise OSError("cut")

    with no_waiting(), pytest.raises(OSError, match="cut"):
        received.extend(numbers())

    assert (1, [1]) == (len(tries), list(numbers_until_error(numbers)))
    assert (0, 0) == held(numbers)


def numbers_until_error(numbers):
    """The items of a stream that breaks."""
    try:
        yield from numbers()
    except OSError:
        return


def test_trap_4_what_is_held_is_held_until_the_end(run):
    """Permit and lease last as long as the iteration, and go with its last item."""
    numbers = run.decorate(stack, three)

    assert [(1, 1)] * 3 == [held(numbers) for _ in numbers()]
    assert (0, 0) == held(numbers)


def test_trap_4_leaving_early_gives_everything_back(run):
    """Closing a stream that has begun ends what it held; it counts as neither good nor bad."""
    numbers = run.decorate(stack, three)
    name = numbers.circuit_breaker.name
    cancelled = get_stats(name)["cancelled_requests"]
    stream = numbers()
    next(stream)

    assert (1, 1) == held(numbers)
    stream.close()
    assert (0, 0) == held(numbers)
    assert cancelled + 1 == get_stats(name)["cancelled_requests"]
    assert 0 == numbers.circuit_breaker.failure_count


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_trap_4_what_the_consumer_throws_in_ends_it(run, error):
    """An error at the `yield` that the generator does not catch comes out and ends everything."""
    numbers = run.decorate(stack, three)
    stream = numbers()
    next(stream)
    with pytest.raises(error):
        stream.throw(error)

    assert (0, 0) == held(numbers)
    assert [] == list(stream)


def test_trap_4_success_is_exhaustion(run):
    """A probe that has given an item has not yet succeeded; at its end it has."""
    numbers = run.decorate(circuit_breaker(reset_timeout=0, failure_threshold=1), three_plain)
    breaker = numbers.circuit_breaker
    with pytest.raises(OSError, match="scripted"):
        list(numbers("fail"))
    stream = numbers()
    next(stream)

    assert "HALF-OPEN" == breaker.state
    assert [2, 3] == list(stream)
    assert "CLOSED" == breaker.state


def three_plain(how="well"):
    """Give three items, or fail in the middle."""
    yield 1
    if how == "fail":
        raise OSError("scripted")
    yield from (2, 3)


def test_trap_4_a_cut_counts_as_a_failure(run):
    """A breaker and the statistics hear of an error after the first item as of any other."""
    numbers = run.decorate(circuit_breaker(name=f"cut {run.flavour}"), three_plain)
    with pytest.raises(OSError, match="scripted"):
        list(numbers("fail"))

    assert 1 == numbers.circuit_breaker.failure_count
    assert {"OSError": 1} == get_stats(f"cut {run.flavour}")["errors_by_type"]


def test_trap_4_an_empty_stream_is_a_success(run):
    """A generator without items ends at once, and holds nothing."""

    @run.decorate(stack)
    def nothing(*, key):
        yield from ()

    assert [] == list(nothing())
    assert (0, 0) == held(nothing)


def test_trap_4_nothing_of_a_layer_is_entered_between_steps(run):
    """The consumer's code sees no deadline of an attempt, and its own time is not bounded."""
    inside = []

    @run.decorate(resilient(attempt_timeout=60))
    def numbers():
        inside.append(deadline.remaining() is None)
        yield 1
        yield 2

    assert [None, None] == [deadline.remaining() for _ in numbers()]
    assert [False] == inside


def test_trap_4_an_item_may_be_anything(run):
    """None, an exception and an exception class are items like others."""
    things = [None, ValueError("an item"), StopIteration, ()]

    @run.decorate(whole_stack)
    def give(*, key):
        yield from things

    assert things == list(give())


# -- the protocol of generators --------------------------------------------------------------


def echo(steps, key=None):
    """Answer what comes in; pass over a KeyError, begin again after an IndexError."""
    received = []
    for step in range(steps):
        try:
            received.append((yield (step, tuple(received))))
        except KeyError:
            received.append("a KeyError")
        except IndexError:
            received.append((yield "an IndexError"))
    return received


OPERATIONS = st.one_of(
    st.just(("next",)),
    st.tuples(st.just("send"), st.sampled_from([None, 0, "text"])),
    st.tuples(st.just("throw"), st.sampled_from([KeyError, IndexError, ValueError])),
    st.just(("close",)),
)


def trace(stream, operations):
    """What each operation came to."""
    seen = []
    for name, *values in operations:
        operation = stream.__next__ if name == "next" else getattr(stream, name)
        try:
            seen.append(operation(*values))
        except StopIteration as stop:
            seen.append(("stopped", stop.value))
        except Exception as error:
            seen.append((type(error), str(error)))
    stream.close()
    return seen


@given(steps=st.integers(0, 3), operations=st.lists(OPERATIONS, max_size=8))
@pytest.mark.parametrize("flavour", [SyncRun, AsyncRun])
@pytest.mark.parametrize("decorator", [retry, stack], ids=["retry", "a stack"])
def test_trap_4_a_decorated_generator_is_driven_like_a_bare_one(
    flavour, decorator, steps, operations
):
    """Whatever is sent, thrown in or closed, in any order, has the same answers."""
    run = flavour()
    bare = run.function(echo)
    decorated = decorator(bare)
    expected = trace(run.iterate(bare, steps), operations)

    assert expected == trace(run.iterate(decorated, steps), operations)
    if decorator is stack:
        assert (0, 0) == held(decorated)
    run.close()
