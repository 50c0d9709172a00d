"""Claude's messages as a stream: named events, from `message_start` to `message_stop`. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters._claude_answers import finish_reason, usage
from adapters._failures import WRONG_FORM, ErrorTable, error_inside
from adapters._json import word_or_none
from adapters._messages import Headers, StreamEvent, ToolCall
from adapters._streams import EventReader, ServerSentEvent, ServerSentEvents
from adapters.errors import InvalidResponseError

__all__ = ["read_message_stream"]


def read_message_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[ServerSentEvent] | None:
    """Make the reader of one stream; None where the answer is none."""
    kind = headers.get("content-type", "")
    if "json" in kind or "html" in kind:
        return None
    return EventReader(ServerSentEvents(), _Message(errors, forms).read)


class _Message:
    """What has come of one message.

    Events before the first word are held back until it comes: an overloaded server fails there,
    and a stream that has given nothing away may be tried again.
    """

    def __init__(self, errors: ErrorTable, forms: tuple[str, ...]) -> None:
        self._errors = errors
        self._forms = forms
        self._held: list[StreamEvent] | None = []
        self._usage: dict[str, Any] = {}
        self._tools: dict[int, int] = {}
        self._without_arguments: set[int] = set()
        self._handlers: Mapping[str, Callable[[Any], StreamEvent]] = {
            "message_start": self._start,
            "content_block_start": self._block,
            "content_block_delta": self._delta,
            "content_block_stop": self._stop,
            "message_delta": self._end,
        }

    def read(self, part: ServerSentEvent) -> Sequence[StreamEvent] | None:
        """Read one event; None says that it is the end."""
        try:
            payload = json.loads(part.data)
            kind = str(payload.get("type") or part.event)
            if kind == "error" or payload.get("error"):
                raise error_inside(self._errors, payload, self._forms)
            if kind == "message_stop":
                return None
            handle = self._handlers.get(kind)  # what is not known may be new, and is passed over
            return [] if handle is None else self._released(handle(payload))
        except WRONG_FORM as error:
            msg = f"an event of the stream is not what the API promises ({type(error).__name__})"
            raise InvalidResponseError(msg, retryable=True) from None

    def _released(self, event: StreamEvent) -> Sequence[StreamEvent]:
        if self._held is None:
            return [event]
        self._held.append(event)
        if not (event.text or event.reasoning or event.tool_calls or event.finish_reason):
            return []
        released, self._held = self._held, None
        return released

    def _start(self, payload: Any) -> StreamEvent:
        message = payload["message"]
        self._count(message.get("usage"))
        model = word_or_none(message.get("model"))
        return StreamEvent(
            event="message_start", model=model, usage=usage(self._usage) or None, raw=payload
        )

    def _block(self, payload: Any) -> StreamEvent:
        block, index = payload["content_block"], int(payload["index"])
        calls: tuple[ToolCall, ...] = ()
        if block["type"] == "tool_use":
            place = self._tools.setdefault(index, len(self._tools))
            self._without_arguments.add(index)
            calls = (ToolCall(str(block["id"]), str(block["name"]), "", place),)
        return StreamEvent(
            event="content_block_start",
            text=word_or_none(block.get("text")) or "",
            reasoning=word_or_none(block.get("thinking")) or "",
            tool_calls=calls,
            raw=payload,
        )

    def _delta(self, payload: Any) -> StreamEvent:
        delta, index = payload["delta"], int(payload["index"])
        calls: tuple[ToolCall, ...] = ()
        if index in self._tools and delta.get("partial_json"):
            self._without_arguments.discard(index)
            calls = (ToolCall("", "", str(delta["partial_json"]), self._tools[index]),)
        return StreamEvent(
            event="content_block_delta",
            text=word_or_none(delta.get("text")) or "",
            reasoning=word_or_none(delta.get("thinking")) or "",
            tool_calls=calls,
            raw=payload,
        )

    def _stop(self, payload: Any) -> StreamEvent:
        """End a block; a tool without arguments gets the object that a whole answer has."""
        index = int(payload["index"])
        calls: tuple[ToolCall, ...] = ()
        if index in self._without_arguments:
            self._without_arguments.discard(index)
            calls = (ToolCall("", "", "{}", self._tools[index]),)
        return StreamEvent(event="content_block_stop", tool_calls=calls, raw=payload)

    def _end(self, payload: Any) -> StreamEvent:
        self._count(payload.get("usage"))
        return StreamEvent(
            event="message_delta",
            finish_reason=finish_reason(payload["delta"].get("stop_reason")),
            usage=usage(self._usage) or None,
            raw=payload,
        )

    def _count(self, counts: Any) -> None:
        """Take in counts, which are sums so far; null says nothing."""
        self._usage.update({name: n for name, n in (counts or {}).items() if n is not None})
