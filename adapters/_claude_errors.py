"""Claude's own words for errors: the reason in the details first, then the type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters._failures import ErrorTable
from adapters._json import is_object, word_or_none
from adapters._said import Said, said
from adapters.errors import (
    AdapterError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    OverloadedError,
    PayloadTooLargeError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)

__all__ = ["CLAUDE_ERRORS"]

# Their status is that of a rate limit, and waiting mends none of them before the month is over.
# Source: Claude API, errors; the words are those of its own client.
_SPENT = (
    "contract_spend_limit_reached",
    "enforced_spend_limit_reached",
    "linked_organization_spend_limit_reached",
)

_TYPES: Mapping[str, type[AdapterError]] = {
    "api_error": ServerError,
    "authentication_error": AuthenticationError,
    "billing_error": QuotaExceededError,
    "conflict_error": ConflictError,
    "invalid_request_error": BadRequestError,
    "not_found_error": NotFoundError,
    "overloaded_error": OverloadedError,
    "permission_error": PermissionDeniedError,
    "rate_limit_error": RateLimitError,
    "request_too_large": PayloadTooLargeError,
    "timeout_error": ServerError,
}


def _said(body: Any) -> Said:
    """Read a body as others do, and the reason that stands in the details of the error."""
    found = said(body)
    error = body.get("error") if is_object(body) else None
    details = error.get("details") if is_object(error) else None
    code = word_or_none(details.get("error_code")) if is_object(details) else None
    return replace(found, code=code) if code else found


CLAUDE_ERRORS = ErrorTable(
    codes={(429, word): QuotaExceededError for word in _SPENT},
    words={**_TYPES, **dict.fromkeys(_SPENT, QuotaExceededError)},
    retryable=frozenset({409}),  # as Claude's own client has it
    said=_said,
)
