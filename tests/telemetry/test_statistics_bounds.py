"""Statistics in many threads, and in bounded memory."""

from __future__ import annotations

import threading

import pytest

from resilience.telemetry.statistics import CallStatistics


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
