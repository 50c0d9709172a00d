"""The files of `deploy` are those that `make deploy` writes, and they fit together."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from deploy.generator.dashboard import ROWS, VARIABLES
from deploy.generator.files import ALERTS, FOLDER, made
from deploy.generator.names import label_of, series_of
from deploy.generator.scenes import SCENES
from resilience.telemetry.conventions import (
    ALL_METRICS,
    ATTRIBUTES,
    GENAI_METRICS,
    HTTP_METRICS,
    METRICS,
)
from tests.deploy.expressions import asked_by

DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = {
    **{alert.name: alert.expr for alert in ALERTS},
    **{
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in PANELS
        for target in panel["targets"]
    },
}
# Labels that Prometheus, the collector or a histogram adds.
ADDED = {"job", "instance", "le"}


def known() -> dict[str, set[str]]:
    """Each series and its labels."""
    parts = {"histogram": ("bucket", "count", "sum")}
    return {
        series: {label_of(each) for each in (*metric.attributes, *metric.optional)} | ADDED
        for name, metric in ALL_METRICS.items()
        for part in parts.get(metric.kind, ("",))
        for series in series_of(name, part)
    }


KNOWN = known()
VALUES = {label_of(each.name): set(map(str, each.values)) for each in ATTRIBUTES if each.values}


@pytest.mark.parametrize("path", made(), ids=lambda path: path.name)
def test_a_file_is_as_it_would_be_written(path):
    """Who changes a definition, an alert or a panel runs `make deploy`."""
    assert made()[path] == path.read_text("utf-8")


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_an_expression_asks_for_what_there_is(expression: str):
    """Every series, every label and every value that is asked for can exist."""
    asked = asked_by(expression)

    assert [] == [name for name, _ in asked.series if name not in KNOWN]
    assert set() == asked.kept - set().union(*(KNOWN[name] for name, _ in asked.series))
    for name, matchers in asked.series:
        assert set() == set(matchers) - KNOWN[name]
        for label, value in matchers.items():
            values = set(value.split("|"))

            assert value == ".*" or VALUES.get(label, values) >= values


def test_the_dashboard_shows_every_metric():
    """But for the one that is emitted for older readers alone."""
    asked = {name for panel in PANELS for each in panel["targets"] for name, _ in series(each)}
    metrics = [each.name for each in (*METRICS, *HTTP_METRICS, *GENAI_METRICS)]

    assert [] == [name for name in metrics if not asked & series_names(name)]


def test_an_alert_says_what_to_do():
    """Each has a name of its own, a summary of the case, what it means and what helps."""
    names = [alert.name for alert in ALERTS]

    assert len(set(names)) == len(names)
    for alert in ALERTS:
        assert "{{ $labels." in alert.summary
        assert alert.means.endswith(".")
        assert alert.do.endswith(".")


def test_an_alert_points_at_panels_that_are_there():
    """What stands in “these marks” is the title of one, and other alerts are called by name."""
    titles = {panel["title"] for panel in PANELS}
    text = " ".join(f"{alert.means} {alert.do}" for alert in ALERTS)
    named = {part.partition("”")[0] for part in text.split("“")[1:]}
    words = {word.strip(".,;:") for word in text.split()}

    assert len(named) > 5
    assert set() == named - titles
    assert {word for word in words if word.startswith("Resilience")} <= {
        alert.name for alert in ALERTS
    }


def test_every_alert_has_a_scene_in_which_it_fires():
    """And one in which it does not; `promtool` plays them."""
    assert {alert.name for alert in ALERTS} == {
        scene.alert for scene in SCENES if scene.fires is not None and scene.silent
    }


def test_panels_neither_overlap_nor_leave_the_grid():
    """Each cell of Grafana's grid of 24 columns belongs to one panel at most."""
    cells = [cell for panel in DASHBOARD["panels"] for cell in cells_of(panel["gridPos"])]

    assert len(set(cells)) == len(cells)
    assert all(0 <= x < 24 for x, _ in cells)
    assert sum(1 + len(row.panels) for row in ROWS) == len(
        {panel["id"] for panel in DASHBOARD["panels"]}
    )


def test_a_panel_uses_the_variables():
    """The data source is chosen above, and what can be chosen there narrows every query."""
    variables = {each.name for each in VARIABLES}
    used = {name for name in variables if any(f"${name}" in text for text in EXPRESSIONS.values())}

    assert variables == used
    for panel in PANELS:
        assert {"type": "prometheus", "uid": "${datasource}"} == panel["datasource"]
        assert all('job=~"$job"' in target["expr"] for target in panel["targets"])


def test_the_rules_are_loaded_from_where_they_lie():
    """The example of Prometheus' configuration and the unit tests name the file."""
    for name in ("prometheus.yaml", "alerts_test.yaml"):
        content = yaml.safe_load((FOLDER / name).read_text("utf-8"))

        assert ["alerts.yaml"] == content["rule_files"]


def series(target: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """What a query of a panel asks for."""
    return asked_by(target["expr"]).series


def series_names(metric: str) -> set[str]:
    """All series that a metric may become."""
    parts = ("bucket", "count", "sum") if ALL_METRICS[metric].kind == "histogram" else ("",)
    return {name for part in parts for name in series_of(metric, part)}


def cells_of(place: dict[str, int]) -> list[tuple[int, int]]:
    """Column and line of each cell that a panel covers."""
    return [(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])]
