"""Claude: https://platform.claude.com/docs/en/api.

Keys come from `ANTHROPIC_API_KEY`, `ANTHROPIC_API_KEY_1`, … or `ANTHROPIC_AUTH_TOKEN`, the address
from `ANTHROPIC_BASE_URL`, or both from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import ClassVar

from adapters._async_client import BaseAsyncClient
from adapters._claude_answers import parse_count, parse_message
from adapters._claude_errors import CLAUDE_ERRORS
from adapters._claude_requests import (
    MAX_TOKENS,
    build_chat,
    build_chat_stream,
    build_count,
    models_flow,
)
from adapters._claude_stream import read_message_stream
from adapters._client import BaseClient
from adapters._default import DefaultClient
from adapters._operations import Operation, StreamOperation
from adapters._provider import OwnSetting, Provider

__all__ = [
    "MAX_TOKENS",
    "AsyncClient",
    "Client",
    "chat",
    "configure",
    "count_tokens",
    "generate_report",
    "get_stats",
    "models",
    "request",
    "reset_stats",
    "stream",
]

_PROVIDER = Provider(
    name="claude",
    otel_name="anthropic",
    base_url="https://api.anthropic.com",
    base_url_variables=("ANTHROPIC_BASE_URL",),
    key_variables=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    server_request_id_headers=("request-id",),
    quota_headers=(
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ),
    own_settings={
        "api_version": OwnSetting(default="2026-10-21", header="anthropic-version"),
        "beta": OwnSetting(header="anthropic-beta"),
        "workspace": OwnSetting(header="anthropic-workspace-id"),
    },
    read_timeout=600.0,  # a whole answer comes when its last word is written
    errors=CLAUDE_ERRORS,
)


class _Operations:
    """What Claude can be asked for."""

    provider: ClassVar[Provider] = _PROVIDER

    chat = Operation.of(build_chat, parse_message)
    stream = StreamOperation(build_chat_stream, read_message_stream)
    count_tokens = Operation.of(build_count, parse_count)
    models = Operation(models_flow)


class Client(_Operations, BaseClient):
    """A client of Claude; its own settings are `api_version`, `beta` and `workspace`."""


class AsyncClient(_Operations, BaseAsyncClient):
    """A client of Claude whose calls are awaited; as `Client`, but for `await`."""


_default = DefaultClient(Client, __name__)

chat = _default.function(Client.chat)
stream = _default.function(Client.stream)
count_tokens = _default.function(Client.count_tokens)
models = _default.function(Client.models)

configure = _default.configure
request = _default.request
get_stats = _default.get_stats
generate_report = _default.generate_report
reset_stats = _default.reset_stats
