"""Groq: https://console.groq.com/docs/api-reference.

Keys come from `GROQ_API_KEY`, `GROQ_API_KEY_1`, …, the address from `GROQ_BASE_URL`, or both from
arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, ClassVar
from urllib.parse import urlsplit

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS
from adapters._default import DefaultClient
from adapters._dialect import Dialect
from adapters._failures import ErrorTable, error_inside
from adapters._json import is_object, word_or_none
from adapters._messages import Reply, StreamEvent
from adapters._openai_answers import parse_chat, parse_models, parse_usage, read_chat_stream
from adapters._openai_errors import OPENAI_ERRORS, OPENAI_QUOTA
from adapters._openai_style import build_chat, build_chat_stream, build_models, embed_flow
from adapters._operations import Operation, StreamOperation
from adapters._provider import Provider
from adapters._results import Answer
from adapters._transcription import build_transcription, read_transcription

__all__ = [
    "AsyncClient",
    "Client",
    "chat",
    "configure",
    "embed",
    "generate_report",
    "get_stats",
    "models",
    "request",
    "reset_stats",
    "stream",
    "transcribe",
]

_PATH = "/openai/v1"


def _with_version(url: str) -> str:
    """Complete an address: for Groq's own client, and in its variable, it is the host alone."""
    bare = url.rstrip("/")
    return bare if urlsplit(bare).path.endswith("/v1") else bare + _PATH


_PROVIDER = Provider(
    name="groq",
    base_url=f"https://api.groq.com{_PATH}",
    base_url_variables=("GROQ_BASE_URL",),
    normalize_url=_with_version,
    key_variables=("GROQ_API_KEY",),
    quota_headers=OPENAI_QUOTA,
    batch_models=("*embed*",),
    errors=OPENAI_ERRORS,
    dialect=Dialect(embedding_format=None),  # its streams report their usage without being asked
)


def _parse_chat(payload: Any, reply: Reply) -> Answer:
    """Read a chat completion; its id stands in the body."""
    answer = parse_chat(payload, reply)
    x_groq = payload.get("x_groq")
    found = word_or_none(x_groq.get("id")) if is_object(x_groq) else None
    return replace(answer, server_request_id=found or answer.server_request_id)


def _refine(event: StreamEvent, errors: ErrorTable, forms: tuple[str, ...]) -> StreamEvent:
    """Read `x_groq`: the id, the usage, and an error where the model stopped early."""
    x_groq = event.raw.get("x_groq")
    if not is_object(x_groq):
        return event
    if x_groq.get("error"):
        raise error_inside(errors, {"error": x_groq["error"]}, forms)
    return replace(
        event,
        usage=event.usage or parse_usage(x_groq.get("usage")) or None,
        server_request_id=word_or_none(x_groq.get("id")),
    )


class _Operations:
    """What Groq can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chat = Operation.of(build_chat, _parse_chat)
    stream = StreamOperation(build_chat_stream, partial(read_chat_stream, refine=_refine))
    embed = Operation(embed_flow, combining=EMBEDDINGS)
    transcribe = Operation.of(build_transcription, read=read_transcription)
    models = Operation.of(build_models, parse_models)


class Client(_Operations, BaseClient):
    """A client of Groq."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of Groq whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
embed = _default.function(Client.embed)
transcribe = _default.function(Client.transcribe)
models = _default.function(Client.models)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
