"""The parts of the deployment guide that are made from the alerts and the definitions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from deploy.generator.names import names_of
from deploy.generator.rules import Alert
from resilience.telemetry.conventions import ALL_METRICS

__all__ = ["PAGE", "page_of"]

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "deploy.md"

_KINDS = {"up_down_counter": "gauge"}


def page_of(alerts: Iterable[Alert]) -> str:
    """The text of the page, its marked parts written anew."""
    text = PAGE.read_text("utf-8")
    text = _replace(text, "alerts", "\n".join(_alert(each) for each in alerts))
    return _replace(text, "names", "\n".join(_names()) + "\n")


def _replace(text: str, mark: str, part: str) -> str:
    begin, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->\n"
    before, found, rest = text.partition(begin)
    if not found or end not in rest:
        raise ValueError(f"{PAGE.name} has no part {mark!r}")
    return f"{before}{begin}\n{part}\n{end}{rest.partition(end)[2]}"


def _alert(alert: Alert) -> str:
    when = "at once" if alert.hold == "0s" else f"after {alert.hold}"
    lines = [*_sentences(alert.means), *_sentences(alert.do)]
    return "\n".join(
        [f"### {alert.name}", "", f"{alert.severity.capitalize()}, {when}.", *lines, ""]
    )


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?]) (?=[A-Z“`])", text)


def _names() -> Iterator[str]:
    yield "| OpenTelemetry | Prometheus | is |"
    yield "|---|---|---|"
    for metric in ALL_METRICS.values():
        names = " or ".join(f"`{each}`" for each in names_of(metric))
        yield f"| `{metric.name}` | {names} | {_KINDS.get(metric.kind, metric.kind)} |"
