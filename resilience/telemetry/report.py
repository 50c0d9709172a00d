"""`get_stats`, `generate_report`, `reset_stats`: what the calls of this process came to."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from resilience._wrapper import stack_of
from resilience.telemetry.statistics import CallStatistics, Totals, all_statistics

__all__ = [
    "Named",
    "Report",
    "generate_report",
    "get_stats",
    "report_of",
    "reset_stats",
]

Named = str | Callable[..., Any] | None


def get_stats(name: Named = None) -> dict[str, Any]:
    """Return the counts of one function, by its name or itself, or of all added up.

    Values are counts, and seconds for latencies; percentiles are exact to 2 %.
    A call is one request here, however many attempts it took.

    Raises:
        KeyError: if nothing of that name was decorated, or its metrics are off.
    """
    if name is not None:
        return _record(name).snapshot().as_dict()
    total, batch_waiting = Totals(), 0
    queues: dict[object, dict[str, Any]] = {}  # each once, however many functions share it
    for record in all_statistics().values():
        snapshot = record.snapshot()
        total.add(snapshot)
        total.live.setdefault("endpoints", {}).update(snapshot.live.get("endpoints", {}))
        if "queue" in snapshot.live:
            queues[snapshot.live["queue"]] = snapshot.live
        batch_waiting += snapshot.live.get("batch_waiting", 0)
    for field in ("queue_size", "active_requests"):
        total.live[field] = sum(live[field] for live in queues.values())
    total.live["batch_waiting"] = batch_waiting
    return total.as_dict()


def reset_stats(name: Named = None) -> None:
    """Forget what was counted, for one function or for all."""
    for record in all_statistics().values() if name is None else (_record(name),):
        record.reset()


class Report(dict[str, Any]):
    """A report: a plain dictionary, fit for JSON, that prints as a table."""

    def __str__(self) -> str:
        width = max(len(key) for key in self)
        return "\n".join(f"{key:<{width}}  {_shown(value)}" for key, value in self.items())


def generate_report(name: Named = None, *, include_details: bool = False) -> Report:
    """Return the main figures of one function, or of all, with rates.

    Args:
        name: As for `get_stats`.
        include_details: Add the figures by model, endpoint and type of error, and by function.
    """
    report = report_of(get_stats(name), include_details=include_details)
    if include_details and name is None:
        records = all_statistics()
        report["functions"] = {each: get_stats(each)["total_requests"] for each in records}
    return report


def report_of(stats: dict[str, Any], *, include_details: bool) -> Report:
    """Return the report for a dictionary of `get_stats`."""
    answered = stats["successful_requests"] + stats["failed_requests"]
    total = stats["total_requests"]
    report = Report(
        total_requests=total,
        successful_requests=stats["successful_requests"],
        failed_requests=stats["failed_requests"],
        refused_requests=stats["refused_requests"],
        cancelled_requests=stats["cancelled_requests"],
        success_rate=stats["successful_requests"] / answered if answered else None,
        retries=stats["retries"],
        retries_per_request=stats["retries"] / total if total else None,
        average_latency=stats["average_latency"],
        latency=stats["latency"],
        circuit_state=stats["circuit_state"],
        total_tokens=stats["total_tokens"],
    )
    if include_details:
        details = ("requests_by_model", "errors_by_type", "attempt_errors_by_type", "endpoints")
        report.update({field: stats[field] for field in details})
    return report


def _record(name: str | Callable[..., Any]) -> CallStatistics:
    known, records = _known_name(name), all_statistics()
    if known not in records:
        nearest = difflib.get_close_matches(known, records, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        msg = f"nothing named {known!r} has statistics{hint}"
        raise KeyError(msg)
    return records[known]


def _known_name(name: str | Callable[..., Any]) -> str:
    """Return the name that statistics know: of a decorated function, what its layers call it."""
    if isinstance(name, str):
        return name
    stack = stack_of(name)
    return repr(name) if stack is None else stack[0].name


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_within(each)}" for key, each in value.items()) or "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return "-" if value is None else str(value)


def _within(value: object) -> str:
    """Return one of several on a line; of figures, such as those of an endpoint, what there is."""
    if not isinstance(value, dict):
        return _shown(value)
    return f"({_shown({key: each for key, each in value.items() if each})})"
