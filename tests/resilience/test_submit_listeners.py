"""Who listens to the futures of `fn.submit(...)`: told once, and no harm to the calls behind."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from resilience import prioritized


class Line:
    """Calls that are submitted behind one that runs until it is let go.

    Attributes:
        ran: What was called.
        goes_on: Lets the first one go.
    """

    def __init__(self, kind):
        self.ran, self.goes_on = [], threading.Event()

        def plain(name):
            self.ran.append(name)
            if name == "first":
                self.goes_on.wait(30)
            return name

        async def coroutine(name):
            return plain(name)

        body = plain if kind == "plain" else coroutine
        self.submit = prioritized(max_concurrent_requests=1)(body).submit


@pytest.fixture(params=["plain", "coroutine"])
def line(request):
    """One of functions, and one of coroutine functions."""
    return Line(request.param)


def test_who_is_cancelled_by_the_call_in_front_is_told_once(line):
    """Its turn has come by then, and its worker finds that it was cancelled."""
    heard = []
    first, second, third = map(line.submit, ("first", "second", "third"))
    second.add_done_callback(heard.append)
    first.add_done_callback(lambda _: second.cancel())
    line.goes_on.set()

    assert ("third", ["first", "third"]) == (third.result(30), line.ran)
    assert [second] == heard


def test_a_thread_that_waits_for_a_cancelled_call_harms_no_worker(line):
    """It is woken once, whenever it comes to that; the worker is there for the next ones."""
    first, second = map(line.submit, ("first", "second"))
    heard, pause = [], threading.Event()

    def wait():
        with pytest.raises(CancelledError):
            second.result(30)
        heard.append(second)

    waiting = threading.Thread(target=wait)
    waiting.start()
    while second.audience is None or not second.audience.gates:
        pause.wait(0.001)
    first.add_done_callback(lambda _: second.cancel())
    line.goes_on.set()
    waiting.join(30)

    assert [second] == heard
    assert ["third", "fourth"] == [line.submit(name).result(30) for name in ("third", "fourth")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_callback_that_ends_its_thread_harms_no_call(line):
    """What comes behind runs in another one."""
    ended = []

    def end(_):
        ended.append(threading.current_thread())
        raise SystemExit

    first, second = map(line.submit, ("first", "second"))
    first.add_done_callback(end)
    line.goes_on.set()
    results = second.result(10), line.submit("third").result(10)
    for thread in ended:  # within this test, which knows of its end
        thread.join(10)

    assert ("second", "third") == results
    assert [False] == [thread.is_alive() for thread in ended]
