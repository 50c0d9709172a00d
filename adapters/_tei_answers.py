"""TEI's answers, and one answer of several. Pure.

As in `_openai_answers`, an error of access means that an answer has another form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any, TypeVar

from adapters._messages import Reply, Usage, sent_as
from adapters._results import (
    Embeddings,
    Predictions,
    Rankings,
    Scores,
    SparseEmbeddings,
    Tokens,
)

__all__ = [
    "joined_classes",
    "joined_tokens",
    "joined_vectors",
    "parse_classes",
    "parse_ranks",
    "parse_similarity",
    "parse_sparse",
    "parse_tokens",
    "parse_vectors",
]

V = TypeVar("V", Embeddings, SparseEmbeddings)


def _usage(reply: Reply) -> Usage:
    """Count tokens: only a header has them."""
    told = reply.headers.get("x-compute-tokens", "")
    count = int(told) if told.isdecimal() else 0
    return Usage(input_tokens=count, total_tokens=count)


def parse_vectors(model: str | None, payload: Any, reply: Reply) -> Embeddings:
    vectors = [[float(number) for number in vector] for vector in payload]
    usage = _usage(reply)
    return Embeddings(vectors=vectors, usage=usage, model=model, raw=payload, **sent_as(reply))


def parse_sparse(model: str | None, payload: Any, reply: Reply) -> SparseEmbeddings:
    vectors: list[Mapping[int, float]] = [
        {int(token["index"]): float(token["value"]) for token in vector} for vector in payload
    ]
    usage = _usage(reply)
    return SparseEmbeddings(
        vectors=vectors, usage=usage, model=model, raw=payload, **sent_as(reply)
    )


def parse_classes(model: str | None, payload: Any, reply: Reply) -> Predictions:
    scores = tuple(
        {str(item["label"]): float(item["score"]) for item in classes} for classes in payload
    )
    return Predictions(
        labels=tuple(max(each, key=each.__getitem__) for each in scores),
        scores=scores,
        usage=_usage(reply),
        model=model,
        raw=payload,
        **sent_as(reply),
    )


def parse_tokens(payload: Any, reply: Reply) -> Tokens:
    return Tokens(
        ids=tuple(tuple(int(token["id"]) for token in tokens) for tokens in payload),
        texts=tuple(tuple(str(token["text"]) for token in tokens) for tokens in payload),
        raw=payload,
        **sent_as(reply),
    )


def parse_ranks(model: str | None, payload: Any, reply: Reply) -> Rankings:
    ranks = sorted(payload, key=lambda item: -float(item["score"]))
    return Rankings(
        order=tuple(int(item["index"]) for item in ranks),
        scores=tuple(float(item["score"]) for item in ranks),
        usage=_usage(reply),
        model=model,
        raw=payload,
        **sent_as(reply),
    )


def joined_vectors(parts: list[V]) -> V:
    vectors: list[Any] = [vector for part in parts for vector in part.vectors]
    usage = reduce(add, (part.usage for part in parts), Usage())
    return replace(parts[0], vectors=vectors, usage=usage, **_together(parts))


def joined_classes(parts: list[Predictions]) -> Predictions:
    return replace(
        parts[0],
        labels=tuple(label for part in parts for label in part.labels),
        scores=tuple(scores for part in parts for scores in part.scores),
        usage=reduce(add, (part.usage for part in parts), Usage()),
        **_together(parts),
    )


def joined_tokens(parts: list[Tokens]) -> Tokens:
    return replace(
        parts[0],
        ids=tuple(ids for part in parts for ids in part.ids),
        texts=tuple(texts for part in parts for texts in part.texts),
        **_together(parts),
    )


def _together(parts: Sequence[Embeddings | SparseEmbeddings | Predictions | Tokens]) -> Any:
    return {"raw": [part.raw for part in parts], "attempts": sum(part.attempts for part in parts)}


def parse_similarity(payload: Any, reply: Reply) -> Scores:
    """Read the cosines, in the order of the sentences."""
    scores = tuple(float(score) for score in payload)
    return Scores(scores=scores, usage=_usage(reply), raw=payload, **sent_as(reply))
