"""Ollama: building requests, and the address of its server in all its forms. Pure.

A function that takes a `Setup` becomes an operation; its docstring is for the users of that.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from adapters._build import json_request
from adapters._flows import Ask, Flow
from adapters._messages import Request
from adapters._ollama_answers import parse_embeddings
from adapters._openai_style import Messages, as_messages, refuse_stream
from adapters._results import Embeddings
from adapters._servers import get_request
from adapters._setup import Setup

__all__ = [
    "build_chat",
    "build_chat_stream",
    "build_generate",
    "build_generate_stream",
    "build_info",
    "build_models",
    "build_pull",
    "embed_flow",
    "normalized_host",
]

_HOST = re.compile(
    r"""
    (?:(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*)://)?
    (?P<host>\[[^\]]*\]|[^/:?\#]*)
    (?::(?P<port>[0-9]+))?
    (?P<path>/.*)?
    """,
    re.VERBOSE,
)
_PORT = "11434"
# Addresses at which a server listens and nobody can call; it is on this machine then.
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]"}  # noqa: S104 - replaced


def normalized_host(given: str) -> str:
    """Complete an address, which is what the server listens at, too: `:8080`, `0.0.0.0`, a name.

    Without a scheme the port is Ollama's own; with one it is that of the scheme.
    """
    match = _HOST.fullmatch(given.strip())
    if match is None:
        return given
    host = _ANYWHERE.get(match["host"], match["host"])
    port = match["port"] or (None if match["scheme"] else _PORT)
    scheme, path = match["scheme"] or "http", (match["path"] or "").rstrip("/")
    return f"{scheme}://{host}{f':{port}' if port else ''}{path}"


def build_chat(_setup: Setup, /, model: str, messages: Messages, **options: Any) -> Request:
    """Ask a model for the next message.

    Args:
        model: The name of the model.
        messages: A list of messages, or a text that is the user's only one.
        options: Those of every call; every other one goes to the API as it is, such as `format`,
            `think`, `tools`, and `options` with `temperature` and its like.

    Raises:
        AdapterError: the last error of the API, once nothing more helps.
        RefusedError: if the call was not even sent.
    """
    refuse_stream(options, "stream()")
    return _chat(model, messages, {**options, "stream": False})


def build_chat_stream(_setup: Setup, /, model: str, messages: Messages, **options: Any) -> Request:
    """Ask a model for the next message, piece by piece; as `chat`, but for the result.

    What fails before the first event is retried; later it is a `StreamInterruptedError`.
    """
    return _chat(model, messages, {**options, "stream": True})


def build_generate(_setup: Setup, /, model: str, prompt: str, **options: Any) -> Request:
    """Continue a prompt; an empty one loads the model, and with `keep_alive=0` unloads it."""
    refuse_stream(options, "stream_generate()")
    return _generate(model, prompt, {**options, "stream": False})


def build_generate_stream(_setup: Setup, /, model: str, prompt: str, **options: Any) -> Request:
    """Continue a prompt, piece by piece; as `generate`, but for the result."""
    return _generate(model, prompt, {**options, "stream": True})


def embed_flow(_setup: Setup, /, model: str, inputs: Any, **options: Any) -> Flow[Embeddings]:
    """Turn a text, or each of a list of texts, into a vector."""
    count = len(inputs) if isinstance(inputs, list | tuple) else 1
    request = json_request("embed", "api/embed", {"model": model, "input": inputs}, options)
    found: Embeddings = yield Ask(request, partial(parse_embeddings, count=count))
    return found


def build_pull(_setup: Setup, /, model: str, **options: Any) -> Request:
    """Fetch a model, and tell how far that has come.

    Each event has the status in `.event`, and in `.raw` the bytes so far: `completed`, `total`.
    What a server has fetched it keeps: a pull that is sent again goes on from there.
    """
    return json_request("pull", "api/pull", {"model": model}, {**options, "stream": True})


def build_info(_setup: Setup, /, model: str, **options: Any) -> Request:
    """Tell what the server knows of a model: its details, its capabilities."""
    return json_request("info", "api/show", {"model": model}, options)


def build_models(_setup: Setup, /, **options: Any) -> Request:
    """List the models that the server has fetched."""
    return get_request("models", "api/tags", options)


def _chat(model: str, messages: Messages, options: dict[str, Any]) -> Request:
    fields = {"model": model, "messages": as_messages(messages)}
    return json_request("chat", "api/chat", fields, options)


def _generate(model: str, prompt: str, options: dict[str, Any]) -> Request:
    return json_request("generate", "api/generate", {"model": model, "prompt": prompt}, options)
