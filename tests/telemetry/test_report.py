"""`generate_report`: the main figures, for people and for JSON."""

from __future__ import annotations

import json

import pytest

from resilience import KeyPool, generate_report, resilient, retry
from resilience.testing import no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import failing


@pytest.fixture
def reported(run, request):
    """A function with three calls: one at once, one after a retry, one in vain."""
    name = f"{request.node.name} {run.flavour}"
    body = failing("fine", OSError, "fine", *[OSError] * 2)
    fetch = run.decorate(retry(name=name, max_retries=1), body)
    with no_waiting():
        fetch()
        fetch()
        with pytest.raises(OSError, match="scripted"):
            fetch()
    return name


def test_rates_are_of_what_was_answered(reported):
    """Success among answered calls, and retries for each request."""
    report = generate_report(reported)

    assert (3, 2, 1) == tuple(
        report[f"{kind}_requests"] for kind in ("total", "successful", "failed")
    )
    assert pytest.approx(2 / 3) == report["success_rate"] == report["retries_per_request"]
    assert "errors_by_type" not in report


def test_nothing_called_has_no_rates(run):
    """There is nothing to divide by."""
    fetch = run.decorate(retry(name=f"never called {run.flavour}"), failing())
    report = generate_report(fetch.function)

    assert (0, None, None) == (
        report["total_requests"],
        report["success_rate"],
        report["retries_per_request"],
    )


def test_details_are_added_where_they_are_wanted(reported, run):
    """By type of error, by model and by endpoint; for all, by function as well."""
    details = generate_report(reported, include_details=True)
    fetch = run.decorate(resilient(keys=pool_of("ab")), lambda *, api_key: 1)
    fetch()
    everything = generate_report(include_details=True)

    assert {"OSError": 1} == details["errors_by_type"]
    assert {"OSError": 3} == details["attempt_errors_by_type"]
    assert 3 == everything["functions"][reported]
    assert {"a", "b"} <= set(everything["endpoints"])
    assert "functions" not in generate_report(include_details=False)


def test_a_report_shows_of_an_endpoint_what_there_is_to_tell():
    """In brackets behind its name, without the figures that are zero."""
    pool = KeyPool({"a": "key of a"})
    assert 1 == pool(lambda api_key: 1)()
    text = str(pool.generate_report(include_details=True))
    (line,) = [each for each in text.splitlines() if each.startswith("endpoints ")]

    assert line.split("  ")[-1].strip().startswith("a (total_requests 1, successful_requests 1, ")
    assert "failed_requests" not in line


def test_a_report_prints_as_a_table_and_is_json(reported):
    """One line for each figure; and a plain dictionary."""
    report = generate_report(reported, include_details=True)
    lines = dict(line.split("  ", 1) for line in str(report).splitlines())

    assert "0.6667" == lines["success_rate"].strip()
    assert "OSError 1" == lines["errors_by_type"].strip()
    assert lines["latency"].strip().startswith("p50 ")
    assert ("-", "-") == (lines["endpoints"].strip(), lines["circuit_state"].strip())
    assert report == json.loads(json.dumps(report))
    assert json.dumps(generate_report())
