"""Whatever is broken in the telemetry of a program, its calls go on, as fast as before."""

from __future__ import annotations

import logging
import threading

import pytest
from opentelemetry import trace
from opentelemetry.metrics import MeterProvider as AnyMeterProvider
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from resilience import CircuitOpenError, circuit_breaker, retry
from resilience.telemetry import instruments
from resilience.testing import no_waiting
from tests.support.decorators import pool_of
from tests.support.exporters import HangingExporter, RaisingExporter
from tests.support.faults import failing


def use_everything(run):
    """Calls that recover, fail and are refused, with keys and a circuit; what came of them."""
    pool, breaker = pool_of("ab", name="pool"), circuit_breaker(failure_threshold=2, name="fetch")
    body = failing("fine", OSError, "fine", then=OSError)
    fetch = run.decorate(
        lambda f: retry(max_retries=1, name="fetch")(pool.inject("key")(breaker(f))),
        lambda key: body(),
    )
    with no_waiting():
        came = [fetch(), fetch()]
        for error in (OSError, CircuitOpenError):
            with pytest.raises(error):
                fetch()
    return came


ALL_IS_WELL = ["fine", "fine"]


class SpanFaults(SpanExporter):
    """Hangs until it is let go, or fails."""

    def __init__(self, *, hangs: bool) -> None:
        self.hangs = hangs
        self.called = threading.Event()
        self.release = threading.Event()

    def export(self, spans):
        """Do what was asked for."""
        self.called.set()
        if self.hangs:
            self.release.wait()
            return SpanExportResult.SUCCESS
        raise ConnectionError("no collector")


@pytest.fixture
def quiet(caplog):
    """What the SDK says of its exporters is not looked at."""
    caplog.set_level(logging.CRITICAL, logger="opentelemetry")


@pytest.mark.parametrize("hangs", [True, False])
def test_an_exporter_of_spans(run, monkeypatch, quiet, hangs):
    """It may hang or fail in its own thread."""
    exporter = SpanFaults(hangs=hangs)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(exporter, schedule_delay_millis=1, max_export_batch_size=1)
    )
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    try:
        run.decorate(retry, failing())()
        assert exporter.called.wait(10)
        assert ALL_IS_WELL == use_everything(run)
    finally:
        exporter.release.set()
        provider.shutdown()


def test_an_exporter_of_spans_in_the_callers_thread(run, monkeypatch, quiet):
    """It may fail there as well."""
    exporter = SpanFaults(hangs=False)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    assert ALL_IS_WELL == use_everything(run)
    assert exporter.called.is_set()


@pytest.mark.parametrize("step", ["on_start", "on_end"])
def test_a_processor_of_spans(run, monkeypatch, caplog, step):
    """The SDK lets its errors out: the log says so once, and the call has no span, or no end."""

    class Broken(SpanProcessor):
        pass

    def fail(*_, **__):
        raise LookupError("of the processor")

    setattr(Broken, step, fail)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Broken())
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)

    assert ALL_IS_WELL == use_everything(run)
    assert ALL_IS_WELL == use_everything(run)
    assert trace.get_current_span() is trace.INVALID_SPAN
    said = [record for record in caplog.records if "of the processor" in record.getMessage()]
    assert 1 == len(said)


@pytest.mark.parametrize("exporter_class", [HangingExporter, RaisingExporter])
def test_an_exporter_of_metrics(run, monkeypatch, quiet, exporter_class):
    """It may hang or fail in its own thread."""
    exporter = exporter_class()
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1e9)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)
    run.decorate(retry, failing())()
    flush = threading.Thread(target=provider.force_flush, daemon=True)
    flush.start()
    try:
        if exporter_class is HangingExporter:
            assert exporter.hangs.wait(10)
        assert ALL_IS_WELL == use_everything(run)
    finally:
        getattr(exporter, "release", threading.Event()).set()
        flush.join()
        provider.shutdown()


class NoMeters(AnyMeterProvider):
    """A provider that cannot give a meter."""

    def get_meter(self, *args, **kwargs):
        """Fail."""
        raise LookupError("no meters")


@pytest.mark.parametrize(
    "broken",
    ["get_meter", "create_histogram", "create_counter", "create_observable_gauge"],
)
def test_a_provider_that_makes_no_instruments(run, metrics, monkeypatch, caplog, broken):
    """The log says so once, and nothing is measured."""
    if broken == "get_meter":
        monkeypatch.setattr(metrics_api, "_METER_PROVIDER", NoMeters())
    else:
        monkeypatch.setattr(f"opentelemetry.sdk.metrics.Meter.{broken}", NoMeters.get_meter)

    assert ALL_IS_WELL == use_everything(run)
    assert ALL_IS_WELL == use_everything(run)
    assert instruments.meters() is None
    assert 1 == sum("no meters" in record.getMessage() for record in caplog.records)


def test_an_instrument_that_fails(run, metrics, monkeypatch, caplog):
    """The others are collected, and the log says so once."""
    monkeypatch.setattr("opentelemetry.sdk.metrics.Histogram.record", NoMeters.get_meter)
    use_everything(run)

    assert {"resilience.retry.attempts", "resilience.call.active"} <= set(metrics.all())
    assert 1 == sum("no meters" in record.getMessage() for record in caplog.records)


def test_a_log_handler_that_fails(run):
    """Even one that lets its errors out harms no call."""

    class Broken(logging.Handler):
        def emit(self, record):
            raise LookupError("of the handler")

    handler, logger = Broken(), logging.getLogger("resilience")
    logger.addHandler(handler)
    try:
        assert ALL_IS_WELL == use_everything(run)
    finally:
        logger.removeHandler(handler)
