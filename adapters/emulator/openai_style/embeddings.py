"""Embeddings: up to 2048 inputs of text or tokens, as numbers or in base64."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from adapters.emulator.answers import count_tokens, expected_vector
from adapters.emulator.checks import (
    Check,
    array,
    check_body,
    either,
    integer,
    refuse,
    string,
)
from adapters.emulator.openai_style.models import Model, Models, find_model
from adapters.emulator.protocol import Answer, Call, Operation

__all__ = [
    "TEXTS_OR_TOKENS",
    "as_inputs",
    "base64_vector",
    "embeddings_operation",
    "input_text",
]

_MOST_INPUTS = 2048
_MOST_TOKENS = 300_000

_TOKENS = array(integer(0), low=1, high=_MOST_INPUTS)
_WORDS = "a string, an array of strings, an array of integers or an array of arrays of integers"


def _items(param: str, value: object) -> None:
    """Check a list of texts, of tokens, or of lists of tokens; the first item decides."""
    first = value[0] if isinstance(value, list) and value else ""
    item = {str: string(empty=False), int: integer(0), list: _TOKENS}.get(type(first))
    array(item or string(), low=1, high=_MOST_INPUTS)(param, value)


TEXTS_OR_TOKENS = either(_WORDS, str=string(empty=False), list=_items)

_BODY: Mapping[str, Check] = {
    "model": string(),
    "input": TEXTS_OR_TOKENS,
    "dimensions": integer(1),
    "encoding_format": string("float", "base64"),
    "user": string(),
}


def embeddings_operation(models: Models) -> Operation:
    """Give the operation for these models."""
    return Operation("embeddings", "POST", "/embeddings", partial(_embeddings, models))


def as_inputs(value: Any) -> list[str | list[int]]:
    """Make a list of inputs of any form in which they may come."""
    if isinstance(value, str) or (value and isinstance(value[0], int)):
        return [value]
    return list(value)


def _embeddings(models: Models, call: Call) -> Answer:
    body = call.data
    check_body(body, _BODY, ("model", "input"))
    model = find_model(models, body["model"], "embedding")
    dimensions = _dimensions(body, model)
    inputs = as_inputs(body["input"])
    tokens = _count(inputs, model)
    encode = base64_vector if body.get("encoding_format") == "base64" else list
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": encode(expected_vector(input_text(item), dimensions, seed=call.seed)),
        }
        for index, item in enumerate(inputs)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return Answer.of_json({"object": "list", "data": data, "model": model.id, "usage": usage})


def _dimensions(body: Mapping[str, Any], model: Model) -> int:
    dimensions = body.get("dimensions")
    if dimensions is None:
        return model.dimensions
    if not model.shortens:
        refuse("This model does not support specifying dimensions.", "dimensions")
    if dimensions > model.dimensions:
        refuse(f"'dimensions' must be at most {model.dimensions} for this model.", "dimensions")
    return int(dimensions)


def input_text(item: str | list[int]) -> str:
    """Give the text of an input: tokens are written as numbers with blanks between them."""
    return item if isinstance(item, str) else " ".join(map(str, item))


def _count(inputs: Sequence[str | list[int]], model: Model) -> int:
    """Count all tokens, and refuse too many in one input or in all together."""
    counts = [count_tokens(item) if isinstance(item, str) else len(item) for item in inputs]
    if max(counts) > model.context:
        message = f"An input has {max(counts)} tokens; the model takes {model.context}."
        refuse(message, "input", "context_length_exceeded")
    if sum(counts) > _MOST_TOKENS:
        message = f"A request may have {_MOST_TOKENS} tokens in all, not {sum(counts)}."
        refuse(message, "input", "max_tokens_per_request")
    return sum(counts)


def base64_vector(vector: Sequence[float]) -> str:
    """Write 32-bit floats, little end first."""
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
