"""Hugging Face TEI: https://huggingface.co/docs/text-embeddings-inference.

A server with one model, so that no operation needs its name. Its address comes from `TEI_BASE_URL`
or `base_url`. It asks for a key only if it was given one: that comes from `HF_TOKEN`,
`HF_TOKEN_1`, …, or the older `HUGGING_FACE_HUB_TOKEN`, `HF_API_TOKEN` and `HF_API_KEY`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import Any, ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS, PREDICTIONS
from adapters._default import DefaultClient
from adapters._operations import Operation
from adapters._provider import OwnSetting, Provider
from adapters._servers import health_at, info_at, parse_info, read_health, without_path
from adapters._tei_answers import parse_similarity
from adapters._tei_operations import (
    TEI_ERRORS,
    build_similarity,
    embed_flow,
    embed_sparse_flow,
    predict_flow,
    rerank_flow,
    tokenize_flow,
)

__all__ = [
    "AsyncClient",
    "Client",
    "configure",
    "embed",
    "embed_sparse",
    "generate_report",
    "get_stats",
    "health",
    "info",
    "predict",
    "request",
    "rerank",
    "reset_stats",
    "similarity",
    "tokenize",
]


def _a_size(value: Any) -> str | None:
    is_size = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return None if is_size else "must be a whole number, at least 1"


_PROVIDER = Provider(
    name="tei",
    base_url="http://localhost:8080",
    base_url_variables=("TEI_BASE_URL",),
    normalize_url=without_path,
    key_variables=("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_API_TOKEN", "HF_API_KEY"),
    needs_key=False,
    request_id_header="X-Request-Id",  # the server itself reads none; proxies do
    batch_models=("*",),
    own_settings={"max_client_batch_size": OwnSetting(default=32, rule=_a_size)},
    errors=TEI_ERRORS,
)


class _Operations:
    """What TEI can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    embed = Operation(embed_flow, combining=EMBEDDINGS)
    embed_sparse = Operation(embed_sparse_flow)
    rerank = Operation(rerank_flow)
    predict = Operation(predict_flow, combining=PREDICTIONS)
    similarity = Operation.of(build_similarity, parse_similarity)
    tokenize = Operation(tokenize_flow)
    info = Operation.of(info_at("info"), parse_info)
    health = Operation.of(health_at("health"), read=read_health)


class Client(_Operations, BaseClient):
    """A client of one TEI server, or of several in a pool of addresses.

    Its own setting is `max_client_batch_size`: inputs that one request may have (32).
    """


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of TEI whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

embed = _default.function(Client.embed)
embed_sparse = _default.function(Client.embed_sparse)
rerank = _default.function(Client.rerank)
predict = _default.function(Client.predict)
similarity = _default.function(Client.similarity)
tokenize = _default.function(Client.tokenize)
info = _default.function(Client.info)
health = _default.function(Client.health)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
