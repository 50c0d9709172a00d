"""Gemini's own words for errors: a status of google.rpc, and details that say more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from adapters._failures import ErrorTable
from adapters._json import is_list, is_object, word_or_none
from adapters._said import Said, said
from adapters.errors import AuthenticationError, QuotaExceededError
from resilience._bodies import QUOTA_OF_ZERO

__all__ = ["DAILY_QUOTA", "GEMINI_ERRORS"]

# Our word for a quota of the day that is used up, where the API does not say until when.
DAILY_QUOTA = "daily_quota"

_BAD_KEY = ("API_KEY_EXPIRED", "API_KEY_INVALID")
_SPENT = (DAILY_QUOTA, QUOTA_OF_ZERO)


def _said(body: Any) -> Said:
    """Read a body as others do; the status is the kind, and a reason in the details the code."""
    found = said(body)
    error = _error(body)
    details = error.get("details")
    objects = [each for each in details if is_object(each)] if is_list(details) else []
    kind = word_or_none(error.get("status")) or found.kind
    return replace(found, code=_reason(objects) or found.code, kind=kind)


def _error(body: Any) -> Mapping[str, Any]:
    """Find the object of the error; it may stand in a list of one."""
    if is_list(body) and body:
        body = body[0]
    error = body.get("error") if is_object(body) else None
    return error if is_object(error) else {}


def _reason(details: list[dict[str, Any]]) -> str | None:
    quotas = list(_violations(details))
    if any(str(each.get("quotaValue")) == "0" for each in quotas):
        return QUOTA_OF_ZERO
    waits = any("retryDelay" in each for each in details)
    if not waits and any("PerDay" in str(each.get("quotaId")) for each in quotas):
        return DAILY_QUOTA
    return next((str(each["reason"]) for each in details if word_or_none(each.get("reason"))), None)


def _violations(details: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in details:
        violations = each.get("violations")
        yield from (one for one in violations if is_object(one)) if is_list(violations) else ()


GEMINI_ERRORS = ErrorTable(
    codes={
        **{(400, word): AuthenticationError for word in _BAD_KEY},
        **{(429, word): QuotaExceededError for word in _SPENT},
    },
    words={
        **dict.fromkeys(_BAD_KEY, AuthenticationError),
        **dict.fromkeys(_SPENT, QuotaExceededError),
    },
    said=_said,
)
