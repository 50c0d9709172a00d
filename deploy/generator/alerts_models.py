"""The alerts about models, tokens and HTTP, and one about the telemetry itself."""

from __future__ import annotations

from deploy.generator.alerts import QUERIES
from deploy.generator.rules import Alert

__all__ = ["ALERTS"]

_rate, _now, _quantile = QUERIES.total, QUERIES.now, QUERIES.quantile

_HTTP, _MODEL = "http.client.request.duration", "gen_ai.client.inference.duration"
_INPUT, _OUTPUT = (f"gen_ai.client.inference.usage.{each}_tokens" for each in ("input", "output"))
_BY = "gen_ai_provider_name gen_ai_request_model"
_ANSWERS = _rate(_MODEL, "count", by=_BY)
_REQUESTS = _rate(_HTTP, "count", by="server_address")
_LOST = _rate(
    *(_HTTP, "count"), by="server_address", error_type="!", http_response_status_code="5..|"
)
_ENOUGH = f"{_REQUESTS} > 0.03"  # ten in the five minutes
_TOKENS, _YESTERDAY = (
    f"({_rate(_INPUT, by=_BY, over='1h', ago=ago)}\n"
    f"  + {_rate(_OUTPUT, by=_BY, over='1h', ago=ago)})"
    for ago in ("", "1d")
)
_ACTIVE = "resilience.call.active"

ALERTS: tuple[Alert, ...] = (
    Alert(
        "ResilienceModelFails",
        f"{_rate(_MODEL, 'count', by=_BY, error_type='!')}\n"
        f"/ {_ANSWERS} > 0.05\nand {_ANSWERS} > 0.03",
        hold="10m",
        severity="warning",
        summary="{{ $labels.gen_ai_request_model }} of {{ $labels.gen_ai_provider_name }}: "
        "{{ $value | humanizePercentage }} of calls fail",
        means="More than one call of this model in twenty ends with an error, after all retries.",
        do="See “Errors by model”. One model alone: it is overloaded or was withdrawn; ask another "
        "one (`adapters.fallback`). All of a provider: see its status page.",
    ),
    Alert(
        "ResilienceFirstChunkLate",
        f"{_quantile(0.95, 'gen_ai.client.inference.time_to_first_chunk', by=_BY)} > 10",
        hold="10m",
        severity="warning",
        summary="{{ $labels.gen_ai_request_model }} of {{ $labels.gen_ai_provider_name }}: one "
        "stream in twenty begins after {{ $value | humanizeDuration }} or later",
        means="People wait before the first words of a streamed answer appear.",
        do="Compare “Wait for a permit”: in the line, it is ours. Else shorten prompts, let the "
        "provider cache them, or ask a smaller model. Thinking models may need another threshold.",
    ),
    Alert(
        "ResilienceTokensSurge",
        f"{_TOKENS}\n> 3 * {_YESTERDAY}\nand {_TOKENS} > 100",
        hold="30m",
        severity="warning",
        summary="{{ $labels.gen_ai_request_model }} of {{ $labels.gen_ai_provider_name }}: "
        "{{ $value | humanize }} tokens a second, three times yesterday's",
        means="The last hour took more than three times the tokens of the same hour of yesterday.",
        do="See “Tokens by model” and “Tokens of a call”: more calls, or longer ones? A loop of an "
        "agent and a conversation that grows without end are the usual causes.",
    ),
    Alert(
        "ResilienceServerErrors",
        f"{_LOST}\n/ {_REQUESTS} > 0.1\nand {_ENOUGH}",
        hold="5m",
        severity="warning",
        summary="{{ $labels.server_address }}: {{ $value | humanizePercentage }} of requests get a "
        "5xx or no answer",
        means="One request in ten, retries among them, fails on the server or on the way to it.",
        do="See “Requests by status” and “Requests that failed”. Without an answer "
        "(`ConnectionError`, …) look at the network and at `timeout`; with 5xx at the server.",
    ),
    Alert(
        "ResilienceRateLimited",
        f"{_rate(_HTTP, 'count', by='server_address', http_response_status_code='429')}"
        f"\n/ {_REQUESTS} > 0.1\nand {_ENOUGH}",
        hold="10m",
        severity="warning",
        summary="{{ $labels.server_address }}: {{ $value | humanizePercentage }} of requests are "
        "one too many (429)",
        means="The program asks more often than its limits allow; calls survive by waiting.",
        do="Fewer `max_concurrent_requests`, larger batches, more keys, or a higher limit. “Rests "
        "by key” shows whether all keys are affected.",
    ),
    Alert(
        "ResilienceTelemetryGone",
        f"{_now(_ACTIVE, how='count', ago='15m')}\nunless {_now(_ACTIVE, how='count')}",
        hold="5m",
        severity="warning",
        summary="{{ $labels.job }}: no metrics any more",
        means="A program that sent metrics a quarter of an hour ago sends none.",
        do="Does it run? Does the collector (`up`, its own log)? Stopped on purpose, it is quiet "
        "again ten minutes later.",
    ),
)
