"""Ollama: https://docs.ollama.com/api, on this machine or in its cloud.

The address comes from `OLLAMA_HOST` in any of its forms, a key, which only the cloud wants, from
`OLLAMA_API_KEY`, or both from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS
from adapters._default import DefaultClient
from adapters._ollama_answers import (
    parse_answer,
    parse_models,
    read_answer_stream,
    read_pull_stream,
)
from adapters._ollama_requests import (
    build_chat,
    build_chat_stream,
    build_generate,
    build_generate_stream,
    build_info,
    build_models,
    build_pull,
    embed_flow,
    normalized_host,
)
from adapters._operations import Operation, StreamOperation
from adapters._provider import Provider
from adapters._servers import health_at, parse_info, read_health

__all__ = [
    "AsyncClient",
    "Client",
    "chat",
    "configure",
    "embed",
    "generate",
    "generate_report",
    "get_stats",
    "health",
    "info",
    "models",
    "pull",
    "request",
    "reset_stats",
    "stream",
    "stream_generate",
]

_PROVIDER = Provider(
    name="ollama",
    base_url="http://127.0.0.1:11434",
    base_url_variables=("OLLAMA_HOST",),
    normalize_url=normalized_host,
    key_variables=("OLLAMA_API_KEY",),
    needs_key=False,
    batch_models=("*",),
    read_timeout=300.0,  # as long as the server itself waits for a model to be loaded
)


class _Operations:
    """What Ollama can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chat = Operation.of(build_chat, parse_answer)
    stream = StreamOperation(build_chat_stream, read_answer_stream)
    generate = Operation.of(build_generate, parse_answer)
    stream_generate = StreamOperation(build_generate_stream, read_answer_stream)
    embed = Operation(embed_flow, combining=EMBEDDINGS)
    models = Operation.of(build_models, parse_models)
    pull = StreamOperation(build_pull, read_pull_stream)
    info = Operation.of(build_info, parse_info)
    health = Operation.of(health_at("api/version"), read=read_health)


class Client(_Operations, BaseClient):
    """A client of Ollama; without a key it sends none."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of Ollama whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
generate = _default.function(Client.generate)
stream_generate = _default.function(Client.stream_generate)
embed = _default.function(Client.embed)
models = _default.function(Client.models)
pull = _default.function(Client.pull)
info = _default.function(Client.info)
health = _default.function(Client.health)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
