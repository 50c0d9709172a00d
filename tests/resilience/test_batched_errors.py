"""What a failing batch means for its items: an exception of one's own, or a search for it."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import threading
import traceback
import weakref
from contextlib import suppress

import pytest

from resilience import (
    CircuitOpenError,
    MissingResultError,
    batched,
    circuit_breaker,
    retry,
)
from resilience._batch_results import failures
from resilience.testing import capture_events, no_waiting
from tests.support.faults import HttpError

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")


def errors_of(run, fetch, values):
    """What calls with these values raised, or None, in the order of the values."""
    calls = [run.start(fetch, value) for value in values]
    run.until(lambda: all(call.done() for call in calls))
    found = []
    for call in calls:
        try:
            call.result()
        except Exception as error:
            found.append(error)
        else:
            found.append(None)
    return found


def raising(run, error, **settings):
    """A batched function of three items that raises."""

    def body(items):
        raise error

    return batched(max_batch_size=3, batch_timeout=60, **settings)(run.function(body))


# -- one for each ----------------------------------------------------------------------------


class OddError(Exception):
    """Its constructor wants other arguments than it hands on."""

    def __init__(self, code, *, hint):
        super().__init__(f"code {code}")
        self.code = code
        self.hint = hint


class SingletonError(Exception):
    """Copies are itself."""

    def __copy__(self):
        return self


def test_trap_13_each_waiter_gets_an_exception_of_its_own(run):
    """The same type, arguments, attributes, notes, cause and traceback; but another object."""
    error = OddError(7, hint="later")
    error.add_note("a note")
    error.__cause__ = cause = OSError("cause")
    found = errors_of(run, raising(run, error), range(3))

    assert 3 == len({id(each) for each in found})
    for each in found:
        assert (OddError, ("code 7",), 7, "later") == (type(each), each.args, each.code, each.hint)
        assert ["a note"] == each.__notes__
        assert cause is each.__cause__
        assert "body" in [frame.name for frame in traceback.extract_tb(each.__traceback__)]
    found[1].add_note("mine")

    assert [1, 2, 1] == [len(each.__notes__) for each in found]


def test_trap_13_tracebacks_do_not_grow(run):
    """However often it is raised, none of the frames of one waiter is in another's."""
    error = OSError("again")
    lengths = set()
    for _ in range(20):
        found = errors_of(run, raising(run, error), range(3))
        lengths.update(len(traceback.extract_tb(each.__traceback__)) for each in found[1:])
        error.__traceback__ = None

    assert 1 >= max(lengths) - min(lengths)


