"""What TGI and TEI have in common: a key that is optional, and errors of two kinds.

What the router cannot read is refused in plain text, what it can read and does not accept in JSON:
`{"error": …, "error_type": …}`. A wrong key gets no body at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.emulator.protocol import Answer, Call, Problem, Refusal

__all__ = ["error_body", "optional_bearer", "problem_answer", "validation_status"]

_BAD, _UNREADABLE, _SERVER = 400, 422, 500
_EMPTY = frozenset({401, 404, 405})
# What serde finds before the server itself looks at the values.
_FORM = frozenset({"missing_required_parameter", "invalid_type"})

Words = Mapping[int, tuple[str, str]]


def optional_bearer(call: Call, keys: Mapping[str, str]) -> str | None:
    """Find the name of the bearer token's key; a request without one is let in.

    The servers ask for a key only where they were started with one, so a client without a key is
    served here as well; a wrong one is refused (401).
    """
    given = call.header("authorization")
    if not given:
        return None
    scheme, _, secret = given.partition(" ")
    for name, known in keys.items():
        if scheme.lower() == "bearer" and secret == known:
            return name
    raise Refusal(Problem(401))


def validation_status(problem: Problem) -> int:
    """Give the status that these servers have for a problem: a bad parameter is 422, not 400."""
    is_checked = problem.status == _BAD and problem.param is not None
    return _UNREADABLE if is_checked else problem.status


def error_body(problem: Problem, words: Words, kinds: Mapping[str, str]) -> dict[str, Any]:
    """Give the error's object.

    Args:
        problem: What is wrong.
        words: For a status, the type and the message that the server usually has.
        kinds: For a code of the checks, the type; every other code is the type itself.
    """
    status = validation_status(problem)
    kind, message = words.get(status, words[_SERVER if status >= _SERVER else _UNREADABLE])
    if problem.code:
        kind = kinds.get(problem.code, kind if problem.param else problem.code)
    return {"error": problem.message or message, "error_type": kind}


def problem_answer(problem: Problem, body: Mapping[str, Any]) -> Answer:
    """Answer with an error in the form that its cause has."""
    status = validation_status(problem)
    if problem.status in _EMPTY and not problem.code:
        return Answer(status, content_type=b"text/plain; charset=utf-8")
    is_unread = problem.code in _FORM or (problem.status, problem.code) == (_BAD, None)
    if is_unread and problem.message:
        prefix = "Failed to deserialize the JSON body into the target type: "
        text = (prefix if problem.code else "") + problem.message
        return Answer(status, text.encode(), content_type=b"text/plain; charset=utf-8")
    return Answer.of_json(body, status)
