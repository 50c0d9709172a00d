"""How Prometheus names what OpenTelemetry measures.

The rules are those of the specification "Prometheus and OpenMetrics Compatibility"; the collector,
Prometheus' own OTLP receiver and `opentelemetry-exporter-prometheus` differ in one of them alone.
"""

from __future__ import annotations

import re

from resilience.telemetry._definitions import Metric
from resilience.telemetry.conventions import ALL_METRICS

__all__ = ["PARTS", "label_of", "names_of", "series_of"]

# What one histogram becomes; any other metric is one series.
PARTS = ("bucket", "count", "sum")

_UNITS = {"s": "seconds"}


def label_of(attribute: str) -> str:
    """The label that an attribute becomes."""
    return re.sub(r"[^a-zA-Z0-9]+", "_", attribute)


def names_of(metric: Metric) -> tuple[str, ...]:
    """The names that a metric may have, without the part of a histogram.

    There are two for a gauge of unit 1: the collector and Prometheus call each a ratio, the
    exporter of the Python SDK none.
    """
    name, unit = label_of(metric.name), _unit_of(metric)
    if unit and unit not in name.split("_"):
        name = f"{name}_{unit}"
    match metric.kind:
        case "counter":
            return (f"{name.removesuffix('_total')}_total",)
        case "gauge" if metric.unit == "1":
            return f"{name}_ratio", name
        case _:
            return (name,)


def series_of(name: str, part: str = "") -> tuple[str, ...]:
    """The names of the series of a metric that the definitions know by this name.

    Raises:
        ValueError: A histogram was asked for without a part, or something else with one.
    """
    metric = ALL_METRICS[name]
    if (part in PARTS) is not (metric.kind == "histogram"):
        raise ValueError(f"{name} is a {metric.kind}: it has no part {part!r}")
    return tuple(f"{each}_{part}" if part else each for each in names_of(metric))


def _unit_of(metric: Metric) -> str:
    """A unit in braces says what is counted, and is left out, as is a 1."""
    if metric.unit == "1" or metric.unit.startswith("{"):
        return ""
    return _UNITS[metric.unit]
