"""Gemini: reading streams, chunk by chunk. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from adapters._failures import WRONG_FORM, ErrorTable, error_inside
from adapters._gemini_answers import (
    BLOCKED,
    finish_reason_of,
    index_of,
    parse_usage,
    parts_of,
    text_of,
    tool_calls_of,
)
from adapters._json import is_object, word_or_none
from adapters._messages import Headers, StreamEvent
from adapters._streams import EventReader, ServerSentEvent, ServerSentEvents
from adapters.errors import InvalidResponseError

__all__ = ["read_generated_stream"]


def read_generated_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[ServerSentEvent] | None:
    """Make the reader of one stream; None where the answer is none."""
    kind = headers.get("content-type", "")
    if "json" in kind or "html" in kind:
        return None
    chunks = _Chunks(errors, forms)
    # An error in the middle may come without its frame.
    decoder = ServerSentEvents(keep_loose_lines=True)
    return EventReader(decoder, chunks.read, needs_end=lambda: not chunks.are_complete)


class _Chunks:
    """What has come of one stream: there is no end marker, but each candidate says why it ended."""

    def __init__(self, errors: ErrorTable, forms: tuple[str, ...]) -> None:
        self._errors = errors
        self._forms = forms
        self._calls: dict[int, int] = {}
        self._open: set[int] = set()
        self._ended: set[int] = set()

    @property
    def are_complete(self) -> bool:
        """Whether every candidate that has begun has ended, one at least."""
        return bool(self._ended) and not self._open - self._ended

    def read(self, part: ServerSentEvent) -> Sequence[StreamEvent]:
        """Read one chunk: an event for each candidate."""
        try:
            payload = json.loads(part.data)
            if isinstance(payload, list) or payload.get("error"):
                raise error_inside(self._errors, payload, self._forms)
            candidates = payload.get("candidates") or ()
            if candidates:
                return [self._event(payload, candidate) for candidate in candidates]
            return self._without_candidate(payload)
        except WRONG_FORM as error:
            msg = f"an event of the stream is not what the API promises ({type(error).__name__})"
            raise InvalidResponseError(msg, retryable=True) from None

    def _event(self, payload: Any, candidate: Any) -> StreamEvent:
        index, parts = index_of(candidate), parts_of(candidate)
        begun = self._calls.get(index, 0)
        calls = tool_calls_of(parts, begun)
        self._calls[index] = begun + len(calls)
        self._open.add(index)
        reason = finish_reason_of(candidate, calls=bool(self._calls[index]))
        if reason:
            self._ended.add(index)
        return StreamEvent(
            text=text_of(parts, thought=False),
            reasoning=text_of(parts, thought=True),
            index=index,
            finish_reason=reason,
            tool_calls=calls,
            **_shared(payload),
        )

    def _without_candidate(self, payload: Any) -> Sequence[StreamEvent]:
        """Read a chunk of usage alone, or the news that the prompt was blocked."""
        feedback = payload.get("promptFeedback")
        blocked = is_object(feedback) and bool(feedback.get("blockReason"))
        if blocked:
            self._ended.add(0)
        return [StreamEvent(finish_reason=BLOCKED if blocked else None, **_shared(payload))]


def _shared(payload: Any) -> dict[str, Any]:
    return {
        "usage": parse_usage(payload.get("usageMetadata")) or None,
        "model": word_or_none(payload.get("modelVersion")),
        "server_request_id": word_or_none(payload.get("responseId")),
        "raw": payload,
    }
