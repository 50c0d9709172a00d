"""OpenAI: https://platform.openai.com/docs/api-reference.

Keys come from `OPENAI_API_KEY`, `OPENAI_API_KEY_1`, …; address, organization and project from
`OPENAI_BASE_URL`, `OPENAI_ORG_ID` and `OPENAI_PROJECT_ID`, or all from arguments of `Client`.
The functions of this module use one client that is made when the first of them is called.
"""

from __future__ import annotations

from typing import Any, ClassVar

from adapters._default import DefaultClient
from adapters._messages import Answer, Embeddings, Models, Moderations
from adapters._openai_client import OpenAIStyleClient
from adapters._openai_errors import OPENAI_ERRORS
from adapters._openai_style import Dialect, Messages
from adapters._provider import Provider
from adapters._streaming import Stream

__all__ = [
    "Client",
    "chat",
    "completions",
    "configure",
    "embed",
    "generate_report",
    "get_stats",
    "models",
    "moderations",
    "request",
    "reset_stats",
    "stream",
]

_PROVIDER = Provider(
    name="openai",
    base_url="https://api.openai.com/v1",
    base_url_variable="OPENAI_BASE_URL",
    key_variables=("OPENAI_API_KEY",),
    errors=OPENAI_ERRORS,
    request_id_header="X-Client-Request-Id",
    server_request_id_header="x-request-id",
    setting_headers={"organization": "OpenAI-Organization", "project": "OpenAI-Project"},
    setting_variables={"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"},
)

_DIALECT = Dialect(
    stream_options={"include_usage": True},
    max_inputs=2048,  # OpenAI, reference of embeddings
)


class Client(OpenAIStyleClient):
    """A client of OpenAI; its own settings are `organization` and `project`."""

    provider: ClassVar[Provider] = _PROVIDER
    dialect: ClassVar[Dialect] = _DIALECT


_default = DefaultClient(Client)
configure = _default.configure


def chat(model: str, messages: Messages, **options: Any) -> Answer:
    """Ask a model for the next message; see `Client.chat`."""
    return _default.get().chat(model, messages, **options)


def stream(model: str, messages: Messages, **options: Any) -> Stream:
    """Ask a model for the next message, piece by piece; see `Client.stream`."""
    return _default.get().stream(model, messages, **options)


def completions(model: str, prompt: Any, **options: Any) -> Answer:
    """Continue a prompt, or each of a list; see `Client.completions`."""
    return _default.get().completions(model, prompt, **options)


def embed(model: str, inputs: Any, **options: Any) -> Embeddings:
    """Turn a text, or each of a list, into a vector; see `Client.embed`."""
    return _default.get().embed(model, inputs, **options)


def moderations(inputs: Any, **options: Any) -> Moderations:
    """Judge a text, or each of a list; see `Client.moderations`."""
    return _default.get().moderations(inputs, **options)


def models(**options: Any) -> Models:
    """List the models; see `Client.models`."""
    return _default.get().models(**options)


def request(method: str, path: str, **options: Any) -> Any:
    """Send a request of any kind; see `Client.request`."""
    return _default.get().request(method, path, **options)


def get_stats() -> dict[str, Any]:
    """Return the counts of the default client's calls."""
    return _default.get().get_stats()


def generate_report(*, include_details: bool = False) -> dict[str, Any]:
    """Return the main figures of the default client's calls."""
    return _default.get().generate_report(include_details=include_details)


def reset_stats(key: str | None = None) -> None:
    """Forget what was counted for the default client."""
    _default.get().reset_stats(key)
