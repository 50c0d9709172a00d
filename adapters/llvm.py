"""vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html.

The name is that of an older framework, whose "LLVM" API was a server of models of another kind:
`dialect="llvm"` speaks its routes, the default `dialect="vllm"` those of a vLLM server.
The address comes from `LLVM_BASE_URL`, `LLVM_API_URL`, `VLLM_BASE_URL` or `VLLM_API_URL`, keys
from `LLVM_API_KEY`, `VLLM_API_KEY` and their numbers, or all from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

import sys
from typing import ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS
from adapters._default import DefaultClient
from adapters._dialect import Dialect
from adapters._llvm_older import (
    batch_infer_flow,
    build_infer,
    health_flow,
    info_flow,
    models_flow,
    of_vllm,
    parse_infer,
)
from adapters._openai_answers import parse_chat, parse_completions, read_chat_stream
from adapters._openai_style import build_chat, build_chat_stream, build_completions, embed_flow
from adapters._operations import Operation, StreamOperation
from adapters._provider import OwnSetting, Provider, one_of
from adapters._servers import rerank_flow, without_path
from adapters._vllm import (
    VLLM_ERRORS,
    build_score,
    build_vllm_tokenize,
    chat_batch_flow,
    parse_score,
    parse_token_list,
)

__all__ = [
    "AsyncClient",
    "Client",
    "batch_infer",
    "chat",
    "chat_batch",
    "completions",
    "configure",
    "embed",
    "generate_report",
    "get_stats",
    "health",
    "infer",
    "info",
    "models",
    "request",
    "rerank",
    "reset_stats",
    "score",
    "stream",
    "tokenize",
]

_PROVIDER = Provider(
    name="llvm",
    base_url="http://localhost:8000",
    base_url_variables=("LLVM_BASE_URL", "LLVM_API_URL", "VLLM_BASE_URL", "VLLM_API_URL"),
    normalize_url=without_path,
    key_variables=("LLVM_API_KEY", "VLLM_API_KEY"),
    needs_key=False,
    request_id_header="X-Request-Id",
    batch_models=("*",),
    own_settings={"dialect": OwnSetting(default="vllm", rule=one_of("vllm", "llvm"))},
    errors=VLLM_ERRORS,
    dialect=Dialect(
        chat_path="v1/chat/completions",
        completions_path="v1/completions",
        embeddings_path="v1/embeddings",
        models_path="v1/models",
        rerank_path="v1/rerank",
        stream_options={"include_usage": True},
        max_inputs=sys.maxsize,  # the server schedules as many as it gets
        max_documents=sys.maxsize,
    ),
)


class _Operations:
    """What vLLM, or the older server, can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chat = Operation.of(of_vllm(build_chat), parse_chat)
    stream = StreamOperation(of_vllm(build_chat_stream), read_chat_stream)
    chat_batch = Operation(of_vllm(chat_batch_flow))
    completions = Operation.of(of_vllm(build_completions), parse_completions)
    embed = Operation(of_vllm(embed_flow), combining=EMBEDDINGS)
    rerank = Operation(of_vllm(rerank_flow))
    score = Operation.of(of_vllm(build_score), parse_score)
    tokenize = Operation.of(of_vllm(build_vllm_tokenize), parse_token_list)
    infer = Operation.of(build_infer, parse_infer)
    batch_infer = Operation(batch_infer_flow)
    models = Operation(models_flow)
    info = Operation(info_flow)
    health = Operation(health_flow)


class Client(_Operations, BaseClient):
    """A client of one vLLM server, or of several in a pool of addresses.

    Its own setting is `dialect`: "vllm", or "llvm" for the routes of an older framework.
    """


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of vLLM whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
chat_batch = _default.function(Client.chat_batch)
completions = _default.function(Client.completions)
embed = _default.function(Client.embed)
rerank = _default.function(Client.rerank)
score = _default.function(Client.score)
tokenize = _default.function(Client.tokenize)
infer = _default.function(Client.infer)
batch_infer = _default.function(Client.batch_infer)
models = _default.function(Client.models)
info = _default.function(Client.info)
health = _default.function(Client.health)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
