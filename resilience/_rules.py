"""The rule of every setting and argument, and the one shape of the error that breaks it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple, NoReturn

from resilience._secrets import mask, shown
from resilience.errors import SettingsError

__all__ = ["check"]


class _Rule(NamedTuple):
    text: str
    holds: Callable[[object], bool]


def _whole(minimum: int) -> _Rule:
    def holds(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= minimum

    return _Rule(f"must be a whole number, at least {minimum}", holds)


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number beyond the floats
        return False


def _at_least(minimum: float, unit: str = "") -> _Rule:
    text = f"must be a finite number{unit}, at least {minimum:g}"
    return _Rule(text, lambda value: _number(value) and value >= minimum)  # type: ignore[operator]


def _above_zero(unit: str = "") -> _Rule:
    text = f"must be a finite number{unit}, more than 0"
    return _Rule(text, lambda value: _number(value) and value > 0)  # type: ignore[operator]


def _optional(rule: _Rule) -> _Rule:
    return _Rule(f"{rule.text}, or None", lambda value: value is None or rule.holds(value))


def _call(text: str = "must be callable, or None") -> _Rule:
    return _Rule(text, lambda value: value is None or callable(value))


def _question() -> _Rule:
    def holds(value: object) -> bool:
        return value is None or (callable(value) and not inspect.iscoroutinefunction(value))

    return _Rule("must be a plain function (not a coroutine function), or None", holds)


def _is_window(value: object) -> bool:
    if isinstance(value, timedelta):
        return value > timedelta(0)
    return _whole(1).holds(value)


_SECONDS = _at_least(0, " of seconds")
_RATE = _Rule("must be a number above 0, at most 1", lambda v: _number(v) and 0 < v <= 1)  # type: ignore[operator]
_FLAG = _Rule("must be True or False", lambda value: isinstance(value, bool))
_SOME = _Rule(
    "must be a text that is not empty, or None",
    lambda v: v is None or (isinstance(v, str) and v != ""),
)

_RULES = {
    "max_retries": _whole(0),
    "initial_retry_delay": _SECONDS,
    "backoff_factor": _at_least(1),
    "max_retry_delay": _SECONDS,
    "jitter": _Rule("must be a number from 0 to 1", lambda v: _number(v) and 0 <= v <= 1),  # type: ignore[operator]
    "retry_nested": _FLAG,
    "retry_result": _question(),
    "max_elapsed": _optional(_above_zero(" of seconds")),
    "before_retry": _call(),
    "max_concurrent_requests": _whole(1),
    "queue_size": _whole(0),
    "queue_timeout": _optional(_SECONDS),
    "queue_enabled": _FLAG,
    "aging": _optional(_above_zero(" of seconds")),
    "failure_threshold": _optional(_whole(1)),
    "reset_timeout": _SECONDS,
    "half_open_max_calls": _whole(1),
    "success_threshold": _whole(1),
    "failure_rate": _optional(_RATE),
    "minimum_calls": _whole(1),
    "window": _Rule("must be a number of calls, at least 1, or a timedelta above 0", _is_window),
    "slow_call_duration": _optional(_above_zero(" of seconds")),
    "slow_call_rate": _optional(_RATE),
    "max_reset_timeout": _optional(_SECONDS),
    "on_transition": _call(),
    "key": _call(),
    "enable_batching": _FLAG,
    "max_batch_size": _whole(1),
    "batch_timeout": _SECONDS,
    "max_concurrent_batches": _optional(_whole(1)),
    "on_error": _Rule('must be "raise" or "split"', lambda value: value in ("raise", "split")),
    "attempt_timeout": _optional(_above_zero(" of seconds")),
    "metrics_enabled": _FLAG,
    "name": _SOME,
    "group": _SOME,
    "wait": _FLAG,
    "entry": _Rule("must be a text that is not empty", lambda v: isinstance(v, str) and v != ""),
    "parameter": _Rule(
        "must be the name of a parameter", lambda v: isinstance(v, str) and v.isidentifier()
    ),
    "ratio": _at_least(0),
    "minimum": _whole(0),
    "weight": _above_zero(),
    "deadline": _SECONDS,
    "drain timeout": _optional(_SECONDS),
    "seconds": _above_zero(" of seconds"),
}


def check(setting: str, value: object, rule: str | None = None) -> None:
    """Raise a `SettingsError` that names setting, rule and value, unless the value is allowed.

    The rule is that of the setting, or the one of another name.
    """
    text, holds = _RULES[rule or setting]
    if not holds(value):
        fail(setting, text, value)


def check_all(settings: dict[str, object]) -> None:
    """Check several settings at once."""
    for setting, value in settings.items():
        if setting in _RULES:
            check(setting, value)


def fail(setting: str, rule: str, value: object) -> NoReturn:
    """Raise the `SettingsError` for a rule that is broken; a key in a wrong place is masked."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a `__repr__` may do anything; the value shows nowhere
        value = text = shown(value)
    masked = mask(text)
    msg = f"{setting} {rule}, not {masked}"
    if masked != text:
        value = masked
    raise SettingsError(msg, setting=setting, rule=rule, value=value)
