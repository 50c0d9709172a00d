"""An OpenTelemetry SDK of its own for each test that asks for `spans` or `metrics`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from resilience import _fork

__all__ = ["Metrics", "Spans"]


class Spans:
    """The spans that have ended, in the order of their ends."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.provider.get_tracer("the test")

    def __iter__(self) -> Iterator[ReadableSpan]:
        return iter(self._exporter.get_finished_spans())

    def __len__(self) -> int:
        return len(self._exporter.get_finished_spans())

    def one(self) -> ReadableSpan:
        """The only one."""
        (span,) = self
        return span

    def named(self, name: str) -> list[ReadableSpan]:
        """Those of this name."""
        return [span for span in self if span.name == name]

    def names(self) -> list[str]:
        """Their names."""
        return [span.name for span in self]


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Spans:
    """The spans of a provider that is the program's for the time of this test."""
    found = Spans()
    # The public setter works once in a process, and for good.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", found.provider)
    return found


class Metrics:
    """What a reader collects from a provider; each look collects anew."""

    def __init__(self, *readers: InMemoryMetricReader, **settings: Any) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader, *readers], shutdown_on_exit=False, **settings)

    def all(self) -> dict[str, Metric]:
        """Every metric of the toolkit that has a point, by name."""
        data = self.reader.get_metrics_data()
        resources = [] if data is None else data.resource_metrics
        scopes = [scope for resource in resources for scope in resource.scope_metrics]
        ours = [scope for scope in scopes if scope.scope.name == "resilience"]
        return {metric.name: metric for scope in ours for metric in scope.metrics}

    def points(self, name: str) -> dict[tuple[Any, ...], Any]:
        """The value of each point of a metric (a histogram's: count and sum) by its attributes.

        These stand in the order of their names, without the names.
        """
        metric = self.all().get(f"resilience.{name}")
        points = [] if metric is None else metric.data.data_points
        return {
            tuple(value for _, value in sorted(point.attributes.items())): (
                (point.count, point.sum) if hasattr(point, "count") else point.value
            )
            for point in points
        }


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    """The metrics of a provider that is the program's for the time of this test.

    Gauges show what is made from now on, not what other tests have left alive.
    """
    living = _fork.living
    old = {id(each): each for each in living()}
    monkeypatch.setattr(_fork, "living", lambda: [each for each in living() if id(each) not in old])
    found = Metrics()
    # The public setter works once in a process, and for good.
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", found.provider)
    return found
