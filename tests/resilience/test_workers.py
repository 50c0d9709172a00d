"""The threads behind `submit`: as many as are needed, as long as somebody may need them."""

from __future__ import annotations

import gc
import threading

import pytest

from resilience import _workers
from resilience._workers import Workers


class Work:
    """Something to do that takes until it is let go.

    Attributes:
        threads: Those that have begun it.
    """

    def __init__(self):
        self.threads, self._gate = [], threading.Event()
        self._changed = threading.Condition()

    def __call__(self):
        with self._changed:
            self.threads.append(threading.current_thread())
            self._changed.notify_all()
        self._gate.wait()

    def await_begun(self, count):
        """Return when so many threads have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.threads) >= count, timeout=30)

    def let_go(self):
        self._gate.set()


@pytest.fixture
def workers():
    """Threads that have all gone in the end."""
    before = {*threading.enumerate()}
    workers = Workers("of a test")
    yield workers
    workers.__del__()
    for thread in {*threading.enumerate()} - before:
        thread.join(30)

    assert before >= {*threading.enumerate()}


def all_idle(workers):
    """Wait until nobody works."""
    workers.join()
    while workers.busy:
        pass


def test_one_after_another_is_done_by_one_thread(workers):
    """Who has nothing to do is asked before there is a new thread."""
    work = Work()
    work.let_go()
    for _ in range(20):
        workers.submit(work, most=5)
        all_idle(workers)

    assert 1 == len({*work.threads})


def test_at_once_needs_several_and_no_more_than_it_may(workers):
    """What comes when all are busy is done by the first that is not."""
    work = Work()
    for _ in range(8):
        workers.submit(work, most=3)
    work.await_begun(3)
    begun = len(work.threads)
    work.let_go()
    all_idle(workers)

    assert (3, 8, 3) == (begun, len(work.threads), len({*work.threads}))


def test_all_but_one_go_when_they_have_nothing_to_do(workers, monkeypatch):
    """A thread stays for a while, and one of them as long as it may be needed."""
    monkeypatch.setattr(_workers, "_IDLE", 0.0)
    work = Work()
    for _ in range(4):
        workers.submit(work, most=4)
    work.await_begun(4)
    work.let_go()
    while sum(thread.is_alive() for thread in work.threads) > 1:
        pass
    all_idle(workers)
    workers.submit(work, most=4)
    all_idle(workers)

    assert [work.threads[4]] == [each for each in work.threads[:4] if each.is_alive()]


def test_they_go_with_what_they_belong_to():
    """Nobody waits for work that can never come."""
    work, workers = Work(), Workers("of a test")
    for _ in range(3):
        workers.submit(work, most=3)
    work.await_begun(3)
    work.let_go()
    all_idle(workers)
    del workers
    gc.collect()
    for thread in work.threads:
        thread.join(30)

    assert not any(thread.is_alive() for thread in work.threads)


def test_a_thread_that_dies_leaves_its_place_and_the_work(workers, monkeypatch):
    """What waits for a thread is done by another one."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    work, gate, dead = Work(), threading.Event(), []

    def die():
        dead.append(threading.current_thread())
        gate.wait()
        raise SystemError

    workers.submit(die, most=1)
    workers.submit(work, most=1)
    gate.set()
    work.await_begun(1)
    work.let_go()
    all_idle(workers)
    dead[0].join(30)  # while the hook is there

    assert 1 == len(work.threads)


def test_a_thread_that_dies_keeps_nobody_waiting(workers, monkeypatch):
    """Whoever waits until nobody works, as the interpreter at its exit, goes on."""
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    gate, dead = threading.Event(), []

    def die():
        dead.append(threading.current_thread())
        gate.wait()
        raise SystemExit

    workers.submit(die, most=1)
    waiting = [threading.Thread(target=workers.join, daemon=True) for _ in range(2)]
    for thread in waiting:
        thread.start()
        while workers._crew._rest is None:
            pass
    gate.set()
    for thread in waiting:
        thread.join(30)
    dead[0].join(30)  # while the hook is there

    assert [False, False] == [thread.is_alive() for thread in waiting]


def test_without_a_thread_there_is_an_error(workers, monkeypatch):
    """If none can be started and there is none, the caller learns of it."""

    def fail(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        workers.submit(Work(), most=3)

    assert 0 == workers.busy


def test_without_another_thread_it_is_done_later(workers, monkeypatch):
    """If none can be started the work waits for those that there are."""

    def fail(_):
        raise RuntimeError("can't start new thread")

    work = Work()
    workers.submit(work, most=3)
    work.await_begun(1)
    monkeypatch.setattr(threading.Thread, "start", fail)
    workers.submit(work, most=3)
    work.let_go()
    all_idle(workers)

    assert (2, 1) == (len(work.threads), len({*work.threads}))
