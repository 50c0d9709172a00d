"""What a server says about when to come back, in seconds from now.

`FORMS` lists every form that is understood, the one that wins first; who sends which does not
matter. A form that cannot be read, or names a moment in the past, says nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from resilience import _clock
from resilience._bodies import NOTHING, Said
from resilience._record import record

__all__ = ["FORMS", "Form", "duration", "moment", "retry_after"]

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s)", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d(?:\.\d+)?)([Zz]|[+-]\d\d:\d\d)")
_SENTENCE = re.compile(rf"(?:try again|retry) in ({_DURATION.pattern})(?![\w])", re.IGNORECASE)
_STRUCTURED = re.compile(r"; *r *= *(\d+) *; *t *= *(\d+)", re.ASCII)
_EPOCH = 1e9  # as a wait a number this large is 31 years: it is a moment, in seconds since 1970 …
_EPOCH_MS = 1e12  # … or in milliseconds


@record
class Form:
    """One form in which servers say when to come back.

    Attributes:
        field: Where it stands, as the documentation names it.
        read: Returns the seconds for the headers (lower-case names) and the body.
        limits_only: Whether it counts for a rate limit alone: a server that broke says nothing
            by a limit that happens to be used up as well.
    """

    field: str
    read: Callable[[Mapping[str, str], Said], float | None]
    limits_only: bool = False


def retry_after(
    headers: Iterable[tuple[str, str]] = (), said: Said = NOTHING, *, limited: bool = True
) -> float | None:
    """Return the seconds that an answer asks to wait, or None.

    Args:
        headers: Its headers, as pairs.
        said: What its body says.
        limited: Whether a rate limit was the reason.
    """
    fields = {str(name).lower(): str(value).strip() for name, value in headers}
    if not fields and said is NOTHING:
        return None
    for form in FORMS:
        seconds = form.read(fields, said) if limited or not form.limits_only else None
        if seconds is not None:
            return seconds
    return None


def duration(text: str) -> float | None:
    """Return the seconds of a Go duration (`1h2m3.5s`, `12ms`) or of a plain number, or None."""
    if not _DURATION.fullmatch(text):
        return _number(text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return seconds if math.isfinite(seconds) else None


def moment(text: str) -> float | None:
    """Return the seconds until a reset: a duration, an RFC 3339 time, or seconds since 1970."""
    parts = _RFC_3339.fullmatch(text)
    if parts:
        return _until_time("{}T{}{}".format(*parts.groups()).upper())
    seconds = duration(text)
    if seconds is None or seconds < _EPOCH:
        return seconds
    return _until(seconds / 1000 if seconds >= _EPOCH_MS else seconds)


def _header(name: str, read: Callable[[str], float | None]) -> Form:
    key = name.lower()

    def look(headers: Mapping[str, str], _said: Said) -> float | None:
        text = headers.get(key)
        return None if text is None else read(text)

    return Form(field=name, read=look)


def _resets(remaining: str, reset: str) -> Form:
    """Return the form of limits that come in pairs: what remains, and when it is full again.

    The longest reset counts, among the limits of which nothing remains: the others were not the
    reason. `…` stands for the name of the limit in both patterns.
    """
    pattern = re.compile(re.escape(remaining).replace("…", "(.*)"))

    def look(headers: Mapping[str, str], _said: Said) -> float | None:
        waits = []
        for name, left in headers.items():
            match = pattern.fullmatch(name)
            if match and _number(left) == 0:
                waits.append(moment(headers.get(reset.replace("…", match[1]), "")))
        return max((wait for wait in waits if wait is not None), default=None)

    return Form(field=reset, read=look, limits_only=True)


def _structured(headers: Mapping[str, str], _said: Said) -> float | None:
    """Read the structured header of the draft: r is what remains, t the seconds to the reset."""
    waits = [
        float(reset)
        for left, reset in _STRUCTURED.findall(headers.get("ratelimit", ""))
        if float(left) == 0
    ]
    return max((wait for wait in waits if math.isfinite(wait)), default=None)


def _retry_info(_headers: Mapping[str, str], said: Said) -> float | None:
    """Read `google.rpc.RetryInfo`, whose delay is a duration in JSON: "34s", "34.5s"."""
    for detail in said.details:
        delay = detail.get("retryDelay")
        if str(detail.get("@type")).endswith("google.rpc.RetryInfo") and isinstance(delay, str):
            return duration(delay)
    return None


def _sentence(_headers: Mapping[str, str], said: Said) -> float | None:
    """Read "try again in 1m2.5s" in the message: all there is inside of a stream."""
    match = _SENTENCE.search(said.message)
    return duration(match[1]) if match else None


def _milliseconds(text: str) -> float | None:
    number = _number(text)
    return None if number is None else number / 1000


def _seconds_or_date(text: str) -> float | None:
    number = _number(text)
    if number is not None:
        return number
    try:
        until = parsedate_to_datetime(text)
        if until.tzinfo is None:  # an older form names no zone; HTTP knows but one
            until = until.replace(tzinfo=UTC)
        return _until(until.timestamp())
    except Exception:  # noqa: BLE001 - the parser of mail dates fails in many ways
        return None


def _until_time(text: str) -> float | None:
    try:
        return _until(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return None


def _until(timestamp: float) -> float | None:
    wait = timestamp - _clock.wall()
    return wait if wait > 0 else None


def _number(text: str) -> float | None:
    """Return a plain decimal number; anything else says nothing (`float` reads "nan", "1_0")."""
    if not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


# The most exact statement wins: a time for this very failure, then the reset of what is used up,
# then the body, which repeats in words what the headers say in numbers.
FORMS = (
    _header("retry-after-ms", _milliseconds),
    _header("x-amz-retry-after", _milliseconds),
    _header("Retry-After", _seconds_or_date),  # RFC 9110, section 10.2.3
    _resets("x-ratelimit-remaining…", "x-ratelimit-reset…"),
    _resets("anthropic-ratelimit-…-remaining", "anthropic-ratelimit-…-reset"),
    # draft-ietf-httpapi-ratelimit-headers-09
    Form(field="RateLimit", read=_structured, limits_only=True),
    Form(field="retryDelay", read=_retry_info),
    Form(field="message", read=_sentence, limits_only=True),
)