@pytest.mark.parametrize(
    "error",
    [
        OSError(2, "No such file", "name"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        KeyError("key"),
        ExceptionGroup("several", [ValueError("one")]),
        HttpError(400),
        SingletonError("one"),
        StopIteration("end"),
    ],
)
def test_exceptions_of_any_kind_are_copied(error):
    """Also those with fields of their own in C, and those that refuse to be copied."""
    first, second = (each for each, _ in zip(failures(error), range(2), strict=False))

    assert error is first
    assert error is not second
    assert (type(error), error.args) == (type(second), second.args)
    assert str(error) == str(second)


def test_what_cannot_be_copied_is_a_missing_result():
    """The last resort names the type and has the error as its cause."""

    class StubbornError(Exception):
        def __new__(cls, *args):
            if args == ("original",):
                return super().__new__(cls, *args)
            raise TypeError

        def __reduce__(self):
            raise TypeError

    error = StubbornError("original")
    error.args = ("other",)
    _, second = (each for each, _ in zip(failures(error), range(2), strict=False))

    assert MissingResultError is type(second)
    assert error is second.__cause__
    assert "StubbornError" in str(second)


def test_one_object_in_several_places_is_several_exceptions(run):
    """A function that answers `[error] * n` gives each item one of its own."""
    error = ValueError("shared")
    fetch = batched(max_batch_size=2, batch_timeout=60)(run.function(lambda items: [error] * 2))
    first, second = errors_of(run, fetch, range(2))

    assert first is not second
    assert ["shared", "shared"] == [str(first), str(second)]


@pytest.mark.parametrize("error", [StopIteration("end"), StopAsyncIteration("end")])
def test_the_end_of_an_iteration_hangs_nobody(error):
    """A coroutine cannot raise `StopIteration`; Python's own error takes its place."""

    @batched(max_batch_size=2, batch_timeout=60)
    async def fetch(items):
        return [error, 2]

    async def main():
        return await asyncio.gather(fetch(1), fetch(2), return_exceptions=True)

    first, second = asyncio.run(main())

    assert isinstance(first, RuntimeError | StopAsyncIteration)
    assert 2 == second


class GoneError(Exception):
    """One that can be watched."""


@pytest.fixture
def gone():
    """Makes exceptions, and tells which of them are still there."""
    refs = []

    def make():
        error = GoneError()
        refs.append(weakref.ref(error))
        return error

    make.left = lambda: [ref() for ref in refs if ref()]
    gc.collect()
    gc.disable()
    yield make
    gc.enable()


def test_an_exception_leaves_no_cycle(gone):
    """What was raised is freed as soon as its caller lets go, without the garbage collector."""

    @batched(max_batch_size=1)
    def fetch(items):
        raise gone()

    with suppress(GoneError):
        fetch(1)

    assert [] == gone.left()


def test_an_exception_leaves_no_cycle_in_a_loop(gone):
    """Nor does that of a coroutine function."""

    @batched(max_batch_size=1)
    async def fetch(items):
        raise gone()

    async def main():
        with suppress(GoneError):
            await fetch(1)

    asyncio.run(main())

    assert [] == gone.left()


# -- not even an Exception -------------------------------------------------------------------


class Stop(BaseException):
    """As `KeyboardInterrupt`, which a test runner would take for its own."""


def test_who_runs_the_batch_gets_an_interruption_as_it_is():
    """In a thread that is the caller's; its neighbours learn that there is no result."""

    def body(items):
        raise Stop

    fetch = batched(max_batch_size=2, batch_timeout=60, name="fetch")(body)
    future = concurrent.futures.Future()

    def target():
        try:
            fetch(1)
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=target).start()
    while not fetch.batcher.waiting:
        pass
    with pytest.raises(Stop):
        fetch(2)
    error = future.exception()

    assert MissingResultError is type(error)
    assert "fetch gave no result: its batch ended with Stop" == str(error)
    assert Stop is type(error.__cause__)


@pytest.mark.parametrize("stop", [SystemExit, Stop, KeyboardInterrupt, GeneratorExit])
def test_trap_13_a_worker_survives_whatever_a_batch_raises(stop):
    """Its items are answered, and the same worker runs the next batch."""
    threads = []

    def body(items):
        threads.append(threading.get_ident())
        if items == [1]:
            raise stop
        return items

    fetch = batched(max_batch_size=1)(body)
    with pytest.raises(MissingResultError, match=stop.__name__):
        fetch.submit(1).result()

    assert 2 == fetch.submit(2).result()
    assert 1 == len(set(threads))


def test_trap_13_a_cancelled_batch_answers_everybody():
    """A function that raises `CancelledError` by itself cancels none of its waiters."""

    @batched(max_batch_size=2, batch_timeout=60)
    async def fetch(items):
        raise asyncio.CancelledError

    async def main():
        return await asyncio.gather(fetch(1), fetch(2), return_exceptions=True)

    assert [MissingResultError] * 2 == [type(error) for error in asyncio.run(main())]


def test_a_cancellation_in_a_results_place_cancels_nobody():
    """As `gather(return_exceptions=True)` leaves it there: this item has no result."""

    @batched(max_batch_size=2, batch_timeout=60)
    async def fetch(items):
        return [asyncio.CancelledError(), 2]

    async def main():
        return await asyncio.gather(fetch(1), fetch(2), return_exceptions=True)

    first, second = asyncio.run(main())

    assert (MissingResultError, 2) == (type(first), second)


# -- split -----------------------------------------------------------------------------------


def splitting(run, bad, error=ValueError, **settings):
    """A function that fails if a bad item is among its items, and the lists it was called with."""
    batches = []

    def body(items):
        batches.append(items)
        if any(item in bad for item in items):
            raise error
        return items

    settings = {"max_batch_size": 8, "batch_timeout": 60, "on_error": "split"} | settings
    return batched(**settings)(run.function(body)), batches


