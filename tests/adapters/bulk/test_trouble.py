"""What an error means for a run, where no whole run shows it."""

from __future__ import annotations

from types import SimpleNamespace

from adapters.bulk._rows import InvalidInput
from adapters.bulk._trouble import Trouble
from resilience import CircuitBreaker


def test_a_row_that_is_no_request_waits_for_no_service():
    """While a circuit is open, rows wait that a server could answer, and no others."""
    breaker = CircuitBreaker(name="bulk trouble", reset_timeout=30)
    breaker.open()
    trouble = Trouble(SimpleNamespace(circuit_breaker=breaker), 300.0, lambda: 0.0)

    assert 1.0 == trouble.wait(ConnectionError("down"), 0)
    assert None is trouble.wait(InvalidInput("no request"), 0)
