"""Claude's messages: building requests. Pure.

A function that takes a `Setup` becomes an operation; its docstring is for the users of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters._build import checked_headers, json_request, relative_path
from adapters._claude_answers import parse_models
from adapters._flows import Ask, Flow
from adapters._messages import Request
from adapters._openai_style import Messages, as_messages, refuse_stream
from adapters._pages import checked_cursor, joined_models
from adapters._results import Models
from adapters._setup import Setup
from resilience.settings import reject_unknown

__all__ = ["MAX_TOKENS", "build_chat", "build_chat_stream", "build_count", "models_flow"]

MAX_TOKENS = 4096  # the API wants a limit; every model of the last years takes this one
_PAGE = 1000  # models, the most that the API gives at once


def build_chat(
    _setup: Setup,
    /,
    model: str,
    messages: Messages,
    *,
    max_tokens: int = MAX_TOKENS,
    **options: Any,
) -> Request:
    """Ask a model for the next message.

    Args:
        model: The name of the model.
        messages: A list of messages, or a text that is the user's only one.
        max_tokens: The most that the answer, with its thoughts, may have.
        options: Those of every call; every other one goes to the API as it is.

    Raises:
        AdapterError: the last error of the API, once nothing more helps.
        RefusedError: if the call was not even sent.
    """
    refuse_stream(options, "stream()")
    return _message(model, messages, {"max_tokens": max_tokens}, options)


def build_chat_stream(
    _setup: Setup,
    /,
    model: str,
    messages: Messages,
    *,
    max_tokens: int = MAX_TOKENS,
    **options: Any,
) -> Request:
    """Ask a model for the next message, piece by piece; as `chat`, but for the result.

    What fails before the first word is retried; later it is a `StreamInterruptedError`.
    """
    return _message(model, messages, {"max_tokens": max_tokens}, {**options, "stream": True})


def _message(
    model: str, messages: Messages, more: Mapping[str, Any], options: Mapping[str, Any]
) -> Request:
    fields = {"model": model, **more, "messages": as_messages(messages)}
    return json_request("chat", "v1/messages", fields, options)


def build_count(_setup: Setup, /, model: str, messages: Messages, **options: Any) -> Request:
    """Count the tokens of what `chat` would send, which costs nothing."""
    fields = {"model": model, "messages": as_messages(messages)}
    return json_request("count_tokens", "v1/messages/count_tokens", fields, options)


def models_flow(_setup: Setup, /, **options: Any) -> Flow[Models]:
    """List the models, however many pages they fill."""
    reject_unknown(options, ("extra_headers",), "models")
    headers = checked_headers(options.get("extra_headers"))
    pages: list[Models] = []
    after: dict[str, str] = {}
    seen: set[str] = set()
    while True:
        path = relative_path("v1/models", {"limit": _PAGE, **after})
        request = Request(operation="models", method="GET", path=path, headers=headers)
        page: Models = yield Ask(request, parse_models)
        pages.append(page)
        if not page.raw.get("has_more") or not page.names:
            return joined_models(pages)
        after = {"after_id": checked_cursor(page.names[-1], seen)}
