"""The series that Prometheus has of this toolkit, written down from what its exporter showed."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry

from resilience.telemetry._definitions import Metric
from resilience.telemetry.conventions import ALL_METRICS

__all__ = ["exported"]

_SCOPE = "otel_scope_"


def exported() -> Mapping[str, set[str]]:
    """The name of each series, and its labels, when every metric has every attribute."""
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(registry=registry, disable_target_info=True)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    for metric in ALL_METRICS.values():
        _record(provider, metric)
    found = {
        sample.name: {label for label in sample.labels if not label.startswith(_SCOPE)}
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }
    provider.shutdown()
    return found


def _record(provider: MeterProvider, metric: Metric) -> None:
    meter = provider.get_meter("test")
    said = (metric.name, metric.unit, metric.description)
    attributes = dict.fromkeys((*metric.attributes, *metric.optional), "x")
    match metric.kind:
        case "counter":
            meter.create_counter(*said).add(1, attributes)
        case "up_down_counter":
            meter.create_up_down_counter(*said).add(1, attributes)
        case "histogram":
            meter.create_histogram(*said).record(1, attributes)
        case "gauge":
            name, unit, description = said
            meter.create_observable_gauge(
                name, [lambda _: [Observation(1, attributes)]], unit, description
            )
