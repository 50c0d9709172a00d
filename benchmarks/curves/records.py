"""More calls behind us: what it costs to record one more, and to look at the statistics.

Who looks sees every part of the histogram that any call has come to: no more than there are.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import resilience
from benchmarks.functions import echo
from benchmarks.harness import fresh
from benchmarks.samples import VALUE, seconds_per_call
from benchmarks.series import Series, Step

__all__ = ["SERIES"]

_CALLS = 4_096  # four times what is folded into the histogram at once
_LOOKS = 20
_names = count()


def _recorded(size: int) -> Any:
    """Return a function that has been called so many times; no other shares its statistics."""
    function = resilience.retry(name=f"recorded {next(_names)}")(echo)
    for _ in range(size):
        function(VALUE)
    return function


def _recording(size: int) -> Step:
    function, sample = _recorded(size), fresh(seconds_per_call)
    return lambda _: sample(function, _CALLS)


def _looking(size: int) -> Step:
    function, sample = _recorded(size), fresh(seconds_per_call)
    assert size == resilience.get_stats(function)["total_requests"]
    return lambda _: sample(lambda _: resilience.get_stats(function), _LOOKS)


_RECORDED = "a recorded call"

SERIES = (
    Series(
        name="records",
        title="statistics",
        axis="calls before",
        sizes=(10, 1_000, 100_000, 1_000_000),
        lines={_RECORDED: _recording, "`get_stats`": _looking},
        goals={_RECORDED: 1.5},
        weight=10,
    ),
)
