"""`fn.submit(...)`: a future at once, the call in a worker, in its turn."""

from __future__ import annotations

import concurrent.futures
import gc
import threading
import weakref
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from resilience import (
    DeadlineExceededError,
    Priority,
    PriorityQueue,
    QueueClosedError,
    QueueFullError,
    QueueTimeoutError,
    deadline,
    get_stats,
    prioritized,
    priority,
    retry,
)
from resilience.telemetry import Queued
from resilience.testing import FakeClock, capture_events

request_id = ContextVar("request_id", default="none")


class Jobs:
    """A function whose submitted calls stay inside until they are let go.

    Attributes:
        ran: The names of the calls, in the order in which they began.
        threads: Those in which they ran.
    """

    def __init__(self, *arguments, **settings):
        self.ran, self.threads, self.futures = [], set(), []
        self.gates = {}
        self.changed = threading.Condition()
        if not arguments:
            settings = {"max_concurrent_requests": 1} | settings
        self.function = prioritized(*arguments, **settings)(self.inside)
        self.queue = self.function.queue

    def inside(self, name):
        gate = self.gates.setdefault(name, threading.Event())
        with self.changed:
            self.ran.append(name)
            self.threads.add(threading.get_ident())
            self.changed.notify_all()
        gate.wait()
        return name

    def submit(self, *names, **kwargs):
        """Submit a call for each name; the last one's future."""
        for name in names:
            self.futures.append(self.function.submit(name, **kwargs))
        return self.futures[-1]

    def await_ran(self, count):
        """Return when so many calls have begun."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.ran) >= count, timeout=30)

    def let_go(self, *names):
        for name in names:
            self.gates.setdefault(name, threading.Event()).set()

    def finish(self):
        """Let everybody end; what came of the futures that were not cancelled."""
        while not all(future.done() for future in self.futures):
            self.let_go(*self.gates)
        return [future.result() for future in self.futures if not future.cancelled()]


def test_a_result_and_an_error_are_the_futures():
    """What the call returns or raises comes out of `result()`, whatever it is."""

    @prioritized
    def divide(number, *, by):
        return number / by

    class Stop(BaseException):
        """Not even an `Exception`."""

    @prioritized
    def stop():
        raise Stop

    assert 2 == divide.submit(4, by=2).result()
    with pytest.raises(ZeroDivisionError):
        divide.submit(1, by=0).result()
    assert Stop is type(stop.submit().exception())
    assert (0, 0) == (divide.queue.active, stop.queue.active)
    with pytest.raises(Stop):  # the worker has survived
        stop.submit().result()


def test_it_returns_at_once_and_runs_in_its_turn():
    """Submitted calls wait without a thread, by priority, then in the order of submission."""
    jobs = Jobs()
    jobs.submit("first")
    jobs.await_ran(1)
    threads = threading.active_count()
    jobs.submit("low", priority=Priority.LOW)
    jobs.submit("a", "b")
    with priority(Priority.HIGH):
        jobs.submit("high")
    sizes = jobs.queue.sizes

    assert threads == threading.active_count()
    assert {Priority.HIGH: 1, Priority.NORMAL: 2, Priority.LOW: 1} == sizes
    assert ["first", "low", "a", "b", "high"] == jobs.finish()
    assert ["first", "high", "a", "b", "low"] == jobs.ran


def test_calls_and_submitted_calls_share_the_permits():
    """A call in its own thread waits behind submitted ones, and they behind it."""
    jobs = Jobs()
    with jobs.queue.permit():
        jobs.submit("a")
        thread = threading.Thread(target=jobs.function, args=("called",))
        thread.start()
        while jobs.queue.size < 2:
            pass
        jobs.submit("b")
    jobs.finish()
    thread.join()

    assert ["a", "called", "b"] == jobs.ran
    assert (0, 0) == (jobs.queue.active, jobs.queue.size)


def test_trap_10_the_call_runs_under_the_permit_of_its_job():
    """A submitted call does not ask for a second permit: with one permit there is no deadlock."""
    queue = PriorityQueue(max_concurrent_requests=1)

    @prioritized(queue)
    def fetch(depth=1):
        return fetch(depth - 1) if depth else queue.active

    assert (1, 0) == (fetch.submit().result(), queue.active)


def test_a_full_queue_refuses_at_once():
    """`submit` raises where it is called; there is no future that nobody would look at."""
    jobs = Jobs(queue_size=1)
    jobs.submit("running")
    jobs.await_ran(1)
    jobs.submit("waiting")
    with pytest.raises(QueueFullError, match="1 calls wait already"):
        jobs.submit("too many")

    assert ["running", "waiting"] == jobs.finish()


def test_a_queue_of_size_nought_takes_what_can_run():
    """Nobody waits, and whoever finds a permit and a worker runs."""
    jobs = Jobs(queue_size=0)
    jobs.submit("running")
    jobs.await_ran(1)
    with pytest.raises(QueueFullError):
        jobs.submit("waiting")

    assert ["running"] == jobs.finish()


@pytest.mark.parametrize("limit", [1, 3])
def test_there_are_no_more_threads_than_permits(limit):
    """However many are submitted, at once or one after another, so many threads run them all."""
    jobs = Jobs(max_concurrent_requests=limit)
    for number in range(30):
        jobs.submit(number)
    jobs.finish()
    for number in range(30, 60):
        jobs.let_go(number)
        jobs.submit(number).result()

    assert [*range(60)] == sorted(jobs.ran)
    assert limit >= len(jobs.threads)


def test_functions_of_one_queue_share_its_threads():
    """Two functions on one queue have as many workers as one."""
    queue, threads = PriorityQueue(max_concurrent_requests=2), set()
    one, other = (prioritized(queue)(lambda: threads.add(threading.get_ident())) for _ in "12")
    concurrent.futures.wait([fn.submit() for _ in range(10) for fn in (one, other)])

    assert 2 >= len(threads)


def test_trap_12_sleeping_retries_hold_no_permit_and_end():
    """Workers whose calls sleep between attempts: others run meanwhile, and all get done."""
    queue, attempts, threads = PriorityQueue(max_concurrent_requests=2), [], set()

    @retry(max_retries=2, initial_retry_delay=1)
    @prioritized(queue)
    def fetch(name):
        threads.add(threading.get_ident())
        attempts.append(name)
        if attempts.count(name) < 3:
            raise OSError
        return name

    with FakeClock():
        futures = [fetch.submit(name) for name in range(8)]

        assert [*range(8)] == [future.result() for future in futures]
    assert (24, 2, 0) == (len(attempts), len(threads), queue.active)


def test_a_call_runs_while_submitted_ones_sleep():
    """The permits of sleeping retries serve calls in threads of their own."""
    with FakeClock(autojump=False) as clock:

        @retry(max_retries=1, initial_retry_delay=1)
        @prioritized(max_concurrent_requests=1)
        def fetch(error=None):
            if error:
                raise error
            return "done"

        future = fetch.submit(OSError())
        while not fetch.queue._away:
            pass
        called = fetch()
        while not future.done():
            clock.advance(1)

    assert "done" == called
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        future.result()


def test_a_retried_attempt_keeps_the_priority_it_was_submitted_with():
    """`priority=` of `submit` holds for every attempt."""
    tiers = []
    queue = PriorityQueue(max_concurrent_requests=1)

    @retry(max_retries=1, initial_retry_delay=1)
    @prioritized(queue)
    def fetch():
        if not tiers:
            tiers.append("first attempt")
            raise OSError

    with FakeClock(autojump=False) as clock:
        future = fetch.submit(priority=Priority.HIGH)
        while not queue._away:
            pass
        with queue.permit():
            while not queue.size:
                clock.advance(1)
            tiers.append(queue.sizes[Priority.HIGH])
        future.result()

    assert ["first attempt", 1] == tiers


# -- the future ------------------------------------------------------------------------------


def test_cancelled_while_it_waits_its_place_is_free_at_once():
    """The call never runs, and somebody else may stand in line."""
    jobs = Jobs(queue_size=1)
    jobs.submit("running")
    jobs.await_ran(1)
    waiting = jobs.submit("waiting")

    assert (True, True, True) == (waiting.cancel(), waiting.cancelled(), waiting.cancel())
    assert 0 == jobs.queue.size
    jobs.submit("instead")
    assert ["running", "instead"] == jobs.finish() == jobs.ran
    with pytest.raises(CancelledError):
        waiting.result()


def test_cancelling_tells_those_who_wait_for_several():
    """`wait` and `as_completed` hear of a call that was cancelled in the line."""
    jobs = Jobs()
    jobs.submit("running")
    jobs.await_ran(1)
    waiting = jobs.submit("waiting")
    done = []
    waiting.add_done_callback(done.append)
    other = threading.Thread(target=lambda: done.append(concurrent.futures.wait([waiting])))
    other.start()
    waiting.cancel()
    other.join()

    assert [waiting] == [*concurrent.futures.as_completed([waiting])] == done[:1]
    jobs.finish()


def test_a_running_call_cannot_be_cancelled():
    """As with every executor: it is too late, and the result comes."""
    jobs = Jobs()
    future = jobs.submit("running")
    jobs.await_ran(1)

    assert (False, True, "running") == (future.cancel(), future.running(), jobs.finish()[0])
    assert not future.cancel()


def test_cancelled_between_its_permit_and_its_start():
    """A worker that finds its call cancelled gives the permit back and goes on."""
    ran, queue = [], PriorityQueue(max_concurrent_requests=1)
    started = []

    class Lazy(ThreadPoolExecutor):
        """Runs what it was given when the test says so."""

        def submit(self, function):
            started.append(function)
            return concurrent.futures.Future()

    fetch = prioritized(queue, executor=Lazy())(ran.append)
    futures = [fetch.submit(name) for name in ("first", "second")]

    assert (1, 1, True) == (queue.active, queue.size, futures[0].cancel())
    started[0]()
    assert (["second"], 0, 0) == (ran, queue.active, queue.size)


def test_a_submitted_call_leaves_nothing_behind():
    """Arguments, results and errors are free as soon as the future is dropped: no cycles."""

    class Thing:
        """Something to look after."""

    @prioritized
    def fetch(thing, fails):
        if fails:
            raise OSError
        return thing

    gc.disable()
    try:
        for fails in (False, True):
            thing = Thing()
            reference = weakref.ref(thing)
            future = fetch.submit(thing, fails)
            concurrent.futures.wait([future])
            while fetch.queue._workers.busy:  # the worker itself lets go last
                pass
            del thing, future

            assert reference() is None
    finally:
        gc.enable()


def test_an_error_keeps_no_other_call_alive():
    """Calls that follow each other in one thread know nothing of each other's errors."""
    queue = PriorityQueue(max_concurrent_requests=1)

    class Thing:
        """Something to look after."""

    @prioritized(queue)
    def fetch(thing, fails):
        if fails:
            raise OSError
        return thing

    gc.disable()
    try:
        things = [Thing() for _ in range(4)]
        references = [weakref.ref(thing) for thing in things]
        queue.pause()
        futures = [fetch.submit(thing, number < 3) for number, thing in enumerate(things)]
        queue.resume()
        errors = [futures[0].exception()]
        concurrent.futures.wait(futures)
        while queue._workers.busy:
            pass
        del things, futures

        assert [None] * 3 == [reference() for reference in references[1:]]
        assert OSError is type(errors[0])
    finally:
        gc.enable()


