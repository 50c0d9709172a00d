"""The collector's configuration: known parts in the right order.

Whether a collector takes it, no test says: none is to be had as a package.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from deploy.generator.files import FOLDER

CONFIG: dict[str, Any] = yaml.safe_load((FOLDER / "collector.yaml").read_text("utf-8"))
PROMETHEUS: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus.yaml").read_text("utf-8"))
PIPELINES: dict[str, dict[str, list[str]]] = CONFIG["service"]["pipelines"]

# Of the core distribution (opentelemetry-collector-releases, distributions/otelcol/manifest.yaml,
# 0.159): type of each part that is used here, and its settings, by the parts' own READMEs.
PARTS = {
    "receivers": {"otlp": {"protocols"}},
    "processors": {
        "batch": {"send_batch_size", "send_batch_max_size", "timeout"},
        "memory_limiter": {"check_interval", "limit_percentage", "spike_limit_percentage"},
    },
    "exporters": {
        "otlp_grpc": {"endpoint", "headers", "retry_on_failure", "sending_queue", "tls"},
        "prometheus": {
            *("add_metric_suffixes", "enable_open_metrics", "endpoint", "metric_expiration"),
            "translation_strategy",
        },
    },
    "extensions": {"health_check": {"endpoint"}},
}


def test_every_part_is_known():
    """Each is of the core distribution, and has settings that it knows."""
    assert set(PARTS) | {"service"} == set(CONFIG)
    for kind, known in PARTS.items():
        for name, settings in CONFIG[kind].items():
            assert set() == set(settings) - known[name.partition("/")[0]]


def test_every_part_is_used():
    """What is set up stands in a pipeline, and what stands in one is set up."""
    for kind in ("receivers", "processors", "exporters"):
        assert set(CONFIG[kind]) == {name for each in PIPELINES.values() for name in each[kind]}
    assert set(CONFIG["extensions"]) == set(CONFIG["service"]["extensions"])


@pytest.mark.parametrize("signal", ["metrics", "traces", "logs"])
def test_a_pipeline_guards_its_memory_first_and_batches_last(signal: str):
    """In the order that the collector's documentation asks for."""
    assert ["memory_limiter", "batch"] == PIPELINES[signal]["processors"]


def test_prometheus_finds_what_the_collector_shows():
    """At the port of the exporter, by the names of the rules, with the labels as they are."""
    (job,) = [each for each in PROMETHEUS["scrape_configs"] if each["job_name"] == "collector"]
    (target,) = job["static_configs"][0]["targets"]
    exporter = CONFIG["exporters"]["prometheus"]

    assert exporter["endpoint"].rpartition(":")[2] == target.rpartition(":")[2]
    assert "UnderscoreEscapingWithSuffixes" == exporter["translation_strategy"]
    assert job["honor_labels"]
