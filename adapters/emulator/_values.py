"""What the options and conditions of a rule may be: for each name a rule in words and a reader.

A reader takes a text of the command line and a value of JSON alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

__all__ = ["CONVERTERS"]

_Reader = tuple[str, Callable[[object], object]]


def _number(low: float, high: float = math.inf, *, open_low: bool = False) -> _Reader:
    above = "more than" if open_low else "at least"
    rule = f"must be a number, {above} {low:g}"
    if high < math.inf:
        rule = f"must be a number from {low:g} to {high:g}"

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        number = float(value)
        if not (low <= number <= high and math.isfinite(number)) or (open_low and number == low):
            raise ValueError
        return number

    return rule, read


def _whole(low: int | None, high: int | None = None) -> _Reader:
    limits = {(True, False): f", at least {low}", (True, True): f" from {low} to {high}"}
    rule = "must be a whole number" + limits.get((low is not None, high is not None), "")

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise TypeError
        number = int(value)
        if (low is not None and number < low) or (high is not None and number > high):
            raise ValueError
        return number

    return rule, read


def _text() -> _Reader:
    def read(value: object) -> str:
        if not isinstance(value, str) or not value:
            raise ValueError
        return value

    return "must be a text that is not empty", read


def _one_of(*choices: str) -> _Reader:
    def read(value: object) -> str:
        if value not in choices:
            raise ValueError
        return str(value)

    return f"must be one of {', '.join(choices)}", read


def _flag() -> _Reader:
    def read(value: object) -> bool:
        if isinstance(value, bool):
            return value
        if value not in {"true", "false"}:
            raise ValueError
        return value == "true"

    return "must be true or false", read


CONVERTERS: Mapping[str, _Reader] = {
    "status": _whole(200, 599),
    "code": _text(),
    "message": _text(),
    "should_retry": _flag(),
    "retry_after": _number(0),
    "retry_after_as": _one_of("seconds", "ms", "date"),
    "delay": _number(0),
    "interval": _number(0),
    "timeout": _number(0, open_low=True),
    "keep": _number(0, 0.999),
    "after": _whole(None),
    "how": _one_of("close", "reset", "hang", "clean"),
    "shape": _one_of("list", "string", "number", "null", "object"),
    "location": _text(),
    "requests": _whole(0),
    "window": _number(0, open_low=True),
    "grace": _number(0),
    "provider": _text(),
    "operation": _text(),
    "model": _text(),
    "key": _text(),
    "stream": _flag(),
    "from": _number(0),
    "to": _number(0),
    "nth": _whole(1),
    "every": _whole(1),
    "first": _whole(1),
    "rate": _number(0, 1),
}
