"""What a server says about when to come back, in seconds from now.

Sources: RFC 9110 section 10.2.3 (Retry-After: seconds or an HTTP date); `retry-after-ms` and the
`x-ratelimit-*` headers as the providers of model APIs send them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from resilience import _clock

__all__ = ["duration", "retry_after"]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
_REMAINING = re.compile(r"x-ratelimit-remaining(-.+)?$")


def retry_after(headers: Iterable[tuple[str, str]], *, resets: bool = True) -> float | None:
    """Return the seconds that the headers of an answer, as pairs, ask to wait, or None.

    The most exact header wins: `retry-after-ms`, then `Retry-After`, then, with `resets`, the
    reset of a limit of which nothing remains: that is the reason of a rate limit alone.
    What cannot be read, or lies in the past, says nothing.
    """
    fields = {str(name).lower(): str(value).strip() for name, value in headers}
    hints = (
        _milliseconds(fields.get("retry-after-ms")),
        _seconds_or_date(fields.get("retry-after")),
        _reset(fields) if resets else None,
    )
    return next((hint for hint in hints if hint is not None), None)


def duration(text: str) -> float | None:
    """Return the seconds of a Go duration (`1h2m3.5s`, `12ms`) or of a plain number, or None."""
    if not _DURATION.fullmatch(text):
        return _number(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return seconds if math.isfinite(seconds) else None


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
        until = parsedate_to_datetime(text)
        if until.tzinfo is None:  # an older form names no zone; HTTP knows but one
            until = until.replace(tzinfo=UTC)
        wait = until.timestamp() - _clock.wall()
    except Exception:  # noqa: BLE001 - the parser of mail dates fails in many ways
        return None
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
    """Return a plain decimal number; anything else says nothing (`float` reads "nan", "1_0")."""
    if text is None or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None
