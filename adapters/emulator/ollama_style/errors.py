"""Errors and keys of Ollama: an error is a text, and a local server asks for no key."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.emulator.protocol import Answer, Call, Headers, Problem, Quota, to_json

__all__ = ["authenticate", "frame", "headers", "problem", "soft_problem", "stream_problem"]

_USUAL: Mapping[int, str] = {
    400: "invalid request",
    401: "unauthorized",
    403: "access forbidden",
    404: "not found",
    429: "too many requests",
    500: "llama runner process has terminated: exit status 2",
    502: "upstream connect error",
    503: "server busy, please try again. maximum pending requests exceeded",
}
_NO_ROUTE, _NO_METHOD = b"404 page not found", b"405 method not allowed"
_UNAUTHORIZED, _NOT_FOUND, _NOT_ALLOWED = 401, 404, 405


def _body(problem: Problem) -> dict[str, str]:
    body = {"error": _said(problem)}
    if problem.status == _UNAUTHORIZED:
        body["signin_url"] = "https://ollama.com/connect?name=emulator"
    return body


def _said(problem: Problem) -> str:
    """Say what is wrong with a parameter in Go's words, everything else in Ollama's."""
    if problem.code == "missing_required_parameter":
        return f"{problem.param} is required"
    if problem.code == "invalid_type":
        return f"json: cannot unmarshal into Go struct field {problem.param}: {problem.message}"
    return problem.message or _USUAL.get(problem.status, "internal error")


def problem(problem: Problem, call: Call) -> Answer:
    """Answer with an error: its status and its text; a path without a route gets no JSON."""
    if call.operation is None and problem.status in {_NOT_FOUND, _NOT_ALLOWED}:
        text = _NO_ROUTE if problem.status == _NOT_FOUND else _NO_METHOD
        return Answer(problem.status, text, content_type=b"text/plain")
    return Answer.of_json(_body(problem), problem.status)


def soft_problem(problem: Problem, _call: Call) -> Answer:
    """Answer with an error and status 200."""
    return Answer.of_json(_body(problem))


def stream_problem(problem: Problem, _call: Call, _position: int) -> bytes:
    """Write an error as a line of the stream."""
    return frame(to_json(_body(problem)))


def frame(data: bytes) -> bytes:
    """Make a line of the stream."""
    return data + b"\n"


def authenticate(call: Call, keys: Mapping[str, str]) -> str | None:
    """Find the name of the bearer token's key, or None: nobody is refused."""
    secret = call.header("authorization").partition(" ")[2]
    return next((name for name, known in keys.items() if secret == known), None)


def headers(_call: Call, _quota: Quota | None) -> Headers:
    """Give the headers of each answer: there are none."""
    return []
