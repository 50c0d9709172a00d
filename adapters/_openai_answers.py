"""The dialect of `_openai_style`: reading answers and streams. Pure.

A function here may fail with any error of access on an answer of the wrong form: the caller turns
that into an `InvalidResponseError`, so that each function can be read as the form it expects.
"""

from __future__ import annotations

import json
import sys
from array import array
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapters._combining import weights_of
from adapters._failures import WRONG_FORM, ErrorTable, error_inside
from adapters._json import count_or_0, is_object, word_or_none
from adapters._messages import Headers, Reply, StreamEvent, ToolCall, Usage, sent_as
from adapters._results import Answer, Embeddings, Models, Moderations
from adapters._streams import EventReader, ServerSentEvent, ServerSentEvents
from adapters.errors import InvalidResponseError

__all__ = [
    "Refine",
    "each_completion",
    "parse_chat",
    "parse_completions",
    "parse_embeddings",
    "parse_models",
    "parse_moderations",
    "parse_usage",
    "read_chat_stream",
    "stream_events",
]

# Words of single servers, and of the older interface, for what the others call by these names.
_FINISH_REASONS = {"function_call": "tool_calls", "eos_token": "stop", "stop_sequence": "stop"}
_END_MARKER = "[DONE]"

# Gets an event, and what is needed to raise an error that it turns out to be.
Refine = Callable[[StreamEvent, ErrorTable, tuple[str, ...]], StreamEvent]


def parse_chat(payload: Any, reply: Reply) -> Answer:
    """Read a chat completion."""
    choices = _by_index(payload["choices"])
    messages = [choice["message"] for choice in choices]
    texts = tuple(_text(message.get("content")) for message in messages)
    return Answer(
        text=texts[0],
        texts=texts,
        reasoning=_reasoning(messages[0]),
        usage=parse_usage(payload.get("usage")),
        finish_reason=_finish_reason(choices[0]),
        finish_reasons=tuple(map(_finish_reason, choices)),
        tool_calls=_tool_calls(messages[0]),
        refusal=word_or_none(messages[0].get("refusal")),
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )


def parse_completions(payload: Any, reply: Reply) -> Answer:
    """Read completions: with several prompts, a text for each by index."""
    choices = _by_index(payload["choices"])
    texts = tuple(_text(choice["text"]) for choice in choices)
    return Answer(
        text=texts[0],
        texts=texts,
        usage=parse_usage(payload.get("usage")),
        finish_reason=_finish_reason(choices[0]),
        finish_reasons=tuple(map(_finish_reason, choices)),
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )


def each_completion(joined: Answer, inputs: Sequence[str]) -> list[Answer]:
    """Give each prompt its texts: with `n=2` there are two of each, one behind the other."""
    choices = _by_index(joined.raw["choices"])
    size, rest = divmod(len(choices), len(inputs))
    if rest or not size:
        msg = f"the answer has {len(choices)} texts for {len(inputs)} prompts"
        raise InvalidResponseError(msg, retryable=True)
    shares = joined.usage.shares(weights_of(inputs))
    return [
        replace(
            joined,
            text=joined.texts[number * size],
            texts=joined.texts[number * size : (number + 1) * size],
            finish_reason=joined.finish_reasons[number * size],
            finish_reasons=joined.finish_reasons[number * size : (number + 1) * size],
            usage=share,
        )
        for number, share in enumerate(shares)
    ]


def parse_embeddings(payload: Any, reply: Reply, *, count: int) -> Embeddings:
    """Read vectors; there must be one for each of `count` inputs."""
    data = payload["data"]
    vectors = {
        item.get("index", place): _vector(item["embedding"]) for place, item in enumerate(data)
    }
    if len(data) != count or sorted(vectors) != list(range(count)):
        msg = f"the answer has {len(data)} vectors for {count} inputs, or their indices do not fit"
        raise InvalidResponseError(msg, retryable=True)
    return Embeddings(
        vectors=[vectors[index] for index in range(count)],
        usage=parse_usage(payload.get("usage")),
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )


def parse_moderations(payload: Any, reply: Reply) -> Moderations:
    """Read verdicts, in the order of the inputs."""
    results = payload["results"]
    return Moderations(
        flagged=tuple(bool(result["flagged"]) for result in results),
        scores=tuple(dict(result["category_scores"]) for result in results),
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )


def parse_models(payload: Any, reply: Reply) -> Models:
    """Read the list of models."""
    names = tuple(str(model["id"]) for model in payload["data"])
    return Models(names=names, raw=payload, **sent_as(reply))


