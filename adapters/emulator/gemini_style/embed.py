"""Embeddings: one content, or up to 100 in one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from adapters.emulator.answers import count_tokens, expected_vector, prompt_text
from adapters.emulator.checks import check_body, refuse
from adapters.emulator.gemini_style.checks import EMBED, EMBED_MANY
from adapters.emulator.gemini_style.models import GeminiModel, GeminiModels, find_model
from adapters.emulator.gemini_style.names import camel_case
from adapters.emulator.protocol import Answer, Call, Operation

__all__ = ["embed_operations"]

_MOST = 100


def embed_operations(models: GeminiModels) -> tuple[Operation, ...]:
    """Give the operations for these models."""
    path = "/{version}/models/{model}:"
    many = partial(_embed_many, models)
    return (
        Operation("embed", "POST", f"{path}embedContent", partial(_embed, models)),
        Operation("embed_many", "POST", f"{path}batchEmbedContents", many),
    )


def _embed(models: GeminiModels, call: Call) -> Answer:
    model = find_model(models, call, "embedContent")
    body = cast("dict[str, Any]", camel_case(call.data))
    check_body(body, EMBED, ("content",))
    vectors, usage = _vectors(call, model, [body])
    return Answer.of_json({"embedding": vectors[0], "usageMetadata": usage})


def _embed_many(models: GeminiModels, call: Call) -> Answer:
    model = find_model(models, call, "embedContent")
    body = cast("dict[str, Any]", camel_case(call.data))
    check_body(body, EMBED_MANY, ("requests",))
    items = body["requests"]
    if len(items) > _MOST:
        refuse(
            f"* BatchEmbedContentsRequest.requests: at most {_MOST} requests can be in one batch"
        )
    for position, item in enumerate(items):
        if item["model"].removeprefix("models/") != model.id:
            refuse("the model must be the one in the path", f"requests[{position}].model")
    vectors, usage = _vectors(call, model, items)
    return Answer.of_json({"embeddings": vectors, "usageMetadata": usage})


def _vectors(
    call: Call, model: GeminiModel, items: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    texts = [prompt_text([{"content": item["content"]["parts"]}]) for item in items]
    sizes = [item.get("outputDimensionality") or model.dimensions for item in items]
    if max(sizes) > model.dimensions:
        refuse(f"must be at most {model.dimensions}", "outputDimensionality")
    vectors = [
        {"values": list(expected_vector(text, size, seed=call.seed))}
        for text, size in zip(texts, sizes, strict=True)
    ]
    return vectors, {"promptTokenCount": sum(map(count_tokens, texts))}
