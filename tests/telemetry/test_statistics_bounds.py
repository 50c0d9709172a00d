"""Statistics in many threads, and in bounded memory."""

from __future__ import annotations

import os
import threading

import pytest

from resilience.telemetry.statistics import CallStatistics
from tests.support.programs import run_program


def test_threads_lose_no_count():
    """Eight threads at once, with resets of another name and snapshots in between."""
    statistics = CallStatistics("threads")

    def work():
        for number in range(2_000):
            statistics.succeeded(0.5)
            if number % 100 == 0:
                statistics.ended(OSError(), 0.5)
                statistics.attempt_failed(OSError(), retried=True)
                statistics.snapshot()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stats = statistics.snapshot().as_dict()

    assert (16_160, 16_000, 160, 160) == tuple(
        stats[field]
        for field in ("total_requests", "successful_requests", "failed_requests", "retries")
    )
    assert 0.5 == pytest.approx(stats["average_latency"])


def test_memory_is_bounded():
    """However many calls and kinds of errors there are."""
    statistics = CallStatistics("bounded")
    for number in range(300):
        error = type(f"Number{number}Error", (Exception,), {})()
        statistics.ended(error, 0.1)
        statistics.attempt_failed(error, retried=False)
        statistics.used(f"model {number}", 1, 2, 3)
    for number in range(10_000):
        statistics.succeeded(number / 7)
    stats = statistics.snapshot().as_dict()

    assert len(statistics.pending) < 1_000
    for field in ("errors_by_type", "attempt_errors_by_type", "requests_by_model"):
        assert (101, 200) == (len(stats[field]), stats[field]["other"])
        assert 300 == sum(stats[field].values())
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
        held = (events._lock, statistics._lock, statistics.statistics_of("fetch")._lock)
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
