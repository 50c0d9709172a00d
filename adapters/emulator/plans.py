"""What goes over the wire: an answer, and the damage that a fault does to it, as plain data.

`wire` carries a plan out; nothing in here touches a socket or waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Literal

from adapters.emulator.faults import Rule
from adapters.emulator.protocol import Answer, Call, Headers, Problem
from adapters.emulator.script import Verdict

__all__ = ["Plan", "make_plan"]

Ending = Literal["complete", "close", "reset", "hang", "clean"]

_SHAPES = {
    "list": b'["not","what","was","asked","for"]',
    "string": b'"not what was asked for"',
    "number": b"42",
    "null": b"null",
    "object": b"{}",
}
_HTML = (
    b"<!DOCTYPE html><html><head><title>%d</title></head>"
    b"<body><h1>Bad gateway</h1><p>The server could not be reached.</p></body></html>\n"
)
_BROKEN = b'{"broken": '


@dataclass(frozen=True, slots=True)
class Plan:
    """One answer on the wire.

    Attributes:
        status: The HTTP status, or None where not even a header is sent.
        headers: All headers but length and type.
        content_type: The media type.
        pieces: What is written, in this order.
        length: The Content-Length to announce, or None for chunks.
        is_stream: Whether the pieces are events.
        ending: `complete`; `close`, `reset` or `hang` after the last piece, with the message left
            open; `clean` for a message that ends well but lacks its end marker.
        delay: Seconds before the first byte.
        interval: Seconds between two pieces.
        timeout: Seconds after which a hang closes the connection, or None for never.
    """

    status: int | None
    headers: Headers
    content_type: bytes
    pieces: tuple[bytes, ...]
    length: int | None
    is_stream: bool
    ending: Ending = "complete"
    delay: float = 0.0
    interval: float = 0.0
    timeout: float | None = None


def make_plan(call: Call, verdict: Verdict, answer: Callable[[], Answer], wall: float) -> Plan:
    """Plan the answer of a call, with the damage that the verdict's rule does to it.

    Args:
        call: The request.
        verdict: What the script said.
        answer: Gives the answer of an emulator without faults; not called where none is needed.
        wall: The Unix time, for dates that are told to the client.
    """
    headers = call.provider.headers(call, verdict.quota)
    rule = verdict.rule
    if rule is None:
        return _plain(answer(), headers)
    if rule.fault in {"reset", "hang"}:
        nothing = Plan(None, [], b"", (), None, is_stream=False, ending=_ENDINGS[rule.fault])
        return replace(nothing, delay=rule.delay, timeout=rule.timeout)
    if rule.fault in _INSTEAD or rule.fault.isdecimal():
        wait = verdict.retry_after if rule.fault == "limit" else rule.retry_after
        plan = _plain(_INSTEAD.get(rule.fault, _status)(call, rule, wait), headers)
        return replace(plan, headers=headers + _extra(call, rule, wait, wall), delay=rule.delay)
    return replace(_DAMAGES[rule.fault](call, rule, _plain(answer(), headers)), delay=rule.delay)


_ENDINGS: dict[str, Ending] = {"reset": "reset", "hang": "hang"}


def _plain(answer: Answer, headers: Headers) -> Plan:
    headers = [*headers, *answer.headers]
    if answer.events is None:
        pieces, length = (answer.body,), len(answer.body)
        return Plan(answer.status, headers, answer.content_type, pieces, length, is_stream=False)
    return Plan(answer.status, headers, answer.content_type, answer.events, None, is_stream=True)


def _problem(rule: Rule, status: int) -> Problem:
    return Problem(status, rule.message, code=rule.code)


# Faults that need no answer of the model; the last argument is the time to wait, in seconds.


def _status(call: Call, rule: Rule, wait: float | None) -> Answer:
    problem = replace(_problem(rule, int(rule.fault)), retry_after=wait)
    return call.provider.problem(problem, call)


def _quota(call: Call, rule: Rule, wait: float | None) -> Answer:
    code = rule.code or "insufficient_quota"
    return call.provider.problem(Problem(429, rule.message, code=code, retry_after=wait), call)


def _limit(call: Call, _rule: Rule, wait: float | None) -> Answer:
    return call.provider.problem(Problem(429, retry_after=wait), call)


def _empty(call: Call, _rule: Rule, _wait: float | None) -> Answer:
    if call.stream:
        return Answer(200, events=(), content_type=call.provider.stream_type)
    return Answer(200)


def _html(_call: Call, rule: Rule, _wait: float | None) -> Answer:
    status = rule.status or 502
    return Answer(status, _HTML % status, content_type=b"text/html; charset=utf-8")


def _error_in_200(call: Call, rule: Rule, _wait: float | None) -> Answer:
    return call.provider.soft_problem(_problem(rule, rule.status or 500), call)


def _redirect(_call: Call, rule: Rule, _wait: float | None) -> Answer:
    return Answer(rule.status or 307)


_INSTEAD: dict[str, Callable[[Call, Rule, float | None], Answer]] = {
    "quota": _quota,
    "limit": _limit,
    "empty": _empty,
    "html": _html,
    "error_in_200": _error_in_200,
    "redirect": _redirect,
}


def _extra(call: Call, rule: Rule, wait: float | None, wall: float) -> Headers:
    """Give the headers that tell the client what to do next."""
    found: Headers = []
    if wait is not None and not call.provider.waits_in_body:
        header = call.provider.milliseconds_header
        found.append(_retry_after(wait, rule.retry_after_as, wall, header))
    if rule.should_retry is not None:
        found.append((b"x-should-retry", b"true" if rule.should_retry else b"false"))
    if rule.fault == "redirect":
        location = rule.location or _elsewhere(call)
        found.append((b"location", location.encode()))
    return found


def _retry_after(wait: float, form: str, wall: float, header: bytes) -> tuple[bytes, bytes]:
    if form == "ms":
        return header, b"%d" % math.ceil(wait * 1000)
    if form == "date":
        return b"retry-after", formatdate(math.ceil(wall + wait), usegmt=True).encode()
    return b"retry-after", b"%d" % math.ceil(wait)


def _elsewhere(call: Call) -> str:
    """Give this server's address under another host name, as a client sees it."""
    host, _, port = call.header("host").partition(":")
    other = "127.0.0.1" if host == "localhost" else "localhost"
    return f"http://{other}:{port}/{call.provider.name}{call.provider.base_path}{call.path}"


