"""Every span, event, metric and attribute that this toolkit emits: the one place that names them.

What emits takes its names from here; the reference's tables, the alert rules and the dashboard are
made from here, and a test compares all of it with what a run emitted.

`resilience.*` is ours. HTTP and GenAI are the semantic conventions of OpenTelemetry: HTTP of
semantic-conventions v1.44.0 (stable), GenAI of semantic-conventions-genai v0.1.0 (development).
Nothing is imported: this module is data.
"""

from __future__ import annotations

from resilience.telemetry._attributes import ATTRIBUTES, CIRCUIT_STATES
from resilience.telemetry._definitions import Metric, Span, SpanEvent

__all__ = [
    "ALL_METRICS",
    "ATTRIBUTES",
    "CIRCUIT_STATES",
    "GENAI_METRICS",
    "HTTP_METRICS",
    "LOG_EVENTS",
    "METRICS",
    "OLDER_GENAI_METRICS",
    "OTHER_OPERATIONS",
    "SCOPE",
    "SPANS",
    "SPAN_EVENTS",
]

SCOPE = "resilience"  # the name of the tracer and of the meter

# Seconds. A call may be a function of a millisecond or a model's answer of minutes.
_CALL_SECONDS = (
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0
)  # fmt: skip
_ITEMS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0)
_HTTP_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_GENAI_SECONDS = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92
)  # fmt: skip
_TOKENS = tuple(float(4**power) for power in range(14))

_NAME, _REASON, _POOL = "resilience.name", "resilience.reason", "resilience.pool"
_KEY, _PRIORITY, _ERROR = "resilience.key.name", "resilience.priority", "error.type"
_OUTCOME, _FLUSH = "resilience.outcome", "resilience.flush"
_MAYBE_ERROR = (_ERROR,)


def _counter(name: str, unit: str, says: str, *on: str, maybe: tuple[str, ...] = ()) -> Metric:
    return Metric(f"resilience.{name}", "counter", unit, says, on, maybe)


def _gauge(name: str, unit: str, says: str, *on: str) -> Metric:
    return Metric(f"resilience.{name}", "gauge", unit, says, on)


def _seconds(name: str, says: str, *on: str, maybe: tuple[str, ...] = ()) -> Metric:
    return Metric(f"resilience.{name}", "histogram", "s", says, on, maybe, _CALL_SECONDS)


METRICS: tuple[Metric, ...] = (
    _seconds(
        *("call.duration", "How long calls took, retries and waits included", _NAME, _OUTCOME),
        maybe=_MAYBE_ERROR,
    ),
    Metric("resilience.call.active", "up_down_counter", "{call}", "Calls in progress", (_NAME,)),
    _counter(
        *("retry.attempts", "{attempt}", "Attempts that were repeated", _NAME, _REASON),
        maybe=_MAYBE_ERROR,
    ),
    _seconds("retry.delay", "How long retries waited", _NAME, "resilience.source"),
    _gauge("circuit_breaker.state", "1", "0 closed, 1 half-open, 2 open, 3 disabled", _NAME),
    _counter(
        *("circuit_breaker.transitions", "{transition}", "Changes of a circuit's state"),
        *(_NAME, "resilience.from", "resilience.to"),
    ),
    _gauge("queue.size", "{request}", "Requests that wait", _NAME, _PRIORITY),
    _gauge("queue.active", "{request}", "Requests that hold a permit", _NAME),
    _gauge("queue.limit", "{request}", "Permits that there are", _NAME),
    _seconds("queue.wait", "How long requests waited that had to", _NAME, _PRIORITY),
    _counter("refused", "{call}", "Calls that were not even tried", _NAME, _REASON),
    Metric(
        *("resilience.batch.size", "histogram", "{item}", "Items of a batch", (_NAME, _FLUSH)),
        buckets=_ITEMS,
    ),
    _seconds("batch.wait", "How long a batch's oldest item waited for company", _NAME),
    _counter("key.leases", "1", "Times that an entry was handed out", _POOL, _KEY),
    _counter("key.cooldowns", "1", "Times that an entry was sent to rest", _POOL, _KEY, _REASON),
    _gauge("key.available", "{key}", "Entries that can be handed out now", _POOL),
)

_PLACE = ("server.address", "server.port")

HTTP_METRICS: tuple[Metric, ...] = (
    Metric(
        *("http.client.request.duration", "histogram", "s", "Duration of one HTTP request"),
        ("http.request.method", *_PLACE),
        (_ERROR, "http.response.status_code", "network.protocol.version"),
        _HTTP_SECONDS,
    ),
)

_MODEL_CALL = ("gen_ai.operation.name", "gen_ai.provider.name")
_WHERE = ("gen_ai.request.model", "gen_ai.response.model", *_PLACE)


def _model_seconds(name: str, says: str, *maybe: str) -> Metric:
    maybe = (*_WHERE, *maybe)
    return Metric(
        f"gen_ai.client.{name}", "histogram", "s", says, _MODEL_CALL, maybe, _GENAI_SECONDS
    )


def _tokens_of_one(name: str, says: str, *on: str) -> Metric:
    on, maybe = (*_MODEL_CALL, *on), (*_WHERE, _ERROR)
    return Metric(f"gen_ai.client.{name}", "histogram", "{token}", says, on, maybe, _TOKENS)


