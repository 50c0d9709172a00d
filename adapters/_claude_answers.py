"""Claude's messages: reading answers and counts. Pure; `_claude_stream` reads streams.

A function here may fail with any error of access on an answer of the wrong form: the caller turns
that into an `InvalidResponseError`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from adapters._json import count_or_0, is_object, word_or_none
from adapters._messages import Reply, ToolCall, Usage, sent_as
from adapters._results import Answer, Models, TokenCount

__all__ = ["finish_reason", "parse_count", "parse_message", "parse_models", "usage"]

_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
}


def parse_message(payload: Any, reply: Reply) -> Answer:
    """Read a message: its blocks of text, of thoughts and of tools are read apart."""
    blocks = payload["content"]
    text = _joined(blocks, "text", "text")
    details: Any = payload.get("stop_details") or {}
    return Answer(
        text=text,
        texts=(text,),
        reasoning=_joined(blocks, "thinking", "thinking"),
        usage=usage(payload.get("usage")),
        finish_reason=finish_reason(payload.get("stop_reason")),
        finish_reasons=(finish_reason(payload.get("stop_reason")),),
        tool_calls=_tool_calls(blocks),
        refusal=word_or_none(details.get("explanation")),
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )


def parse_count(payload: Any, reply: Reply) -> TokenCount:
    """Read how many tokens a prompt has."""
    return TokenCount(input_tokens=int(payload["input_tokens"]), raw=payload, **sent_as(reply))


def parse_models(payload: Any, reply: Reply) -> Models:
    """Read one page of the list of models."""
    names = tuple(str(model["id"]) for model in payload["data"])
    return Models(names=names, raw=payload, **sent_as(reply))


def usage(counts: Any) -> Usage:
    """Read token counts; the API counts what a cache served or took beside the input."""
    if not is_object(counts):
        return Usage()
    cached = count_or_0(counts.get("cache_read_input_tokens"))
    written = count_or_0(counts.get("cache_creation_input_tokens"))
    given = count_or_0(counts.get("input_tokens")) + cached + written
    said = count_or_0(counts.get("output_tokens"))
    details = counts.get("output_tokens_details")
    thought = count_or_0(details.get("thinking_tokens")) if is_object(details) else 0
    return Usage(
        input_tokens=given,
        output_tokens=said,
        total_tokens=given + said,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=thought,
    )


def finish_reason(reason: Any) -> str | None:
    """Translate why an answer ended; a word that is not known stays as it is."""
    word = word_or_none(reason)
    return _FINISH_REASONS.get(word, word) if word else None


def _joined(blocks: Any, kind: str, member: str) -> str:
    return "".join(str(block[member]) for block in blocks if block["type"] == kind)


def _tool_calls(blocks: Any) -> tuple[ToolCall, ...]:
    uses = [block for block in blocks if block["type"] == "tool_use"]
    return tuple(
        ToolCall(str(use["id"]), str(use["name"]), json.dumps(use["input"]), index)
        for index, use in enumerate(uses)
    )