# -- what travels with it ----------------------------------------------------------------------


def test_trap_5_a_submitted_call_sees_the_context_of_its_caller():
    """Context variables are those of the moment of submission, each call with its own copy."""

    @prioritized
    def fetch(change):
        before = request_id.get()
        request_id.set(change)
        return before

    token = request_id.set("of the caller")
    futures = [fetch.submit("changed") for _ in range(2)]
    request_id.reset(token)

    assert ["of the caller"] * 2 == [future.result() for future in futures]
    assert "none" == request_id.get()


def test_a_deadline_that_passes_in_line_is_told_when_its_turn_comes():
    """A submitted call has no thread that could wake; the function is not called."""
    with FakeClock(autojump=False) as clock:
        jobs = Jobs()
        jobs.submit("running")
        jobs.await_ran(1)
        with deadline(5):
            late = jobs.submit("late")
        clock.advance(5)
        jobs.let_go("running")

        assert DeadlineExceededError is type(late.exception())
    assert (["running"], 0) == (jobs.ran, jobs.queue.active)


def test_a_queue_timeout_that_passes_in_line_is_told_when_its_turn_comes():
    """So is `queue_timeout`; a retry does not repeat the refusal, and it is counted as one."""
    with FakeClock(autojump=False) as clock:
        jobs = Jobs(queue_timeout=5, name="a queue timeout that passes")
        jobs.submit("running")
        jobs.await_ran(1)
        late = jobs.submit("late")
        clock.advance(4)
        in_time = jobs.submit("in time")
        clock.advance(2)
        jobs.let_go("running", "in time")

        assert QueueTimeoutError is type(late.exception())
        assert "in time" == in_time.result()
    assert (["running", "in time"], 0) == (jobs.ran, jobs.queue.active)
    assert 1 == get_stats("a queue timeout that passes")["refused_requests"]


