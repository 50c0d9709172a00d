"""Metrics have the names that Prometheus gives them."""

from __future__ import annotations

import pytest

from deploy.generator.names import label_of, names_of, series_of
from resilience.telemetry._definitions import Metric
from resilience.telemetry.conventions import ALL_METRICS
from tests.deploy.series import exported


@pytest.mark.parametrize(
    ("kind", "unit", "name", "expected"),
    [
        ("counter", "{call}", "a.b", ("a_b_total",)),
        ("counter", "1", "a.b", ("a_b_total",)),
        ("counter", "s", "a.total", ("a_total_seconds_total",)),
        ("up_down_counter", "{call}", "a.b", ("a_b",)),
        ("up_down_counter", "1", "a.b", ("a_b",)),
        ("gauge", "{key}", "a.b", ("a_b",)),
        ("gauge", "1", "a.b", ("a_b_ratio", "a_b")),
        ("gauge", "s", "a.b", ("a_b_seconds",)),
        ("histogram", "s", "a.b_c", ("a_b_c_seconds",)),
        ("histogram", "s", "a.seconds.b", ("a_seconds_b",)),
        ("histogram", "{token}", "a.b", ("a_b",)),
    ],
)
def test_a_name_has_its_unit_and_its_kind(kind, unit, name, expected):
    """As the specification of OpenTelemetry says, and as the collector does."""
    assert expected == names_of(Metric(name, kind, unit, "", ()))


def test_the_exporter_of_the_sdk_gives_the_same_names():
    """Of each metric that is defined, with each label; of two names the second is its."""
    metrics = {name: names_of(metric)[-1] for name, metric in ALL_METRICS.items()}
    labels = {
        series_of(name, part)[-1]: {
            *(label_of(each) for each in (*metric.attributes, *metric.optional)),
            *(["le"] if part == "bucket" else []),
        }
        for name, metric in ALL_METRICS.items()
        for part in (("bucket", "count", "sum") if metric.kind == "histogram" else ("",))
    }

    assert len(ALL_METRICS) == len(set(metrics.values()))
    assert labels == exported()


def test_a_part_belongs_to_a_histogram():
    """A histogram is read by a part, and nothing else by one."""
    with pytest.raises(ValueError, match="is a histogram: it has no part ''"):
        series_of("resilience.call.duration")
    with pytest.raises(ValueError, match="is a counter: it has no part 'sum'"):
        series_of("resilience.refused", "sum")
