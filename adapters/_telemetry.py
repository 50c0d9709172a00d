"""How a call of a client shows in spans and statistics: by the conventions of OpenTelemetry.

Those are the ones for models (GenAI), but for APIs that have none.

Nothing that a prompt, an answer or a key holds gets there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from adapters._exchange import Exchange
from adapters._masking import mask
from adapters._messages import Usage
from resilience.telemetry.opentelemetry import SpanDescription, annotate, is_tracing
from resilience.telemetry.statistics import CallStatistics

__all__ = ["annotate_call", "count_usage", "describe_call"]

# Names of operations in the conventions; for others they have none, and ours stands.
_OPERATIONS = {
    "completions": "text_completion",
    "embed": "embeddings",
    "generate": "text_completion",
    "responses": "chat",
}


def describe_call(base_url: str, exchange: Exchange, *, streams: bool) -> SpanDescription:
    """Return how the span of this call begins."""
    request, provider = exchange.request, exchange.provider
    address = urlsplit(request.base_url or base_url)
    place: dict[str, Any] = {"server.address": address.hostname}
    if address.port is not None:
        place["server.port"] = address.port
    if provider.describe_span is not None:
        name, own = provider.describe_span(request)
        return SpanDescription(name=name, is_client=True, attributes={**own, **place})
    own_name = provider.span_operations.get(request.operation)
    operation = own_name or _OPERATIONS.get(request.operation, request.operation)
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider.otel_name or provider.name,
        **place,
    }
    if request.model is not None:
        attributes["gen_ai.request.model"] = request.model
    if streams:
        attributes["gen_ai.request.stream"] = True
    name = operation if request.model is None else f"{operation} {request.model}"
    return SpanDescription(name=name, is_client=True, attributes=attributes)


def count_usage(statistics: CallStatistics | None, exchange: Exchange, usage: Usage) -> None:
    """Count what an answer consumed."""
    if statistics is not None:
        statistics.used(
            exchange.request.model, usage.input_tokens, usage.output_tokens, usage.total_tokens
        )


def annotate_call(exchange: Exchange, usage: Usage, model: str | None) -> None:
    """Write on the span of the call how it was answered; only while that span is current."""
    if not is_tracing():
        return
    shown = mask(model, exchange.forms)
    annotate(resilience__key__name=exchange.key_name, gen_ai__response__model=shown)
    if usage:
        annotate(
            gen_ai__usage__input_tokens=usage.input_tokens,
            gen_ai__usage__output_tokens=usage.output_tokens,
        )
