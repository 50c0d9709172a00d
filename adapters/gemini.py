"""Gemini: https://ai.google.dev/api, with the keys of the Gemini API.

Keys come from `GOOGLE_API_KEY`, `GOOGLE_API_KEY_1`, … or `GEMINI_API_KEY`, address and version from
`GOOGLE_GEMINI_BASE_URL` and `GOOGLE_GENAI_API_VERSION`, or all from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS
from adapters._default import DefaultClient
from adapters._gemini_answers import parse_count, parse_generated
from adapters._gemini_errors import GEMINI_ERRORS
from adapters._gemini_requests import (
    build_chat,
    build_chat_stream,
    build_count,
    build_generate,
    build_generate_stream,
    embed_flow,
    models_flow,
)
from adapters._gemini_stream import read_generated_stream
from adapters._operations import Operation, StreamOperation
from adapters._provider import OwnSetting, Provider

__all__ = [
    "AsyncClient",
    "Client",
    "chat",
    "configure",
    "count_tokens",
    "embed",
    "generate",
    "generate_report",
    "get_stats",
    "models",
    "request",
    "reset_stats",
    "stream",
    "stream_generate",
]


def _authorize(key: str) -> dict[str, str]:
    """Return the header of the key: a query would stand in logs."""
    return {"x-goog-api-key": key}


_PROVIDER = Provider(
    name="gemini",
    otel_name="gcp.gemini",
    base_url="https://generativelanguage.googleapis.com",
    base_url_variables=("GOOGLE_GEMINI_BASE_URL",),
    key_variables=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    authorize=_authorize,
    batch_models=("*embedding*",),
    own_settings={
        "api_version": OwnSetting(default="v1", variables=("GOOGLE_GENAI_API_VERSION",)),
    },
    errors=GEMINI_ERRORS,
    span_operations={"chat": "generate_content", "generate": "generate_content"},
)


class _Operations:
    """What Gemini can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chat = Operation.of(build_chat, parse_generated)
    stream = StreamOperation(build_chat_stream, read_generated_stream)
    generate = Operation.of(build_generate, parse_generated)
    stream_generate = StreamOperation(build_generate_stream, read_generated_stream)
    embed = Operation(embed_flow, combining=EMBEDDINGS)
    count_tokens = Operation.of(build_count, parse_count)
    models = Operation(models_flow)


class Client(_Operations, BaseClient):
    """A client of Gemini; its own setting is `api_version`."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of Gemini whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
generate = _default.function(Client.generate)
stream_generate = _default.function(Client.stream_generate)
embed = _default.function(Client.embed)
count_tokens = _default.function(Client.count_tokens)
models = _default.function(Client.models)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
