"""Providers, exporters and their end; imported only by `configure`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from importlib.metadata import entry_points
from multiprocessing import parent_process, util
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from resilience._rules import fail
from resilience.telemetry.opentelemetry import is_logging, is_metering, is_tracing

if TYPE_CHECKING:
    from resilience.telemetry._configure import Provider, Signal, Telemetry
    from resilience.telemetry._setup_plan import Plan

__all__ = ["flush_in_children", "is_there", "set_up"]

_IS_THERE: dict[Signal, Callable[[], bool]] = {
    "traces": is_tracing,
    "metrics": is_metering,
    "logs": is_logging,
}


def is_there(signal: Signal) -> bool:
    """Return whether the program has a provider for this signal."""
    return _IS_THERE[signal]()


def set_up(plan: Plan, *, without: Collection[Signal]) -> dict[Signal, Provider]:
    """Set the providers of all signals but those, and return them.

    All are made before the first is set: a value that breaks its rule leaves nothing behind.

    Raises:
        SettingsError: for an exporter that is not installed.
        ImportError: for that of OTLP.
    """
    makers: dict[Signal, list[Any]] = {
        signal: [_exporter(signal, name, plan.endpoint) for name in names]
        for signal, names in plan.exporters.items()
        if names and signal not in without
    }
    named = {} if plan.service_name is None else {"service.name": plan.service_name}
    resource = Resource.create(named)
    made: dict[Signal, Provider] = {}
    for signal, exporters in makers.items():
        made[signal] = _PROVIDERS[signal](resource, [make() for make in exporters])
    for signal, provider in made.items():
        _SETTERS[signal](provider)
    return made


def flush_in_children(telemetry: Telemetry, timeout: float) -> None:
    """Flush at the end of each process of `multiprocessing`, which ends without `atexit`."""

    def flush_at_end(telemetry: Telemetry) -> None:
        util.Finalize(None, telemetry.flush, (timeout,), exitpriority=0)

    util.register_after_fork(telemetry, flush_at_end)
    if parent_process() is not None:  # one that was not forked
        flush_at_end(telemetry)


def _exporter(signal: Signal, name: str, endpoint: str | None) -> Any:
    """Return an exporter that is installed under this name, as a function that makes it."""
    installed = {each.name: each for each in entry_points(group=f"opentelemetry_{signal}_exporter")}
    is_otlp = name.startswith("otlp_proto")
    if name not in installed:
        if is_otlp:
            msg = f"no exporter {name} is installed"
            raise ImportError(msg)
        known = sorted({*installed, "otlp", "none"})
        rule = f"must name installed exporters ({', '.join(known)})"
        fail(f"OTEL_{signal.upper()}_EXPORTER", rule, name)
    make = installed[name].load()
    if endpoint is None or not is_otlp:
        return make
    address = endpoint.rstrip("/")
    return partial(make, endpoint=address if "grpc" in name else f"{address}/v1/{signal}")


def _tracing(resource: Resource, exporters: list[Any]) -> TracerProvider:
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _metering(resource: Resource, exporters: list[Any]) -> MeterProvider:
    """Some exporters of metrics, such as that for Prometheus, are asked and do not send."""
    readers = [
        each if isinstance(each, MetricReader) else PeriodicExportingMetricReader(each)
        for each in exporters
    ]
    return MeterProvider(readers, resource=resource, shutdown_on_exit=False)


def _logging(resource: Resource, exporters: list[Any]) -> LoggerProvider:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider


_PROVIDERS: dict[Signal, Callable[[Resource, list[Any]], Any]] = {
    "traces": _tracing,
    "metrics": _metering,
    "logs": _logging,
}
_SETTERS: dict[Signal, Callable[[Any], object]] = {
    "traces": trace.set_tracer_provider,
    "metrics": metrics.set_meter_provider,
    "logs": _logs.set_logger_provider,
}
