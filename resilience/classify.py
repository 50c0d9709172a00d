"""What an exception means: the one place that reads errors.

| what | kind | hint |
|---|---|---|
| an attribute `resilience_kind` or `retryable` | as it says | its `retry_after` |
| status 408, 425, any 5xx but 501, 505, 506 | transient | headers of the answer |
| status 429, 498, 529 | rate limit | headers of the answer |
| status 401, 402, 403 and the code `insufficient_quota` | key | headers of the answer |
| any other 4xx, and 501, 505, 506 | permanent | |
| a refusal of the toolkit | neutral | its `retry_after` |
| cancellation, `KeyboardInterrupt`, `SystemExit`, `GeneratorExit` | neutral | |
| any other `Exception` | transient | |

The status is read from `status_code`, `status`, `code`, `response.status_code` or botocore's
`response["ResponseMetadata"]["HTTPStatusCode"]`, where that is a whole number from 100 to 599; so
the errors of requests, httpx, aiohttp, botocore and the vendors' SDKs need not be imported.

A group of exceptions is what its gravest member is: one permanent error makes it permanent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from resilience._hints import retry_after
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


_TRANSIENT = Verdict("transient")
_PERMANENT = Verdict("permanent")


def classify(error: BaseException) -> Verdict:
    """Return what `error` means; never raises."""
    if isinstance(error, BaseExceptionGroup):
        return _of_group(error)
    if isinstance(error, RefusedError):
        return Verdict("neutral", error.retry_after)
    if not isinstance(error, Exception):
        return Verdict("neutral")
    declared = _declared(error)
    return declared if declared is not None else _by_status(error)


def _of_group(group: BaseExceptionGroup[BaseException]) -> Verdict:
    verdicts = [classify(member) for member in group.exceptions]
    gravest = max(verdicts, key=lambda verdict: _KINDS.index(verdict.kind))
    hints = [verdict.retry_after for verdict in verdicts if verdict.retry_after is not None]
    return Verdict(gravest.kind, max(hints, default=None))


def _declared(error: Exception) -> Verdict | None:
    """Read what the exception says about itself."""
    seconds = _hint(error)
    kind = _get(error, "resilience_kind")
    if kind in _KINDS:
        return Verdict(kind, seconds)
    retryable = _get(error, "retryable")
    if retryable is True:
        limited = _status(error) in _RATE_LIMIT
        return Verdict("rate_limit" if limited else "transient", seconds)
    if retryable is False:
        return Verdict("key" if _status(error) in _KEY else "permanent", seconds)
    return None


def _by_status(error: Exception) -> Verdict:
    status = _status(error)
    if str(_get(error, "code")) in _QUOTA_CODES:
        return Verdict("key", _hint(error))
    if status is None:
        return _TRANSIENT
    if status in _RATE_LIMIT:
        return Verdict("rate_limit", _hint(error))
    if status in _KEY:
        return Verdict("key", _hint(error))
    if status in _TRANSIENT_4XX or (status >= 500 and status not in _PERMANENT_5XX):  # noqa: PLR2004
        return Verdict("transient", _hint(error))
    return _PERMANENT if status >= 400 else _TRANSIENT  # noqa: PLR2004 - where errors begin


def _hint(error: Exception) -> float | None:
    """Return the seconds to wait that the exception carries, or that its answer asked for."""
    carried = _get(error, "retry_after")
    if isinstance(carried, int | float) and not isinstance(carried, bool) and carried >= 0:
        return float(carried)
    return retry_after(_headers(error))


def _status(error: Exception) -> int | None:
    response = _get(error, "response")
    metadata = _item(response, "ResponseMetadata")
    candidates = (
        _get(error, "status_code"),
        _get(error, "status"),
        _get(error, "code"),
        _get(response, "status_code"),
        _item(metadata, "HTTPStatusCode"),
    )
    for candidate in candidates:
        if type(candidate) is bool or not isinstance(candidate, int):
            continue
        if 100 <= candidate <= 599:  # noqa: PLR2004 - the range of HTTP's status codes
            return int(candidate)
    return None


def _headers(error: Exception) -> list[tuple[str, str]]:
    response = _get(error, "response")
    metadata = _item(response, "ResponseMetadata")
    candidates = (
        _get(error, "headers"),
        _get(response, "headers"),
        _item(metadata, "HTTPHeaders"),
    )
    for found in candidates:
        try:
            return list(found.items())  # type: ignore[attr-defined] # whatever has items will do
        except Exception:  # noqa: BLE001, S112 - a stranger's object
            continue
    return []


def _get(thing: object, name: str) -> object:
    """Read an attribute of a stranger's object: whatever goes wrong, it says nothing."""
    try:
        return getattr(thing, name, None)
    except Exception:  # noqa: BLE001 - a property of a foreign error may raise anything
        return None


def _item(thing: object, name: str) -> object:
    return thing.get(name) if isinstance(thing, Mapping) else None
