"""OPEA: https://opea-project.github.io, gateways of applications and the services behind them.

Each of them stands at an address of its own. `OPEA_BASE_URL` (or the older `OPEA_API_ENDPOINT`) is
that of all operations, `OPEA_CHAT_URL`, `OPEA_CHATQNA_URL`, `OPEA_EMBED_URL`, `OPEA_RERANK_URL`,
`OPEA_RETRIEVE_URL`, `OPEA_GUARDRAILS_URL` and `OPEA_INGEST_URL` those of single ones.
No service asks for a key; one for a proxy in front comes from `OPEA_API_KEY`, `OPEA_API_KEY_1`, ….
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import ClassVar

from adapters._addresses import an_address
from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS
from adapters._default import DefaultClient
from adapters._dialect import Dialect
from adapters._opea_gateways import (
    OPEA_ERRORS,
    build_chat,
    build_chat_stream,
    build_chatqna,
    build_chatqna_stream,
    parse_text_or_chat,
)
from adapters._opea_services import (
    build_guardrails,
    build_ingest,
    build_retrieve,
    opea_embed_flow,
    opea_rerank_flow,
    parse_documents,
    parse_ingest,
    read_guardrails,
)
from adapters._opea_streams import read_opea_stream
from adapters._operations import Operation, StreamOperation
from adapters._provider import OwnSetting, Provider
from adapters._servers import health_at, info_at, parse_info, read_health, without_path

__all__ = [
    "AsyncClient",
    "Client",
    "chat",
    "chatqna",
    "configure",
    "embed",
    "generate_report",
    "get_stats",
    "guardrails",
    "health",
    "info",
    "ingest",
    "request",
    "rerank",
    "reset_stats",
    "retrieve",
    "stream",
    "stream_chatqna",
]

_WITH_ADDRESSES = ("chat", "chatqna", "embed", "guardrails", "ingest", "rerank", "retrieve")

_PROVIDER = Provider(
    name="opea",
    base_url="http://localhost:8888",
    base_url_variables=("OPEA_BASE_URL", "OPEA_API_ENDPOINT"),
    normalize_url=without_path,
    key_variables=("OPEA_API_KEY",),
    needs_key=False,
    request_id_header="X-Request-Id",  # the services read none; proxies do
    batch_models=("*",),
    own_settings={
        f"{name}_url": OwnSetting(variables=(f"OPEA_{name.upper()}_URL",), rule=an_address)
        for name in _WITH_ADDRESSES
    },
    errors=OPEA_ERRORS,
    dialect=Dialect(
        embeddings_path="v1/embeddings",
        embedding_format=None,  # taken, and not honoured
        max_inputs=32,  # what the server behind the service takes
    ),
    span_operations={"chatqna": "chat", "retrieve": "retrieval"},
)


class _Operations:
    """What OPEA's gateways and services can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chatqna = Operation.of(build_chatqna, parse_text_or_chat)
    stream_chatqna = StreamOperation(build_chatqna_stream, read_opea_stream)
    chat = Operation.of(build_chat, parse_text_or_chat)
    stream = StreamOperation(build_chat_stream, read_opea_stream)
    embed = Operation(opea_embed_flow, combining=EMBEDDINGS)
    rerank = Operation(opea_rerank_flow)
    retrieve = Operation.of(build_retrieve, parse_documents)
    guardrails = Operation.of(build_guardrails, read=read_guardrails)
    ingest = Operation.of(build_ingest, parse_ingest)
    info = Operation.of(info_at("v1/health_check"), parse_info)
    health = Operation.of(health_at("v1/health_check"), read=read_health)


class Client(_Operations, BaseClient):
    """A client of OPEA; its own settings are the addresses of operations: `embed_url`, …."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of OPEA whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chatqna = _default.function(Client.chatqna)
stream_chatqna = _default.function(Client.stream_chatqna)
chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
embed = _default.function(Client.embed)
rerank = _default.function(Client.rerank)
retrieve = _default.function(Client.retrieve)
guardrails = _default.function(Client.guardrails)
ingest = _default.function(Client.ingest)
info = _default.function(Client.info)
health = _default.function(Client.health)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
