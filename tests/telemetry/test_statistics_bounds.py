"""Statistics in many threads, and in bounded memory."""

from __future__ import annotations

import gc
import os
import sys
import threading
import tracemalloc

import pytest

from resilience import get_stats, retry
from resilience.telemetry.statistics import FOLD_AT, CallStatistics
from resilience.telemetry.timeline import Timeline
from resilience.testing import FakeClock
from tests.support.programs import run_program

_SECONDS = [number / 7 for number in range(949)]


def _on_timeline(snapshot, kind):
    return snapshot.timeline.as_dict(0.0)[kind]


def _record(statistics, clock, error, times):
    for _ in range(times // 1_000):
        clock.advance(1_200)
        statistics.succeeded(0.5)
        for seconds in _SECONDS:  # as a decorated function does
            statistics.pending.append(seconds)
            if len(statistics.pending) >= FOLD_AT:
                statistics.fold()
        for _ in range(50):
            statistics.ended(error, 0.5)


def _objects():
    """How much is allocated; unlike tracemalloc it costs nothing."""
    gc.collect()
    return sys.getallocatedblocks()


def test_threads_lose_no_count():
    """Sixteen threads at once while another one looks; the timeline adds up to the counters."""
    statistics, is_over = CallStatistics("threads"), threading.Event()

    def work():
        for number in range(2_000):
            statistics.succeeded(0.5)
            if number % 100 == 0:
                statistics.ended(OSError(), 0.5)
                statistics.attempt_failed(OSError(), retried=True)
                statistics.used("model", total_tokens=3, input_tokens=2, output_tokens=1)

    def look():
        while not is_over.is_set():
            seen = statistics.snapshot()
            agrees.append(sum(_on_timeline(seen, "success")) == seen.outcomes["success"])

    agrees, threads = [], [threading.Thread(target=work) for _ in range(16)]
    looker = threading.Thread(target=look)
    for thread in (looker, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    is_over.set()
    looker.join()
    snapshot = statistics.snapshot()
    stats = snapshot.as_dict()

    assert (32_320, 32_000, 320, 320) == tuple(
        stats[field]
        for field in ("total_requests", "successful_requests", "failed_requests", "retries")
    )
    assert [320, 960] == [stats["requests_by_model"]["model"], stats["total_tokens"]]
    assert {32_000, 320} == {sum(_on_timeline(snapshot, kind)) for kind in ("success", "retries")}
    assert 0.5 == pytest.approx(stats["average_latency"])
    assert agrees
    assert all(agrees)


def test_trap_9_what_the_garbage_collector_counts_is_counted_once(monkeypatch):
    """It may close a forgotten stream in the midst of a step, whose end is counted there."""
    statistics, fill = CallStatistics("collected"), Timeline._fill
    collections = iter(range(2))

    def collect():
        if next(collections, None) is not None:
            clock.advance(5)
            statistics.ended(OSError(), 0.5)
            statistics.succeeded(0.5)
            statistics.fold()

    class Pending(list):
        def __getitem__(self, index):
            found = super().__getitem__(index)
            collect()
            return found

    def interrupted(self, *args):
        collect()
        fill(self, *args)

    monkeypatch.setattr(Timeline, "_fill", interrupted)
    statistics.pending = Pending()
    with FakeClock() as clock:
        for _ in range(3):
            statistics.succeeded(0.5)
            clock.advance(1)
        statistics.fold()
        snapshot = statistics.snapshot()

    assert {"success": 5, "failure": 2} == snapshot.outcomes
    # In the interval in which the step began.
    assert [1, 2, 0, 0, 0, 0, 0, 2] == _on_timeline(snapshot, "success")[:8]
    assert [0, 1, 0, 0, 0, 0, 0, 1] == _on_timeline(snapshot, "failure")[:8]
    assert 7 == snapshot.latency.count


def test_memory_stays_flat_for_a_million_calls():
    """Of two outcomes, over two weeks: from the hundred thousandth on, no object more is kept."""
    statistics, error = CallStatistics("a million"), OSError()
    with FakeClock() as clock:
        _record(statistics, clock, error, 100_000)
        statistics.snapshot()
        before = _objects()
        _record(statistics, clock, error, 900_000)
        snapshot = statistics.snapshot()
        stats, kinds = snapshot.as_dict(), ("success", "failure")
        timeline = {kind: sum(_on_timeline(snapshot, kind)) for kind in kinds}
        del snapshot

    assert 200 > _objects() - before  # a thing kept of each thousandth call would be 900
    assert 1_000_000 == stats["total_requests"] == sum(timeline.values())
    assert 50_000 == stats["failed_requests"] == timeline["failure"]


def test_memory_stays_flat_for_a_storm_of_failures():
    """Within one interval, in which nobody looks: what waits to be counted is counted when full."""
    statistics = CallStatistics("storm")
    with FakeClock():
        for _ in range(10 * FOLD_AT):
            statistics.attempt_failed(OSError(), retried=True)
            statistics.ended(TimeoutError(), 0.5)

        assert FOLD_AT > len(statistics._failed)
    stats = statistics.snapshot().as_dict()

    assert {"OSError": 10 * FOLD_AT} == stats["attempt_errors_by_type"]
    assert {"TimeoutError": 10 * FOLD_AT} == stats["errors_by_type"]
    assert 3 * [10 * FOLD_AT] == [stats[of] for of in ("retries", "timeouts", "failed_requests")]
    assert 0.5 == pytest.approx(stats["average_latency"])


def test_memory_stays_flat_for_calls_of_a_function(run):
    """The same through the decorator: what a call needs is gone when it has ended."""
    fetch = retry(name=f"flat {run.flavour}")(run.function(lambda: None))

    @run.drive
    @run.steps
    def often(times):
        for _ in range(times):
            yield fetch()

    tracemalloc.start()
    try:
        with FakeClock():
            often(2 * FOLD_AT)  # at whose end no latency waits to be folded
            before, _ = tracemalloc.get_traced_memory()
            often(20 * FOLD_AT)
            after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert 4_000 > after - before
    assert 22 * FOLD_AT == get_stats(fetch)["total_requests"]


def test_memory_is_bounded():
    """However many calls and kinds of errors there are."""
    statistics = CallStatistics("bounded")
    for number in range(300):
        error = type(f"Number{number}Error", (Exception,), {})()
        statistics.ended(error, 0.1)
        statistics.attempt_failed(error, retried=False)
        statistics.used(f"model {number}", input_tokens=1, output_tokens=2, total_tokens=3)
    for number in range(10_000):
        statistics.succeeded(number / 7)
    stats = statistics.snapshot().as_dict()

    assert len(statistics.pending) < 1_000
    for field in ("errors_by_type", "attempt_errors_by_type", "requests_by_model"):
        assert (101, 200) == (len(stats[field]), stats[field]["other"])
        assert 300 == sum(stats[field].values())
    tokens = stats["tokens_by_model"]
    assert (101, 600) == (len(tokens), tokens["other"]["total_tokens"])
    assert 300 * 3 == sum(each["total_tokens"] for each in tokens.values())
    assert (300, 600, 900) == tuple(
        stats[field] for field in ("input_tokens", "output_tokens", "total_tokens")
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_trap_9_a_forked_child_can_count_and_listen():
    """Locks that another thread held at the fork are free there; what was counted is known."""
    assert ["3", "2"] == run_program("""
        import os
        from resilience import get_stats, retry
        from resilience.telemetry import events, statistics, subscribe

        @retry(name="fetch", max_retries=0)
        def fetch():
            raise OSError

        def fail():
            try:
                fetch()
            except OSError:
                return get_stats("fetch")["failed_requests"]

        fail()
        held = (events._lock, statistics._lock, statistics._guard.lock)
        for lock in held:
            lock.__enter__()  # as if another thread held it at this very moment
        if os.fork() == 0:
            subscribe(lambda event: None)
            retry(name="another")(fetch)
            fail()
            print(fail(), flush=True)
            os._exit(0)
        os.wait()
        for lock in held:
            lock.__exit__(None, None, None)
        print(fail())
    """)
