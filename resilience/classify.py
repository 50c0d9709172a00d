"""What an exception means: the one place that reads errors.

| what | kind | hint |
|---|---|---|
| an attribute `resilience_kind` or `retryable` | as it says | its `retry_after` |
| a word of `resilience._words` | as the table there says | of its answer |
| status 408, 425, any 5xx but 501, 505, 506 | transient | of its answer |
| status 429, 498, 529 | rate limit | of its answer, resets of used-up limits included |
| status 401, 402, 403 | key | of its answer |
| any other 4xx, and 501, 505, 506 | permanent | of its answer |
| a refusal of the toolkit | neutral | its `retry_after` |
| cancellation, `KeyboardInterrupt`, `SystemExit`, `GeneratorExit` | neutral | |
| any other `Exception` | transient | of its answer |

A number in the attribute `retry_after`, where an exception has one, goes before its answer: the
forms of `resilience._hints`. Where an exception keeps the answer is in `resilience._foreign`; so
the errors of requests, httpx, aiohttp, botocore and the vendors' SDKs need not be imported.

A group of exceptions that says nothing of itself is what its gravest member is: one permanent
error makes it permanent.
A group in which a call was cancelled or interrupted is neutral, whatever failed beside that.
"""

from __future__ import annotations

import builtins
from functools import cache
from types import ModuleType
from typing import Literal

from resilience._record import record
from resilience.errors import RefusedError

__all__ = ["Kind", "Verdict", "classify"]

Kind = Literal["transient", "rate_limit", "permanent", "key", "neutral"]

# "key" is permanent for the key that was used and transient for a pool that has others.
_KINDS: tuple[Kind, ...] = ("neutral", "transient", "rate_limit", "key", "permanent")

# Where an exception, or the answer that it stands for, may say something.
_PLACES = frozenset(
    {
        "body",
        "code",
        "details",
        "error",
        "resilience_kind",
        "response",
        "retry_after",
        "retryable",
        "status",
        "status_code",
    }
)
# Python's own exceptions have none of these (a test looks), and nobody can add one to a built-in
# type: unless it stands on the exception itself there is nothing to read, which would cost 3 µs.
_SILENT = frozenset(
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, ExceptionGroup)
)


@record(kw_only=False)
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


_NEUTRAL = Verdict("neutral")
_TRANSIENT = Verdict("transient")


def classify(error: BaseException) -> Verdict:
    """Return what `error` means; never raises."""
    if type(error) in _SILENT:
        said = error.__dict__
        if not said or _PLACES.isdisjoint(said):
            return _TRANSIENT
    if not isinstance(error, Exception):
        return _NEUTRAL
    if isinstance(error, ExceptionGroup):
        meant: Verdict = _answers().declared(error) or _of_group(error)
        return meant
    if isinstance(error, RefusedError):
        return Verdict("neutral", error.retry_after)
    if _says_nothing(error):
        return _TRANSIENT
    read: Verdict = _answers().declared(error) or _answers().by_answer(error)
    return read


def _says_nothing(error: Exception) -> bool:
    """Return whether it has none of the places, as most have none: told for a third of a look."""
    try:
        for place in _PLACES:
            if hasattr(error, place):
                return False
    except Exception:  # noqa: BLE001 - a property, which is one of the places
        return False
    return True


def _of_group(group: ExceptionGroup[Exception]) -> Verdict:
    verdicts = [classify(member) for member in group.exceptions]
    gravest = max(verdicts, key=lambda verdict: _KINDS.index(verdict.kind))
    hints = [verdict.retry_after for verdict in verdicts if verdict.retry_after is not None]
    return Verdict(gravest.kind, max(hints, default=None))


@cache
def _answers() -> ModuleType:
    from resilience import _answers as module  # noqa: PLC0415 - for exceptions that may have one

    return module
