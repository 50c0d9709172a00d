"""TEI's operations: each is a list of inputs, sent in parts that the server takes. Pure.

The server says in its refusal how many inputs it takes; what it has refused is then sent anew in
parts of that size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from adapters._build import json_request
from adapters._failures import ErrorTable
from adapters._fields import texts_of
from adapters._flows import Ask, Flow
from adapters._json import is_object
from adapters._messages import Reply, Request
from adapters._results import Embeddings, Predictions, Rankings, SparseEmbeddings, Tokens
from adapters._said import Said, said
from adapters._servers import rank
from adapters._setup import Setup
from adapters._tei_answers import (
    joined_classes,
    joined_tokens,
    joined_vectors,
    parse_classes,
    parse_ranks,
    parse_sparse,
    parse_tokens,
    parse_vectors,
)
from adapters.errors import (
    AdapterError,
    BadRequestError,
    InvalidResponseError,
    OverloadedError,
    PayloadTooLargeError,
    RateLimitError,
    ServerError,
)

__all__ = [
    "TEI_ERRORS",
    "build_similarity",
    "embed_flow",
    "embed_sparse_flow",
    "predict_flow",
    "rerank_flow",
    "tokenize_flow",
]

R = TypeVar("R", Embeddings, Predictions, SparseEmbeddings, Tokens)
Part = Sequence[Any]

_MOST = re.compile(r"maximum allowed batch size ([1-9][0-9]{0,8})\b")


def _said(body: Any) -> Said:
    """Read an error; the documentation writes its words small, the server with a capital."""
    told = said(body)
    kind = told.kind.lower() if told.kind else None
    # One route has the status beside the message, where others have a word.
    return replace(told, kind=kind) if not is_object(body) else replace(told, kind=kind, code=None)


TEI_ERRORS = ErrorTable(
    words={
        "backend": ServerError,
        "empty": BadRequestError,
        "overloaded": RateLimitError,
        "tokenizer": BadRequestError,
        "unhealthy": OverloadedError,
        "validation": BadRequestError,
    },
    statuses={424: ServerError},  # inference failed
    said=_said,
)


def embed_flow(
    setup: Setup, /, inputs: Any, *, model: str | None = None, **options: Any
) -> Flow[Embeddings]:
    """Turn a text, or each of a list of texts or token lists, into a vector.

    Above the most that one request may have a list is sent in parts; the result is one, in order:
    vectors and usage of all parts, `raw` a list, `attempts` their sum.

    Args:
        inputs: One input, or a list of them.
        model: Of the server; it is not sent, and stands in statistics and the result.
        options: Those of every call; every other one goes to the API as it is.
    """
    build = partial(_build, "embed", "embed", model, options)
    parse = partial(parse_vectors, model)
    return (yield from _in_parts(setup, _items(inputs), build, parse, joined_vectors))


def embed_sparse_flow(
    setup: Setup, /, inputs: Any, *, model: str | None = None, **options: Any
) -> Flow[SparseEmbeddings]:
    """Turn each text into the weights of the tokens that matter; as `embed`, but for the result."""
    build = partial(_build, "embed_sparse", "embed_sparse", model, options)
    parse = partial(parse_sparse, model)
    return (yield from _in_parts(setup, _items(inputs), build, parse, joined_vectors))


def predict_flow(
    setup: Setup, /, inputs: Any, *, model: str | None = None, **options: Any
) -> Flow[Predictions]:
    """Say of each text which class it is of.

    Args:
        inputs: A text, or a list of texts; a tuple of two texts is one input, which is a pair.
        model: Of the server; it is not sent, and stands in statistics and the result.
        options: Those of every call; every other one goes to the API as it is.
    """
    # The server takes two texts in a list for a pair: each input is a list of its own.
    items = [
        [item] if isinstance(item, str) else [*texts_of("inputs", item)] for item in _pairs(inputs)
    ]
    build = partial(_build, "predict", "predict", model, options)
    return (
        yield from _in_parts(setup, items, build, partial(parse_classes, model), joined_classes)
    )


def tokenize_flow(setup: Setup, /, inputs: Any, **options: Any) -> Flow[Tokens]:
    """Cut a text, or each of a list, into the tokens of the server's model."""
    build = partial(_build, "tokenize", "tokenize", None, options)
    return (yield from _in_parts(setup, _items(inputs), build, parse_tokens, joined_tokens))


def rerank_flow(
    setup: Setup,
    /,
    query: str,
    documents: Sequence[str],
    *,
    model: str | None = None,
    **options: Any,
) -> Flow[Rankings]:
    """Judge how well each of some documents fits a query.

    Above the most that one request may have they are sent in parts; the result is one.
    """

    def build(part: Part) -> Request:
        fields = {"query": query, "texts": part}
        return replace(json_request("rerank", "rerank", fields, options), model=model)

    size = setup.own["max_client_batch_size"]
    return (yield from rank(build, documents, size, partial(parse_ranks, model), None))


def build_similarity(_: Setup, /, source: str, sentences: Sequence[str], **options: Any) -> Request:
    """Say how near each of some sentences is to another one: the cosines of their vectors."""
    inputs = {"source_sentence": source, "sentences": sentences}
    return json_request("similarity", "similarity", {"inputs": inputs}, options)


def _items(inputs: Any) -> Part:
    """Make a list of what may be one input: a text, or a list of tokens."""
    if isinstance(inputs, str):
        return [inputs]
    items = texts_of("inputs", inputs)
    return [items] if items and isinstance(items[0], int) else items


def _pairs(inputs: Any) -> Part:
    return [inputs] if isinstance(inputs, str | tuple) else texts_of("inputs", inputs)


def _build(
    operation: str, path: str, model: str | None, options: Mapping[str, Any], part: Part
) -> Request:
    return replace(json_request(operation, path, {"inputs": part}, options), model=model)


def _in_parts(
    setup: Setup,
    items: Part,
    build: Callable[[Part], Request],
    parse: Callable[[Any, Reply], R],
    join: Callable[[list[R]], R],
) -> Flow[R]:
    """Send items in parts, smaller ones once the server has said how many it takes."""
    size = setup.own["max_client_batch_size"]
    found: list[R] = []
    place = 0
    while place < len(items) or not found:
        part = items[place : place + size]
        try:
            answer = yield Ask(build(part), partial(_complete, parse, len(part)))
        except (BadRequestError, PayloadTooLargeError) as error:
            size = _smaller(error, len(part))
        else:
            found.append(answer)
            place += len(part)
    return found[0] if len(found) == 1 else join(found)


def _smaller(error: AdapterError, size: int) -> int:
    """Return how many inputs to try next; raises the error where fewer would not help."""
    told = _MOST.search(error.message)
    if told is not None:
        smaller = int(told[1])
    else:
        smaller = size // 2 if isinstance(error, PayloadTooLargeError) else 0
    if not 0 < smaller < size:
        raise error
    return smaller


def _complete(parse: Callable[[Any, Reply], R], count: int, payload: Any, reply: Reply) -> R:
    """Read an answer, and make sure that it has one item for each input."""
    if not isinstance(payload, list) or len(payload) != count:
        msg = f"the answer does not have one item for each of {count} inputs"
        raise InvalidResponseError(msg, retryable=True)
    return parse(payload, reply)