def test_the_wait_of_a_submitted_call_is_an_event():
    """Whoever waited is told of with priority and seconds, when it runs; a free permit is not."""
    with FakeClock(autojump=False) as clock, capture_events() as events:
        jobs = Jobs(name="model")
        jobs.submit("running")
        jobs.await_ran(1)
        jobs.submit("waiting", priority=Priority.LOW)
        clock.advance(4)
        jobs.finish()

    assert [Queued(name="model", priority=2, waited=4)] == [
        event for event in events if isinstance(event, Queued)
    ]


def test_closing_the_queue_refuses_what_waits():
    """Their futures get a clear error at once, and the running one ends as if nothing was."""
    jobs = Jobs()
    running = jobs.submit("running")
    jobs.await_ran(1)
    waiting = jobs.submit("waiting")
    cancelled = jobs.submit("cancelled")
    cancelled.cancel()
    jobs.queue.close()

    assert QueueClosedError is type(waiting.exception())
    with pytest.raises(QueueClosedError):
        jobs.submit("new")
    jobs.let_go("running")
    assert ("running", True) == (running.result(), jobs.queue.drain())


def test_draining_waits_for_submitted_calls():
    """What was submitted before is done before the queue is drained."""
    jobs = Jobs()
    jobs.submit("a", "b", "c")
    early = jobs.queue.drain(timeout=0)
    jobs.let_go("a", "b", "c")

    assert (False, True) == (early, jobs.queue.drain())
    assert [True] * 3 == [future.done() for future in jobs.futures]


def test_a_disabled_queue_runs_everything_at_once():
    """Without a limit each submitted call gets a thread, as many as there are."""
    jobs = Jobs(queue_enabled=False)
    jobs.submit(*range(5))
    jobs.await_ran(5)

    assert (0, [*range(5)]) == (jobs.queue.active, jobs.finish())


def test_a_submitted_generator_is_a_stream_for_the_caller():
    """The future has the stream; its permit is taken where it is read."""

    @prioritized(max_concurrent_requests=1)
    def items():
        yield from range(3)

    assert [0, 1, 2] == list(items.submit().result())
    assert 0 == items.queue.active
