"""Providers, readers and views: whatever the program sets up gets all that it should, once."""

from __future__ import annotations

import threading

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.metrics import _internal as metrics_api
from opentelemetry.sdk.metrics import Histogram, MeterProvider, ObservableUpDownCounter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)

from resilience import circuit_breaker, get_stats, reset_stats, retry
from resilience.telemetry import _otel_instruments, instruments
from tests.support.decorators import pool_of
from tests.support.exporters import RecordingExporter
from tests.support.faults import HttpError, failing
from tests.telemetry.conftest import Metrics


def use(monkeypatch, provider):
    """Let this be the program's provider."""
    monkeypatch.setattr(metrics_api, "_METER_PROVIDER", provider)


def counts(metrics, name="call.duration"):
    """How many measurements a histogram has."""
    return sum(count for count, _ in metrics.points(name).values())


def test_a_provider_may_come_and_go(run, monkeypatch):
    """What was decorated before is measured from then on, by whichever provider is there."""
    first, second = Metrics(), Metrics()
    fetch = run.decorate(retry(name="fetch"), failing())
    for provider in (None, first.provider, None, second.provider, second.provider):
        use(monkeypatch, provider)
        fetch()

    assert [1, 2] == [counts(first), counts(second)]


def test_a_call_ends_where_it_began(run, monkeypatch):
    """In the provider that was there at its beginning, whichever is there at its end."""
    first, second = Metrics(), Metrics()

    @run.decorate(retry(name="fetch"))
    def numbers():
        yield 1
        yield 2

    use(monkeypatch, first.provider)
    stream = numbers()
    next(stream)
    use(monkeypatch, second.provider)
    during = first.points("call.active")
    stream.close()

    assert {("fetch",): 1} == during
    assert {("fetch",): 0} == first.points("call.active")
    assert [1, 0] == [counts(first), counts(second)]


