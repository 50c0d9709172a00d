"""The user's own code: predicates, hooks, strategies. What it raises is logged, never spread."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from resilience._secrets import log_failure, shown

__all__ = ["finish_guarded", "guarded", "name_of", "says_yes"]

_logger = logging.getLogger("resilience.hooks")


def name_of(function: object) -> str:
    """Return what it is called, for people."""
    return getattr(function, "__name__", None) or type(function).__name__


def guarded(function: Callable[..., Any], *args: Any) -> Any:
    """Return what the user's function returns; None, and a line in the log, if it raises."""
    try:
        return function(*args)
    except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
        _log(function, error)
        return None


def says_yes(question: Callable[..., Any], *args: Any) -> bool:
    """Return whether the user's predicate holds; False, and a line in the log, if it raises."""
    try:
        return bool(question(*args))  # an array, say, is neither true nor false
    except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
        _log(question, error)
        return False


async def finish_guarded(pending: object) -> None:
    """Await what a hook returned, where that can be awaited."""
    if not inspect.isawaitable(pending):
        return
    try:
        await pending
    except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
        _log(pending, error)


def _log(function: object, error: Exception) -> None:
    log_failure(_logger, f"{shown(function)} failed; the call goes on without it", error)
