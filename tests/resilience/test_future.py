"""The future that `submit` returns is one of the standard library, but for its size."""

from __future__ import annotations

import pickle
import threading
import tracemalloc
from concurrent.futures import CancelledError, Future, InvalidStateError, as_completed, wait

import pytest

from resilience import prioritized
from resilience._future import SubmittedFuture


def later(action):
    """Do it in another thread, once this one is likely to wait."""
    thread = threading.Timer(0, action)
    thread.start()
    return thread


def test_it_has_what_the_base_class_has():
    """Each attribute that the standard library makes, with the same value where it is plain."""
    ours, theirs = SubmittedFuture(), vars(Future())
    del theirs["_condition"]

    assert theirs == {name: getattr(ours, name) for name in theirs}


def test_nobody_waits_longer_than_he_says():
    """A result that does not come in time is a time-out, as often as somebody asks."""
    future = SubmittedFuture()
    for ask in (future.result, future.exception, future.result):
        with pytest.raises(TimeoutError):
            ask(timeout=0)

    assert not future.done()


@pytest.mark.parametrize("waiters", [1, 3])
def test_everybody_who_waits_gets_the_result(waiters):
    """Threads that wait before there is a result are all woken by it."""
    future, got = SubmittedFuture(), []
    threads = [threading.Thread(target=lambda: got.append(future.result())) for _ in range(waiters)]
    for thread in threads:
        thread.start()
    future.set_result("done")
    for thread in threads:
        thread.join()

    assert ["done"] * waiters == got


def test_an_exception_comes_out_of_a_wait():
    """Who waits already gets the exception as it is."""
    future, error = SubmittedFuture(), OSError("broken")
    thread = later(lambda: future.set_exception(error))
    with pytest.raises(OSError, match="broken") as caught:
        future.result()
    thread.join()

    assert error is caught.value


def test_the_standard_library_waits_for_several():
    """`wait` and `as_completed` take it beside a future of their own, and hear of its end."""
    futures = [SubmittedFuture(), Future(), SubmittedFuture()]
    thread = later(lambda: [future.set_result("done") for future in futures])

    assert {*futures} == {*as_completed(futures)}
    thread.join()
    assert {*futures} == wait(futures).done


def test_a_future_that_nobody_waits_for_is_small():
    """A condition would make it three times as large: ten thousand may wait in a queue."""
    tracemalloc.start()
    futures = [SubmittedFuture() for _ in range(100)]
    ours, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 200 * len(futures) > ours


@pytest.mark.parametrize("future", [SubmittedFuture(), Future(), prioritized(abs).submit(1)])
def test_it_is_not_pickled(future):
    """As those of the standard library, which have a lock; and its arguments may be secret."""
    with pytest.raises(TypeError, match="cannot pickle"):
        pickle.dumps(future)


def test_who_stops_waiting_is_forgotten():
    """A time-out leaves nothing behind, and the end comes to those who wait on."""
    future = SubmittedFuture()
    with pytest.raises(TimeoutError):
        future.result(timeout=0)

    assert [] == future.audience.gates
    future.set_result("done")
    assert "done" == future.result(timeout=0)


def test_the_end_comes_once():
    """A second result is refused, with and without an audience."""
    for waits in (False, True):
        future = SubmittedFuture()
        if waits:
            future.add_done_callback(lambda _: None)
        future.set_result("done")
        with pytest.raises(InvalidStateError):
            future.set_exception(OSError())

        assert ("done", True, False) == (future.result(), future.done(), future.cancel())


def test_a_cancelled_one_wakes_those_who_wait():
    """Whoever waits for its result or its exception hears of it, and it never runs."""
    future, got = SubmittedFuture(), []

    def ask():
        with pytest.raises(CancelledError):
            future.exception()
        got.append("cancelled")

    thread = threading.Thread(target=ask)
    thread.start()
    while future.audience is None or not future.audience.gates:
        pass

    assert future.cancel()
    thread.join()
    assert (["cancelled"], False) == (got, future.set_running_or_notify_cancel())
    with pytest.raises(CancelledError):
        future.result()


def test_it_is_told_once_wherever_somebody_begins_to_wait():
    """An end and the beginning of a wait for several meet anywhere: told once, never missed."""
    for _ in range(300):
        future = SubmittedFuture()
        thread = threading.Thread(target=future.set_result, args=("done",))
        thread.start()
        told = [*as_completed([future], timeout=30)]
        thread.join()

        assert [future] == told
