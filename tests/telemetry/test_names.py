"""What a run emits is what `conventions` defines, nothing more and nothing less."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import Gauge, Histogram, Sum
from opentelemetry.trace import SpanKind

from resilience.telemetry import conventions
from tests.telemetry.everything import let_everything_happen

METRICS = {metric.name: metric for metric in conventions.METRICS}
EVENTS = {event.name: event for event in conventions.SPAN_EVENTS}
SPANS = {span.name: span for span in conventions.SPANS if span.kind == "INTERNAL"}
ATTRIBUTES = {attribute.name: attribute for attribute in conventions.ATTRIBUTES}
TYPES = {"str": str, "int": int, "float": (int, float), "bool": bool}

# Points and events that a run of one kind has: name, and the attributes of each.
Emitted = dict[str, list[Mapping[str, Any]]]


def check(defined: Any, emitted: Iterable[Mapping[str, Any]]) -> None:
    """Each has all that it must have, and together they have all that they may have."""
    required, optional = set(defined.attributes), set(defined.optional)
    found: set[str] = set()
    for attributes in emitted:
        assert required <= set(attributes) <= required | optional
        found |= set(attributes)
        for name, value in attributes.items():
            check_value(ATTRIBUTES[name], value)
    assert required | optional == found


def check_value(defined: Any, value: Any) -> None:
    """A value has the type that is defined, and is one of those that it can be."""
    assert isinstance(value, TYPES[defined.type])
    assert not defined.values or value in defined.values


def values_of(name: str, emitted: Iterable[Mapping[str, Any]]) -> set[Any]:
    """All values of an attribute."""
    return {attributes[name] for attributes in emitted if name in attributes}


@pytest.fixture
def points(run, metrics) -> dict[str, Any]:
    """Every metric of the run."""
    let_everything_happen(run)
    return metrics.all()


def test_metrics(points):
    """All metrics that are defined, with kind, unit, description, buckets and attributes."""
    assert set(METRICS) == set(points)
    for name, metric in points.items():
        defined = METRICS[name]
        assert (defined.unit, defined.description) == (metric.unit, metric.description)
        assert defined.kind == kind_of(metric.data)
        for point in metric.data.data_points:
            if defined.buckets:
                assert defined.buckets == tuple(point.explicit_bounds)
        check(defined, [dict(point.attributes) for point in metric.data.data_points])


def kind_of(data: Any) -> str:
    """The kind of instrument that makes such data."""
    if isinstance(data, Histogram):
        return "histogram"
    if isinstance(data, Gauge):
        return "gauge"
    assert isinstance(data, Sum)
    return "counter" if data.is_monotonic else "up_down_counter"


def test_values_of_metrics(points):
    """Whatever has a closed set of values has had each of them; a state is a number that is known.

    Reasons are open; those of refusals and of batches are not.
    """
    emitted = [
        dict(point.attributes) for metric in points.values() for point in metric.data.data_points
    ]
    on_metrics = {name for metric in METRICS.values() for name in metric.attributes}
    closed = {name: ATTRIBUTES[name].values for name in on_metrics if ATTRIBUTES[name].values}
    states = points["resilience.circuit_breaker.state"].data.data_points

    assert {name: set(values) for name, values in closed.items()} == {
        name: values_of(name, emitted) for name in closed
    }
    assert {point.value for point in states} <= set(conventions.CIRCUIT_STATES.values())


def test_span_events(run, spans):
    """All events that are defined, with their attributes."""
    let_everything_happen(run)
    emitted: Emitted = {}
    for span in spans:
        for event in span.events:
            emitted.setdefault(event.name, []).append(dict(event.attributes))

    assert set(EVENTS) == set(emitted)
    for name, each in emitted.items():
        check(EVENTS[name], each)


def test_spans(run, spans):
    """Those of calls, and those of batches, with their attributes; the kind is INTERNAL."""
    let_everything_happen(run)
    emitted: Emitted = {name: [] for name in SPANS}
    for span in spans:
        name = "batch {function}" if span.name.startswith("batch ") else "{function}"
        emitted[name].append(dict(span.attributes))

        assert SpanKind.INTERNAL is span.kind
        assert conventions.SCOPE == span.instrumentation_scope.name
    for name, each in emitted.items():
        check(SPANS[name], each)
    outcomes = values_of("resilience.outcome", emitted["{function}"])
    assert set(ATTRIBUTES["resilience.outcome"].values) == outcomes


def test_the_run_is_the_same_with_both(run, spans, metrics):
    """Spans and metrics of one run agree: each call is a span, a measurement and an end."""
    let_everything_happen(run)
    calls = [span.name for span in spans if not span.name.startswith("batch ")]
    count = sum(count for count, _ in metrics.points("call.duration").values())

    assert len(calls) == count
    assert {0} == set(metrics.points("call.active").values())
