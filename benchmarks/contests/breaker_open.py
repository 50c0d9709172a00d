"""`@circuit_breaker` while the circuit is open: the cost of being refused."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.peers import BREAKERS, Decorator
from benchmarks.samples import VALUE

__all__ = ["CONTESTS"]

_BASELINE = "raise and catch"
_FAILURES = 5


def _fails(value: int) -> int:
    msg = "down"
    raise ConnectionError(msg)


def _refused(function: Callable[[int], Any]) -> Callable[[int], int]:
    def call(value: int) -> int:
        try:
            function(value)
        except Exception:
            return value
        raise AssertionError

    return call


def _contestant(decorator: Decorator) -> Callable[[], Callable[[int], int]]:
    def make() -> Callable[[int], int]:
        function = decorator(_fails)
        for _ in range(_FAILURES):
            with suppress(Exception):
                function(VALUE)
        return _refused(function)

    return make


CONTESTS = (
    Contest(
        name="breaker-open",
        title="`@circuit_breaker`, open, refused",
        contestants={
            _BASELINE: lambda: _refused(_fails),
            **{label: _contestant(decorator) for label, decorator in BREAKERS.items()},
        },
        baseline=_BASELINE,
        unit="×",
        goals={PLAIN: 3, DEFAULT: 5},
    ),
)
