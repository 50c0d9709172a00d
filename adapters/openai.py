"""OpenAI: https://platform.openai.com/docs/api-reference.

Keys come from `OPENAI_API_KEY`, `OPENAI_API_KEY_1`, …; address, organization and project from
`OPENAI_BASE_URL`, `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID`, or all from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._client import BaseClient
from adapters._combining import EMBEDDINGS, MODERATIONS, Combining
from adapters._default import DefaultClient
from adapters._dialect import Dialect
from adapters._openai_answers import (
    each_completion,
    parse_chat,
    parse_completions,
    parse_models,
    parse_moderations,
    read_chat_stream,
)
from adapters._openai_errors import OPENAI_ERRORS, OPENAI_QUOTA
from adapters._openai_responses import (
    build_input_tokens,
    build_responses,
    build_responses_stream,
    parse_input_tokens,
    parse_response,
    read_responses_stream,
)
from adapters._openai_style import (
    build_chat,
    build_chat_stream,
    build_completions,
    build_models,
    build_moderations,
    embed_flow,
)
from adapters._operations import Operation, StreamOperation
from adapters._provider import OwnSetting, Provider
from adapters._transcription import build_transcription, read_transcription

__all__ = [
    "AsyncClient",
    "Client",
    "chat",
    "completions",
    "configure",
    "count_tokens",
    "embed",
    "generate_report",
    "get_stats",
    "models",
    "moderations",
    "request",
    "reset_stats",
    "responses",
    "stream",
    "stream_responses",
    "transcribe",
]

_PROVIDER = Provider(
    name="openai",
    base_url="https://api.openai.com/v1",
    base_url_variables=("OPENAI_BASE_URL",),
    key_variables=("OPENAI_API_KEY",),
    request_id_header="X-Client-Request-Id",
    quota_headers=OPENAI_QUOTA,
    batch_models=("text-embedding-*",),
    own_settings={
        "organization": OwnSetting(header="OpenAI-Organization", variables=("OPENAI_ORG_ID",)),
        "project": OwnSetting(header="OpenAI-Project", variables=("OPENAI_PROJECT_ID",)),
    },
    errors=OPENAI_ERRORS,
    dialect=Dialect(
        stream_options={"include_usage": True},
        max_inputs=2048,  # OpenAI, reference of embeddings
    ),
)


class _Operations:
    """What OpenAI can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chat = Operation.of(build_chat, parse_chat)
    stream = StreamOperation(build_chat_stream, read_chat_stream)
    responses = Operation.of(build_responses, parse_response)
    stream_responses = StreamOperation(build_responses_stream, read_responses_stream)
    completions = Operation.of(
        build_completions,
        parse_completions,
        combining=Combining(parameter="prompt", take_apart=each_completion),
    )
    embed = Operation(embed_flow, combining=EMBEDDINGS)
    moderations = Operation.of(
        build_moderations,
        parse_moderations,
        combining=MODERATIONS,
    )
    transcribe = Operation.of(build_transcription, read=read_transcription)
    count_tokens = Operation.of(build_input_tokens, parse_input_tokens)
    models = Operation.of(build_models, parse_models)


class Client(_Operations, BaseClient):
    """A client of OpenAI; its own settings are `organization` and `project`."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of OpenAI whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
responses = _default.function(Client.responses)
stream_responses = _default.function(Client.stream_responses)
completions = _default.function(Client.completions)
embed = _default.function(Client.embed)
moderations = _default.function(Client.moderations)
transcribe = _default.function(Client.transcribe)
count_tokens = _default.function(Client.count_tokens)
models = _default.function(Client.models)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
