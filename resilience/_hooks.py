"""The user's own code: predicates, hooks, strategies. What it raises is logged, never spread."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

__all__ = ["finish_guarded", "guarded"]

_logger = logging.getLogger("resilience.hooks")


def guarded(function: Callable[..., Any], *args: Any) -> Any:
    """Return what the user's function returns; None, and a line in the log, if it raises."""
    try:
        return function(*args)
    except Exception:
        _logger.exception("%r failed; the call goes on without it", function)
        return None


async def finish_guarded(pending: object) -> None:
    """Await what a hook returned, where that can be awaited."""
    if not inspect.isawaitable(pending):
        return
    try:
        await pending
    except Exception:
        _logger.exception("%r failed; the call goes on without it", pending)
