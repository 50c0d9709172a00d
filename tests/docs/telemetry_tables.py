"""The tables of our own spans, events and metrics, made from their definitions.

`python -m tests.docs.telemetry_tables` writes them to the page that shows them.
"""

from __future__ import annotations

from collections.abc import Iterable

from resilience.telemetry import conventions
from resilience.telemetry._definitions import Metric, Span, SpanEvent
from tests.support.sources import ROOT

__all__ = ["PAGE", "written"]

PAGE = ROOT / "docs" / "reference" / "telemetry.md"

_KINDS = {
    "up_down_counter": "up-down counter",
    "histogram": "histogram",
    "counter": "counter",
    "gauge": "gauge",
}


def tables() -> dict[str, str]:
    """Each table by the name of its place on the page."""
    return {
        "spans": _spans(),
        "attributes": _attributes(),
        "events": _events(),
        "metrics": _metrics(),
    }


def written(text: str) -> str:
    """The page with all tables in their places."""
    for name, table in tables().items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n\n{table}\n\n{end}{after}"
    return text


def _spans() -> str:
    own = [span for span in conventions.SPANS if span.kind == "INTERNAL"]
    return _table(
        ("span", "is", "attributes"),
        ((f"`{span.name}`", span.description, _names(span)) for span in own),
    )


def _attributes() -> str:
    used = {
        name
        for defined in (*conventions.SPANS[:2], *conventions.SPAN_EVENTS, *conventions.METRICS)
        for name in (*defined.attributes, *defined.optional)
    }
    return _table(
        ("attribute", "is", "values"),
        (
            (f"`{each.name}`", each.description, ", ".join(f"`{value}`" for value in each.values))
            for each in conventions.ATTRIBUTES
            if each.name in used
        ),
    )


def _events() -> str:
    return _table(
        ("event", "when", "attributes"),
        ((f"`{each.name}`", each.description, _names(each)) for each in conventions.SPAN_EVENTS),
    )


def _metrics() -> str:
    return _table(
        ("metric", "kind", "unit", "is", "attributes"),
        (
            (
                *(f"`{each.name}`", _KINDS[each.kind], f"`{each.unit}`"),
                *(each.description, _names(each)),
            )
            for each in conventions.METRICS
        ),
    )


def _names(defined: Metric | Span | SpanEvent) -> str:
    """The attributes, those in brackets that are there only where there is something to say."""
    always = [f"`{name}`" for name in defined.attributes]
    return ", ".join([*always, *(f"(`{name}`)" for name in defined.optional)])


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, ("---",) * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |".replace("  |", " |") for line in lines)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
