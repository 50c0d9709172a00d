"""vLLM 0.33's server, and on the same port the routes of an older framework's "LLVM" API."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from adapters.emulator._keys import keys_like
from adapters.emulator._llvm_older import OLDER_OPERATIONS, is_older
from adapters.emulator._vllm_operations import VLLM_OPERATIONS
from adapters.emulator.openai_style.chat_stream import DONE
from adapters.emulator.protocol import (
    Answer,
    Call,
    Headers,
    Problem,
    Provider,
    Quota,
    Refusal,
    describe_body,
    server_sent_event,
    to_json,
)

__all__ = ["PROVIDER"]

# Everything else is open to whoever can reach the server.
_GUARDED = ("/v1/", "/v2/", "/inference/")
_UNAUTHORIZED = 401
# Status to type and message, where the problem has none.
_WORDS = {
    400: ("BadRequestError", "The request is invalid."),
    404: ("NotFoundError", "Not Found"),
    422: ("UnprocessableEntityError", "The request cannot be processed."),
    429: ("RateLimitError", "Too many requests."),
    500: ("InternalServerError", "EngineCore encountered an issue."),
    501: ("NotImplementedError", "The model does not support this task."),
    503: ("ServiceUnavailableError", "The server is overloaded, please retry later."),
}


def _authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    """Find the key; a request without one is let in, as by a server that was given none."""
    scheme, _, secret = call.header("authorization").partition(" ")
    for name, known in keys.items():
        if scheme.lower() == "bearer" and secret == known:
            return name
    is_guarded = call.path.startswith(_GUARDED) or is_older(call.path)
    if is_guarded and call.header("authorization"):
        raise Refusal(Problem(_UNAUTHORIZED, "Unauthorized"))
    return None


def _error(problem: Problem) -> dict[str, Any]:
    usual = (HTTPStatus(500).phrase, "The server failed.")
    if problem.status in set(HTTPStatus):
        usual = (HTTPStatus(problem.status).phrase, HTTPStatus(problem.status).phrase)
    kind, message = _WORDS.get(problem.status, usual)
    return {
        "message": problem.message or message,
        "type": kind,
        "param": problem.param,
        "code": problem.status,
    }


def _written(problem: Problem, call: Call) -> dict[str, Any]:
    if problem.status == _UNAUTHORIZED:
        return {"error": "Unauthorized"}
    error = _error(problem)
    return {"error": error["message"] if is_older(call.path) else error}


def _problem(problem: Problem, call: Call) -> Answer:
    return Answer.of_json(_written(problem, call), problem.status)


def _soft_problem(problem: Problem, call: Call) -> Answer:
    return Answer.of_json(_written(problem, call))


def _stream_problem(problem: Problem, _call: Call, _position: int) -> bytes:
    # The end marker follows all the same.
    return server_sent_event(to_json({"error": _error(problem)})) + DONE


def _headers(call: Call, _quota: Quota | None) -> Headers:
    # As with --enable-request-id-headers: the client's own id comes back.
    return [(b"x-request-id", (call.header("x-request-id") or call.request_id[4:]).encode())]


PROVIDER = Provider(
    name="llvm",
    base_path="",
    operations=(*VLLM_OPERATIONS, *OLDER_OPERATIONS),
    keys=keys_like("token-", "llvm", 32),
    authenticate=_authenticate,
    problem=_problem,
    stream_problem=_stream_problem,
    soft_problem=_soft_problem,
    headers=_headers,
    describe=describe_body,
)
