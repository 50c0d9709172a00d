"""What a server says about when to come back, in seconds from now.

Sources: RFC 9110 section 10.2.3 (Retry-After: seconds or an HTTP date); `retry-after-ms` and the
`x-ratelimit-*` headers as the providers of model APIs send them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime

from resilience import _clock

__all__ = ["duration", "retry_after"]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_REMAINING = re.compile(r"x-ratelimit-remaining(-.+)?$")


def retry_after(headers: Iterable[tuple[str, str]]) -> float | None:
    """Return the seconds that the headers of an answer, as pairs, ask to wait, or None.

    The most exact header wins: `retry-after-ms`, then `Retry-After`, then the reset of a limit of
    which nothing remains. What cannot be read, or lies in the past, says nothing.
    """
    fields = {str(name).lower(): str(value).strip() for name, value in headers}
    hints = (
        _milliseconds(fields.get("retry-after-ms")),
        _seconds_or_date(fields.get("retry-after")),
        _reset(fields),
    )
    return next((hint for hint in hints if hint is not None), None)


def duration(text: str) -> float | None:
    """Return the seconds of a Go duration (`1h2m3.5s`, `12ms`) or of a plain number, or None."""
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return _number(text)


def _milliseconds(text: str | None) -> float | None:
    number = _number(text)
    return None if number is None else number / 1000


def _seconds_or_date(text: str | None) -> float | None:
    if text is None:
        return None
    number = _number(text)
    if number is not None:
        return number
    try:
        until = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    wait = until - _clock.wall()
    return wait if wait > 0 else None


def _reset(fields: Mapping[str, str]) -> float | None:
    """Return the longest reset among the limits that are used up."""
    waits = []
    for name, remaining in fields.items():
        match = _REMAINING.match(name)
        if match and _number(remaining) == 0:
            reset = fields.get(f"x-ratelimit-reset{match[1] or ''}", "")
            waits.append(duration(reset))
    return max((wait for wait in waits if wait is not None), default=None)


def _number(text: str | None) -> float | None:
    """Return a finite number of at least 0; anything else says nothing."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
