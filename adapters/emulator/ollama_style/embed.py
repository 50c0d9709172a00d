"""Embeddings, in the present way and in the older one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from adapters.emulator.answers import count_tokens, expected_vector
from adapters.emulator.checks import (
    Check,
    anything,
    array,
    boolean,
    check_body,
    either,
    integer,
    mapping,
    refuse,
    string,
)
from adapters.emulator.ollama_style.models import OllamaModel, OllamaModels, find_model
from adapters.emulator.protocol import Answer, Call, Operation

__all__ = ["embed_operations"]

_EMBED: Mapping[str, Check] = {
    "model": string(),
    "input": either("a string or a list of strings", str=anything, list=array(string())),
    "truncate": boolean,
    "dimensions": integer(1),
    "options": mapping(),
}
_OLDER: Mapping[str, Check] = {"model": string(), "prompt": string(), "options": mapping()}


def embed_operations(models: OllamaModels) -> tuple[Operation, ...]:
    """Give the operations for these models."""
    return (
        Operation("embed", "POST", "/api/embed", partial(_embed, models)),
        Operation("embeddings", "POST", "/api/embeddings", partial(_embeddings, models)),
    )


def _embed(models: OllamaModels, call: Call) -> Answer:
    body = call.data
    check_body(body, _EMBED, (), open_ended=True)
    model = find_model(models, call, "embedding")
    given = body.get("input")
    texts: list[str] = [given] if isinstance(given, str) and given else list(given or ())
    size = body.get("dimensions") or model.dimensions
    tokens = _count(texts, model, body)
    vectors = [list(expected_vector(text, size, seed=call.seed)) for text in texts]
    found: dict[str, Any] = {"model": call.model, "embeddings": vectors}
    if vectors:
        found |= {"total_duration": 10**7, "load_duration": 10**6, "prompt_eval_count": tokens}
    return Answer.of_json(found)


def _count(texts: Sequence[str], model: OllamaModel, body: Mapping[str, Any]) -> int:
    """Count all tokens; what is too long is cut, unless that was forbidden."""
    counts = [count_tokens(text) for text in texts]
    if body.get("truncate") is False and max(counts, default=0) > model.context:
        refuse("the input length exceeds the context length")
    return sum(min(count, model.context) for count in counts)


def _embeddings(models: OllamaModels, call: Call) -> Answer:
    check_body(call.data, _OLDER, (), open_ended=True)
    model = find_model(models, call, "embedding")
    prompt = call.data.get("prompt") or ""
    vector = list(expected_vector(prompt, model.dimensions, seed=call.seed)) if prompt else []
    return Answer.of_json({"embedding": vector})
