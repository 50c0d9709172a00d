"""Errors and keys of the Gemini API, in the shapes of `google.rpc.Status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.emulator.gemini_style.names import snake_case
from adapters.emulator.protocol import Answer, Call, Headers, Problem, Quota, Refusal, to_json

__all__ = [
    "authenticate",
    "frame",
    "headers",
    "problem",
    "soft_problem",
    "stream_problem",
    "streams_events",
]

# HTTP status: status of google.rpc, and message where the problem does not say otherwise.
_USUAL: Mapping[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    402: ("FAILED_PRECONDITION", "The prepaid credit of this project is used up."),
    403: ("PERMISSION_DENIED", "The caller does not have permission."),
    404: ("NOT_FOUND", "Requested entity was not found."),
    409: ("ABORTED", "The operation was aborted."),
    429: (
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    499: ("CANCELLED", "The operation was cancelled."),
    500: ("INTERNAL", "An internal error has occurred. Please retry."),
    501: ("UNIMPLEMENTED", "Operation is not implemented."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}
_STATUSES = {status for status, _ in _USUAL.values()}
_SERVER_ERRORS = range(500, 600)
_TOO_MANY = 429
_RPC = "type.googleapis.com/google.rpc."
_QUOTA = "Generate{0}PerProjectPerModel-FreeTier"
# Why a prompt may be blocked.
_BLOCKED = frozenset({"SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY"})


def _error(problem: Problem) -> dict[str, Any]:
    """Give the `error` object; a code that is no status is the reason of an `ErrorInfo`."""
    server = problem.status in _SERVER_ERRORS
    status, message = _USUAL.get(problem.status, _USUAL[500 if server else 400])
    if problem.code in _STATUSES:
        status = str(problem.code)
    wait = "" if problem.retry_after is None else f"{problem.retry_after:g}s"
    said = _said(problem, message) + (f"\nPlease retry in {wait}." if wait else "")
    error = {"code": problem.status, "message": said, "status": status}
    details = [*_details(problem), *_quota(problem)]
    if wait:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": wait})
    return {**error, "details": details} if details else error


def _said(problem: Problem, usual: str) -> str:
    path, _, name = snake_case(problem.param or "").rpartition(".")
    if problem.code == "unknown_parameter":
        place = f" at '{path}'" if path else ""
        return f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
    if problem.code == "missing_required_parameter":
        return f"* {problem.param}: {problem.param} is not specified\n"
    if problem.param is not None:
        return f"Invalid value at '{snake_case(problem.param)}': {problem.message}"
    return problem.message or usual


def _details(problem: Problem) -> list[dict[str, Any]]:
    if problem.param is not None:
        violation = {"field": snake_case(problem.param), "description": _said(problem, "")}
        return [{"@type": f"{_RPC}BadRequest", "fieldViolations": [violation]}]
    code = problem.code or ""
    if not code.isupper() or code in _STATUSES:
        return []
    return [
        {
            "@type": f"{_RPC}ErrorInfo",
            "reason": code,
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }
    ]


def _quota(problem: Problem) -> list[dict[str, Any]]:
    if problem.status != _TOO_MANY:
        return []
    period = "RequestsPerDay" if problem.code == "insufficient_quota" else "RequestsPerMinute"
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
        "quotaId": _QUOTA.format(period),
        "quotaDimensions": {"location": "global"},
        "quotaValue": "10",
    }
    return [{"@type": f"{_RPC}QuotaFailure", "violations": [violation]}]


def streams_events(call: Call) -> bool:
    """Whether a stream comes as events (`alt=sse`) and not as one growing array."""
    return b"alt=sse" in call.query.split(b"&")


def problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error: its status and its object; where an array was due, in an array."""
    body = {"error": _error(problem)}
    in_array = call.stream and not streams_events(call)
    return Answer.of_json([body] if in_array else body, problem.status)


def soft_problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error and status 200; a reason to block a prompt blocks it."""
    if problem.code in _BLOCKED:
        tokens = {"promptTokenCount": 1, "totalTokenCount": 1}
        feedback = {"promptFeedback": {"blockReason": problem.code}, "usageMetadata": tokens}
        return Answer.of_json({**feedback, "modelVersion": call.model})
    return Answer.of_json({"error": _error(problem)})


def stream_problem(problem: Problem, _call: Call, _position: int) -> bytes:
    """Write an error as an event."""
    return frame(to_json({"error": _error(problem)}))


def frame(data: bytes) -> bytes:
    """Make an event as this API ends its lines."""
    return b"data: " + data + b"\r\n\r\n"


def authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    """Find the name of the key in `x-goog-api-key`, or in the query as `key`; raises `Refusal`."""
    queried = dict(pair.split(b"=", 1) for pair in call.query.split(b"&") if b"=" in pair)
    secret = call.header("x-goog-api-key") or queried.get(b"key", b"").decode()
    if not secret:
        message = (
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API."
        )
        raise Refusal(Problem(403, message))
    for name, known in keys.items():
        if secret == known:
            return name
    message = "API key not valid. Please pass a valid API key."
    raise Refusal(Problem(400, message, code="API_KEY_INVALID"))


def headers(_call: Call, _quota: Quota | None) -> Headers:
    """Give the headers of each answer; none of them speaks of ids or limits."""
    return [(b"vary", b"Origin"), (b"server-timing", b"gfet4t7; dur=1")]