def _tokens_of_all(name: str, says: str) -> Metric:
    on = (*_MODEL_CALL, "gen_ai.token.modality")
    return Metric(f"gen_ai.client.inference.usage.{name}", "counter", "{token}", says, on, _WHERE)


OTHER_OPERATIONS = _model_seconds("operation.duration", "Duration of other operations", _ERROR)

GENAI_METRICS: tuple[Metric, ...] = (
    _model_seconds("inference.duration", "Duration of calls of a model", _ERROR),
    _model_seconds("inference.time_to_first_chunk", "Time to the first chunk of a stream"),
    _model_seconds("inference.time_per_output_chunk", "Time between the chunks of a stream"),
    _tokens_of_all("input_tokens", "Input, the cached part included"),
    _tokens_of_all("output_tokens", "Output, reasoning included"),
    _tokens_of_all("cache_read.input_tokens", "Input that a cache served"),
    _tokens_of_all("cache_write.input_tokens", "Input that was written to a cache"),
    _tokens_of_all("reasoning.output_tokens", "Output that was spent on reasoning"),
    _tokens_of_one("inference.operation.input_tokens", "Input of one call"),
    _tokens_of_one("inference.operation.output_tokens", "Output of one call"),
    _model_seconds("embeddings.duration", "Duration of calls for embeddings", _ERROR),
    _tokens_of_one("embeddings.operation.input_tokens", "Input of one call for embeddings"),
    OTHER_OPERATIONS,
)

# Up to v1.41 of the conventions; emitted of all operations where a program asks for them.
OLDER_GENAI_METRICS: tuple[Metric, ...] = (
    OTHER_OPERATIONS,
    _tokens_of_one("token.usage", "Tokens of one call", "gen_ai.token.type"),
)

ALL_METRICS: dict[str, Metric] = {
    each.name: each for each in (*METRICS, *HTTP_METRICS, *GENAI_METRICS, *OLDER_GENAI_METRICS)
}

SPAN_EVENTS: tuple[SpanEvent, ...] = (
    SpanEvent(
        "retry",
        "an attempt failed and another one follows",
        ("resilience.attempt", "resilience.delay", "resilience.source", _REASON),
        _MAYBE_ERROR,
    ),
    SpanEvent("queued", "a call had to wait, and got its permit", (_NAME, _PRIORITY)),
    SpanEvent(
        "circuit_breaker.transition",
        "a circuit changed its state",
        (_NAME, "resilience.from", "resilience.to", _REASON),
    ),
    SpanEvent(
        "key.cooldown", "an entry was sent to rest", (_POOL, _KEY, "resilience.delay", _REASON)
    ),
    SpanEvent("refused", "a call was not even tried", (_NAME, _REASON)),
)

_ENDED = ("resilience.outcome",)
_OF_A_CALL = ("resilience.attempts", "resilience.queue.wait", _KEY, _ERROR)


def _is_of_a_model(name: str) -> bool:
    """Return whether an attribute tells of a model's call what not each call has."""
    on_metrics = ("gen_ai.token.modality", "gen_ai.token.type")
    return name.startswith("gen_ai.") and name not in (*_MODEL_CALL, *on_metrics)


SPANS: tuple[Span, ...] = (
    Span("{function}", "INTERNAL", "one call of a decorated function", _ENDED, _OF_A_CALL),
    Span(
        "batch {function}",
        "INTERNAL",
        "one batch, linked to the spans of its items",
        (_NAME, _FLUSH, "resilience.batch.size", *_ENDED),
        _OF_A_CALL,
    ),
    Span(
        "{gen_ai.operation.name} {gen_ai.request.model}",
        "CLIENT",
        "one call of an adapter that speaks to a model",
        (*_MODEL_CALL, *_PLACE, "resilience.request_id", *_ENDED),
        (
            *(*_OF_A_CALL, "resilience.server_request_id"),
            *(each.name for each in ATTRIBUTES if _is_of_a_model(each.name)),
        ),
    ),
    Span(
        "S3/{rpc.method}",
        "CLIENT",
        "one call of the adapter of S3",
        ("rpc.system", "rpc.service", "rpc.method", *_PLACE, "resilience.request_id", *_ENDED),
        (*_OF_A_CALL, "aws.s3.bucket", "resilience.server_request_id"),
    ),
    Span(
        "{http.request.method}",
        "CLIENT",
        "one HTTP attempt of an adapter's call",
        ("http.request.method", "server.address", "server.port", "url.full"),
        (
            *("http.response.status_code", "http.request.resend_count", _ERROR),
            *("http.request.method_original", "network.protocol.version"),
            *("network.peer.address", "network.peer.port"),
        ),
    ),
)

# Log records of a program that has set up a logger provider.
LOG_EVENTS: tuple[SpanEvent, ...] = (
    SpanEvent(
        "gen_ai.client.operation.exception",
        "a call of a model failed for good; WARN",
        ("exception.type", "exception.message"),
    ),
    SpanEvent(
        "gen_ai.client.inference.operation.details",
        "a call of a model ended, where content is wanted in events; INFO",
        (*_MODEL_CALL, *_PLACE, "resilience.request_id"),
        (
            *(_KEY, _ERROR, "resilience.server_request_id"),
            *(each.name for each in ATTRIBUTES if _is_of_a_model(each.name)),
        ),
    ),
)