def test_split_finds_the_bad_item(run):
    """Halved until it is alone: its neighbours get their results."""
    fetch, batches = splitting(run, {5})
    found = errors_of(run, fetch, range(8))

    assert [5] == [number for number, error in enumerate(found) if error]
    assert ValueError is type(found[5])
    assert 7 == len(batches)
    assert [8, 4, 2, 1] == sorted({len(batch) for batch in batches}, reverse=True)


def test_split_finds_all_bad_items(run):
    """Each of them gets the error of its own call."""
    fetch, _ = splitting(run, {0, 3, 7})

    assert [True, False, False, True, False, False, False, True] == [
        error is not None for error in errors_of(run, fetch, range(8))
    ]


class NamedTimeoutError(Exception):
    """As the time-outs of HTTP libraries, which are no `TimeoutError`."""


class ApiConnectionError(Exception):
    """As a vendor's SDK calls it."""


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        NamedTimeoutError(),
        ApiConnectionError(),
        CircuitOpenError("open"),
        ExceptionGroup("several", [ValueError(), TimeoutError()]),
        *(HttpError(status) for status in (401, 403, 408, 425, 429, 502, 503, 504, 529)),
    ],
    ids=repr,
)
def test_split_does_not_multiply_what_no_item_is_to_blame_for(run, error):
    """A service that is down, slow or refuses is asked once, and all items fail."""
    fetch, batches = splitting(run, {5}, error)
    found = errors_of(run, fetch, range(8))

    assert [8] == [len(batch) for batch in batches]
    assert {type(error)} == {type(each) for each in found}


@pytest.mark.parametrize(
    "error", [HttpError(400), HttpError(422), HttpError(500), RuntimeError()], ids=repr
)
def test_split_searches_where_an_item_may_be_to_blame(run, error):
    """A rejected request, or an error that says nothing."""
    fetch, batches = splitting(run, {5}, error)

    assert 7 == sum(each is None for each in errors_of(run, fetch, range(8)))
    assert 7 == len(batches)


def test_without_split_all_items_fail(run):
    """The default: one call, and its error for everybody."""
    fetch, batches = splitting(run, {5}, on_error="raise")
    found = errors_of(run, fetch, range(8))

    assert {ValueError} == {type(each) for each in found}
    assert 1 == len(batches)


# -- with layers inside ----------------------------------------------------------------------


def test_a_retry_inside_repeats_the_batch_once_for_all(run):
    """What it has given up on is not repeated for each item by a retry outside."""
    attempts = []

    def body(items):
        attempts.append(items)
        raise OSError

    inner = batched(max_batch_size=2, batch_timeout=60)(retry(max_retries=2)(run.function(body)))
    with pytest.warns(UserWarning, match="a retry outside a batch"):
        fetch = retry(max_retries=3)(inner)
    with no_waiting():
        found = errors_of(run, fetch, range(2))

    assert [OSError, OSError] == [type(each) for each in found]
    assert 3 == len(attempts)


def test_a_breaker_inside_counts_a_batch_once(run):
    """Three failing batches of three items are three failures."""
    fetch = batched(max_batch_size=3, batch_timeout=60)(
        circuit_breaker(failure_threshold=4)(run.function(lambda items: 1 / 0))
    )
    for _ in range(3):
        errors_of(run, fetch, range(3))

    assert (3, "CLOSED") == (fetch.circuit_breaker.failure_count, fetch.circuit_breaker.state)


def test_a_refused_batch_is_a_refusal_of_each_call(run):
    """Each item is a logical call, and each one was refused."""
    fetch = batched(max_batch_size=2, batch_timeout=60)(
        circuit_breaker(run.function(lambda items: items))
    )
    fetch.circuit_breaker.open()
    with capture_events() as events:
        found = errors_of(run, fetch, range(2))

    assert [CircuitOpenError] * 2 == [type(each) for each in found]
    assert 2 == sum(type(event).__name__ == "Refused" for event in events)


def test_what_a_listener_raises_harms_no_batch(run, caplog):
    """It is logged, and every item is answered; TRAP 10."""
    from resilience.telemetry import BatchFlushed, subscribe, unsubscribe

    def listener(event):
        raise OSError("the listener")

    subscribe(listener, BatchFlushed)
    try:
        fetch = batched(max_batch_size=2, batch_timeout=60)(run.function(lambda items: items))

        assert [None, None] == errors_of(run, fetch, range(2))
    finally:
        unsubscribe(listener)
    assert "the listener" in caplog.text
