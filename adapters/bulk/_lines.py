"""Lines of results: how one is written, and what can be read of it without parsing all of it.

A line is a JSON object. What every line has stands first, in a fixed order, so that a journal of
any size can be looked through fast.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, NamedTuple

from adapters._json import encode_json
from adapters._messages import Usage

__all__ = ["Head", "error_line", "head_of", "kind_of", "result_line"]

_HEAD = re.compile(
    rb'\{"id":(?:"(?:[^"\\]|\\.)*"|-?\d+),"row":(\d+),"ok":(true|false),"attempts":(\d+),'
    rb'"usage":\{"input_tokens":(\d+),"output_tokens":(\d+),"total_tokens":(\d+)\},'
)
# Of a result: what stands beside it in the line, and what would only repeat it.
_ELSEWHERE = {
    "attempts",
    "headers",
    "key_name",
    "raw",
    "request_id",
    "server_request_id",
    "usage",
}
_FACTS = ("status_code", "code", "retryable", "request_id", "server_request_id", "key_name")


class Head(NamedTuple):
    """What can be told of a line at a glance.

    Attributes:
        row: The number of the row that it is the result of.
        ok: Whether it is an answer and no error.
        attempts: How many requests were sent for it.
        input_tokens: What the provider counted.
        output_tokens: What the provider counted.
        total_tokens: What the provider counted.
    """

    row: int
    ok: bool
    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0


def result_line(row: int, identity: str | int, result: Any, *, attempts: int) -> tuple[Head, bytes]:
    """Return the line of an answer: its fields but for those at their default.

    Bytes become Base64. `attempts` counts all requests that were sent for it.

    Raises:
        TypeError: if JSON cannot express it.
        ValueError: for NaN and infinity.
    """
    usage = getattr(result, "usage", None) or Usage()
    tokens = (usage.input_tokens, usage.output_tokens, usage.total_tokens)
    head = Head(row, True, attempts, *tokens)  # noqa: FBT003 - all else is a number
    return head, _line(head, identity, {"result": _told(result)})


def error_line(
    row: int, identity: str | int, error: Exception, *, attempts: int
) -> tuple[Head, bytes]:
    """Return the line of an error: its kind, its message, and what else it can tell."""
    head = Head(row, False, attempts)  # noqa: FBT003 - all else is a number
    facts = {name: getattr(error, name, None) for name in _FACTS}
    told = {"kind": type(error).__name__, "message": str(error)}
    told |= {name: fact for name, fact in facts.items() if fact is not None}
    return head, _line(head, identity, {"error": told})


def head_of(line: bytes) -> Head | None:
    """Return what stands first in a line, or None where it is none, or not all of one."""
    found = _HEAD.match(line)
    if found is None or not line.endswith(b"}}\n"):
        return None
    row, ok, *counts = found.groups()
    return Head(int(row), ok == b"true", *map(int, counts))


def kind_of(line: bytes) -> str:
    """Return the kind of error that a line tells of."""
    return str(json.loads(line)["error"]["kind"])


def _line(head: Head, identity: str | int, rest: Mapping[str, Any]) -> bytes:
    line = {
        "id": identity,
        "row": head.row,
        "ok": head.ok,
        "attempts": head.attempts,
        "usage": {
            "input_tokens": head.input_tokens,
            "output_tokens": head.output_tokens,
            "total_tokens": head.total_tokens,
        },
        **rest,
    }
    return encode_json(line, default=_plain) + b"\n"


def _told(record: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for each in fields(record):
        value = getattr(record, each.name)
        default = each.default if each.default_factory is MISSING else each.default_factory()
        # One text alone is `text` already.
        repeats = each.name == "texts" and value == (record.text,)
        if each.name not in _ELSEWHERE and value != default and not repeats:
            told[each.name] = value
    return told


def _plain(value: Any) -> Any:
    """Make JSON of what json does not know."""
    if is_dataclass(value) and not isinstance(value, type):
        return _told(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    raise TypeError(f"JSON has no {type(value).__name__}")
