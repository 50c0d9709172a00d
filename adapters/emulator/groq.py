"""Groq: its models, and which operations of OpenAI's dialect it has in its own way.

`stream_error:code=soft` ends a stream with the text of an error in `x_groq`, as Groq does where a
model stops early; other codes give an event that is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.emulator._groq_chat import groq_chat_operation
from adapters.emulator._keys import keys_like
from adapters.emulator.openai_style.embeddings import embeddings_operation
from adapters.emulator.openai_style.errors import authenticate, go_duration
from adapters.emulator.openai_style.models import Model, Models, model_operations
from adapters.emulator.openai_style.transcriptions import describe_form, transcription_operations
from adapters.emulator.protocol import (
    Answer,
    Call,
    Headers,
    Problem,
    Provider,
    Quota,
    server_sent_event,
    to_json,
)

__all__ = ["PROVIDER"]

_MODELS: Models = {
    model.id: model
    for model in [
        Model("llama-3.3-70b-versatile", "chat", 131_072, owned_by="Meta"),
        Model("llama-3.1-8b-instant", "chat", 131_072, owned_by="Meta"),
        Model("openai/gpt-oss-120b", "chat", 131_072, reasons=True, owned_by="OpenAI"),
        Model("openai/gpt-oss-20b", "chat", 131_072, reasons=True, owned_by="OpenAI"),
        Model("qwen/qwen3-32b", "chat", 131_072, reasons=True, owned_by="Alibaba Cloud"),
        Model("whisper-large-v3", "transcription", 448, owned_by="OpenAI"),
        Model("whisper-large-v3-turbo", "transcription", 448, owned_by="OpenAI"),
        Model("nomic-embed-text-v1_5", "embedding", 8_192, dimensions=768, owned_by="Nomic AI"),
    ]
}
_INVALID, _INTERNAL = "invalid_request_error", "internal_server_error"

# Status: type, code and message where the problem does not say otherwise.
_USUAL: Mapping[int, tuple[str, str | None, str]] = {
    401: (_INVALID, "invalid_api_key", "Invalid API Key"),
    403: (_INVALID, "permission_denied", "The request is forbidden."),
    404: (_INVALID, "unknown_url", "Unknown request URL."),
    405: (_INVALID, "method_not_allowed", "Method not allowed."),
    413: (_INVALID, "request_too_large", "Request Entity Too Large"),
    422: (_INVALID, "unprocessable_entity", "The request was well-formed, but not understood."),
    424: (_INVALID, "failed_dependency", "A dependent request failed."),
    429: ("tokens", "rate_limit_exceeded", "Rate limit reached for this model."),
    498: ("service_tier_capacity_exceeded", "capacity_exceeded", "Flex tier is out of capacity."),
    499: (_INVALID, "request_cancelled", "The request was cancelled by the caller."),
    502: (_INTERNAL, "bad_gateway", "Bad Gateway"),
    503: (_INTERNAL, "service_unavailable", "Service Unavailable"),
}
_SERVER_ERRORS = range(500, 600)


def _error(problem: Problem) -> dict[str, Any]:
    """Give the `error` object; members without a value are left out."""
    fallback: tuple[str, str | None, str] = (_INVALID, None, "The request is invalid.")
    if problem.status in _SERVER_ERRORS:
        fallback = (_INTERNAL, None, "Internal Server Error")
    kind, code, message = _USUAL.get(problem.status, fallback)
    wait = problem.retry_after
    if wait is not None:
        message += f" Please try again in {go_duration(wait)}."
    found = {
        "message": problem.message or message,
        "type": kind,
        "code": code if problem.code is None else problem.code or None,
        "param": problem.param,
    }
    return {name: value for name, value in found.items() if value is not None}


def _problem(problem: Problem, _call: Call) -> Answer:
    return Answer.of_json({"error": _error(problem)}, problem.status)


def _soft_problem(problem: Problem, _call: Call) -> Answer:
    return Answer.of_json({"error": _error(problem)})


def _stream_problem(problem: Problem, call: Call, _position: int) -> bytes:
    if problem.code != "soft":
        return server_sent_event(to_json({"error": _error(problem)}))
    chunk = {"id": "chatcmpl-soft", "object": "chat.completion.chunk", "created": 1, "choices": []}
    said = {"id": call.request_id, "error": problem.message or "over capacity"}
    return server_sent_event(to_json({**chunk, "model": call.model, "x_groq": said}))


# What a key has left that no rule limits; requests are counted by the day, tokens by the minute.
_UNLIMITED = Quota(14_400, 14_399, 6.0)


def _headers(call: Call, quota: Quota | None) -> Headers:
    quota = quota or _UNLIMITED
    return [
        (b"x-request-id", call.request_id.encode()),
        (b"x-groq-region", b"emulator"),
        (b"x-ratelimit-limit-requests", b"%d" % quota.limit),
        (b"x-ratelimit-remaining-requests", b"%d" % quota.remaining),
        (b"x-ratelimit-reset-requests", go_duration(quota.reset).encode()),
        (b"x-ratelimit-limit-tokens", b"18000"),
        (b"x-ratelimit-remaining-tokens", b"17997"),
        (b"x-ratelimit-reset-tokens", b"10ms"),
    ]


def _card(model: Model) -> dict[str, object]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created,
        "owned_by": model.owned_by,
        "active": True,
        "context_window": model.context,
        "public_apps": None,
    }


def _x_groq(call: Call, _model: Model, _text: str) -> dict[str, Any]:
    return {"x_groq": {"id": call.request_id}}


PROVIDER = Provider(
    name="groq",
    base_path="/openai/v1",
    operations=(
        groq_chat_operation(_MODELS),
        embeddings_operation(_MODELS),
        *transcription_operations(_MODELS, _x_groq),
        *model_operations(_MODELS, _card),
    ),
    keys=keys_like("gsk_emulator_", "groq", 40),
    authenticate=authenticate,
    problem=_problem,
    stream_problem=_stream_problem,
    soft_problem=_soft_problem,
    headers=_headers,
    describe=describe_form,
)
