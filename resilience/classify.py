"""What an exception means: the one place that reads errors.

| what | kind | hint |
|---|---|---|
| an attribute `resilience_kind` or `retryable` | as it says | its `retry_after` |
| status 408, 425, any 5xx but 501, 505, 506 | transient | Retry-After, `retry-after-ms` |
| status 429, 498, 529 | rate limit | the same, then the resets of limits that are used up |
| status 401, 402, 403 and the code `insufficient_quota` | key | Retry-After, `retry-after-ms` |
| any other 4xx, and 501, 505, 506 | permanent | Retry-After, `retry-after-ms` |
| a refusal of the toolkit | neutral | its `retry_after` |
| cancellation, `KeyboardInterrupt`, `SystemExit`, `GeneratorExit` | neutral | |
| any other `Exception` | transient | its `retry_after` |

A number in the attribute `retry_after`, where an exception has one, goes before its headers.
The status is read from `status_code`, `status`, `code`, `response.status_code` or botocore's
`response["ResponseMetadata"]["HTTPStatusCode"]`, where that is a whole number from 100 to 599; so
the errors of requests, httpx, aiohttp, botocore and the vendors' SDKs need not be imported.

A group of exceptions is what its gravest member is: one permanent error makes it permanent.
A group in which a call was cancelled or interrupted is neutral, whatever failed beside that.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from resilience._hints import retry_after
from resilience._marks import read_quietly
from resilience.errors import RefusedError

__all__ = ["Kind", "Verdict", "classify"]

Kind = Literal["transient", "rate_limit", "permanent", "key", "neutral"]

# "key" is permanent for the key that was used and transient for a pool that has others.
_KINDS: tuple[Kind, ...] = ("neutral", "transient", "rate_limit", "key", "permanent")
_RATE_LIMIT = frozenset({429, 498, 529})
_KEY = frozenset({401, 402, 403})
_QUOTA_CODES = frozenset({"insufficient_quota"})
_TRANSIENT_4XX = frozenset({408, 425})
_PERMANENT_5XX = frozenset({501, 505, 506})
_LONGEST = sys.float_info.max  # neither infinite nor a whole number beyond the floats


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an exception means.

    Attributes:
        kind: "transient", "rate_limit", "permanent", "key" (bad for this key alone), "neutral".
        retry_after: Seconds that the server asked to wait, or None.
    """

    kind: Kind
    retry_after: float | None = None

    @property
    def is_retryable(self) -> bool:
        """Whether trying again, with the same key, may help."""
        return self.kind in ("transient", "rate_limit")

    @property
    def is_failure(self) -> bool:
        """Whether it speaks against the health of the service; what a breaker counts."""
        return self.kind == "transient"


def classify(error: BaseException) -> Verdict:
    """Return what `error` means; never raises."""
    if not isinstance(error, Exception):
        return Verdict("neutral")
    if isinstance(error, ExceptionGroup):
        return _of_group(error)
    if isinstance(error, RefusedError):
        return Verdict("neutral", error.retry_after)
    declared = _declared(error)
    return declared if declared is not None else _by_status(error)


def _of_group(group: ExceptionGroup[Exception]) -> Verdict:
    verdicts = [classify(member) for member in group.exceptions]
    gravest = max(verdicts, key=lambda verdict: _KINDS.index(verdict.kind))
    hints = [verdict.retry_after for verdict in verdicts if verdict.retry_after is not None]
    return Verdict(gravest.kind, max(hints, default=None))


def _declared(error: Exception) -> Verdict | None:
    """Read what the exception says about itself."""
    kind = read_quietly(error, "resilience_kind")
    if isinstance(kind, str) and kind in _KINDS:
        return _verdict(kind, error)
    retryable = read_quietly(error, "retryable")
    if retryable is True:
        return _verdict("rate_limit" if _status(error) in _RATE_LIMIT else "transient", error)
    if retryable is False:
        return _verdict("key" if _status(error) in _KEY else "permanent", error)
    return None


def _by_status(error: Exception) -> Verdict:
    code = read_quietly(error, "code")
    if isinstance(code, str) and code in _QUOTA_CODES:
        return _verdict("key", error)
    status = _status(error)
    if status is None:
        return Verdict("transient", _own_hint(error))
    if status in _RATE_LIMIT:
        return _verdict("rate_limit", error)
    if status in _KEY:
        return _verdict("key", error)
    if status in _TRANSIENT_4XX or (status >= 500 and status not in _PERMANENT_5XX):  # noqa: PLR2004
        return _verdict("transient", error)
    return _verdict("permanent" if status >= 400 else "transient", error)  # noqa: PLR2004


def _verdict(kind: Kind, error: Exception) -> Verdict:
    """Return the verdict with the seconds that the exception carries, or its answer asked for."""
    seconds = _own_hint(error)
    if seconds is None:
        seconds = retry_after(_headers(error), resets=kind == "rate_limit")
    return Verdict(kind, seconds)


def _own_hint(error: Exception) -> float | None:
    seconds = read_quietly(error, "retry_after")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(seconds) if 0 <= seconds <= _LONGEST else None


def _status(error: Exception) -> int | None:
    response = read_quietly(error, "response")
    candidates = (
        read_quietly(error, "status_code"),
        read_quietly(error, "status"),
        read_quietly(error, "code"),
        read_quietly(response, "status_code"),
        _item(_item(response, "ResponseMetadata"), "HTTPStatusCode"),
    )
    for candidate in candidates:
        if isinstance(candidate, int) and 100 <= candidate <= 599:  # noqa: PLR2004 - as HTTP has it
            return int(candidate)
    return None


def _headers(error: Exception) -> list[tuple[str, str]]:
    response = read_quietly(error, "response")
    candidates = (
        read_quietly(error, "headers"),
        read_quietly(response, "headers"),
        _item(_item(response, "ResponseMetadata"), "HTTPHeaders"),
    )
    for found in candidates:
        if found is None:
            continue
        try:
            return [(str(name), str(value)) for name, value in found.items()]
        except Exception:  # noqa: BLE001, S112 - a stranger's object; whatever has items will do
            continue
    return []


def _item(thing: object, name: str) -> Any:
    try:
        return thing.get(name) if isinstance(thing, Mapping) else None
    except Exception:  # noqa: BLE001 - a stranger's mapping
        return None