# Faults that spoil an answer.


def _slow(_call: Call, rule: Rule, plan: Plan) -> Plan:
    if plan.is_stream or not rule.interval:
        return replace(plan, interval=rule.interval)
    body = b"".join(plan.pieces)
    size = max(1, math.ceil(len(body) / 10))
    tenths = tuple(body[start : start + size] for start in range(0, len(body), size))
    return replace(plan, pieces=tenths, interval=rule.interval)


def _truncated(_call: Call, rule: Rule, plan: Plan) -> Plan:
    body = b"".join(plan.pieces)
    return replace(plan, pieces=(body[: int(len(body) * rule.keep)],), ending="close")


def _spoiled(call: Call, rule: Rule, plan: Plan) -> Plan:
    """Put other bytes in the place of the body, or of one event."""
    wrong = _BROKEN if rule.fault == "broken_json" else _SHAPES[rule.shape]
    if not plan.is_stream:
        return replace(plan, pieces=(wrong,), length=len(wrong))
    place = _place(rule, plan, default=0)
    event = call.provider.frame(wrong)
    return replace(plan, pieces=(*plan.pieces[:place], event, *plan.pieces[place + 1 :]))


def _cut(_call: Call, rule: Rule, plan: Plan) -> Plan:
    if not plan.is_stream:
        return plan
    ending: Ending = rule.how  # type: ignore[assignment]
    kept = plan.pieces[: _place(rule, plan, default=1)]
    return replace(plan, pieces=kept, ending=ending, timeout=rule.timeout)


def _stream_error(call: Call, rule: Rule, plan: Plan) -> Plan:
    if not plan.is_stream:
        return plan
    place = _place(rule, plan, default=0)
    error = call.provider.stream_problem(_problem(rule, rule.status or 500), call, place)
    return replace(plan, pieces=(*plan.pieces[:place], error))


_DAMAGES: dict[str, Callable[[Call, Rule, Plan], Plan]] = {
    "slow": _slow,
    "truncated": _truncated,
    "broken_json": _spoiled,
    "wrong_type": _spoiled,
    "cut": _cut,
    "stream_error": _stream_error,
}


def _place(rule: Rule, plan: Plan, *, default: int) -> int:
    """Give the number of events before the fault; one at least is always lost."""
    after = default if rule.after is None else rule.after
    last = len(plan.pieces) - 1
    return max(0, min(after if after >= 0 else len(plan.pieces) + after, last))
