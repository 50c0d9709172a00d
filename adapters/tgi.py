"""Hugging Face TGI: https://huggingface.co/docs/text-generation-inference.

A server with one model, so that no operation needs its name. Its address comes from `TGI_BASE_URL`
or `base_url`. It asks for a key only if it was given one: that comes from `HF_TOKEN`,
`HF_TOKEN_1`, …, or the older `HUGGING_FACE_HUB_TOKEN`, `HF_API_TOKEN` and `HF_API_KEY`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._default import DefaultClient
from adapters._dialect import Dialect
from adapters._openai_answers import parse_chat, parse_completions, parse_models, read_chat_stream
from adapters._openai_style import build_models
from adapters._operations import Operation, StreamOperation
from adapters._provider import Provider
from adapters._servers import (
    build_own_chat,
    build_own_chat_stream,
    build_own_completions,
    health_at,
    info_at,
    parse_info,
    read_health,
    without_path,
)
from adapters._tgi_native import (
    TGI_ERRORS,
    build_generate,
    build_generate_stream,
    build_tokenize,
    parse_generate,
    parse_tokens,
    read_generate_stream,
)

__all__ = [
    "AsyncClient",
    "Client",
    "chat",
    "completions",
    "configure",
    "generate",
    "generate_report",
    "get_stats",
    "health",
    "info",
    "models",
    "request",
    "reset_stats",
    "stream",
    "stream_generate",
    "tokenize",
]

_PROVIDER = Provider(
    name="tgi",
    base_url="http://localhost:8080",
    base_url_variables=("TGI_BASE_URL",),
    normalize_url=without_path,
    key_variables=("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_API_TOKEN", "HF_API_KEY"),
    needs_key=False,
    request_id_header="X-Request-Id",  # the server itself reads none; proxies do
    errors=TGI_ERRORS,
    dialect=Dialect(
        chat_path="v1/chat/completions",
        completions_path="v1/completions",
        models_path="v1/models",
        stream_options={"include_usage": True},
    ),
)


class _Operations:
    """What TGI can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chat = Operation.of(build_own_chat, parse_chat)
    stream = StreamOperation(build_own_chat_stream, read_chat_stream)
    generate = Operation.of(build_generate, parse_generate)
    stream_generate = StreamOperation(build_generate_stream, read_generate_stream)
    completions = Operation.of(build_own_completions, parse_completions)
    tokenize = Operation.of(build_tokenize, parse_tokens)
    models = Operation.of(build_models, parse_models)
    info = Operation.of(info_at("info"), parse_info)
    health = Operation.of(health_at("health"), read=read_health)


class Client(_Operations, BaseClient):
    """A client of one TGI server, or of several in a pool of addresses."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of TGI whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
generate = _default.function(Client.generate)
stream_generate = _default.function(Client.stream_generate)
completions = _default.function(Client.completions)
tokenize = _default.function(Client.tokenize)
models = _default.function(Client.models)
info = _default.function(Client.info)
health = _default.function(Client.health)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
