"""A report as text, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from resilience.telemetry._totals import TOKENS
from resilience.telemetry._units import (
    number_text,
    printable,
    seconds_text,
    share_text,
    short,
    time_text,
)

__all__ = ["ENDPOINT_COLUMNS", "GROUPS", "MODEL_COLUMNS", "as_text", "cell", "rows_of"]

_WIDTH = 80
_LONGEST_LABEL = 30
_MOST_CHANGES = 5  # of one circuit or key; the page shows all

# What stands together; a group of which nothing is above 0 is left out, but for the first.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "requests": (
        "total_requests",
        "successful_requests",
        "failed_requests",
        "refused_requests",
        "cancelled_requests",
        "timeouts",
        "success_rate",
        "retries",
        "retries_per_request",
        "cooldowns",
    ),
    "latency": ("average_latency", "p50", "p90", "p99", "max"),
    "now": ("queue_size", "active_requests", "circuit_state"),
    "tokens": TOKENS,
}
_IN_SECONDS = GROUPS["latency"]
_SHARES = ("success_rate",)

# Heads of tables, and the field that each shows.
MODEL_COLUMNS: Mapping[str, str] = {
    "requests": "requests",
    "input": "input_tokens",
    "cached": "cached_tokens",
    "output": "output_tokens",
    "reasoning": "reasoning_tokens",
}
ENDPOINT_COLUMNS: Mapping[str, str] = {
    "requests": "total_requests",
    "failed": "failed_requests",
    "rests": "cooldowns",
    "tokens": "total_tokens",
    "p50": "p50",
    "p99": "p99",
    "circuit": "circuit_state",
}
_COUNTED = ("errors_by_type", "attempt_errors_by_type", "functions")


def as_text(report: Mapping[str, Any]) -> str:
    """Return the report as aligned lines of at most 80 columns, without control characters."""
    title = "everything" if report.get("name") is None else report["name"]
    lines = [short(f"{title}, {time_text(report['generated_at'])}", _WIDTH)]
    flat = flat_of(report)
    for group, fields in GROUPS.items():
        if group == "requests" or any(flat[field] for field in fields):
            lines += ["", group]
            lines += _aligned([(field, [cell(field, flat[field])]) for field in fields])
    for title, head, rows in rows_of(report):
        lines += ["", *_table(title, head, rows)]
    for kind, field in (("circuit", "circuits"), ("key", "cooldowns_of_keys")):
        for name, changes in report.get(field, {}).items():
            lines += ["", short(f"{kind} {name}", _WIDTH), *_changes(changes)]
    return "\n".join(lines)


def flat_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return figures with the percentiles among them."""
    return {**figures, **figures["latency"]}


def cell(field: str, value: Any) -> str:
    """Return a figure as it is shown: with its unit, and "-" where there is none."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return printable(value)
    if field in _IN_SECONDS:
        return seconds_text(value)
    return share_text(value) if field in _SHARES else number_text(value)


def rows_of(
    report: Mapping[str, Any],
) -> Iterable[tuple[str, Sequence[str], list[tuple[str, list[str]]]]]:
    """Return the tables of the details: title, heads of columns, rows of a name and cells."""
    models = {
        model: {"requests": count, **report["tokens_by_model"].get(model, {})}
        for model, count in report.get("requests_by_model", {}).items()
    }
    endpoints = {name: flat_of(each) for name, each in report.get("endpoints", {}).items()}
    for title, columns, figures in (
        ("models", MODEL_COLUMNS, models),
        ("endpoints", ENDPOINT_COLUMNS, endpoints),
    ):
        if figures:
            rows = [
                (name, [cell(field, each.get(field)) for field in columns.values()])
                for name, each in figures.items()
            ]
            yield title, tuple(columns), rows
    for title in _COUNTED:
        counts = sorted(report.get(title, {}).items(), key=lambda pair: -pair[1])
        if counts:
            yield title, (), [(name, [number_text(count)]) for name, count in counts]


def _table(title: str, head: Sequence[str], rows: list[tuple[str, list[str]]]) -> list[str]:
    first, *others = _aligned([(title, list(head)), *rows] if head else [("", [""]), *rows])
    return [first[2:] if head else title, *others]


def _aligned(rows: list[tuple[str, list[str]]]) -> list[str]:
    """Return a line for each row, its name to the left and its cells to the right."""
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells in rows), strict=True)]
    left = _WIDTH - 2 - sum(width + 2 for width in widths)
    longest = max(len(printable(name)) for name, _ in rows)
    names = max(10, min(longest, _LONGEST_LABEL, left))
    return [
        f"  {short(name, names):<{names}}"
        + "".join(f"  {each:>{width}}" for each, width in zip(cells, widths, strict=True))
        for name, cells in rows
    ]


def _changes(changes: list[dict[str, Any]]) -> list[str]:
    lines = []
    for each in changes[-_MOST_CHANGES:]:
        if "to" in each:
            what = f"{each['from']} -> {each['to']} ({each['reason']})"
        else:
            what = f"rests for {seconds_text(each['seconds'])} ({each['reason']})"
        lines.append(short(f"  {time_text(each['at'])}  {what}", _WIDTH))
    return lines
