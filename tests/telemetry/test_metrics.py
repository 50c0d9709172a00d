"""What is measured where the program has set up a meter provider."""

from __future__ import annotations

import asyncio

import pytest

from resilience import (
    CircuitOpenError,
    circuit_breaker,
    retry,
)
from resilience.testing import FakeClock
from tests.support.faults import HttpError, failing


def test_a_call_is_measured_by_its_outcome(run, metrics):
    """How long it took, retries included; what failed and what was refused says of what type."""
    clock = FakeClock()
    fetch = run.decorate(
        retry(name="fetch", max_retries=1, jitter=0),
        failing("fine", OSError, "fine", *[ValueError] * 2),
    )
    guarded = run.decorate(circuit_breaker(name="guarded"), failing())
    guarded.circuit_breaker.open()
    cancelled = run.decorate(retry(name="cancelled"), failing(asyncio.CancelledError))
    with clock:
        fetch()
        fetch()
        for call, error in (
            (fetch, ValueError),
            (guarded, CircuitOpenError),
            (cancelled, asyncio.CancelledError),
        ):
            with pytest.raises(error):
                call()

    assert {
        ("fetch", "success"): (2, 1),
        ("ValueError", "fetch", "failure"): (1, 1),
        ("CircuitOpenError", "guarded", "refused"): (1, 0),
        ("cancelled", "cancelled"): (1, 0),
    } == metrics.points("call.duration")


def test_retries_are_counted_and_their_waits_measured(run, metrics):
    """By reason and type of error, and by who chose the wait."""
    limited = HttpError(429, {"Retry-After": "7"})
    limited.code = "rate_limit_exceeded"
    fetch = run.decorate(
        retry(name="fetch", jitter=0, retry_result=lambda result: result is None),
        failing(OSError, limited, None),
    )
    with FakeClock():
        fetch()

    assert {
        ("OSError", "fetch", "transient"): 1,
        ("rate_limit_exceeded", "fetch", "rate_limit"): 1,
        ("fetch", "result"): 1,
    } == metrics.points("retry.attempts")
    assert {("fetch", "backoff"): (2, 5), ("fetch", "server"): (1, 7)} == metrics.points(
        "retry.delay"
    )
