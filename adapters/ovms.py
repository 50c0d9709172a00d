"""OpenVINO Model Server: https://docs.openvino.ai, "Model Server".

Tensors go by KServe v2, which every version has; `dialect="tfs"` takes the routes of
TensorFlow-Serving, which versions up to 2026.2 have. Chat, embeddings and ranks go by `/v3`.
The address comes from `OVMS_BASE_URL` or `OVMS_API_URL`, a key, where the server asks for one,
from `OVMS_API_KEY`, `OVMS_API_KEY_1`, …, or all from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS
from adapters._default import DefaultClient
from adapters._dialect import Dialect
from adapters._kserve_rows import ROWS
from adapters._openai_answers import parse_chat, parse_completions, parse_models
from adapters._openai_style import (
    build_chat,
    build_chat_stream,
    build_completions,
    build_models,
    embed_flow,
)
from adapters._operations import Operation, StreamOperation
from adapters._ovms_operations import (
    OVMS_ERRORS,
    build_ovms_tokenize,
    infer_flow,
    metadata_flow,
    parse_ovms_tokens,
    predict_flow,
    read_ovms_stream,
    status_flow,
)
from adapters._provider import OwnSetting, Provider, one_of
from adapters._servers import (
    health_at,
    info_at,
    parse_info,
    read_health,
    rerank_flow,
    without_path,
)

__all__ = [
    "AsyncClient",
    "Client",
    "chat",
    "completions",
    "configure",
    "embed",
    "generate_report",
    "get_stats",
    "health",
    "infer",
    "info",
    "metadata",
    "models",
    "predict",
    "request",
    "rerank",
    "reset_stats",
    "status",
    "stream",
    "tokenize",
]

_PROVIDER = Provider(
    name="ovms",
    base_url="http://localhost:8000",
    base_url_variables=("OVMS_BASE_URL", "OVMS_API_URL"),
    normalize_url=without_path,
    key_variables=("OVMS_API_KEY",),
    needs_key=False,
    request_id_header="X-Request-Id",  # the server itself reads none; proxies do
    batch_models=("*",),
    batch_operations=("embed",),  # tensors only go together where a model takes any number of rows
    own_settings={"dialect": OwnSetting(default="kserve", rule=one_of("kserve", "tfs"))},
    errors=OVMS_ERRORS,
    dialect=Dialect(
        chat_path="v3/chat/completions",
        completions_path="v3/completions",
        embeddings_path="v3/embeddings",
        models_path="v3/models",
        rerank_path="v3/rerank",
        stream_options={"include_usage": True},
        max_inputs=500,  # the server's default
        max_documents=100,  # the server's default
    ),
)


class _Operations:
    """What OVMS can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    infer = Operation(infer_flow, combining=ROWS)
    predict = Operation(predict_flow)
    metadata = Operation(metadata_flow)
    status = Operation(status_flow)
    chat = Operation.of(build_chat, parse_chat)
    stream = StreamOperation(build_chat_stream, read_ovms_stream)
    completions = Operation.of(build_completions, parse_completions)
    embed = Operation(embed_flow, combining=EMBEDDINGS)
    rerank = Operation(rerank_flow)
    tokenize = Operation.of(build_ovms_tokenize, parse_ovms_tokens)
    models = Operation.of(build_models, parse_models)
    info = Operation.of(info_at("v2"), parse_info)
    health = Operation.of(health_at("v2/health/ready", frozenset({400, 503})), read=read_health)


class Client(_Operations, BaseClient):
    """A client of one model server, or of several in a pool of addresses.

    Its own setting is `dialect`: "kserve", or "tfs" for TensorFlow-Serving's routes.
    """


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of OVMS whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

infer = _default.function(Client.infer)
predict = _default.function(Client.predict)
metadata = _default.function(Client.metadata)
status = _default.function(Client.status)
chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
completions = _default.function(Client.completions)
embed = _default.function(Client.embed)
rerank = _default.function(Client.rerank)
tokenize = _default.function(Client.tokenize)
models = _default.function(Client.models)
info = _default.function(Client.info)
health = _default.function(Client.health)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