def parse_usage(usage: Any) -> Usage:
    """Read token counts; what is missing or no count is 0: an answer is not refused for them."""
    if not is_object(usage):
        return Usage()
    counts = count_or_0(usage.get("prompt_tokens")), count_or_0(usage.get("completion_tokens"))
    return Usage(
        input_tokens=counts[0],
        output_tokens=counts[1],
        total_tokens=count_or_0(usage.get("total_tokens")) or sum(counts),
        cached_tokens=_detail(usage, "prompt_tokens_details", "cached_tokens"),
        cache_write_tokens=_detail(usage, "prompt_tokens_details", "cache_write_tokens"),
        reasoning_tokens=_detail(usage, "completion_tokens_details", "reasoning_tokens"),
    )


def read_chat_stream(
    errors: ErrorTable,
    headers: Headers,
    forms: tuple[str, ...],
    refine: Refine | None = None,
    decoder: ServerSentEvents | None = None,
) -> EventReader[ServerSentEvent] | None:
    """Make the reader of one stream of chat or of completions; None where the answer is none.

    Args:
        errors: Names the errors that come as an event.
        headers: Of the answer. Some servers stream under no type or a wrong one: only what is
            surely something else is refused.
        forms: The secrets that an error may echo.
        refine: Adds to each event what only one API says in its `raw`.
        decoder: Cuts the bytes, where a server has a way of its own.
    """
    kind = headers.get("content-type", "")
    if "json" in kind or "html" in kind:
        return None

    def parse(part: ServerSentEvent) -> Sequence[StreamEvent] | None:
        return stream_events(part, errors, forms, refine)

    return EventReader(decoder or ServerSentEvents(), parse)


def stream_events(
    part: ServerSentEvent, errors: ErrorTable, forms: tuple[str, ...], refine: Refine | None
) -> Sequence[StreamEvent] | None:
    if part.data == _END_MARKER:
        return None
    try:
        payload = json.loads(part.data)
        if part.event == "error" or payload.get("error"):
            raise error_inside(errors, payload, forms)
        events = _chunk_events(payload)
        return [refine(event, errors, forms) for event in events] if refine else events
    except WRONG_FORM as error:
        msg = f"an event of the stream is not what the API promises ({type(error).__name__})"
        raise InvalidResponseError(msg, retryable=True) from None


def _chunk_events(payload: Any) -> list[StreamEvent]:
    """Read one chunk: an event for each choice, or one that has no choice but the usage."""
    usage = parse_usage(payload.get("usage")) or None
    model = word_or_none(payload.get("model"))
    choices = payload["choices"]
    if not choices:
        return [StreamEvent(usage=usage, model=model, raw=payload)]
    return [_choice_event(choice, usage, model, payload) for choice in choices]


def _choice_event(choice: Any, usage: Usage | None, model: str | None, chunk: Any) -> StreamEvent:
    delta: Any = choice.get("delta") or {}  # the older interface has none
    return StreamEvent(
        text=_text(choice.get("text")) or _text(delta.get("content")),
        reasoning=_reasoning(delta),
        index=int(choice.get("index") or 0),
        finish_reason=_finish_reason(choice),
        tool_calls=_tool_calls(delta),
        usage=usage,
        model=model,
        raw=chunk,
    )


def _by_index(choices: Any) -> list[Any]:
    return sorted(choices, key=lambda choice: int(choice.get("index") or 0))


def _text(content: Any) -> str:
    """Join the text of a message; some servers send a list of parts."""
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(_part_text(part) for part in content)


def _part_text(part: Any) -> str:
    return str(part["text"]) if part.get("type", "text") == "text" else ""


def _reasoning(message: Any) -> str:
    """Return the thoughts, which servers of this dialect call by two names."""
    return word_or_none(message.get("reasoning") or message.get("reasoning_content")) or ""


def _finish_reason(choice: Any) -> str | None:
    reason = word_or_none(choice.get("finish_reason"))
    return _FINISH_REASONS.get(reason, reason) if reason else None


def _tool_calls(message: Any) -> tuple[ToolCall, ...]:
    calls: Any = message.get("tool_calls") or ()
    older = message.get("function_call")
    if older and not calls:
        calls = ({"function": older},)
    return tuple(_tool_call(call, place) for place, call in enumerate(calls))


def _tool_call(call: Any, place: int) -> ToolCall:
    # A custom tool takes text where a function takes JSON; both are what the model wrote.
    function: Any = call.get("function") or call.get("custom") or {}
    arguments: Any = function.get("arguments") or function.get("input") or ""
    return ToolCall(
        id=word_or_none(call.get("id")) or "",
        name=word_or_none(function.get("name")) or "",
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments),
        index=int(call.get("index", place)),
    )


def _vector(embedding: Any) -> list[float]:
    """Decode one vector: base64 of little-endian 32-bit floats, or plain numbers."""
    if not isinstance(embedding, str):
        return [float(number) for number in embedding]
    numbers = array("f", b64decode(embedding, validate=True))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _detail(usage: Mapping[str, Any], group: str, name: str) -> int:
    details = usage.get(group)
    return count_or_0(details.get(name)) if is_object(details) else 0
