r"""OPEA's streams: a gateway writes Python's text for the bytes of each piece (`b'It\'s'`). Pure.

Beside those come chunks as OpenAI has them, patches to a log, and what a guardrail says instead of
the model, in the same form but without the escapes. A gateway never says that something failed:
its stream is then empty, or breaks off.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from adapters._failures import WRONG_FORM, ErrorTable, error_inside
from adapters._json import is_object
from adapters._messages import Headers, StreamEvent
from adapters._openai_answers import stream_events
from adapters._streams import EventReader, ServerSentEvent, ServerSentEvents
from adapters.errors import InvalidResponseError

__all__ = ["read_opea_stream", "unquoted"]

_END_MARKER = "[DONE]"
_ESCAPE = r"\\(?:[\\'\"nrt]|x[0-9a-fA-F]{2})"
# What `repr(bytes)` writes, with either quote.
_QUOTED = re.compile(rf"b'(?:[ -&(-\[\]-~]|{_ESCAPE})*'|b\"(?:[ !#-\[\]-~]|{_ESCAPE})*\"")
_ESCAPED = re.compile(_ESCAPE)
_NAMED = {"n": "\n", "r": "\r", "t": "\t"}


def unquoted(text: str) -> bytes:
    """Return the bytes that Python's text for them means; without running it.

    A guardrail puts the quotes around its text and escapes nothing: then the text is taken as it
    stands.
    """
    if _QUOTED.fullmatch(text) is None:
        inside = text[2:].removesuffix(text[1])
        return inside.encode(errors="replace")
    # One character a byte until the end, whatever the bytes are.
    return _ESCAPED.sub(_meant, text[2:-1]).encode("latin-1")


def _meant(escape: re.Match[str]) -> str:
    code = escape[0][1:]
    return chr(int(code[1:], 16)) if code.startswith("x") else _NAMED.get(code, code)


def read_opea_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[ServerSentEvent] | None:
    """Make the reader of one stream, of a gateway or of a service."""
    kind = headers.get("content-type", "")
    if "json" in kind or "html" in kind:
        return None
    # A character may be cut between two pieces.
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    return EventReader(ServerSentEvents(), partial(_events, errors, forms, decode))


def _events(
    errors: ErrorTable,
    forms: tuple[str, ...],
    decode: Callable[[bytes], str],
    part: ServerSentEvent,
) -> Sequence[StreamEvent] | None:
    data = part.data
    if data.strip() == _END_MARKER:
        return None
    if data.startswith(("b'", 'b"')):
        return _texts([decode(unquoted(data))], data)
    if not data.startswith(("{", "[")):
        return _texts([data], data)
    try:
        payload = json.loads(data)
        if "choices" in payload or payload.get("error"):
            return stream_events(part, errors, forms, None)
        if "detail" in payload:
            raise error_inside(errors, payload, forms)
        return _texts(map(_added, payload["ops"]), payload)
    except WRONG_FORM as error:
        msg = f"an event of the stream is not what the API promises ({type(error).__name__})"
        raise InvalidResponseError(msg, retryable=True) from None


def _added(patch: Any) -> str:
    """Return the text that a patch to the log of a run adds to its output."""
    is_output = is_object(patch) and str(patch.get("path")).startswith("/streamed_output/")
    value: Any = patch["value"] if is_output else ""
    return value if isinstance(value, str) else ""


def _texts(texts: Any, raw: Any) -> list[StreamEvent]:
    """Make an event for each text; one that is empty is none, or no stream would ever be empty."""
    return [StreamEvent(text=text, raw=raw) for text in texts if text]