def test_a_provider_that_measures_nothing(run, monkeypatch):
    """The API's own empty provider, and an SDK that is turned off: nothing is kept for them."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    fetch = run.decorate(retry, failing())
    for provider in (NoOpMeterProvider(), MeterProvider(shutdown_on_exit=False)):
        use(monkeypatch, provider)
        fetch()

        assert instruments.meters() is None


def test_each_reader_gets_everything(run, monkeypatch):
    """Whoever collects first hands on for all."""
    other = InMemoryMetricReader()
    metrics = Metrics(other)
    use(monkeypatch, metrics.provider)
    fetch = run.decorate(retry(name="fetch"), failing())
    fetch()
    assert 1 == counts(metrics)
    fetch()
    metrics.reader = other

    assert 2 == counts(metrics)
    assert {("fetch",): 0} == metrics.points("call.active")


def test_delta_temporality(run, monkeypatch):
    """Each collection has what came since the last one."""
    delta = AggregationTemporality.DELTA
    reader = InMemoryMetricReader({Histogram: delta, ObservableUpDownCounter: delta})
    metrics = Metrics(reader)
    metrics.reader = reader
    use(monkeypatch, metrics.provider)
    fetch = run.decorate(retry(name="fetch"), failing())
    fetch()
    fetch()
    first = counts(metrics)
    fetch()

    assert [2, 1, 0] == [first, counts(metrics), counts(metrics)]


def test_views(run, monkeypatch):
    """A program may choose other buckets, fewer attributes, or to drop a metric."""
    views = [
        View(
            instrument_name="resilience.call.duration",
            aggregation=ExponentialBucketHistogramAggregation(),
            attribute_keys={"resilience.outcome"},
        ),
        View(instrument_name="resilience.call.active", aggregation=DropAggregation()),
    ]
    metrics = Metrics(views=views)
    use(monkeypatch, metrics.provider)
    for name in ("one", "other"):
        run.decorate(retry(name=name), failing())()

    assert {("success",): 2} == {
        key: count for key, (count, _) in metrics.points("call.duration").items()
    }
    assert {} == metrics.points("call.active")


@pytest.mark.parametrize("way", ["force_flush", "shutdown"])
def test_nothing_is_left_behind(run, monkeypatch, way):
    """A flush and the end of the provider hand on all that was measured."""
    exporter = RecordingExporter()
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=1e9)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    use(monkeypatch, provider)
    fetch = run.decorate(retry(name="fetch"), failing())
    for _ in range(100):
        fetch()
    getattr(provider, way)()
    (count,) = (point.count for point in exporter.points("resilience.call.duration"))
    if way == "force_flush":
        provider.shutdown()

    assert 100 == count


def test_resetting_the_statistics_leaves_the_metrics(run, metrics):
    """What a metric counts only grows."""
    fetch = run.decorate(retry(name="fetch"), failing())
    fetch()
    reset_stats("fetch")
    fetch()

    assert 1 == get_stats("fetch")["total_requests"]
    assert 2 == counts(metrics)


def test_where_nobody_collects_calls_hand_on(run, metrics, monkeypatch):
    """Memory is bounded, and nothing is lost."""
    monkeypatch.setattr(_otel_instruments, "MOST_WAITING", 10)
    fetch = run.decorate(retry(name="fetch"), failing())
    waiting = []
    for _ in range(100):
        fetch()
        waiting.append(len(instruments.meters()._waiting))

    assert 11 == max(waiting)
    assert 100 == counts(metrics)


def test_trap_10_no_lock_of_the_sdk_is_wanted_in_a_call(run, metrics):
    """The garbage collector may end a stream in the thread that collects, with these held."""
    breaker = circuit_breaker(failure_threshold=1, name="fetch")
    fetch = run.decorate(
        lambda f: retry(name="fetch")(pool_of("a", name="pool").inject("key")(breaker(f))),
        lambda key: "fine",
    )
    fetch()
    metrics.all()
    consumer = metrics.provider._measurement_consumer
    storage = consumer._reader_storages[metrics.reader]
    matches = [
        match for found in storage._instrument_view_instrument_matches.values() for match in found
    ]
    series = [each for match in matches for each in match._attributes_aggregation.values()]
    locks = [consumer._lock, *(each._lock for each in (*matches, *series))]
    for lock in locks:
        assert lock.acquire(blocking=False)
    try:
        fetch()
        fetch.circuit_breaker.open()
    finally:
        for lock in locks:
            lock.release()

    assert 2 == counts(metrics)
    assert 5 <= len(locks)


def test_the_kinds_of_errors_are_bounded(run, metrics):
    """A server that invents codes fills neither the memory nor the bill: the rest is "_OTHER"."""

    def fail(number):
        error = HttpError(400)
        error.code = f"code_{number}"
        raise error

    fetch = run.decorate(retry(max_retries=0, name="fetch"), fail)
    for number in range(130):
        with pytest.raises(HttpError):
            fetch(number)
    kinds = {kind: count for (kind, *_), (count, _) in metrics.points("call.duration").items()}

    assert 101 == len(kinds)
    assert 30 == kinds["_OTHER"]
    assert 1 == kinds["code_0"]


def test_an_example_of_a_call_is_its_span(run, spans, metrics):
    """A measurement points to the span of its call, where that is sampled; others to none."""
    fetch = run.decorate(retry(name="fetch", max_retries=0), failing("fine", ValueError))
    fetch()
    with spans.tracer.start_as_current_span("caller"), pytest.raises(ValueError, match="scripted"):
        fetch()
    duration = metrics.all()["resilience.call.duration"]
    examples = [
        example.span_id for point in duration.data.data_points for example in point.exemplars
    ]

    assert [span.context.span_id for span in spans.named("fetch")] == examples


def test_what_waits_is_no_example_of_somebody_elses_span(run, spans, metrics, monkeypatch):
    """A call that hands on is within a span of its own."""
    monkeypatch.setattr(_otel_instruments, "MOST_WAITING", 1)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    fetch = run.decorate(retry(name="fetch"), failing())
    with spans.tracer.start_as_current_span("caller"):
        for _ in range(4):
            fetch()
    duration = metrics.all()["resilience.call.duration"]

    assert [[]] == [list(point.exemplars) for point in duration.data.data_points]


def test_several_threads_begin_at_once(monkeypatch):
    """The instruments are made once, and no first call is lost."""
    metrics = Metrics()
    use(monkeypatch, metrics.provider)
    barrier = threading.Barrier(8)

    @retry(name="fetch")
    def fetch():
        return "fine"

    def work():
        barrier.wait()
        for _ in range(50):
            fetch()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 400 == counts(metrics)
    assert {("fetch",): 0} == metrics.points("call.active")


def test_a_provider_may_call_decorated_functions_itself(monkeypatch):
    """While it makes the instruments, for one; such a call is not measured and does not wait."""
    metrics, asked = Metrics(), []

    @retry(name="inner")
    def inner():
        asked.append("fine")

    class Provider(MeterProvider):
        def get_meter(self, *args, **kwargs):
            inner()
            return metrics.provider.get_meter(*args, **kwargs)

    use(monkeypatch, Provider(shutdown_on_exit=False))
    retry(name="outer")(lambda: None)()
    inner()

    assert ["fine"] * 2 == asked
    assert {("inner", "success"): 1, ("outer", "success"): 1} == {
        key: count for key, (count, _) in metrics.points("call.duration").items()
    }
