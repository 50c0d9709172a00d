"""The user's own code: predicates, hooks, strategies. What it raises is logged, never spread."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from resilience._secrets import log_failure

__all__ = ["finish_guarded", "guarded"]

_logger = logging.getLogger("resilience.hooks")


def guarded(function: Callable[..., Any], *args: Any) -> Any:
    """Return what the user's function returns; None, and a line in the log, if it raises."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
        log_failure(_logger, f"{function!r} failed; the call goes on without it", error)
        return None


async def finish_guarded(pending: object) -> None:
    """Await what a hook returned, where that can be awaited."""
    if not inspect.isawaitable(pending):
        return
    try:
        await pending
    except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
        log_failure(_logger, f"{pending!r} failed; the call goes on without it", error)
