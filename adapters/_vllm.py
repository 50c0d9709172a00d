"""vLLM's own operations, and its errors. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import Any

from adapters._build import json_request
from adapters._failures import ErrorTable
from adapters._fields import texts_of
from adapters._flows import Ask, Flow, one
from adapters._json import is_object, word_or_none
from adapters._messages import Reply, Request, Usage, sent_as
from adapters._openai_answers import parse_chat, parse_usage
from adapters._openai_style import Messages, as_messages, build_chat, refuse_stream
from adapters._results import Answer, Scores, Tokens
from adapters._setup import Setup
from adapters.errors import (
    AdapterError,
    BadRequestError,
    InvalidResponseError,
    NotFoundError,
    OverloadedError,
    ServerError,
)
from resilience._rules import fail

__all__ = [
    "VLLM_ERRORS",
    "build_score",
    "build_vllm_tokenize",
    "chat_batch_flow",
    "parse_score",
    "parse_token_list",
]

VLLM_ERRORS = ErrorTable(
    words={
        "BadRequestError": BadRequestError,
        "InternalServerError": ServerError,
        "NotFoundError": NotFoundError,
        "ServiceUnavailableError": OverloadedError,
        "UnprocessableEntityError": BadRequestError,
    },
)

_BATCH_PATH = "v1/chat/completions/batch"
_NO_SUCH_ROUTE = frozenset({404, 405})
# What the route for batches does not take.
_NOT_IN_BATCHES = ("n", "tools", "tool_choice")


def chat_batch_flow(
    setup: Setup, /, model: str, conversations: Sequence[Messages], **options: Any
) -> Flow[Answer]:
    """Ask a model for the next message of each of some conversations; `.texts` has one for each.

    They are one request where the server can do that. Where it is too old, and with tools or
    several choices, they are as many requests, sent side by side; `attempts` is their sum then.
    """
    refuse_stream(options, "stream()")
    if not texts_of("conversations", conversations):
        fail("conversations", "must not be empty", conversations)
    talks = [as_messages(messages) for messages in conversations]
    if len(talks) > 1 and not any(options.get(name) for name in _NOT_IN_BATCHES):
        request = json_request("chat", _BATCH_PATH, {"model": model, "messages": talks}, options)
        try:
            return (yield from one(Ask(request, partial(_one_for_each, len(talks)))))
        except AdapterError as error:
            if not _is_route_missing(error):
                raise
    asks = [Ask(build_chat(setup, model, talk, **options), parse_chat) for talk in talks]
    found: list[Answer] = yield asks
    return _joined(found)


def _is_route_missing(error: AdapterError) -> bool:
    """Tell an unknown route from an unknown model, which names its parameter."""
    body: Any = error.body if is_object(error.body) else {}
    inside: Any = body.get("error")
    told: Mapping[str, Any] = inside if is_object(inside) else body
    return error.status_code in _NO_SUCH_ROUTE and told.get("param") != "model"


def _one_for_each(count: int, payload: Any, reply: Reply) -> Answer:
    answer = parse_chat(payload, reply)
    if len(answer.texts) != count:
        msg = f"the answer has {len(answer.texts)} choices for {count} conversations"
        raise InvalidResponseError(msg, retryable=True)
    return answer


def _joined(parts: Sequence[Answer]) -> Answer:
    if len(parts) == 1:
        return parts[0]
    return replace(
        parts[0],
        texts=tuple(part.text for part in parts),
        finish_reasons=tuple(part.finish_reason for part in parts),
        usage=reduce(add, (part.usage for part in parts), Usage()),
        raw=[part.raw for part in parts],
        attempts=sum(part.attempts for part in parts),
    )


def build_score(
    _: Setup, /, model: str, query: str | Sequence[str], documents: Any, **options: Any
) -> Request:
    """Judge pairs of texts: one query with each document, or as many queries as documents."""
    fields = {"model": model, "text_1": query, "text_2": documents}
    return json_request("score", "v1/score", fields, options)


def parse_score(payload: Any, reply: Reply) -> Scores:
    """Read a score for each pair, in their order."""
    data = sorted(payload["data"], key=lambda item: int(item["index"]))
    return Scores(
        scores=tuple(float(item["score"]) for item in data),
        usage=parse_usage(payload.get("usage")),
        model=word_or_none(payload.get("model")),
        raw=payload,
        **sent_as(reply),
    )


def build_vllm_tokenize(_: Setup, /, model: str, prompt: Messages, **options: Any) -> Request:
    """Cut a text, or the messages of a chat, into the tokens of a model."""
    name = "prompt" if isinstance(prompt, str) else "messages"
    return json_request("tokenize", "tokenize", {"model": model, name: prompt}, options)


def parse_token_list(payload: Any, reply: Reply) -> Tokens:
    """Read the tokens of the one prompt; their texts are there where they were asked for."""
    texts = payload.get("token_strs")
    return Tokens(
        ids=(tuple(int(token) for token in payload["tokens"]),),
        texts=(tuple(map(str, texts)),) if texts is not None else (),
        raw=payload,
        **sent_as(reply),
    )
