"""The panels about calls and what stands around them."""

from __future__ import annotations

from deploy.generator.grafana import Panel, Row
from deploy.generator.queries import Queries
from resilience.telemetry.conventions import CIRCUIT_STATES

__all__ = ["QUERIES", "ROWS", "by_type", "quantiles"]

_FILTERS = {
    "job": "$job",
    "resilience.name": "$name",
    "resilience.pool": "$pool",
    "gen_ai.request.model": "$model",
}
QUERIES = Queries("$__rate_interval", filters=_FILTERS)
_rate, _now, _mean, _quantile = QUERIES.total, QUERIES.now, QUERIES.mean, QUERIES.quantile

_CALLS, _SIZE = "resilience.call.duration", "resilience.batch.size"
_RETRIES, _REFUSED = "resilience.retry.attempts", "resilience.refused"
_NAME, _KEY = "resilience_name", "resilience_pool resilience_key_name"
_BY_KEY = "{{resilience_pool}}: {{resilience_key_name}}"
_COLOURS = {"CLOSED": "green", "HALF-OPEN": "yellow", "OPEN": "red", "DISABLED": "text"}

_ALL = _rate(_CALLS, "count")
_DONE = _rate(_CALLS, "count", resilience_outcome="success|failure")
_DONE_BY_NAME = _rate(_CALLS, "count", by=_NAME, resilience_outcome="success|failure")
_FAILED = _rate(_CALLS, "count", resilience_outcome="failure")
_PERMITS = _now("resilience.queue.limit", by=_NAME)
_PERMITS_IN_USE = _now("resilience.queue.active", by=_NAME)
_TURNED_AWAY = _rate(_CALLS, "count", resilience_outcome="refused")


def quantiles(name: str, by: str = "", legend: str = "", **where: str) -> dict[str, str]:
    """The median and the ninety-ninth percentile."""
    return {
        f"{legend} p{text}".strip(): _quantile(quantile, name, by=by, **where)
        for text, quantile in (("50", 0.5), ("99", 0.99))
    }


def by_type(name: str, legend: str, by: str) -> dict[str, str]:
    """What ended with an error, by its type."""
    return {legend: _rate(name, "count", by=f"{by} error_type", error_type="!")}


_CALL_PANELS = (
    Panel(
        "Calls",
        {"calls": _ALL},
        *("reqps", "Logical calls that ended, each once however many attempts it took."),
        kind="stat",
        width=6,
    ),
    Panel(
        "Calls that fail",
        {"failures": f"{_FAILED}\n/ {_DONE}"},
        *("percentunit", "After all retries and keys; of those that were tried."),
        kind="stat",
        width=6,
        limits=(0.05, 0.5),
    ),
    Panel(
        "Calls that are refused",
        {"refusals": f"{_TURNED_AWAY}\n/ {_ALL}"},
        *("percentunit", "Turned away by a queue, a circuit, a key pool or a deadline."),
        kind="stat",
        width=6,
        limits=(0.05, 0.5),
    ),
    Panel(
        "Calls in progress",
        {"active": _now("resilience.call.active")},
        *("short", "Begun and not ended."),
        kind="stat",
        width=6,
    ),
    Panel(
        "Calls by outcome",
        {"{{resilience_outcome}}": _rate(_CALLS, "count", by="resilience_outcome")},
        *("reqps", "A recovered call is a success."),
        stack=True,
    ),
    Panel(
        "Duration of calls",
        quantiles(_CALLS),
        *("s", "Retries and waits included."),
    ),
    Panel(
        "Slowest functions",
        {"{{resilience_name}} p99": f"topk(10, {_quantile(0.99, _CALLS, by=_NAME)})"},
        *("s", "The ten with the highest ninety-ninth percentile."),
        limits=(30,),
    ),
    Panel(
        "Failures by type",
        by_type(_CALLS, "{{resilience_name}}: {{error_type}}", _NAME),
        *("reqps", "What calls ended with, refusals included: a code of the server, or a class."),
        stack=True,
    ),
    Panel(
        "Refusals by reason",
        {
            "{{resilience_name}}: {{resilience_reason}}": _rate(
                "resilience.refused", by=f"{_NAME} resilience_reason"
            )
        },
        *("reqps", "The name is that of the queue, circuit or pool that refused."),
        stack=True,
    ),
    Panel(
        "Calls in progress by function",
        {"{{resilience_name}}": _now("resilience.call.active", by=_NAME)},
        *("short", "A line that only rises is a function that hangs."),
    ),
)

