"""The request id of the call in progress, for log lines of whoever runs within it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import ClassVar

from resilience._context import Held, Scope

__all__ = ["current_request_id", "forget_request_id", "request_id"]

_REQUEST_ID: ContextVar[Held[str] | None] = ContextVar("resilience.request_id", default=None)


class request_id(Scope[str]):  # noqa: N801 - used as `with request_id(...):`, like a function
    """Give everything inside this request id; the innermost one holds."""

    __slots__ = ("_id",)

    _variable: ClassVar[ContextVar[Held[str] | None]] = _REQUEST_ID

    def __init__(self, value: str) -> None:
        self._id = value

    def _value(self) -> str:
        return self._id


def current_request_id() -> str | None:
    """Return the id of the adapter's call within which this is called; None outside of any.

    It follows a call into coroutines, tasks and submitted calls, as context variables do.
    """
    held = _REQUEST_ID.get()
    return None if held is None else held.value


def forget_request_id() -> None:
    """Go on without one, for calls that are answered together."""
    _REQUEST_ID.set(None)
