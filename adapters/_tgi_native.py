"""TGI's own routes and its errors. Pure.

A streaming request is always answered with status 200: what is wrong with it, overload included,
is the first event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from adapters._build import json_request
from adapters._failures import WRONG_FORM, ErrorTable, error_inside
from adapters._json import count_or_0, is_list, is_object, word_or_none
from adapters._messages import Headers, Reply, Request, StreamEvent, Usage, sent_as
from adapters._openai_style import refuse_stream
from adapters._results import Answer, Tokens
from adapters._said import Said, said
from adapters._setup import Setup
from adapters._streams import EventReader, LastEvents, ServerSentEvent, ServerSentEvents
from adapters.errors import (
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
    ServerError,
)

__all__ = [
    "TGI_ERRORS",
    "build_generate",
    "build_generate_stream",
    "build_tokenize",
    "parse_generate",
    "parse_tokens",
    "read_generate_stream",
]

_FINISH_REASONS = {"eos_token": "stop", "stop_sequence": "stop"}

# How messages begin, and the type that goes with them. In a stream of OpenAI's dialect the server
# sends the message alone, beside a status that is 422 whatever has happened.
# Source: text-generation-inference 3.3, router, `InferError`.
_BEGINNINGS = {
    "Model is overloaded": "overloaded",
    "Request failed during generation": "generation",
    "Incomplete generation": "incomplete_generation",
    "Input validation error": "validation",
    "Template error": "template_error",
    "Missing template": "missing_template_variable",
    "Tool error": "tool_error",
}


def _said(body: Any) -> Said:
    told = said(body)
    if is_object(body) and is_object(body.get("error")):
        message = told.message or ""
        kind = next((word for text, word in _BEGINNINGS.items() if message.startswith(text)), None)
        return Said(message=told.message, kind=kind)
    return told


TGI_ERRORS = ErrorTable(
    words={
        "overloaded": RateLimitError,
        "generation": ServerError,
        "healthcheck": ServerError,
        "incomplete_generation": ServerError,
        "incomplete_generation_stream": ServerError,
        "stream_serialization_error": ServerError,
        "headers": ServerError,
        "tokenizer": NotFoundError,
        **dict.fromkeys(
            (
                "batch size exceeded",
                "missing_template_variable",
                "suffix not supported",
                "template_error",
                "tool_error",
                "validation",
            ),
            BadRequestError,
        ),
    },
    statuses={424: ServerError},  # a shard of the model has failed
    said=_said,
)


def build_generate(_: Setup, /, inputs: str, **options: Any) -> Request:
    """Continue a text.

    Args:
        inputs: The text.
        options: Those of every call; every other one is one of the request's `parameters`, such as
            `max_new_tokens`. Details are asked for unless `details=False` is given: without them
            the server does not count.
    """
    refuse_stream(options, "stream_generate()")
    return _generate("generate", inputs, options)


def build_generate_stream(_: Setup, /, inputs: str, **options: Any) -> Request:
    """Continue a text, token by token; as `generate`, but for the result."""
    return _generate("generate_stream", inputs, options)


def _generate(path: str, inputs: str, options: Mapping[str, Any]) -> Request:
    parameters: dict[str, Any] = {"details": True, **options}
    extra = {name: parameters.pop(name, None) for name in ("extra_headers", "extra_body")}
    parameters.update(parameters.pop("parameters", None) or {})
    return json_request("generate", path, {"inputs": inputs, "parameters": parameters}, extra)


def build_tokenize(_: Setup, /, inputs: str, **options: Any) -> Request:
    """Cut a text into the tokens of the server's model."""
    return json_request("tokenize", "tokenize", {"inputs": inputs}, options)


def parse_generate(payload: Any, reply: Reply) -> Answer:
    """Read a generation: an object, or a list of one at the route that others use."""
    answer = payload[0] if is_list(payload) else payload
    details: Any = answer.get("details") or {}
    text = str(answer["generated_text"])
    return Answer(
        text=text,
        texts=(text,),
        usage=_usage(details, reply.headers),
        finish_reason=_reason(details),
        finish_reasons=(_reason(details),),
        raw=payload,
        **sent_as(reply),
    )


def _usage(details: Any, headers: Mapping[str, str]) -> Usage:
    """Count tokens; the body does not have those of the prompt, a header does."""
    output = count_or_0(details.get("generated_tokens"))
    output = output or _number(headers.get("x-generated-tokens"))
    prompt = count_or_0(details.get("input_length")) or _number(headers.get("x-prompt-tokens"))
    return Usage(input_tokens=prompt, output_tokens=output, total_tokens=prompt + output)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _reason(details: Any) -> str | None:
    reason = word_or_none(details.get("finish_reason"))
    return _FINISH_REASONS.get(reason, reason) if reason else None


def parse_tokens(payload: Any, reply: Reply) -> Tokens:
    """Read the tokens of the one text."""
    return Tokens(
        ids=(tuple(int(token["id"]) for token in payload),),
        texts=(tuple(str(token["text"]) for token in payload),),
        raw=payload,
        **sent_as(reply),
    )


def read_generate_stream(
    errors: ErrorTable, headers: Headers, forms: tuple[str, ...]
) -> EventReader[ServerSentEvent] | None:
    """Make the reader of a native stream; the event with the whole text is its end."""
    kind = headers.get("content-type", "")
    if "json" in kind or "html" in kind:
        return None
    return EventReader(ServerSentEvents(), partial(_events, errors, forms))


def _events(
    errors: ErrorTable, forms: tuple[str, ...], part: ServerSentEvent
) -> Sequence[StreamEvent]:
    try:
        payload = json.loads(part.data)
        if payload.get("error"):
            raise error_inside(errors, payload, forms)
        return _token_events(payload)
    except WRONG_FORM as error:
        msg = f"an event of the stream is not what the API promises ({type(error).__name__})"
        raise InvalidResponseError(msg, retryable=True) from None


def _token_events(payload: Any) -> Sequence[StreamEvent]:
    token = payload["token"]
    text = "" if token.get("special") else str(token["text"])
    if payload.get("generated_text") is None:
        return [StreamEvent(text=text, raw=payload)]
    details: Any = payload.get("details") or {}
    usage = _usage(details, {}) or None
    return LastEvents(
        [StreamEvent(text=text, finish_reason=_reason(details), usage=usage, raw=payload)]
    )
