"""Requests side by side: what comes of them, in which order and in which context."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from adapters._together import together, together_async
from resilience import Priority, deadline, priority
from resilience._context import current_priority
from resilience.testing import FakeClock
from tests.support.run import Run


@pytest.fixture
def side_by_side(run: Run) -> Callable[..., Any]:
    """Run a body of steps once for each of some values, so many at a time."""
    function = {"sync": together, "async": together_async}[run.flavour]

    def call(body: Callable[[Any], Any], *values: Any, width: int) -> Any:
        job = run.steps(body)
        return run.call(function, [partial(job, value) for value in values], width)

    return call


def test_results_come_in_the_order_of_the_jobs(run: Run, side_by_side):
    """Whichever ends first."""
    second, ended = run.gate(), []

    def body(value):
        if value == 1:
            yield second.wait()
        else:
            second.open()
        ended.append(value)
        return value

    assert [1, 2] == side_by_side(body, 1, 2, width=2)
    assert [2, 1] == ended


def test_of_several_errors_that_of_the_first_job_is_raised(run: Run, side_by_side):
    """Whichever comes first; the others have ended by then."""
    second, ended = run.gate(), []

    def body(value):
        if value == 1:
            yield second.wait()
        else:
            second.open()
        ended.append(value)
        raise ValueError(value)

    with pytest.raises(ValueError, match="1"):
        side_by_side(body, 1, 2, width=2)

    assert [2, 1] == ended


def test_each_job_has_the_context_of_the_caller(run: Run, side_by_side):
    """Its priority and its deadline; what a job changes, no other one sees."""
    both, seen = run.gate(), []

    def body(value):
        with priority(Priority.LOW) if value == 1 else deadline(20):
            if value == 2:
                both.open()
            yield both.wait()
            seen.append((value, current_priority(), deadline.remaining()))

    with FakeClock(), priority(Priority.HIGH), deadline(30):
        side_by_side(body, 1, 2, width=2)

    assert [(1, Priority.LOW, 30), (2, Priority.HIGH, 20)] == sorted(seen)


def test_no_jobs_have_no_results(side_by_side):
    """There is nothing to wait for."""
    assert [] == side_by_side(None, width=2)
