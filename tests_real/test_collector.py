"""A collector that others wrote gets what happened: every span and every point, as counted."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from resilience.telemetry import conventions
from tests_real import rotel
from tests_real.rotel import Printed, PrintedMetric, PrintedSpan
from tests_real.servers import FOLDER

PAGE = FOLDER.parent / "docs" / "how-to" / "send-to-a-collector.md"
EXCERPT = re.compile(r"<!-- a collector printed this -->\n```text\n(.+?)```", re.DOTALL)
TOKENS = "gen_ai.client.inference.usage"
MUST_BE_THERE = {
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "http.client.request.duration",
    "resilience.call.active",
    "resilience.call.duration",
    "resilience.circuit_breaker.state",
    "resilience.circuit_breaker.transitions",
    "resilience.key.available",
    "resilience.key.cooldowns",
    "resilience.key.leases",
    "resilience.queue.limit",
    "resilience.refused",
    "resilience.retry.attempts",
    "resilience.retry.delay",
}


@dataclass(frozen=True)
class Run:
    """A run of `programs/shop.py`: what it counted, and what the collector printed of it."""

    stats: dict[str, dict[str, Any]]
    text: str
    printed: Printed

    def span(self, name: str) -> PrintedSpan:
        """The only span of this name."""
        (found,) = self.spans(name)
        return found

    def spans(self, name: str) -> list[PrintedSpan]:
        """All of this name, in the order in which they came."""
        return [span for span in self.printed.spans if span.name == name]

    def children(self, parent: PrintedSpan) -> list[PrintedSpan]:
        """The spans below this one."""
        return [span for span in self.printed.spans if span.parent == parent.id]

    def total(self, metric: str, **attributes: str) -> float:
        """The sum of the values, or of the counts, of all points with these attributes."""
        wanted = {f"resilience.{each}": value for each, value in attributes.items()}
        (found,) = [each for each in self.printed.metrics if each.name == metric]
        return sum(
            point.count or point.value
            for point in found.points
            if wanted.items() <= point.attributes.items()
        )


@pytest.fixture(scope="module", params=["grpc", "http/protobuf"])
def protocol(request: pytest.FixtureRequest) -> str:
    """How OTLP is sent."""
    return str(request.param)


@pytest.fixture(scope="module")
def run(protocol: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The program has run, and ended."""
    return ran(protocol, tmp_path_factory.mktemp("rotel"))


