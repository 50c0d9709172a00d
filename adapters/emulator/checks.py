"""Checks of a request's body, as tables: for each parameter what it may be.

The first member that breaks its rule is refused with status 400, and with the code and the
parameter that the OpenAI dialect has for it; other dialects write the same `Problem` their way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

from adapters.emulator.protocol import Problem, Refusal

__all__ = [
    "Check",
    "anything",
    "array",
    "boolean",
    "check_body",
    "either",
    "integer",
    "mapping",
    "number",
    "refuse",
    "require",
    "string",
]

# Gets the parameter's name and its value, raises `Refusal`.
Check = Callable[[str, object], None]

_TYPES = {
    "dict": "an object",
    "list": "an array",
    "str": "a string",
    "int": "an integer",
    "float": "a decimal",
    "bool": "a boolean",
    "NoneType": "null",
}


def refuse(message: str, param: str | None = None, code: str | None = None) -> NoReturn:
    """Refuse a request with status 400."""
    raise Refusal(Problem(400, message, code=code, param=param))


def check_body(
    body: Mapping[str, object],
    table: Mapping[str, Check],
    required: Iterable[str],
    *,
    open_ended: bool = False,
) -> None:
    """Check a body against a table; null stands for a parameter that is left out.

    Parameters that the table does not name are refused, or passed over where it is `open_ended`.
    """
    for name in required:
        require(body, name, name)
    for name, value in body.items():
        if name not in table:
            if open_ended:
                continue
            refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
        if value is not None:
            table[name](name, value)


def require(body: Mapping[str, object], name: str, param: str) -> object:
    """Give a member that has to be there."""
    value = body.get(name)
    if value is None:
        refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    return value


def _wrong_type(param: str, expected: str, value: object) -> NoReturn:
    got = _TYPES[type(value).__name__]
    message = f"Invalid type for '{param}': expected {expected}, but got {got} instead."
    refuse(message, param, "invalid_type")


def string(*choices: str, empty: bool = True) -> Check:
    """Allow a string, or one of some strings."""

    def check(param: str, value: object) -> None:
        if not isinstance(value, str):
            _wrong_type(param, "a string", value)
        if choices and value not in choices:
            allowed = ", ".join(f"'{choice}'" for choice in choices)
            message = f"Invalid value: '{value}'. Supported values are: {allowed}."
            refuse(message, param, "invalid_value")
        if not value and not empty:
            refuse(f"Invalid '{param}': the string is empty.", param, "empty_string")

    return check


def integer(low: int | None = None, high: int | None = None) -> Check:
    """Allow a whole number within bounds."""

    def check(param: str, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            _wrong_type(param, "an integer", value)
        _check_bounds("integer", param, value, low, high)

    return check


def number(low: float, high: float) -> Check:
    """Allow a number within bounds."""

    def check(param: str, value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool):
            _wrong_type(param, "a decimal", value)
        _check_bounds("decimal", param, value, low, high)

    return check


def _check_bounds(
    kind: str, param: str, value: float, low: float | None, high: float | None
) -> None:
    if low is not None and value < low:
        message = f"Invalid '{param}': expected a value >= {low}, but got {value} instead."
        refuse(message, param, f"{kind}_below_min_value")
    if high is not None and value > high:
        message = f"Invalid '{param}': expected a value <= {high}, but got {value} instead."
        refuse(message, param, f"{kind}_above_max_value")


def boolean(param: str, value: object) -> None:
    """Allow true and false."""
    if not isinstance(value, bool):
        _wrong_type(param, "a boolean", value)


def mapping(table: Mapping[str, Check] | None = None, required: Iterable[str] = ()) -> Check:
    """Allow an object; with a table, only with the members that it names."""

    def check(param: str, value: object) -> None:
        if not isinstance(value, dict):
            _wrong_type(param, "an object", value)
        for name in required:
            require(value, name, f"{param}.{name}")
        for name, member in value.items() if table is not None else ():
            if table is not None and name not in table:
                path = f"{param}.{name}"
                refuse(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
            if table is not None and member is not None:
                table[name](f"{param}.{name}", member)

    return check


def array(item: Check, *, low: int = 0, high: int | None = None) -> Check:
    """Allow an array of so many items that all pass a check."""

    def check(param: str, value: object) -> None:
        if not isinstance(value, list):
            _wrong_type(param, "an array", value)
        if not value and low:
            refuse(f"Invalid '{param}': the array is empty.", param, "empty_array")
        if high is not None and len(value) > high:
            message = f"Invalid '{param}': at most {high} items are allowed, not {len(value)}."
            refuse(message, param, "array_above_max_length")
        for position, member in enumerate(value):
            item(f"{param}[{position}]", member)

    return check


def either(expected: str, **checks: Check) -> Check:
    """Allow one of several JSON types, each with a check of its own.

    Args:
        expected: The types in words, for the error.
        checks: By the name of Python's type (`str`, `list`, `dict`, …), what to check.
    """

    def check(param: str, value: object) -> None:
        chosen = checks.get(type(value).__name__)
        if chosen is None:
            _wrong_type(param, expected, value)
        chosen(param, value)

    return check


def anything(_param: str, _value: object) -> None:
    """Allow every value."""
