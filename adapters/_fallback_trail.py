"""The functions of one call that are left to ask, and what those before them have said."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from resilience import DeadlineExceededError, RefusedError, deadline
from resilience._hooks import guarded
from resilience._marks import note, read_quietly, set_quietly
from resilience._secrets import mask
from resilience.classify import classify

__all__ = ["Trail"]

Call = Callable[[], Any]

# Silent until the program configures logging: without a handler Python would print warnings.
logging.getLogger("adapters").addHandler(logging.NullHandler())
_logger = logging.getLogger("adapters.fallback")


class Trail:
    """The functions of one call that are left, and what those before them have said."""

    def __init__(self, functions: Any, on: Any, args: Any, kwargs: Any) -> None:
        self._left = [functools.partial(function, *args, **kwargs) for function in functions[::-1]]
        self._on = on
        self._asked = ""
        self._errors: dict[str, Exception] = {}

    def __iter__(self) -> Iterator[Call]:
        while self._left:
            one = self._left.pop()
            self._asked = f"{len(self._errors) + 1}. {_name_of(one)}"
            yield one

    def failed(self, error: Exception) -> None:
        """Take note that the one just asked has failed; return if another one is to be asked.

        Raises:
            Exception: the last real error, if none is.
        """
        self._errors[self._asked] = error
        if self._left and self._may_help(error):
            next_one = _name_of(self._left[-1])
            fields = {
                "resilience_failed": self._asked,
                "resilience_next": next_one,
                "resilience_request_id": read_quietly(error, "request_id"),
            }
            line = "%s failed, %s is asked: %s"
            with suppress(Exception):  # of a handler that lets its own errors out
                _logger.warning(line, self._asked, next_one, _said(error), extra=fields)
            return
        errors, self._errors, self._left = self._errors, {}, []
        raise _conclusion(errors)

    def _may_help(self, error: Exception) -> bool:
        if deadline.remaining() == 0:
            return False
        if self._on is not None:
            return bool(guarded(self._on, error))
        if isinstance(error, RefusedError):
            return not isinstance(error, DeadlineExceededError)
        return classify(error).kind not in ("neutral", "permanent")


def _conclusion(errors: dict[str, Exception]) -> Exception:
    """Return the last real error, else the last refusal, with what all have said."""
    *_, last = errors.values()
    real = [error for error in errors.values() if not isinstance(error, RefusedError)]
    error = real[-1] if real else last
    if len(errors) > 1:
        said = "; ".join(f"{name}: {_said(each)}" for name, each in errors.items())
        note(error, f"fallback: {said}", "fallback")
        waits = [read_quietly(each, "retry_after") for each in errors.values()]
        earliest = min((wait for wait in waits if isinstance(wait, int | float)), default=None)
        if earliest is not None:
            set_quietly(error, "retry_after", earliest)
    return error


def _name_of(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    module = (getattr(function, "__module__", None) or "").rpartition(".")[2]
    name = getattr(function, "__name__", None) or type(function).__name__
    return f"{module}.{name}" if module else name


def _said(error: Exception) -> str:
    return mask(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
