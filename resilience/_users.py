"""Whose metrics the object behind a decorator follows: those of the functions that use it."""

from __future__ import annotations

import weakref
from typing import Any

from resilience._switches import is_off
from resilience.telemetry.statistics import CallStatistics

__all__ = ["Users"]


class Users:
    """The functions that one breaker, queue or pool serves.

    What is used alone is measured; what only functions use that have their metrics off, is not.
    Most serve one function: so the first one that is alive takes no list.
    """

    __slots__ = ("_function", "_others", "_record")

    def __init__(self) -> None:
        self._function: weakref.ref[Any] | None = None
        self._record: CallStatistics | None = None
        self._others: tuple[tuple[weakref.ref[Any], CallStatistics | None], ...] = ()

    def add(self, function: Any, statistics: CallStatistics | None) -> None:
        """Take note of a function that lives as long as it likes, and of its record, if any."""
        if self._function is None or self._function() is None:
            self._function, self._record = weakref.ref(function), statistics
        else:
            alive = [each for each in self._others if each[0]() is not None]
            self._others = (*alive, (weakref.ref(function), statistics))

    @property
    def want_metrics(self) -> bool:
        """Whether somebody wants to know how it is."""
        if self._function is None:
            return True
        pairs = ((self._function, self._record), *self._others)
        alive = [record for function, record in pairs if function() is not None]
        records = alive or [record for _, record in pairs]  # what they wanted holds on
        return any(record is not None and record.counts for record in records)

    @property
    def measure(self) -> bool:
        """Whether what happens in the call in progress is measured."""
        return not is_off("metrics") and self.want_metrics
