"""Requests of any kind: what no operation has a name for goes through the same stack.

Pure, but that building reads the files of an upload.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, Sequence
from typing import Any

from adapters._build import checked_headers, checked_method, relative_path
from adapters._failures import ErrorTable, error_inside, load_json
from adapters._fields import encode_value, extra_fields
from adapters._flows import Ask, Flow, one
from adapters._json import is_object
from adapters._messages import Headers, Reply, Request, StreamEvent, sent_as
from adapters._results import RawAnswer
from adapters._setup import Setup
from adapters._streams import EventReader, JsonLines, ServerSentEvent, ServerSentEvents
from adapters._transports import encode_form
from resilience._rules import fail
from resilience.settings import reject_unknown

__all__ = ["ask_raw", "build_raw", "read_any_stream", "read_raw"]

_END_MARKER = "[DONE]"


def build_raw(
    method: str,
    path: str,
    options: Mapping[str, Any],
    *,
    json: Any,
    params: Mapping[str, Any] | None,
    data: Any,
    files: Any,
) -> Request:
    """Build a request from what requests' users know: `json`, or `data` and `files`.

    Raises:
        SettingsError: for both kinds of body at once, and for an option that is none.
    """
    reject_unknown(options, ("extra_body", "extra_headers"), "request")
    form = data is not None or files is not None
    if extra := extra_fields(options.get("extra_body")):
        if not is_object(json or {}):
            fail("json", "must be an object where there is an extra_body", type(json))
        json = {**(json or {}), **extra}
    if form and json is not None:
        fail("json", "cannot be sent beside data or files", type(json))
    body, kind = encode_form(data, files) if form else (None, None)
    if json is not None:
        body, kind = encode_value("json", json), "application/json"
    return Request(
        operation="request",
        method=checked_method(method),
        path=relative_path(path, params),
        body=body,
        content_type=kind or "application/octet-stream",
        headers=checked_headers(options.get("extra_headers")),
        model=json.get("model") if is_object(json) else None,
    )


def ask_raw(_: Setup, request: Request) -> Flow[RawAnswer]:
    """Ask it once; APIs that correct a request have a flow of their own."""
    return one(Ask(request, read=read_raw))


def read_raw(_: ErrorTable, reply: Reply, forms: tuple[str, ...]) -> RawAnswer:
    """Read any answer; `raw` is set where the server says that it is JSON.

    Raises:
        InvalidResponseError: if it says so and it is none.
    """
    is_json = "json" in reply.headers.get("content-type", "") and reply.body
    return RawAnswer(
        content=reply.body,
        status_code=reply.status,
        raw=load_json(reply.headers, reply.body, forms) if is_json else None,
        **sent_as(reply),
    )


def read_any_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[Any]:
    """Make the reader that fits the content: server-sent events, JSON lines, or bytes as they come.

    An end marker is taken for one but is not missed: which streams have one is not known here.
    """
    kind = headers.get("content-type", "")
    if "event-stream" in kind:
        return EventReader(
            ServerSentEvents(), lambda part: _events(part, errors, forms), needs_end=False
        )
    if "ndjson" in kind or "jsonl" in kind:
        return EventReader(JsonLines(), _line, needs_end=False)
    return EventReader(_Chunks(), _chunk, needs_end=False, may_be_empty=True)


class _Chunks:
    """No parts at all: each chunk is one."""

    def feed(self, chunk: bytes) -> Sequence[bytes]:
        return [chunk]

    def finish(self) -> Sequence[bytes]:
        return []


def _events(
    part: ServerSentEvent, errors: ErrorTable, forms: tuple[str, ...]
) -> Sequence[StreamEvent] | None:
    if part.data == _END_MARKER:
        return None
    raw = _parsed(part.data)
    if is_object(raw) and (part.event == "error" or raw.get("error")):
        raise error_inside(errors, raw, forms)
    return [StreamEvent(event=part.event or None, raw=raw)]


def _line(line: str) -> Sequence[StreamEvent]:
    return [StreamEvent(raw=_parsed(line))]


def _chunk(chunk: bytes) -> Sequence[StreamEvent]:
    return [StreamEvent(raw=chunk)]


def _parsed(text: str) -> Any:
    """Return the JSON value, or the text where it is none: nobody promised JSON here."""
    try:
        return json_module.loads(text)
    except (ValueError, RecursionError):
        return text
