"""Panels, and the JSON in which Grafana keeps a dashboard (schema 39, of Grafana 11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Panel", "Row", "Variable", "dashboard_of"]

_SCHEMA = 39
_COLUMNS = 24  # of Grafana's grid
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

_LINES = {
    "drawStyle": "line",
    "lineInterpolation": "linear",
    "lineWidth": 1,
    "fillOpacity": 10,
    "showPoints": "auto",
    "spanNulls": False,
}
_OPTIONS: Mapping[str, Any] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "orientation": "auto",
        "textMode": "auto",
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
    },
    "state-timeline": {
        "showValue": "auto",
        "alignValue": "left",
        "mergeValues": True,
        "rowHeight": 0.9,
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    },
}


@dataclass(frozen=True)
class Panel:
    """A picture.

    Attributes:
        title: What it shows.
        queries: The legend of each query, and the query.
        unit: Grafana's name of the unit.
        description: What to look for.
        kind: Grafana's name of the form.
        width: In columns, of which there are 24.
        stack: Whether lines stand on one another, as parts of a whole.
        limits: From which value on it is yellow, and red.
        words: Value and word, for values that are names.
    """

    title: str
    queries: Mapping[str, str]
    unit: str = "short"
    description: str = ""
    kind: Literal["timeseries", "stat", "state-timeline"] = "timeseries"
    width: int = 8
    stack: bool = False
    limits: tuple[float, ...] = ()
    words: Mapping[int, tuple[str, str]] | None = None


@dataclass(frozen=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True)
class Variable:
    """What can be chosen above the panels: the values of a label in a query."""

    name: str
    label: str
    query: str


def dashboard_of(rows: Sequence[Row], variables: Sequence[Variable]) -> dict[str, Any]:
    """The content of the file of a dashboard."""
    return {
        "uid": "resilience",
        "title": "Resilience",
        "description": "Calls, retries, circuits, queues, batches, keys, models and requests.",
        "tags": ["resilience"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_firing_alerts()]},
        "templating": {"list": [_source(), *(_variable(each) for each in variables)]},
        "panels": list(_panels(rows)),
    }


def _panels(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Put them side by side, and below where there is no room; each row begins on a new line."""
    x = y = height = number = 0
    for row in rows:
        y, x, number = y + height, 0, number + 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": y},
            "panels": [],
        }
        y, height = y + 1, 0
        for panel in row.panels:
            if x + panel.width > _COLUMNS:
                x, y, height = 0, y + height, 0
            tall, number = 4 if panel.kind == "stat" else 8, number + 1
            place = {"h": tall, "w": panel.width, "x": x, "y": y}
            yield {"id": number, "gridPos": place, **_panel(panel)}
            x, height = x + panel.width, max(height, tall)


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "editorMode": "code",
                "expr": query,
                "legendFormat": legend,
                "range": True,
            }
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _field(panel: Panel) -> dict[str, Any]:
    colours = ("yellow", "red")[-len(panel.limits) :] if panel.limits else ()
    steps = [
        {"color": "green", "value": None},
        *({"color": colour, "value": at} for colour, at in zip(colours, panel.limits, strict=True)),
    ]
    field: dict[str, Any] = {
        "unit": panel.unit,
        "min": 0,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {"mode": "absolute", "steps": steps},
        "mappings": _mappings(panel.words or {}),
    }
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stack else "none", "group": "A"}
        field["custom"] = {**_LINES, "stacking": stacking}
    return field


def _mappings(words: Mapping[int, tuple[str, str]]) -> list[dict[str, Any]]:
    texts = {
        str(value): {"text": word, "color": colour, "index": index}
        for index, (value, (word, colour)) in enumerate(words.items())
    }
    return [{"type": "value", "options": texts}] if texts else []


def _source() -> dict[str, Any]:
    return {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "hide": 0,
        "includeAll": False,
        "multi": False,
        "options": [],
        "regex": "",
        "skipUrlSync": False,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": _SOURCE,
        "definition": variable.query,
        "query": {"query": variable.query, "refId": f"Variable-{variable.name}"},
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "options": [],
        "regex": "",
        "skipUrlSync": False,
    }


def _firing_alerts() -> dict[str, Any]:
    return {
        "name": "Alerts",
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": "red",
        "target": {
            "refId": "Anno",
            "expr": 'ALERTS{alertname=~"Resilience.+",alertstate="firing",job=~"$job"}',
            "interval": "60s",
        },
        "tagKeys": "severity",
        "textFormat": "{{resilience_name}}{{resilience_pool}}{{gen_ai_request_model}}",
        "titleFormat": "{{alertname}}",
    }