def ran(protocol: str, folder: Path, **variables: str) -> Run:
    """Run the program, and see what a collector has got by its end."""
    with rotel.serving(folder) as collector:
        done = subprocess.run(
            [sys.executable, FOLDER / "programs" / "shop.py"],
            env={
                **os.environ,
                "OTEL_SERVICE_NAME": "shop",
                "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address(protocol),
                "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
                "PYTHONPATH": str(FOLDER.parent),
                **variables,
            },
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (0, "") == (done.returncode, done.stderr)
        text = collector.log.read_text()
    return Run(json.loads(done.stdout), text, rotel.read(text))


def test_what_comes_is_of_the_service(run: Run):
    """By the standard variables, whatever the protocol."""
    assert "shop" == run.printed.resource["service.name"]
    assert "test" == run.printed.resource["deployment.environment.name"]


@pytest.mark.parametrize("name", ["weather", "stock", "orders", "many"])
def test_each_call_is_a_span(run: Run, name: str):
    """As many as the statistics count, each with its outcome."""
    spans, stats = run.spans(name), run.stats[name]

    outcomes = Counter(span.attributes["resilience.outcome"] for span in spans)
    assert stats["total_requests"] == len(spans)
    assert {"INTERNAL"} == {span.kind for span in spans}
    assert stats["successful_requests"] == outcomes["success"]
    assert stats["failed_requests"] == outcomes["failure"]
    assert stats["refused_requests"] == outcomes["refused"]


def test_a_call_that_recovered_is_one_span_with_its_retries(run: Run):
    """It is no error."""
    span = run.span("weather")

    assert 3 == span.attributes["resilience.attempts"]
    assert ["ConnectionError", "TimeoutError"] == [
        event["error.type"] for name, event in span.events if name == "retry"
    ]
    assert "UNSET" == span.status


def test_a_circuit_opens_and_refuses(run: Run):
    """Two failures are errors; what they cause, and the refusal, are events."""
    spans = run.spans("stock")

    assert ["ERROR", "ERROR", "UNSET"] == [span.status for span in spans]
    assert [[], ["circuit_breaker.transition"], ["refused"]] == [
        [name for name, _ in span.events] for span in spans
    ]
    assert "OPEN" == spans[1].events[0][1]["resilience.to"]


def test_the_call_of_a_model_has_a_child_for_each_request(run: Run):
    """After a 503 and a rejected key the third request is answered: one span, three children."""
    recovered, failed = run.spans("chat gpt-4o-mini")[:2]
    requests = run.children(recovered)

    assert ("CLIENT", "UNSET", "ERROR") == (recovered.kind, recovered.status, failed.status)
    assert "mine" == recovered.attributes["resilience.request_id"]
    assert "context_length_exceeded" == failed.attributes["error.type"]
    assert [503, 401, 200] == [span.attributes["http.response.status_code"] for span in requests]
    assert [None, 1, 2] == [span.attributes.get("http.request.resend_count") for span in requests]
    assert {("POST", "CLIENT", recovered.trace)} == {
        (span.name, span.kind, span.trace) for span in requests
    }


def test_every_metric_is_the_one_that_is_defined(run: Run):
    """Name, kind, unit, description and attributes; what a run can show of all of them is there."""
    found = [each for each in run.printed.metrics if each.scope == conventions.SCOPE]
    assert set() == {each.name for each in found} - set(conventions.ALL_METRICS)
    assert set() == MUST_BE_THERE - {each.name for each in found}
    for metric in found:
        assert_as_defined(metric)


def assert_as_defined(metric: PrintedMetric) -> None:
    """Compare a metric that was printed with its definition."""
    definition = conventions.ALL_METRICS[metric.name]
    assert definition.unit == metric.unit, metric.name
    assert definition.description == metric.description, metric.name
    assert definition.kind == metric.kind, metric.name
    for point in metric.points:
        names = set(point.attributes)
        assert set(definition.attributes) <= names, metric.name
        assert names <= {*definition.attributes, *definition.optional}, metric.name
        if definition.kind == "histogram":
            assert list(definition.buckets) == point.bounds, metric.name
            assert point.count == sum(point.buckets), metric.name


@pytest.mark.parametrize("name", ["weather", "stock", "orders", "many", "openai"])
def test_the_metrics_count_what_the_statistics_count(run: Run, name: str):
    """Exactly, by outcome."""
    stats, duration = run.stats[name], "resilience.call.duration"
    counted = {
        outcome: run.total(duration, name=name, outcome=outcome)
        for outcome in ("success", "failure", "refused", "cancelled")
    }

    assert stats["successful_requests"] == counted["success"]
    assert stats["failed_requests"] == counted["failure"]
    assert stats["refused_requests"] == counted["refused"]
    assert stats["cancelled_requests"] == counted["cancelled"]
    assert stats["retries"] == run.total("resilience.retry.attempts", name=name)
    assert 0 == run.total("resilience.call.active", name=name)


def test_the_tokens_are_those_that_the_statistics_count(run: Run):
    """Of all calls together, input and output."""
    stats = run.stats["openai"]

    assert stats["input_tokens"] == run.total(f"{TOKENS}.input_tokens") > 0
    assert stats["output_tokens"] == run.total(f"{TOKENS}.output_tokens") > 0


def test_each_request_on_the_wire_is_measured(run: Run):
    """As many as there are spans of requests."""
    spans = [span for span in run.printed.spans if "http.request.method" in span.attributes]

    assert 5 == len(spans) == run.total("http.client.request.duration")


def test_gauges_say_how_it_is_at_the_end(run: Run):
    """The circuit that opened, the limit of the queue, the keys that are left."""
    assert 2 == run.total("resilience.circuit_breaker.state", name="stock")
    assert 1 == run.total("resilience.queue.limit", name="many")
    assert 2 == run.total("resilience.key.available", pool="shop")
    assert 5 == run.total("resilience.key.leases", pool="shop")


def test_no_content_is_sent_unless_the_program_asks(run: Run):
    """Neither what was asked, nor what was answered."""
    assert [] == run.printed.records
    assert "Say hello" not in run.text


def test_content_goes_into_events_where_a_variable_says_so(protocol: str, tmp_path: Path):
    """With the exporter of logs that another one names; a call that fails is an event as well."""
    run = ran(
        protocol,
        tmp_path,
        OTEL_LOGS_EXPORTER="otlp",
        OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="event_only",
    )

    details, exception = (
        [record for record in run.printed.records if record.name.endswith(end)]
        for end in ("operation.details", "operation.exception")
    )
    assert 3 == len(details)
    assert ["WARN"] == [record.severity for record in exception]
    assert "mine" == details[0].attributes["resilience.request_id"]
    assert "Say hello" in details[0].attributes["gen_ai.input.messages"]
    assert not any("gen_ai.input.messages" in span.attributes for span in run.printed.spans)
    assert "sk-" not in run.text


@pytest.mark.parametrize("excerpt", EXCERPT.findall(PAGE.read_text()))
def test_the_documentation_shows_what_was_printed(run: Run, excerpt: str):
    """Line by line, but for ids, times, ports and the order of attributes."""
    shown, printed = in_order(excerpt), in_order(run.text)

    assert re.search(re.escape(shown).replace("…", ".+"), printed)


def in_order(text: str) -> str:
    """What was printed, the attributes that follow each other sorted."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    runs = groupby(lines, lambda line: line.partition("->")[0] if "(" in line else None)
    return "\n".join(line for kind, run in runs for line in (run if kind is None else sorted(run)))


def test_nothing_secret_is_printed(run: Run):
    """Neither a key of the pool, nor one of the client."""
    assert "made-up-" not in run.text
    assert "sk-" not in run.text
