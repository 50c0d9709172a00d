"""Expressions are made of what is defined, and of nothing else."""

from __future__ import annotations

import pytest

from deploy.generator.queries import Queries

CALLS = "resilience.call.duration"
QUERIES = Queries("5m", keep=("job",), filters={"job": "$job", "resilience.name": "$name"})


@pytest.mark.parametrize(
    ("expected", "made"),
    [
        (
            'resilience_refused_total{resilience_reason="no_key"}',
            Queries("5m").select("resilience.refused", resilience_reason="no_key"),
        ),
        (
            "resilience_circuit_breaker_state_ratio or resilience_circuit_breaker_state",
            Queries("5m").select("resilience.circuit_breaker.state"),
        ),
        (
            "resilience_call_active offset 1h",
            Queries("5m").select("resilience.call.active", ago="1h"),
        ),
        (
            'rate(resilience_call_duration_seconds_sum{error_type!=""}[1h] offset 1d)',
            Queries("5m").rate(CALLS, "sum", over="1h", ago="1d", error_type="!"),
        ),
        (
            'sum by (job, resilience_pool) (rate(resilience_key_leases_total{job=~"$job"}[5m]))',
            QUERIES.total("resilience.key.leases", by="resilience_pool"),
        ),
        (
            'max by (job) (resilience_call_active{job=~"$job",resilience_name=~"$name"})',
            QUERIES.now("resilience.call.active", how="max"),
        ),
        (
            "sum (rate(resilience_batch_size_sum[m])) / sum (rate(resilience_batch_size_count[m]))",
            Queries("m").mean("resilience.batch.size"),
        ),
        (
            "histogram_quantile(0.9, sum by (le) (rate(resilience_batch_wait_seconds_bucket[1m])))",
            Queries("1m").quantile(0.9, "resilience.batch.wait"),
        ),
        (
            'resilience_call_duration_seconds_count{resilience_outcome!~"refused|cancelled"}',
            Queries("").select(CALLS, "count", resilience_outcome="!refused|cancelled"),
        ),
    ],
)
def test_what_an_expression_looks_like(expected: str, made: str):
    """Filters apply where a metric has the attribute; sums keep what is asked for."""
    assert expected == made


@pytest.mark.parametrize(
    ("error", "message", "make"),
    [
        (KeyError, "resilience.calls", lambda: QUERIES.total("resilience.calls")),
        (ValueError, "no part ''", lambda: QUERIES.total(CALLS)),
        (ValueError, "no attribute pool", lambda: QUERIES.total(CALLS, "count", by="pool")),
        (ValueError, "no attribute le", lambda: QUERIES.total(CALLS, "count", le="1")),
        (
            ValueError,
            "resilience.outcome is never lost: it is one of cancelled, failure",
            lambda: QUERIES.total(CALLS, "count", resilience_outcome="success|lost"),
        ),
    ],
)
def test_what_is_not_defined_is_refused(error, message, make):
    """A name, a part, an attribute and a value that no point can have."""
    with pytest.raises(error, match=message):
        make()
