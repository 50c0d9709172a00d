"""Errors, headers and keys of the Claude API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

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
    "OLD_VERSION",
    "VERSION",
    "authenticate",
    "check_version",
    "headers",
    "problem",
    "soft_problem",
    "stream_problem",
]

_INVALID = "invalid_request_error"

# Status: type and message where the problem does not say otherwise.
_USUAL: Mapping[int, tuple[str, str]] = {
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the API."),
    403: ("permission_error", "Your API key does not have permission to use this resource."),
    404: ("not_found_error", "Not Found"),
    405: (_INVALID, "Method Not Allowed"),
    409: ("conflict_error", "The resource is being changed by another request."),
    413: ("request_too_large", "Request exceeds the maximum allowed number of bytes."),
    429: ("rate_limit_error", "This request would exceed the rate limit of your organization."),
    504: ("timeout_error", "The request timed out."),
    529: ("overloaded_error", "Overloaded"),
}
_TYPES = {kind for kind, _ in _USUAL.values()} | {_INVALID, "api_error"}
_SERVER_ERRORS = range(500, 600)
_SPENT = "enforced_spend_limit_reached"
# What each broken rule of a table of checks is called here; other messages stay as they are.
_WORDS = {
    "missing_required_parameter": "Field required",
    "unknown_parameter": "Extra inputs are not permitted",
}
_POSITION = re.compile(r"\[(\d+)\]")


def _error(problem: Problem) -> dict[str, Any]:
    """Give the `error` object: a code that is a type takes the type's place, others are details."""
    fallback = (_INVALID, "The request is invalid.")
    if problem.status in _SERVER_ERRORS:
        fallback = ("api_error", "Internal server error")
    kind, message = _USUAL.get(problem.status, fallback)
    code = _SPENT if problem.code == "insufficient_quota" else problem.code
    found = {"type": code if code in _TYPES else kind, "message": _said(problem, message)}
    if problem.status == 429 and code and code not in _TYPES:  # noqa: PLR2004 - an HTTP status
        return {**found, "details": {"error_code": code}}
    return found


def _said(problem: Problem, usual: str) -> str:
    words = _WORDS.get(problem.code or "", problem.message or usual)
    if problem.param is None:
        return words
    path = _POSITION.sub(r".\1", problem.param)
    return f"{path}: {words}"


def _body(problem: Problem, call: Call) -> dict[str, Any]:
    return {"type": "error", "error": _error(problem), "request_id": call.request_id}


def problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error: its status, and its object under `error`."""
    return Answer.of_json(_body(problem, call), problem.status)


def soft_problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error and status 200."""
    return Answer.of_json(_body(problem, call))


def stream_problem(problem: Problem, call: Call, _position: int) -> bytes:
    """Write an error as the event `error`."""
    return b"event: error\n" + server_sent_event(to_json(_body(problem, call)))


def authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    """Find the name of the key in `x-api-key` or of the bearer token; raises `Refusal` (401)."""
    scheme, _, token = call.header("authorization").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    secret = call.header("x-api-key") or bearer
    if not secret:
        raise Refusal(Problem(401, "x-api-key header is required"))
    for name, known in keys.items():
        if secret == known:
            return name
    raise Refusal(Problem(401, "invalid x-api-key" if not bearer else "invalid bearer token"))


# The versions of the API that the emulator knows.
OLD_VERSION, VERSION = "2023-06-01", "2026-10-21"


def check_version(call: Call) -> str:
    """Give the version that a request has to name."""
    version = call.header("anthropic-version")
    if not version:
        raise Refusal(Problem(400, "anthropic-version: header is required"))
    if version not in {OLD_VERSION, VERSION}:
        message = f'anthropic-version: "{version}" is not a valid version'
        raise Refusal(Problem(400, message))
    return version


# What a key has left that no rule limits.
_UNLIMITED = Quota(4_000, 3_999, 1.0)


def headers(call: Call, quota: Quota | None) -> Headers:
    """Give the headers that each answer has: ids, and what is left of the limits."""
    quota = quota or _UNLIMITED
    reset = (datetime.now(UTC) + timedelta(seconds=quota.reset)).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = {
        "requests": (quota.limit, quota.remaining),
        "tokens": (2_400_000, 2_399_000),
        "input-tokens": (2_000_000, 1_999_000),
        "output-tokens": (400_000, 400_000),
    }
    found = [
        (b"request-id", call.request_id.encode()),
        (b"anthropic-organization-id", b"0a1b2c3d-0000-4000-8000-000000000000"),
    ]
    for name, (limit, remaining) in limits.items():
        stem = f"anthropic-ratelimit-{name}".encode()
        found += [
            (stem + b"-limit", b"%d" % limit),
            (stem + b"-remaining", b"%d" % remaining),
            (stem + b"-reset", reset.encode()),
        ]
    return found
