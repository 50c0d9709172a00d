"""How a call of a client shows in spans and statistics: by the conventions of OpenTelemetry.

Those are the ones for models (GenAI), but for APIs that have none.

Nothing that a prompt or an answer holds gets there unless the standard variable asks for it, and
nothing of a key ever.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from adapters._content import captured, content_of
from adapters._exchange import Exchange
from adapters._measured import INFERENCE, measurements
from adapters._messages import Usage
from adapters._model_answers import answered_by_model
from adapters._model_requests import asked_of_model
from adapters._notes import Notes
from adapters._wire import place_of
from resilience import _secrets
from resilience.telemetry._totals import TOKENS
from resilience.telemetry.opentelemetry import Measurement, SpanDescription, emit
from resilience.telemetry.statistics import CallStatistics, error_type_of, outcome_of

__all__ = ["count_usage", "describe_call", "operation_of"]

# Names of operations in the conventions; for others they have none, and ours stands.
_OPERATIONS = {
    "completions": "text_completion",
    "embed": "embeddings",
    "generate": "text_completion",
    "responses": "chat",
}

_DETAILS = "gen_ai.client.inference.operation.details"
_EXCEPTION = "gen_ai.client.operation.exception"


def describe_call(base_url: str, exchange: Exchange, *, streams: bool) -> SpanDescription:
    """Return how the span of this call begins, goes on and ends."""
    request, provider = exchange.request, exchange.provider
    exchange.notes = Notes()
    attributes = {
        **place_of(request.base_url or base_url),
        "resilience.request_id": exchange.request_id,
    }
    if provider.describe_span is not None:
        name, own = provider.describe_span(request)
        return SpanDescription(
            name=name,
            is_client=True,
            attributes={**own, **attributes},
            conclude=partial(how_it_went, exchange),
        )
    operation = operation_of(exchange)
    attributes["gen_ai.operation.name"] = operation
    attributes["gen_ai.provider.name"] = provider.otel_name or provider.name
    if request.model is not None:
        attributes["gen_ai.request.model"] = request.model
    if streams:
        attributes["gen_ai.request.stream"] = True
    return SpanDescription(
        name=operation if request.model is None else f"{operation} {request.model}",
        is_client=True,
        attributes=attributes,
        elaborate=partial(asked_of_model, request),
        conclude=partial(conclude, exchange, attributes),
        measure=partial(measure, exchange, attributes),
    )


def measure(
    exchange: Exchange, begun: Mapping[str, Any], error: BaseException | None, seconds: float
) -> Iterator[Measurement]:
    """Give all that a model's call is measured by."""
    return measurements(exchange, {**begun, **_place(exchange)}, _error(error), seconds)


def conclude(
    exchange: Exchange, begun: Mapping[str, Any], error: BaseException | None
) -> dict[str, Any]:
    """Return what the span of a model's call is to have at its end, and emit its events."""
    found = {**how_it_went(exchange, error), **answered_by_model(exchange, error)}
    if outcome_of(error) == "failure":
        emit(_EXCEPTION, _told(error), warns=True)
    places = captured() if begun["gen_ai.operation.name"] in INFERENCE else ()
    if not places:
        return found
    content = content_of(exchange, error)
    if "event" in places:
        asked = asked_of_model(exchange.request)
        emit(_DETAILS, {**begun, **asked, **found, **_error(error), **content})
    if "span" in places:
        found |= {name: json.dumps(value, ensure_ascii=False) for name, value in content.items()}
    return found


def how_it_went(exchange: Exchange, _: BaseException | None) -> dict[str, Any]:
    """Return what any call knows at its end: where it went, and who served it."""
    found = {
        **_place(exchange),
        "resilience.key.name": exchange.key_name,
        "resilience.server_request_id": exchange.server_request_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def _place(exchange: Exchange) -> dict[str, Any]:
    """Return where the last attempt went, once there was one."""
    notes = exchange.notes
    return {} if notes is None or notes.base_url is None else place_of(notes.base_url)


def operation_of(exchange: Exchange) -> str:
    """Return the name of the operation in the words of the conventions."""
    operation = exchange.request.operation
    own_name = exchange.provider.span_operations.get(operation)
    return own_name or _OPERATIONS.get(operation, operation)


def count_usage(statistics: CallStatistics | None, exchange: Exchange, usage: Usage) -> None:
    """Count what an answer consumed, for the client and for the key."""
    tokens = {kind: count for kind in TOKENS if (count := getattr(usage, kind))}
    for record in (statistics, exchange.key_statistics):
        if record is not None:
            record.used(exchange.request.model, **tokens)


def _error(error: BaseException | None) -> dict[str, str]:
    if error is None or outcome_of(error) == "cancelled":
        return {}
    return {"error.type": error_type_of(error)}


def _told(error: BaseException | None) -> dict[str, str]:
    kind = type(error)
    return {
        "exception.type": f"{kind.__module__}.{kind.__qualname__}",
        "exception.message": _secrets.mask(str(error)),
    }
