"""OPEA's gateways and its service of the model: a question in, an answer out. Pure.

Every route is a POST, those that only read too, and each operation may have its own address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adapters._build import json_request
from adapters._failures import ErrorTable
from adapters._fields import path_part
from adapters._json import is_list, is_object, word_or_none
from adapters._messages import Reply, Request, sent_as
from adapters._openai_answers import parse_chat, parse_completions
from adapters._openai_style import Messages, refuse_stream
from adapters._results import Answer
from adapters._said import Said, said
from adapters._servers import without_path
from adapters._setup import Setup

__all__ = [
    "OPEA_ERRORS",
    "address_of",
    "build_chat",
    "build_chat_stream",
    "build_chatqna",
    "build_chatqna_stream",
    "parse_text_or_chat",
    "post",
]


def _said(body: Any) -> Said:
    """Read an error; a request of the wrong form gets a list of what is wrong with it."""
    details: Any = body.get("detail") if is_object(body) else None
    if is_list(details):
        return Said(message="; ".join(filter(None, map(_sentence, details))) or None)
    return said(body)


def _sentence(detail: Any) -> str | None:
    if not is_object(detail):
        return None
    place = ".".join(map(str, detail.get("loc") or ()))
    text = word_or_none(detail.get("msg"))
    return f"{place}: {text}" if place and text else text


OPEA_ERRORS = ErrorTable(said=_said)


def post(
    setup: Setup, operation: str, path: str, fields: Mapping[str, Any], options: Mapping[str, Any]
) -> Request:
    """Build a POST to the address that this operation has, if it has one of its own."""
    request = json_request(operation, path, fields, options)
    return replace(request, base_url=address_of(setup, operation))


def address_of(setup: Setup, operation: str) -> str | None:
    own = setup.own[f"{operation}_url"]
    return without_path(own) if own else None


def build_chatqna(
    setup: Setup, /, messages: Messages, *, gateway: str = "chatqna", **options: Any
) -> Request:
    """Ask an application, which looks up documents and asks a model.

    Args:
        messages: A list of messages, or a text.
        gateway: Of the application: "chatqna", "codegen", "searchqna", "docsum", …
        options: Those of every call; every other one goes to the API as it is.

    Raises:
        AdapterError: the last error of the API, once nothing more helps.
        RefusedError: if the call was not even sent.
    """
    refuse_stream(options, "stream_chatqna()")
    # A gateway streams unless it is told not to.
    fields = {"messages": messages, "stream": False}
    return post(setup, "chatqna", f"v1/{path_part('gateway', gateway, safe='/')}", fields, options)


def build_chatqna_stream(
    setup: Setup, /, messages: Messages, *, gateway: str = "chatqna", **options: Any
) -> Request:
    """Ask an application, piece by piece; as `chatqna`, but for the result."""
    fields = {"messages": messages}
    return post(
        setup,
        "chatqna",
        f"v1/{path_part('gateway', gateway, safe='/')}",
        fields,
        {**options, "stream": True},
    )


def build_chat(
    setup: Setup, /, messages: Messages, *, model: str | None = None, **options: Any
) -> Request:
    """Ask the service of the model itself for the next message.

    Args:
        messages: A list of messages, or a text, which the model then continues.
        model: Sent along where it is given; the service has its own.
        options: Those of every call; every other one goes to the API as it is.
    """
    refuse_stream(options, "stream()")
    return _chat(setup, messages, model, {**options, "stream": False})


def build_chat_stream(
    setup: Setup, /, messages: Messages, *, model: str | None = None, **options: Any
) -> Request:
    """Ask the service of the model itself, piece by piece; as `chat`, but for the result."""
    return _chat(setup, messages, model, {**options, "stream": True})


def _chat(
    setup: Setup, messages: Messages, model: str | None, options: Mapping[str, Any]
) -> Request:
    fields: dict[str, Any] = {"messages": messages}
    if model is not None:
        fields["model"] = model
    return post(setup, "chat", "v1/chat/completions", fields, options)


def parse_text_or_chat(payload: Any, reply: Reply) -> Answer:
    """Read an answer: of a chat, of completions where a text was sent, or a summary."""
    if is_object(payload) and "choices" not in payload and "text" in payload:
        text = str(payload["text"])
        return Answer(
            text=text, texts=(text,), finish_reasons=(None,), raw=payload, **sent_as(reply)
        )
    has_messages = any("message" in choice for choice in payload["choices"])
    parse: Callable[[Any, Reply], Answer] = parse_chat if has_messages else parse_completions
    return parse(payload, reply)
