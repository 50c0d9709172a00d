"""The alerts about calls and what stands around them: retries, circuits, queues, batches, keys."""

from __future__ import annotations

from deploy.generator.queries import Queries
from deploy.generator.rules import Alert

__all__ = ["ALERTS", "QUERIES"]

QUERIES = Queries("5m", keep=("job",))

_rate, _now, _quantile, _select = QUERIES.total, QUERIES.now, QUERIES.quantile, QUERIES.select

_CALLS, _STATE = "resilience.call.duration", "resilience.circuit_breaker.state"
_RESTS, _FREE = "resilience.key.cooldowns", "resilience.key.available"
_NAME, _POOL, _KEY = "resilience_name", "resilience_pool", "resilience_pool resilience_key_name"
_DONE = _rate(_CALLS, "count", by=_NAME, resilience_outcome="success|failure")
_FAILED = _rate(_CALLS, "count", by=_NAME, resilience_outcome="failure")
_SOME = f"{_DONE} > 0.03"  # ten calls in the five minutes: fewer are no share of anything
_REJECTED = _select(_RESTS, resilience_reason="key")

ALERTS: tuple[Alert, ...] = (
    Alert(
        "ResilienceMostCallsFail",
        f"{_FAILED}\n/ {_DONE} > 0.5\nand {_SOME}",
        hold="5m",
        severity="critical",
        summary="{{ $labels.resilience_name }}: {{ $value | humanizePercentage }} of calls fail",
        means="Most calls of this function end with an error, after all retries and keys.",
        do="Treat it as an outage of what the function calls: see its errors in the dashboard's "
        "panel “Failures by type”, ask the provider's status page, and send the traffic elsewhere "
        "(`adapters.fallback`, another `base_url`).",
    ),
    Alert(
        "ResilienceCallsFail",
        f"{_FAILED}\n/ {_DONE} > 0.05\nand {_SOME}",
        hold="10m",
        severity="warning",
        summary="{{ $labels.resilience_name }}: {{ $value | humanizePercentage }} of calls fail",
        means="More than one call in twenty ends with an error, after all retries and keys.",
        do="Look at the panel “Failures by type”. A `BadRequestError` is the program's own; a "
        "`RateLimitError` wants more keys or fewer calls; time-outs and server errors want a "
        "longer `timeout`, more `max_retries`, or patience.",
    ),
    Alert(
        "ResilienceCallsSlow",
        f"{_quantile(0.99, _CALLS, by=_NAME)} > 30",
        hold="10m",
        severity="warning",
        summary="{{ $labels.resilience_name }}: one call in a hundred takes "
        "{{ $value | humanizeDuration }} or more",
        means="The slowest calls take as long as one that needs all five default retries (31 s).",
        do="Compare the panels “Retry delay”, “Wait for a permit” and “Duration of requests”: they "
        "tell back-off, queue and server apart. Where calls may take so long (long answers of "
        "models), raise the threshold for their names.",
    ),
    Alert(
        "ResilienceCallsHang",
        f"{_now('resilience.call.active', by=_NAME)} > 0\n"
        f"unless {_rate(_CALLS, 'count', by=_NAME, over='15m')} > 0",
        hold="15m",
        severity="warning",
        summary="{{ $labels.resilience_name }}: {{ $value }} calls run, and none has ended",
        means="Calls are in progress, and not one has ended for half an hour.",
        do="Dump the stacks of the program (`py-spy dump`, `faulthandler`). Set `timeout`, "
        "`attempt_timeout` or `with deadline(…)`, so that a silent server cannot hold calls.",
    ),
    Alert(
        "ResilienceCallsRefused",
        f"{_rate('resilience.refused', by=f'{_NAME} resilience_reason')} > 0.1",
        hold="5m",
        severity="warning",
        summary="{{ $labels.resilience_name }}: {{ $value | humanize }} calls a second are refused "
        "({{ $labels.resilience_reason }})",
        means="Calls are turned away without having been tried, for the reason in the label.",
        do="`circuit_open`: what it protects is down. `queue_full`, `queue_timeout`: more comes in "
        "than `max_concurrent_requests` lets through; raise it, send less, or make `queue_size` "
        "larger for bursts. `no_key`: all keys rest; add some. `deadline`: callers allow less time "
        "than a call takes. `queue_closed`: somebody calls after the shut-down.",
    ),
    Alert(
        "ResilienceRetriesMultiplyLoad",
        f"{_rate('resilience.retry.attempts', by=_NAME)}\n/ {_DONE} > 0.5\nand {_SOME}",
        hold="10m",
        severity="warning",
        summary="{{ $labels.resilience_name }}: {{ $value | humanize }} retries for each call",
        means="Calls survive, but for every two of them the server gets a third request or more.",
        do="See “Retries by reason”. `rate_limit`: fewer concurrent requests, or more keys. "
        "`transient`: the server is in trouble; a `RetryBudget` keeps retries from adding to it.",
    ),
    Alert(
        "ResilienceCircuitOpen",
        f"count by (job, {_NAME}) (({_select(_STATE)}) == 2)",
        hold="0s",
        keep="5m",
        severity="warning",
        summary="{{ $labels.resilience_name }}: the circuit is open in {{ $value }} of its "
        "processes",
        means="A circuit has opened: its calls are refused at once until a probe succeeds.",
        do="Nothing, if it closes by itself; see the panel “Circuits”. Opened by hand "
        "(`.open()`), it stays so until `.close()`.",
    ),
    Alert(
        "ResilienceCircuitDoesNotHeal",
        f"sum by (job, {_NAME}) (increase("
        f"{_select('resilience.circuit_breaker.transitions', resilience_to='OPEN')}[15m])) > 3",
        hold="5m",
        severity="critical",
        summary="{{ $labels.resilience_name }}: the circuit has opened {{ $value | humanize }} "
        "times in 15 minutes",
        means="The circuit opens again and again: its probes fail, so the service is still down.",
        do="Look at the service. If it is well, the probes are not: see `error.type` of the spans "
        "with `circuit_breaker.transition` events, and `failure_threshold` and `counts`, which say "
        "what a failure is.",
    ),
    Alert(
        "ResilienceQueueLong",
        f"{_now('resilience.queue.size', by=_NAME)}\n"
        f"/ {_now('resilience.queue.limit', by=_NAME)} > 10",
        hold="5m",
        severity="warning",
        summary="{{ $labels.resilience_name }}: {{ $value | humanize }} calls wait for each permit",
        means="The line is half full with the defaults (5 permits, 100 places); at its end calls "
        "are refused.",
        do="Raise `max_concurrent_requests` if the server can take more, else send less; "
        "`queue.resize()` changes it while the program runs. Give work that can wait "
        "`Priority.LOW`.",
    ),
    Alert(
        "ResilienceQueueWaitLong",
        f"{_quantile(0.99, 'resilience.queue.wait', by=f'{_NAME} resilience_priority')} > 30",
        hold="10m",
        severity="warning",
        summary="{{ $labels.resilience_name }}, priority {{ $labels.resilience_priority }}: one in "
        "a hundred waits {{ $value | humanizeDuration }} or more",
        means="Calls of this priority (0 high, 1 normal, 2 low) wait long for their permit.",
        do="If only priority 2 waits, that is what it is for; `aging` keeps it from starving. "
        "Otherwise as for ResilienceQueueLong; `queue_timeout` makes the wait end.",
    ),
    Alert(
        "ResilienceBatchesOfOne",
        f"{QUERIES.mean('resilience.batch.size', by=_NAME)} < 1.5\n"
        f"and {_rate('resilience.batch.size', 'count', by=_NAME)} > 1",
        hold="30m",
        severity="info",
        summary="{{ $labels.resilience_name }}: a batch has {{ $value | humanize }} items on "
        "average",
        means="Batching makes calls wait for company that does not come.",
        do="Raise `batch_timeout` so that company can come, or set `enable_batching=False`.",
    ),
    Alert(
        "ResilienceNoKeyAvailable",
        f"count by (job, {_POOL}) ({_select(_FREE)} == 0)",
        hold="1m",
        severity="critical",
        summary="{{ $labels.resilience_pool }}: no key can be used in {{ $value }} of its "
        "processes",
        means="Every entry of the pool rests or is set aside: its calls wait or are refused.",
        do="See “Rests by key”. `key`: renew the rejected keys (`pool.update(name, key=…)`). "
        "`rate_limit`: add keys of another account, or send less.",
    ),
    Alert(
        "ResilienceFewKeysAvailable",
        f"min by (job, {_POOL}) (\n  ({_select(_FREE)} > 0)\n"
        f"  / max_over_time({_select(_FREE)}[1d])\n) <= 0.5",
        hold="10m",
        severity="warning",
        summary="{{ $labels.resilience_pool }}: {{ $value | humanizePercentage }} of its keys can "
        "be used",
        means="Half of the pool's entries, or more, rest or are set aside; the others carry all.",
        do="As for ResilienceNoKeyAvailable, while there is time.",
    ),
    Alert(
        "ResilienceKeyRejected",
        # A counter that is new has risen as well, and increase() does not see it.
        "sum by (job, resilience_pool, resilience_key_name) (\n"
        f"  {_REJECTED} unless {_REJECTED} offset 15m\n"
        f"  or increase({_REJECTED}[15m])\n"
        ") > 0",
        hold="0s",
        severity="warning",
        summary="{{ $labels.resilience_pool }}: the key {{ $labels.resilience_key_name }} was "
        "rejected",
        means="The server said that this key is wrong, not allowed or out of money; it is set "
        "aside, with growing pauses between probes.",
        do="Renew it or pay, then `pool.update(name, key=…)`; it serves again at once. The key's "
        "name is in the label, its value nowhere.",
    ),
    Alert(
        "ResilienceKeyRestsOften",
        f"{_rate(_RESTS, by=_KEY, resilience_reason='rate_limit')}\n"
        f"/ {_rate('resilience.key.leases', by=_KEY)} > 0.1",
        hold="15m",
        severity="warning",
        summary="{{ $labels.resilience_pool }}: {{ $value | humanizePercentage }} of the uses of "
        "{{ $labels.resilience_key_name }} end in a rest",
        means="One request in ten with this key is one too many for its rate limit.",
        do="Give the entry fewer `max_concurrent_requests` or less `weight`, or the pool more "
        "keys. Keys of one account share a limit: say so with `group=`.",
    ),
)
