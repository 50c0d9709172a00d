"""Exporters of OpenTelemetry that remember, hang or fail."""

from __future__ import annotations

import threading
from typing import Any

from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
)

__all__ = ["HangingExporter", "RaisingExporter", "RecordingExporter"]


class RecordingExporter(MetricExporter):
    """Keeps all that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.exported: list[MetricsData] = []

    def export(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> MetricExportResult:
        """Keep it."""
        self.exported.append(metrics_data)
        return MetricExportResult.SUCCESS

    def points(self, name: str) -> list[Any]:
        """The points of a metric in the last export."""
        resources = self.exported[-1].resource_metrics
        scopes = [scope for resource in resources for scope in resource.scope_metrics]
        metrics = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        return [point for metric in metrics for point in metric.data.data_points]

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Return at once."""
        return True

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None:
        """Return at once."""


class RaisingExporter(RecordingExporter):
    """Fails each time."""

    def export(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> MetricExportResult:
        """Fail."""
        self.exported.append(metrics_data)
        raise ConnectionError("no collector")


class HangingExporter(RecordingExporter):
    """Hangs until it is let go.

    Attributes:
        hangs: Set as soon as somebody waits.
        release: Lets everybody go.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hangs = threading.Event()
        self.release = threading.Event()

    def export(self, metrics_data: MetricsData, *args: Any, **kwargs: Any) -> MetricExportResult:
        """Wait."""
        self.hangs.set()
        self.release.wait()
        return MetricExportResult.SUCCESS
