"""Gemini: reading answers. Pure; `_gemini_stream` reads streams.

A function here may fail with any error of access on an answer of the wrong form: the caller turns
that into an `InvalidResponseError`.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from adapters._json import count_or_0, is_object, word_or_none
from adapters._messages import Reply, ToolCall, Usage, sent_as
from adapters._results import Answer, Embeddings, Models, Picture, TokenCount
from adapters.errors import InvalidResponseError

__all__ = [
    "BLOCKED",
    "finish_reason_of",
    "index_of",
    "parse_count",
    "parse_embeddings",
    "parse_generated",
    "parse_models",
    "parse_usage",
    "parts_of",
    "text_of",
    "tool_calls_of",
]

BLOCKED = "content_filter"
_FINISH_REASONS: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "BLOCKLIST": BLOCKED,
    "IMAGE_PROHIBITED_CONTENT": BLOCKED,
    "IMAGE_RECITATION": BLOCKED,
    "IMAGE_SAFETY": BLOCKED,
    "PROHIBITED_CONTENT": BLOCKED,
    "RECITATION": BLOCKED,
    "SAFETY": BLOCKED,
    "SPII": BLOCKED,
}


def parse_generated(payload: Any, reply: Reply) -> Answer:
    """Read candidates; a prompt that was blocked has none, and the answer says so."""
    candidates = sorted(payload.get("candidates") or (), key=index_of)
    parts = [parts_of(candidate) for candidate in candidates]
    texts = tuple(text_of(each, thought=False) for each in parts)
    first = parts[0] if parts else []
    calls = tool_calls_of(first)
    reasons = tuple(map(_whole_reason, candidates, parts)) or (BLOCKED,)
    sent = sent_as(reply)
    sent["server_request_id"] = word_or_none(payload.get("responseId")) or reply.server_request_id
    return Answer(
        text=texts[0] if texts else "",
        texts=texts,
        reasoning=text_of(first, thought=True),
        usage=parse_usage(payload.get("usageMetadata")),
        finish_reason=reasons[0],
        finish_reasons=reasons,
        tool_calls=calls,
        refusal=None if parts else _why_blocked(payload),
        model=word_or_none(payload.get("modelVersion")),
        pictures=_pictures(first),
        raw=payload,
        **sent,
    )


def parse_embeddings(payload: Any, reply: Reply, *, count: int, model: str) -> Embeddings:
    """Read vectors; there must be one for each of `count` inputs, in their order."""
    vectors = [[float(n) for n in each["values"]] for each in payload["embeddings"]]
    if len(vectors) != count:
        msg = f"the answer has {len(vectors)} vectors for {count} inputs"
        raise InvalidResponseError(msg, retryable=True)
    usage = parse_usage(payload.get("usageMetadata"))
    return Embeddings(vectors=vectors, usage=usage, model=model, raw=payload, **sent_as(reply))


def parse_count(payload: Any, reply: Reply) -> TokenCount:
    """Read how many tokens a prompt has, and how many of them a cache serves."""
    return TokenCount(
        input_tokens=int(payload["totalTokens"]),
        cached_tokens=count_or_0(payload.get("cachedContentTokenCount")),
        raw=payload,
        **sent_as(reply),
    )


def parse_models(payload: Any, reply: Reply) -> Models:
    """Read one page of the list of models."""
    names = tuple(str(model["name"]).removeprefix("models/") for model in payload["models"])
    return Models(names=names, raw=payload, **sent_as(reply))


def parse_usage(counts: Any) -> Usage:
    """Read token counts; the API counts thoughts beside the output, and leaves zeros out."""
    if not is_object(counts):
        return Usage()
    thought = count_or_0(counts.get("thoughtsTokenCount"))
    given = count_or_0(counts.get("promptTokenCount"))
    given += count_or_0(counts.get("toolUsePromptTokenCount"))
    said = count_or_0(counts.get("candidatesTokenCount")) + thought
    return Usage(
        input_tokens=given,
        output_tokens=said,
        total_tokens=count_or_0(counts.get("totalTokenCount")) or given + said,
        cached_tokens=count_or_0(counts.get("cachedContentTokenCount")),
        reasoning_tokens=thought,
    )


def index_of(candidate: Any) -> int:
    """Return the place of a candidate."""
    return int(candidate.get("index") or 0)


def parts_of(candidate: Any) -> Sequence[Any]:
    """Return the parts; a candidate that was stopped at once has no content."""
    content: Any = candidate.get("content") or {}
    return content.get("parts") or ()


def text_of(parts: Sequence[Any], *, thought: bool) -> str:
    """Join what was said, or what was thought."""
    found = (part for part in parts if bool(part.get("thought")) is thought)
    return "".join(str(part["text"]) for part in found if "text" in part)


def tool_calls_of(parts: Sequence[Any], begun: int = 0) -> tuple[ToolCall, ...]:
    """Return the functions to call; `begun` of them have come before."""
    calls: list[Any] = [part["functionCall"] for part in parts if "functionCall" in part]
    return tuple(
        ToolCall(
            id=word_or_none(call.get("id")) or "",
            name=str(call["name"]),
            arguments=json.dumps(call.get("args") or {}),
            index=index,
        )
        for index, call in enumerate(calls, begun)
    )


def _pictures(parts: Sequence[Any]) -> tuple[Picture, ...]:
    data = [part["inlineData"] for part in parts if "inlineData" in part]
    return tuple(Picture(b64decode(each["data"]), str(each["mimeType"])) for each in data)


def finish_reason_of(candidate: Any, *, calls: bool) -> str | None:
    """Translate why a candidate ended; the API says STOP where it wants functions called, too."""
    word = word_or_none(candidate.get("finishReason"))
    if word == "STOP" and calls:
        return "tool_calls"
    return _FINISH_REASONS.get(word, word) if word else None


def _whole_reason(candidate: Any, parts: Sequence[Any]) -> str | None:
    return finish_reason_of(candidate, calls=bool(tool_calls_of(parts)))


def _why_blocked(payload: Any) -> str:
    feedback = payload["promptFeedback"]
    return word_or_none(feedback.get("blockReasonMessage")) or str(feedback["blockReason"])
