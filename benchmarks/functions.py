"""What the contestants decorate, and the bare ways to call it that they are compared with.

Everything takes one argument and returns it: calls with none are cheaper than calls are.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from itertools import cycle
from typing import Any

__all__ = [
    "FAILURES",
    "closure",
    "closure_async",
    "echo",
    "echo_async",
    "fails_first",
    "hand_written_retry",
]

FAILURES = 3


def echo(value: int) -> int:
    """Answer."""
    return value


async def echo_async(value: int) -> int:
    """Answer, awaited."""
    return value


def fails_first(failures: int = FAILURES) -> Callable[[int], int]:
    """Return a function that fails so many times, answers, and begins again."""
    fails = cycle([True] * failures + [False])

    def echo(value: int) -> int:
        if next(fails):
            msg = "not now"
            raise ConnectionError(msg)
        return value

    return echo


def closure(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function in the plainest decorator that there is."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def closure_async(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a coroutine function likewise."""

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return await function(*args, **kwargs)

    return call


def hand_written_retry(function: Callable[..., Any]) -> Callable[..., Any]:
    """Repeat a function in the loop that one writes without a library."""

    def call(value: int) -> Any:
        for attempt in range(5):
            try:
                return function(value)
            except ConnectionError:
                time.sleep(min(60.0, 2.0**attempt) * (1 - 0.5 * random.random()))
        return function(value)

    return call
