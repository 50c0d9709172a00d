"""The memory of a breaker and the function that it guards, after a first call."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import count

from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.peers import BREAKERS, Decorator
from benchmarks.samples import VALUE

__all__ = ["CONTESTS"]

_numbers = count()


def bytes_of_one(decorator: Decorator, number: int) -> float:
    """Return the memory of one of so many functions with a breaker."""
    tracemalloc.start()
    guarded = [decorator(_function()) for _ in range(number)]
    assert VALUE * number == sum(function(VALUE) for function in guarded)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return used / number


def _function() -> Callable[[int], int]:
    def echo(value: int) -> int:
        return value

    echo.__qualname__ = f"echo_{next(_numbers)}"  # statistics are kept by name
    return echo


def _installed(decorator: Decorator) -> Callable[[], Decorator]:
    def make() -> Decorator:
        decorator(_function())(VALUE)  # makes what is made once for all of them
        return decorator

    return make


CONTESTS = (
    Contest(
        name="memory",
        title="memory of a breaker and its function",
        contestants={label: _installed(decorator) for label, decorator in BREAKERS.items()},
        baseline=None,
        unit="bytes",
        goals={PLAIN: 1_300, DEFAULT: 2_500},
        sample=bytes_of_one,
        echoes=False,
        number=1_000,
        shown="bytes",
        weight=100,
    ),
)
