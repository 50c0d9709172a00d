"""Words of error bodies that say more than their status, or come without one.

One table, whoever sends the word: the code of an error object, its type, the code of an XML body.
Texts for people are not searched: a server error whose message says "quota" is a server error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resilience.classify import Kind

__all__ = ["ANYWHERE", "WITHOUT_STATUS", "kind_of_words"]

_FIRST_ERROR = 400  # a stream that has begun well fails with a status below


def _table(words: Mapping[Kind, str]) -> Mapping[str, Kind]:
    return {word: kind for kind, text in words.items() for word in text.lower().split()}


# These win over any status.
ANYWHERE = _table(
    {
        # The money is spent, or the key is none: no waiting mends that.
        "key": """
            insufficient_quota credit_balance_exhausted organization_spend_limit_exceeded
            organization_usage_limit_exceeded project_spend_limit_exceeded
            enforced_spend_limit_reached contract_spend_limit_reached
            quota_of_zero API_KEY_INVALID API_KEY_EXPIRED ExpiredToken
        """,
        # Too fast, whatever the status: 400, 403 and 503 are all used for it.
        # Source of the words in camel case: the list of throttling errors of botocore.
        "rate_limit": """
            rate_limit_exceeded rate_limit_error slow_down ramp_limit_exceeded capacity_exceeded
            BandwidthLimitExceeded EC2ThrottledException LimitExceededException
            ProvisionedThroughputExceededException RequestLimitExceeded RequestThrottled
            RequestThrottledException SlowDown ThrottledException Throttling ThrottlingException
            TooManyRequestsException TransactionInProgressException
        """,
        # A connection that was idle for too long is a 400 there.
        "transient": "RequestTimeout RequestTimeoutException PriorRequestNotComplete",
        # A 403, but the clock is wrong and not the key.
        "permanent": "RequestTimeTooSkewed",
    }
)

# These count where there is no status: in the middle of a stream, or inside an answer.
WITHOUT_STATUS = _table(
    {
        "rate_limit": "overloaded overloaded_error RESOURCE_EXHAUSTED",
        "key": """
            invalid_api_key authentication_error permission_error billing_error
            UNAUTHENTICATED PERMISSION_DENIED
        """,
        "permanent": """
            invalid_request_error invalid_prompt context_length_exceeded model_not_found
            not_found_error request_too_large validation
            INVALID_ARGUMENT FAILED_PRECONDITION NOT_FOUND
        """,
    }
)


def kind_of_words(words: Iterable[str], status: int | None) -> Kind | None:
    """Return what the first known word means beside this status; None where no word is known."""
    has_status = status is not None and status >= _FIRST_ERROR
    for word in words:
        kind = ANYWHERE.get(word)
        if kind is None and not has_status:
            kind = WITHOUT_STATUS.get(word)
        if kind is not None:
            return kind
    return None
