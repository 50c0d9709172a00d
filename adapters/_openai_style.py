"""The dialect that OpenAI, Groq, vLLM, TGI, OVMS and OPEA speak: building requests. Pure.

What differs between them is data: a `Dialect` each. `_openai_answers` reads what comes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from adapters._build import checked_headers, json_request
from adapters._messages import Request

__all__ = [
    "Dialect",
    "Messages",
    "build_chat",
    "build_completions",
    "build_embeddings",
    "build_models",
    "build_moderations",
]

Messages = str | Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one API speaks it.

    Attributes:
        chat_path: And the others: relative to the base URL.
        embedding_format: Asked for where the caller asks for none. base64 is a quarter of the size
            of JSON numbers, and what OpenAI's own client asks for.
        stream_options: Sent with a stream where the caller sends none: without them OpenAI reports
            no usage for a stream.
        max_inputs: The most inputs that one request for embeddings may have.
    """

    chat_path: str = "chat/completions"
    completions_path: str = "completions"
    embeddings_path: str = "embeddings"
    moderations_path: str = "moderations"
    models_path: str = "models"
    embedding_format: str | None = "base64"
    stream_options: Mapping[str, Any] | None = None
    max_inputs: int = 2048


def build_chat(
    dialect: Dialect, model: str, messages: Messages, options: Mapping[str, Any]
) -> Request:
    """Build a chat request; a plain string is one message of the user."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    fields = {"model": model, "messages": messages, **_stream_fields(dialect, options)}
    return json_request("chat", dialect.chat_path, fields, options)


def build_completions(
    dialect: Dialect, model: str, prompt: Any, options: Mapping[str, Any]
) -> Request:
    """Build a request of the older kind: one prompt, or a list of them."""
    fields = {"model": model, "prompt": prompt, **_stream_fields(dialect, options)}
    return json_request("completions", dialect.completions_path, fields, options)


def build_embeddings(
    dialect: Dialect, model: str, inputs: Any, options: Mapping[str, Any]
) -> Iterator[tuple[Request, int]]:
    """Build the requests for embeddings, each with the number of its inputs.

    It is one, or several where there are more inputs than fit.
    """
    fixed = {"model": model}
    if dialect.embedding_format:
        fixed["encoding_format"] = dialect.embedding_format
    for part in _parts(inputs, dialect.max_inputs):
        size = len(part) if _is_list_of_inputs(part) else 1
        fields = {**fixed, "input": part}
        yield json_request("embed", dialect.embeddings_path, fields, options), size


def build_moderations(dialect: Dialect, inputs: Any, options: Mapping[str, Any]) -> Request:
    """Build a moderation request; the model is an option of this one."""
    return json_request("moderations", dialect.moderations_path, {"input": inputs}, options)


def build_models(dialect: Dialect, options: Mapping[str, Any]) -> Request:
    """Build the request for the list of models."""
    headers = checked_headers(options.get("extra_headers"))
    return Request(operation="models", method="GET", path=dialect.models_path, headers=headers)


def _stream_fields(dialect: Dialect, options: Mapping[str, Any]) -> dict[str, Any]:
    if not options.get("stream") or not dialect.stream_options:
        return {}
    return {"stream_options": dict(dialect.stream_options)}


def _parts(inputs: Any, size: int) -> Iterator[Any]:
    """Cut a list of inputs; anything else, and a list of tokens, is one input."""
    if not _is_list_of_inputs(inputs) or len(inputs) <= size:
        yield inputs
        return
    for start in range(0, len(inputs), size):
        yield inputs[start : start + size]


def _is_list_of_inputs(inputs: Any) -> bool:
    if not isinstance(inputs, list | tuple):
        return False
    first: Any = next(iter(cast("Sequence[Any]", inputs)), None)
    return not isinstance(first, int)
