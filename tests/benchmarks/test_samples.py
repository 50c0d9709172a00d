"""How samples of several threads are taken."""

from __future__ import annotations

from collections import Counter
from itertools import chain, repeat

import pytest

from benchmarks.samples import VALUE, of_threads, slowest_of_threads


@pytest.mark.parametrize("make", [of_threads, slowest_of_threads])
def test_threads_share_the_calls(make):
    """All calls are made, by all threads together, with the value."""
    calls: list[int] = []

    assert 0 < make(4)(calls.append, 100)
    assert Counter({VALUE: 100}) == Counter(calls)


def test_the_slowest_of_a_hundred_does_not_count(monkeypatch: pytest.MonkeyPatch):
    """One call in a hundred may take as long as it likes; two may not."""
    assert 1.0 == slowest_with(monkeypatch, [50.0])
    assert 50.0 == slowest_with(monkeypatch, [50.0, 50.0])


def slowest_with(monkeypatch: pytest.MonkeyPatch, slow: list[float]) -> float:
    """Take a sample of a hundred calls, of which some take this long and the others a second."""
    seconds = chain(slow, repeat(1.0))
    now = 0.0

    def call(value: int) -> None:
        nonlocal now
        now += next(seconds)

    monkeypatch.setattr("benchmarks.samples.perf_counter", lambda: now)
    return slowest_of_threads(1)(call, 100)
