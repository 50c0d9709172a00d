"""The definitions of telemetry agree with one another."""

from __future__ import annotations

import pytest

from resilience.telemetry import conventions
from resilience.telemetry._definitions import Metric, Span, SpanEvent

DEFINED = (
    *conventions.ALL_METRICS.values(),
    *conventions.SPAN_EVENTS,
    *conventions.SPANS,
)


@pytest.mark.parametrize("defined", DEFINED, ids=lambda each: each.name)
def test_only_known_attributes_are_used(defined: Metric | Span | SpanEvent) -> None:
    """Each attribute of a metric, an event or a span is itself defined."""
    known = {each.name for each in conventions.ATTRIBUTES}

    assert known >= {*defined.attributes, *defined.optional}
    assert not {*defined.attributes} & {*defined.optional}


def test_names_are_defined_once() -> None:
    """No attribute is defined twice, and no metric but the one that both generations have."""
    attributes = [each.name for each in conventions.ATTRIBUTES]
    metrics = [
        each.name
        for group in (conventions.METRICS, conventions.HTTP_METRICS, conventions.GENAI_METRICS)
        for each in group
    ]

    assert len(set(attributes)) == len(attributes)
    assert len(set(metrics)) == len(metrics)


@pytest.mark.parametrize("metric", conventions.ALL_METRICS.values(), ids=lambda each: each.name)
def test_histograms_alone_have_buckets_and_they_rise(metric: Metric) -> None:
    """A histogram has bounds in rising order; nothing else has any."""
    assert (metric.kind == "histogram") is bool(metric.buckets)
    assert tuple(sorted(set(metric.buckets))) == metric.buckets


@pytest.mark.parametrize("metric", conventions.ALL_METRICS.values(), ids=lambda each: each.name)
def test_what_has_many_values_stays_off_metrics(metric: Metric) -> None:
    """No request id, URL or content is an attribute of a metric."""
    many = {"url.full", "resilience.request_id", "resilience.server_request_id"}
    attributes = {*metric.attributes, *metric.optional}

    assert not attributes & many
    assert not [each for each in attributes if "messages" in each]
