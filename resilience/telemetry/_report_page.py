"""A report as one web page that needs nothing but itself: no script, no font, no other file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from resilience.telemetry._plots import (
    OUTCOMES,
    Scale,
    axis_of,
    band,
    legend,
    plot_latency,
    plot_outcomes,
    text,
)
from resilience.telemetry._report_style import FRAME, STYLE
from resilience.telemetry._report_text import GROUPS, cell, flat_of, rows_of
from resilience.telemetry._units import number_text, seconds_text, share_text, time_text

__all__ = ["body", "page"]

_MOST_BANDS = 60

Piece = tuple[str, float, float, str]  # a class, from, to, a title
_STATES = ("CLOSED", "HALF-OPEN", "OPEN", "DISABLED")
_RESTS = {"rate_limit": "resting", "key": "rejected"}


def page(report: Mapping[str, Any]) -> str:
    """Return the whole page."""
    head = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(_title(report))}</title><style>{FRAME}</style></head><body>"
    )
    return f"{head}{body(report)}</body></html>\n"


def body(report: Mapping[str, Any]) -> str:
    """Return the page's content, with its own style: for a notebook, or a page of yours."""
    parts = [
        f"<h1>{text(_title(report))}</h1>",
        f'<p class="quiet">Report of {text(time_text(report["generated_at"]))}</p>',
        _tiles(report),
        *_plots(report),
        '<div class="columns">',
        *(_figures(group, report) for group in GROUPS),
        "</div>",
        *(_table(*each) for each in rows_of(report)),
    ]
    return f'<div class="resilience-report"><style>{STYLE}</style>{"".join(parts)}</div>'


def _title(report: Mapping[str, Any]) -> str:
    return "All calls" if report.get("name") is None else str(report["name"])


def _tiles(report: Mapping[str, Any]) -> str:
    """Return the few figures that one looks for first."""
    rate = report["success_rate"]
    tiles = {
        "requests": number_text(report["total_requests"]),
        "successful": "-" if rate is None else share_text(rate),
        "p50": seconds_text(report["latency"]["p50"]),
        "p99": seconds_text(report["latency"]["p99"]),
        "retries": number_text(report["retries"]),
        "refused": number_text(report["refused_requests"]),
    }
    if report["total_tokens"]:
        tiles["tokens"] = number_text(report["total_tokens"])
    if report["circuit_state"] is not None:
        tiles["circuit"] = report["circuit_state"]
    shown = (f"<div><b>{text(value)}</b>{text(name)}</div>" for name, value in tiles.items())
    return f'<div class="tiles">{"".join(shown)}</div>'


def _plots(report: Mapping[str, Any]) -> Iterable[str]:
    if report.get("latency_distribution"):
        yield "<h2>Latency</h2>"
        yield plot_latency(report["latency_distribution"], report["latency"])
    timeline = report.get("timeline")
    if timeline is None:
        return
    axis = _axis(report)
    if timeline["success"]:
        kinds = (*OUTCOMES, "retries")
        yield "<h2>Outcomes over time (UTC)</h2>"
        yield plot_outcomes(timeline, axis)
        yield legend({kind: number_text(sum(timeline[kind])) for kind in kinds})
    yield from _bands("Circuits", report["circuits"], _states, _STATES, axis)
    yield from _bands("Keys", report["cooldowns_of_keys"], _rests, _RESTS.values(), axis)


def _axis(report: Mapping[str, Any]) -> Scale:
    """Return the time from the first thing that is shown to the report."""
    changes = [*report["circuits"].values(), *report["cooldowns_of_keys"].values()]
    begins = [each["at"] for one in changes for each in one]
    if report["timeline"]["success"]:
        begins.append(report["timeline"]["start"])
    end = report["generated_at"]
    return Scale(min(begins, default=end - 1), end)


def _bands(title: str, each: Any, pieces: Any, kinds: Iterable[str], axis: Scale) -> Iterable[str]:
    if not each:
        return
    yield f"<h2>{title} (UTC)</h2>"
    for name in list(each)[:_MOST_BANDS]:
        yield band(name, pieces(each[name], axis), axis)
    yield axis_of(axis)
    yield legend(dict.fromkeys(kinds, ""))
    if len(each) > _MOST_BANDS:
        yield f'<p class="quiet">and {len(each) - _MOST_BANDS} more</p>'


def _states(changes: Sequence[Mapping[str, Any]], axis: Scale) -> Iterable[Piece]:
    """Return in which state a circuit was from when to when."""
    begins = [axis.first, *(each["at"] for each in changes)]
    states = [changes[0]["from"], *(each["to"] for each in changes)]
    reasons = ["", *(f" ({each['reason']})" for each in changes)]
    ends = [*begins[1:], axis.last]
    for begin, end, state, reason in zip(begins, ends, states, reasons, strict=True):
        yield state.lower(), begin, end, f"{time_text(begin)}: {state}{reason}"


def _rests(changes: Sequence[Mapping[str, Any]], axis: Scale) -> Iterable[Piece]:
    yield "ready", axis.first, axis.last, "ready"
    for each in changes:
        kind, said = _RESTS.get(each["reason"], "resting"), seconds_text(each["seconds"])
        title = f"{time_text(each['at'])}: rests for {said} ({each['reason']})"
        yield kind, each["at"], each["at"] + each["seconds"], title


def _figures(group: str, report: Mapping[str, Any]) -> str:
    flat = flat_of(report)
    if group != "requests" and not any(flat[field] for field in GROUPS[group]):
        return ""
    rows = [(field, [cell(field, flat[field])]) for field in GROUPS[group]]
    return _table(group, (), rows)


def _table(title: str, head: Sequence[str], rows: Iterable[tuple[str, Sequence[str]]]) -> str:
    heads = "".join(f"<th>{text(each)}</th>" for each in head)
    first = f"<thead><tr><th></th>{heads}</tr></thead>" if head else ""
    lines = (f"<tr><th>{text(name)}</th>{_cells(head, cells)}</tr>" for name, cells in rows)
    caption = text(title.replace("_", " ")).capitalize()
    kind = ' class="many"' if head else ""
    table = f"<table{kind}>{first}<tbody>{''.join(lines)}</tbody></table>"
    return f"<section><h2>{caption}</h2>{table}</section>"


def _cells(head: Sequence[str], cells: Sequence[str]) -> str:
    """Return the cells of a row, each with its head, for screens too narrow for a table."""
    heads = [f' data-of="{text(each)}"' for each in head] or [""] * len(cells)
    pairs = zip(heads, cells, strict=True)
    return "".join(f"<td{head_of}>{text(each)}</td>" for head_of, each in pairs)
