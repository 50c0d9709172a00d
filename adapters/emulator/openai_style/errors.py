"""Errors, answers' headers and keys of the OpenAI dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.emulator.openai_style.responses import failed_response
from adapters.emulator.protocol import (
    Answer,
    Call,
    Headers,
    Problem,
    Quota,
    Refusal,
    server_sent_event,
    to_json,
)

__all__ = [
    "authenticate",
    "error_body",
    "go_duration",
    "headers",
    "problem",
    "soft_problem",
    "stream_problem",
]

_INVALID = "invalid_request_error"

# Status: type, code and message where the problem does not say otherwise.
_USUAL: Mapping[int, tuple[str, str | None, str]] = {
    400: (_INVALID, None, "The request is invalid."),
    401: (_INVALID, "invalid_api_key", "Incorrect API key provided."),
    403: (
        _INVALID,
        "unsupported_country_region_territory",
        "Country, region, or territory not supported.",
    ),
    404: (_INVALID, None, "Not found."),
    405: (_INVALID, "method_not_supported", "The method is not supported."),
    408: ("timeout_error", "timeout", "Request timed out."),
    409: ("conflict_error", "conflict", "The resource is locked by another request."),
    413: (_INVALID, "request_too_large", "The request is too large."),
    415: (_INVALID, "unsupported_content_type", "The content type is not supported."),
    422: (_INVALID, "unprocessable_entity", "The request could not be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached. Please try again later."),
    500: ("server_error", None, "The server had an error while processing your request."),
    502: ("server_error", "bad_gateway", "Bad gateway."),
    503: ("service_unavailable_error", "server_is_overloaded", "The server is overloaded."),
    504: ("server_error", "gateway_timeout", "Gateway timeout."),
    529: ("overloaded_error", "overloaded", "The server is overloaded."),
}
_SERVER_ERRORS = range(500, 600)
_OTHER_SERVER = ("server_error", None, "The server failed.")
_OTHER_CLIENT = (_INVALID, None, "The request failed.")
# Codes that come with a type of their own, whatever the status; and what to say of a spent quota.
_QUOTA_CODES = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
)
_KINDS = {"slow_down": "rate_limit_error", **dict.fromkeys(_QUOTA_CODES, "insufficient_quota")}
_QUOTA_MESSAGE = "The quota of this account is used up; check its plan and billing."


# What a key has left that no rule limits.
_UNLIMITED = Quota(10_000, 9_999, 0.006)


def error_body(problem: Problem) -> dict[str, Any]:
    """Give the `error` object of a problem."""
    fallback = _OTHER_SERVER if problem.status in _SERVER_ERRORS else _OTHER_CLIENT
    kind, code, message = _USUAL.get(problem.status, fallback)
    if problem.code is not None:
        code = problem.code or None
    if code in _QUOTA_CODES:
        message = _QUOTA_MESSAGE
    return {
        "message": problem.message or message,
        "type": _KINDS.get(code or "", kind),
        "param": problem.param,
        "code": code,
    }


def problem(problem: Problem, _call: Call) -> Answer:
    """Answer with an error: its status, and its object under `error`."""
    return Answer.of_json({"error": error_body(problem)}, problem.status)


def soft_problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error and status 200; the Responses API has a failed response for that."""
    body = error_body(problem)
    if call.operation == "responses":
        return failed_response(call, body["code"] or body["type"], body["message"])
    return Answer.of_json({"error": body})


def stream_problem(problem: Problem, call: Call, position: int) -> bytes:
    """Write an error as an event; the Responses API has an event and a shape of its own."""
    body = error_body(problem)
    if call.operation == "responses":
        event = {**body, "type": "error", "sequence_number": position}
        return b"event: error\n" + server_sent_event(to_json(event))
    return server_sent_event(to_json({"error": body}))


def authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    """Find the name of the bearer token's key; raises `Refusal` (401)."""
    scheme, _, secret = call.header("authorization").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        message = "No API key provided: send it in the header 'Authorization: Bearer <key>'."
        raise Refusal(Problem(401, message, code=""))
    for name, known in keys.items():
        if secret.strip() == known:
            return name
    # As the real API does: enough of the key to find it, not enough to use it.
    message = f"Incorrect API key provided: {secret[:8]}********{secret[-4:]}."
    raise Refusal(Problem(401, message, code="invalid_api_key"))


def headers(call: Call, quota: Quota | None) -> Headers:
    """Give the headers that each answer has: ids, version, time and what is left of the limits."""
    quota = quota or _UNLIMITED
    return [
        (b"x-request-id", call.request_id.encode()),
        (b"openai-organization", b"org-emulator"),
        (b"openai-processing-ms", b"1"),
        (b"openai-version", b"2020-10-01"),
        (b"x-ratelimit-limit-requests", b"%d" % quota.limit),
        (b"x-ratelimit-remaining-requests", b"%d" % quota.remaining),
        (b"x-ratelimit-reset-requests", go_duration(quota.reset).encode()),
        (b"x-ratelimit-limit-tokens", b"2000000"),
        (b"x-ratelimit-remaining-tokens", b"1999000"),
        (b"x-ratelimit-reset-tokens", b"30ms"),
    ]


_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000


def go_duration(seconds: float) -> str:
    """Write a time as Go does: `12ms`, `1s`, `6m0s`, `1h2m3.5s`."""
    milliseconds = max(0, round(seconds * _SECOND))
    if milliseconds < _SECOND:
        return f"{milliseconds}ms"
    hours, rest = divmod(milliseconds, _HOUR)
    minutes, rest = divmod(rest, _MINUTE)
    text = f"{rest / _SECOND:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
