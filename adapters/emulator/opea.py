"""OPEA 1.5: its gateways and its single services, all on one port.

A gateway streams the Python text of bytes (`data: b'…'`) unless it is told not to, knows no usage
and hides what has failed behind it: its stream is then empty.
"""

from __future__ import annotations

import html
from http import HTTPStatus
from typing import Any

from adapters.emulator._keys import keys_like
from adapters.emulator._opea_gateways import GATEWAY_OPERATIONS, is_gateway, streams_by_itself
from adapters.emulator._opea_services import SERVICE_OPERATIONS
from adapters.emulator.hugging_face import optional_bearer
from adapters.emulator.openai_style.chat_stream import DONE
from adapters.emulator.protocol import (
    Answer,
    Call,
    Headers,
    Problem,
    Provider,
    Quota,
    describe_body,
    server_sent_event,
    to_json,
)

__all__ = ["PROVIDER"]

_TEXT = b"text/plain; charset=utf-8"
_BAD, _UNREADABLE, _FAILED = 400, 422, 500
# What a proxy in front answers, since no service does.
_OF_THE_PROXY = frozenset({429, 502, 503, 504, 529})


def _describe(call: Call) -> None:
    describe_body(call)
    if call.data.get("stream") is None:
        call.stream = streams_by_itself(call)


def _problem(problem: Problem, call: Call) -> Answer:
    if problem.status == _BAD and (problem.param is not None or not problem.code):
        # A gateway reads the body itself, and fails on what it cannot read.
        return _failed() if is_gateway(call.path) else _unreadable(problem)
    if problem.message is None and problem.status in _OF_THE_PROXY:
        return Answer(problem.status, _page(problem.status), content_type=b"text/html")
    if problem.message is None and problem.status == _FAILED:
        return _failed()
    routed = call.operation is not None and problem.message
    return Answer.of_json({"detail": routed or _phrase(problem.status)}, problem.status)


def _unreadable(problem: Problem) -> Answer:
    kinds = {None: "json_invalid", "missing_required_parameter": "missing"}
    place = str(problem.param).split(".") if problem.param else []
    message = problem.message or "Input should be a valid value"
    detail = {
        "type": kinds.get(problem.code, "value_error"),
        "loc": ["body", *place],
        "msg": message,
        "input": {},
    }
    return Answer.of_json({"detail": [detail]}, _UNREADABLE)


def _failed() -> Answer:
    return Answer(_FAILED, b"Internal Server Error", content_type=_TEXT)


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in set(HTTPStatus) else "Error"


def _page(status: int) -> bytes:
    title = html.escape(f"{status} {_phrase(status)}")
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1><hr>nginx</body></html>"
    return page.encode()


def _backend_error(problem: Problem) -> dict[str, Any]:
    """Give an error as the model's server behind a service writes it."""
    message = problem.message or _phrase(problem.status)
    return {"error": {"message": message, "type": "server_error", "code": problem.status}}


def _soft_problem(problem: Problem, _call: Call) -> Answer:
    return Answer.of_json(_backend_error(problem))


def _stream_problem(problem: Problem, call: Call, position: int) -> bytes:
    if not is_gateway(call.path):
        return server_sent_event(to_json(_backend_error(problem)))
    # An empty stream, or one that breaks off: a gateway says no more than that.
    return b"" if position else DONE


def _headers(_call: Call, _quota: Quota | None) -> Headers:
    return [(b"access-control-allow-origin", b"*")]


PROVIDER = Provider(
    name="opea",
    base_path="",
    operations=(*GATEWAY_OPERATIONS, *SERVICE_OPERATIONS),
    keys=keys_like("opea-emulator-", "opea", 24),  # for a proxy in front: the services know none
    authenticate=optional_bearer,
    problem=_problem,
    stream_problem=_stream_problem,
    soft_problem=_soft_problem,
    headers=_headers,
    describe=_describe,
)
