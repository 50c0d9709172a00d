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
    """

    __slots__ = ("_functions",)

    def __init__(self) -> None:
        self._functions: tuple[tuple[weakref.ref[Any], CallStatistics | None], ...] = ()

    def add(self, function: Any, statistics: CallStatistics | None) -> None:
        """Take note of a function that lives as long as it likes, and of its record, if any."""
        alive = [each for each in self._functions if each[0]() is not None]
        self._functions = (*alive, (weakref.ref(function), statistics))

    @property
    def want_metrics(self) -> bool:
        """Whether somebody wants to know how it is."""
        records = [record for function, record in self._functions if function() is not None]
        return not records or any(record is not None and record.counts for record in records)

    @property
    def measure(self) -> bool:
        """Whether what happens in the call in progress is measured."""
        return not is_off("metrics") and self.want_metrics