_RETRY_PANELS = (
    Panel(
        "Retries for each call",
        {"{{resilience_name}}": f"{_rate(_RETRIES, by=_NAME)}\n/ {_DONE_BY_NAME}"},
        *("short", "What retrying adds to the load."),
        limits=(0.5,),
    ),
    Panel(
        "Retries by reason",
        {
            "{{resilience_reason}} {{error_type}}": _rate(
                _RETRIES, by="resilience_reason error_type"
            )
        },
        *("reqps", "transient, rate_limit, no_key, result."),
        stack=True,
    ),
    Panel(
        "Retry delay",
        quantiles("resilience.retry.delay", "resilience_source", "{{resilience_source}}"),
        *("s", "backoff: computed; server: it said when to come back."),
    ),
)

_CIRCUIT_PANELS = (
    Panel(
        "Circuits",
        {"{{resilience_name}}": _now("resilience.circuit_breaker.state", by=_NAME, how="max")},
        *("short", "The highest of all processes: 0 closed, 1 half-open, 2 open, 3 disabled."),
        kind="state-timeline",
        width=16,
        words={value: (state.lower(), _COLOURS[state]) for state, value in CIRCUIT_STATES.items()},
    ),
    Panel(
        "Changes of state",
        {
            "{{resilience_name}} → {{resilience_to}}": _rate(
                "resilience.circuit_breaker.transitions", by=f"{_NAME} resilience_to"
            )
        },
        *("ops", "OPEN again and again: the probes fail."),
    ),
)

_QUEUE_PANELS = (
    Panel(
        "Calls that wait",
        {
            "{{resilience_name}}, priority {{resilience_priority}}": _now(
                "resilience.queue.size", by=f"{_NAME} resilience_priority"
            )
        },
        *("short", "Priority 0 is high, 1 normal, 2 low."),
        stack=True,
    ),
    Panel(
        "Permits in use",
        {"{{resilience_name}}": f"{_PERMITS_IN_USE}\n/ {_PERMITS}"},
        *("percentunit", "At 100 % who comes next waits."),
        limits=(0.8, 1),
    ),
    Panel(
        "Wait for a permit",
        quantiles(
            "resilience.queue.wait", "resilience_priority", "priority {{resilience_priority}}"
        ),
        *("s", "Of calls that had to wait."),
    ),
)

_BATCH_PANELS = (
    Panel(
        "Items of a batch",
        {"{{resilience_name}}": _mean(_SIZE, by=_NAME)},
        *("short", "On average; at 1, batching brings nothing."),
    ),
    Panel(
        "Batches by trigger",
        {"{{resilience_flush}}": _rate(_SIZE, "count", by="resilience_flush")},
        *("ops", "size: full; time: the oldest item had waited long enough; explicit: by flush()."),
        stack=True,
    ),
    Panel(
        "Wait for company",
        quantiles("resilience.batch.wait"),
        *("s", "Of a batch's oldest item."),
    ),
)

_KEY_PANELS = (
    Panel(
        "Keys that can be used",
        {"{{resilience_pool}}": _now("resilience.key.available", by="resilience_pool", how="min")},
        *("short", "In the process that has the fewest."),
    ),
    Panel(
        "Uses by key",
        {_BY_KEY: _rate("resilience.key.leases", by=_KEY)},
        *("reqps", "How the load is shared out."),
        stack=True,
    ),
    Panel(
        "Rests by key",
        {
            f"{_BY_KEY} ({{{{resilience_reason}}}})": _rate(
                "resilience.key.cooldowns", by=f"{_KEY} resilience_reason"
            )
        },
        *("ops", "rate_limit: throttled; key: rejected, or out of money."),
    ),
)

ROWS: tuple[Row, ...] = (
    Row("Calls", _CALL_PANELS),
    Row("Retries", _RETRY_PANELS),
    Row("Circuits", _CIRCUIT_PANELS),
    Row("Queues", _QUEUE_PANELS),
    Row("Batches", _BATCH_PANELS),
    Row("Keys", _KEY_PANELS),
)
