"""Embeddings: several inputs in one request, as numbers or in base64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.emulator.answers import count_tokens, expected_vector
from adapters.emulator.checks import Check, check_body, integer, string
from adapters.emulator.openai_style.embeddings import (
    TEXTS_OR_TOKENS,
    as_inputs,
    base64_vector,
    input_text,
)
from adapters.emulator.protocol import Call

__all__ = ["DIMENSIONS", "embedding_data", "token_count"]

# Of the small models that people run themselves.
DIMENSIONS = 384

_BODY: Mapping[str, Check] = {
    "model": string(),
    "input": TEXTS_OR_TOKENS,
    "dimensions": integer(1),
    "encoding_format": string("float", "base64"),
    "user": string(),
}


def token_count(item: str | list[int]) -> int:
    """Count the tokens of one input."""
    return count_tokens(item) if isinstance(item, str) else len(item)


def embedding_data(
    call: Call,
    required: tuple[str, ...],
    check: Callable[[list[str | list[int]]], None],
    *,
    dimensions: int = DIMENSIONS,
) -> tuple[list[dict[str, Any]], int]:
    """Give the vectors of a request as `data`, and the tokens of all inputs.

    Args:
        call: The request.
        required: The members that it needs.
        check: Refuses inputs that this server does not take.
        dimensions: The length of the model's vectors.
    """
    body = call.data
    check_body(body, _BODY, required, open_ended=True)
    inputs = as_inputs(body["input"])
    check(inputs)
    size = min(body.get("dimensions") or dimensions, dimensions)
    encode = base64_vector if body.get("encoding_format") == "base64" else list
    data = [
        {
            "index": index,
            "object": "embedding",
            "embedding": encode(expected_vector(input_text(item), size, seed=call.seed)),
        }
        for index, item in enumerate(inputs)
    ]
    return data, sum(map(token_count, inputs))
