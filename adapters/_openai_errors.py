"""OpenAI's own words for errors and limits; servers that speak its dialect use the same."""

from __future__ import annotations

from adapters._failures import ErrorTable
from adapters.errors import (
    AuthenticationError,
    BadRequestError,
    ContextLengthError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
)

__all__ = ["OPENAI_ERRORS", "OPENAI_QUOTA"]

OPENAI_QUOTA = (
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
)

# Their status is that of a rate limit, and waiting mends none of them.
# Source: OpenAI, guide to error codes.
QUOTA_WORDS = (
    "credit_balance_exhausted",
    "insufficient_quota",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
)

OPENAI_ERRORS = ErrorTable(
    codes={
        (400, "context_length_exceeded"): ContextLengthError,
        (400, "exceed_context_size_error"): ContextLengthError,  # llama.cpp's server
        # The code comes first: an account whose type still says quota may only be too fast.
        (429, "rate_limit_exceeded"): RateLimitError,
        **{(status, word): QuotaExceededError for status in (403, 429) for word in QUOTA_WORDS},
    },
    words={
        "context_length_exceeded": ContextLengthError,
        "invalid_api_key": AuthenticationError,
        "authentication_error": AuthenticationError,
        "permission_error": PermissionDeniedError,
        "model_not_found": NotFoundError,
        "not_found_error": NotFoundError,
        "invalid_prompt": BadRequestError,
        "invalid_request_error": BadRequestError,
        "rate_limit_error": RateLimitError,
        "rate_limit_exceeded": RateLimitError,
        "slow_down": RateLimitError,
        "overloaded_error": OverloadedError,
        "server_is_overloaded": OverloadedError,
        "service_unavailable_error": OverloadedError,
        "server_error": ServerError,
        **dict.fromkeys(QUOTA_WORDS, QuotaExceededError),
    },
    retryable=frozenset({409}),  # a lock that is held for a moment, as OpenAI's own client has it
)
