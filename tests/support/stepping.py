"""Coroutines driven by hand, without a loop: to cancel one at each of its awaits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

__all__ = ["cancelled_at_every_step", "finish"]

MakeCoroutine = Callable[[], Coroutine[Any, Any, Any]]


def finish(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run it to its end and give its result; its awaits give way at once."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as end:
            return end.value


def cancelled_at_every_step(make: MakeCoroutine, check: Callable[[int], None]) -> int:
    """Cancel a fresh coroutine at its first await, another at its second, and so on.

    Each is given its own context. After each, `check` is called in that context with the number of
    steps; it is the place to look for what has leaked. Returns how many were cancelled.
    """
    for step in range(1, 1_000):
        if not copy_context().run(_cancelled_at, step, make, check):
            return step - 1
    raise AssertionError("the coroutine never ends")


def _cancelled_at(step: int, make: MakeCoroutine, check: Callable[[int], None]) -> bool:
    coroutine = make()
    try:
        for _ in range(step):
            coroutine.send(None)
    except StopIteration:
        return False
    try:
        coroutine.throw(asyncio.CancelledError())
    except asyncio.CancelledError:
        check(step)
        return True
    raise AssertionError(f"cancelled at step {step}, it went on")
