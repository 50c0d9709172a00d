"""Ollama: reading answers, and streams of JSON lines. Pure.

A function here may fail with any error of access on an answer of the wrong form: the caller turns
that into an `InvalidResponseError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from adapters._failures import WRONG_FORM, ErrorTable, error_inside
from adapters._json import count_or_0, word_or_none
from adapters._messages import Headers, Reply, StreamEvent, ToolCall, Usage, sent_as
from adapters._results import Answer, Embeddings, Models
from adapters._streams import EventReader, JsonLines, LastEvents
from adapters.errors import InvalidResponseError

__all__ = [
    "parse_answer",
    "parse_embeddings",
    "parse_models",
    "parse_usage",
    "read_answer_stream",
    "read_pull_stream",
]


def parse_answer(payload: Any, reply: Reply) -> Answer:
    """Read the answer of a chat or of a generation."""
    event = _event(payload, 0)
    reason = _finish_reason(payload, calls=bool(event.tool_calls))
    return Answer(
        text=event.text,
        texts=(event.text,),
        reasoning=event.reasoning,
        usage=parse_usage(payload),
        finish_reason=reason,
        finish_reasons=(reason,),
        tool_calls=event.tool_calls,
        model=event.model,
        raw=payload,
        **sent_as(reply),
    )


def parse_embeddings(payload: Any, reply: Reply, *, count: int) -> Embeddings:
    """Read vectors; there must be one for each of `count` inputs, in their order."""
    vectors = [[float(number) for number in vector] for vector in payload["embeddings"]]
    if len(vectors) != count:
        msg = f"the answer has {len(vectors)} vectors for {count} inputs"
        raise InvalidResponseError(msg, retryable=True)
    model = word_or_none(payload.get("model"))
    usage = parse_usage(payload)
    return Embeddings(vectors=vectors, usage=usage, model=model, raw=payload, **sent_as(reply))


def parse_models(payload: Any, reply: Reply) -> Models:
    """Read the list of models."""
    names = tuple(str(model.get("model") or model["name"]) for model in payload["models"])
    return Models(names=names, raw=payload, **sent_as(reply))


def parse_usage(payload: Any) -> Usage:
    """Read token counts; the API leaves zeros out, and counts thoughts as output."""
    given = count_or_0(payload.get("prompt_eval_count"))
    said = count_or_0(payload.get("eval_count"))
    return Usage(input_tokens=given, output_tokens=said, total_tokens=given + said)


def read_answer_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[str] | None:
    """Make the reader of a streamed answer; None where the answer is none."""
    begun = 0

    def parse(payload: Any) -> Sequence[StreamEvent]:
        nonlocal begun
        event = _event(payload, begun)
        begun += len(event.tool_calls)
        if payload.get("done") is not True:
            return [event]
        reason, usage = _finish_reason(payload, calls=begun > 0), parse_usage(payload) or None
        return LastEvents([replace(event, finish_reason=reason, usage=usage)])

    return _lines(headers, errors, forms, parse)


def read_pull_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[str] | None:
    """Make the reader of a pull's progress: `event` is the status, `raw` has the bytes so far."""

    def parse(payload: Any) -> Sequence[StreamEvent]:
        status = str(payload["status"])
        found = [StreamEvent(event=status, raw=payload)]
        return LastEvents(found) if status == "success" else found

    return _lines(headers, errors, forms, parse)


def _lines(
    headers: Headers,
    errors: ErrorTable,
    forms: tuple[str, ...],
    parse: Callable[[Any], Sequence[StreamEvent]],
) -> EventReader[str] | None:
    # One line alone may come as JSON: what loads a model says nothing else.
    if "html" in headers.get("content-type", ""):
        return None

    def read(line: str) -> Sequence[StreamEvent]:
        try:
            payload = json.loads(line)
            if payload.get("error"):
                raise error_inside(errors, payload, forms)
            return parse(payload)
        except WRONG_FORM as error:
            msg = f"a line of the stream is not what the API promises ({type(error).__name__})"
            raise InvalidResponseError(msg, retryable=True) from None

    return EventReader(JsonLines(), read)


def _event(payload: Any, begun: int) -> StreamEvent:
    """Read what one object says: a chat has a message, a generation the text itself."""
    message: Any = payload.get("message", payload)
    text: Any = payload["response"] if message is payload else message["content"]
    return StreamEvent(
        text=word_or_none(text) or "",
        reasoning=word_or_none(message.get("thinking")) or "",
        tool_calls=_tool_calls(message, begun),
        model=word_or_none(payload.get("model")),
        raw=payload,
    )


def _finish_reason(payload: Any, *, calls: bool) -> str | None:
    """Say why an answer ended; the API says `stop` where it wants tools called, too."""
    reason = word_or_none(payload.get("done_reason"))
    return "tool_calls" if calls and reason == "stop" else reason


def _tool_calls(message: Any, begun: int) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(
            id=word_or_none(call.get("id")) or "",
            name=str(call["function"]["name"]),
            arguments=json.dumps(call["function"].get("arguments") or {}),
            index=index,
        )
        for index, call in enumerate(message.get("tool_calls") or (), begun)
    )
