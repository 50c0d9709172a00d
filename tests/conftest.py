"""Fixtures of all tests, and the profiles of Hypothesis.

The default one repeats itself, so that a change is never blamed for an old fault;
`--hypothesis-profile thorough` looks for longer, and elsewhere each time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from resilience import _batch_drivers
from resilience._context import deadlines, priorities
from tests.support.leaks import (  # noqa: F401 - hooks of pytest
    pytest_configure,
    pytest_runtest_makereport,
    pytest_unconfigure,
)
from tests.support.run import AsyncRun, Run, SyncRun

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("thorough", deadline=None, max_examples=2_000, stateful_step_count=200)
settings.load_profile("ci")


@pytest.fixture(params=[SyncRun, AsyncRun], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run the test twice, with plain functions in threads and with coroutines on a loop."""
    flavour = request.param()
    yield flavour
    flavour.close()


@pytest.fixture(params=["short way", "any way"])
def _ways_into_a_batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the test twice: as if nothing had been used before and nobody watched, and otherwise."""
    is_short = request.param == "short way"
    monkeypatch.setattr(_batch_drivers, "is_watched", lambda: not is_short)
    if is_short:
        monkeypatch.setattr(deadlines, "in_use", False)
        monkeypatch.setattr(priorities, "in_use", False)


def pytest_collection_finish() -> None:
    """Leave all tests and libraries out of every collection of garbage that is to come.

    Many tests ask for one, which otherwise looks through millions of objects each time.
    """
    gc.collect()
    gc.freeze()
