"""What the calls of models are measured by: the metrics of the GenAI conventions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adapters._exchange import Exchange
from adapters._modalities import UNKNOWN, in_kinds
from adapters._model_answers import kinds_of, model_of, usage_of
from resilience.telemetry._older_metrics import are_wanted
from resilience.telemetry.opentelemetry import Measurement

__all__ = ["INFERENCE", "measurements"]

INFERENCE = ("chat", "generate_content", "text_completion")
_EMBEDDINGS = "embeddings"
_MODALITY = "gen_ai.token.modality"
_PREFIX = "gen_ai.client"
_ON_METRICS = (
    *("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"),
    *("server.address", "server.port"),
)


def measurements(
    exchange: Exchange, begun: Mapping[str, Any], ended: Mapping[str, str], seconds: float
) -> Iterator[Measurement]:
    """Give metric, value and attributes of all that one call is measured by.

    A call that failed is measured as well: what its provider did not count is 0.

    Args:
        exchange: The call.
        begun: The attributes that its span began with.
        ended: Those that say how it failed, if it did.
        seconds: How long it took.
    """
    asked = {name: begun[name] for name in _ON_METRICS if name in begun}
    model = model_of(exchange)
    answered = asked if model is None else {**asked, "gen_ai.response.model": model}
    operation = begun["gen_ai.operation.name"]
    family = _family(operation)
    yield f"{_PREFIX}.{family}.duration", seconds, {**answered, **ended}
    if operation in INFERENCE:
        yield from _of_stream(exchange, answered)
        yield from _used(exchange, answered)
    if operation in INFERENCE or operation == _EMBEDDINGS:
        yield from _of_call(exchange, family, {**answered, **ended})
    if are_wanted():
        yield from _older(exchange, family, {**answered, **ended}, seconds)


def _family(operation: str) -> str:
    if operation in INFERENCE:
        return "inference"
    return operation if operation == _EMBEDDINGS else "operation"


def _of_stream(exchange: Exchange, attributes: Mapping[str, Any]) -> Iterator[Measurement]:
    notes = exchange.notes
    if notes is None or notes.first_after is None:
        return
    yield f"{_PREFIX}.inference.time_to_first_chunk", notes.first_after, attributes
    for gap in notes.gaps:
        yield f"{_PREFIX}.inference.time_per_output_chunk", gap, attributes


def _used(exchange: Exchange, attributes: Mapping[str, Any]) -> Iterator[Measurement]:
    """Give the counts of tokens, each kind apart."""
    usage, kinds = usage_of(exchange), kinds_of(exchange)
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read.input_tokens": usage.cached_tokens,
        "cache_write.input_tokens": usage.cache_write_tokens,
        "reasoning.output_tokens": usage.reasoning_tokens,
    }
    of_kind = {UNKNOWN: {**attributes, _MODALITY: UNKNOWN}}
    for what, total in counts.items():
        for kind, count in in_kinds(total, kinds.get(what, {})).items():
            on = of_kind.get(kind) or {**attributes, _MODALITY: kind}
            yield f"{_PREFIX}.inference.usage.{what}", count, on


def _of_call(
    exchange: Exchange, family: str, attributes: Mapping[str, Any]
) -> Iterator[Measurement]:
    usage = usage_of(exchange)
    yield f"{_PREFIX}.{family}.operation.input_tokens", usage.input_tokens, attributes
    if family == "inference":
        yield f"{_PREFIX}.{family}.operation.output_tokens", usage.output_tokens, attributes


def _older(
    exchange: Exchange, family: str, attributes: Mapping[str, Any], seconds: float
) -> Iterator[Measurement]:
    """Give what the conventions had up to v1.41; a duration is not given twice."""
    usage = usage_of(exchange)
    if family != "operation":
        yield f"{_PREFIX}.operation.duration", seconds, attributes
    if usage:
        kinds = {"input": usage.input_tokens, "output": usage.output_tokens}
        for kind, count in list(kinds.items())[: 1 if family == _EMBEDDINGS else 2]:
            yield f"{_PREFIX}.token.usage", count, {**attributes, "gen_ai.token.type": kind}
