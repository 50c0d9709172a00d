"""The guard: no hot path takes more than it did, and what is flat stays so."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from benchmarks.functions import closure, echo
from benchmarks.guard import FLAT, LIMITS, PATHS, Cost, cost_of, exceeded
from benchmarks.samples import VALUE

# Each version has instructions of its own; one is enough to tell a dearer path.
GUARDED = (3, 11)
ROOT = Path(__file__).parents[2]


def counted(*arguments: str) -> dict[str, Any]:
    """Return what is counted in a process that does nothing else."""
    command = [sys.executable, "-m", "benchmarks.guard", *arguments]
    output = subprocess.check_output(command, text=True, cwd=ROOT)  # noqa: S603
    found: dict[str, Any] = json.loads(output)
    return found


def costs_in(found: dict[str, Any]) -> dict[str, Cost]:
    """Return the costs by path."""
    return {name: Cost(*cost) for name, cost in found.items()}


@pytest.mark.skipif(sys.version_info[:2] != GUARDED, reason="the limits are those of Python 3.11")
def test_no_hot_path_takes_more_than_its_limit():
    """`python -m benchmarks.guard --write` writes the limits of a change that is meant."""
    limits = costs_in(json.loads(LIMITS.read_text(encoding="utf-8")))
    costs = costs_in(counted())

    assert set(PATHS) == set(costs) == set(limits)
    assert [] == exceeded(costs, limits)


@pytest.mark.skipif(sys.version_info[:2] != GUARDED, reason="the limits are those of Python 3.11")
@pytest.mark.parametrize(("metrics", "limit"), [(False, 2_000), (True, 3_500)])
def test_a_breaker_takes_no_more_memory(metrics: bool, limit: int):
    """With the function that it guards and, where it has them, its statistics, after one call."""
    program = f"""
import resilience
from benchmarks.contests.memory import bytes_of_one
decorator = resilience.circuit_breaker(metrics_enabled={metrics})
bytes_of_one(decorator, 1)  # makes what is made once for all of them
print(bytes_of_one(decorator, 1_000))
"""
    output = subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT)  # noqa: S603

    assert limit >= float(output)


def test_what_is_flat_does_not_grow():
    """With a thousand times as many keys, waiting or recorded calls, one takes a tenth more."""
    costs = counted("--flat")

    assert set(FLAT) == set(costs)
    for few, many in costs.values():
        assert all(more <= 1.1 * less for less, more in zip(few, many, strict=True))


def test_one_call_more_is_seen():
    """A wrapper around a path, or one lock in it, is above the limit of the path alone."""
    plain = cost_of(partial(echo, VALUE))
    wrapped = cost_of(partial(closure(echo), VALUE))
    longer = cost_of(lambda: len(str(echo(VALUE))))

    assert [] == exceeded({"path": plain}, {"path": plain})
    assert plain.instructions < wrapped.instructions
    assert plain.c_calls < longer.c_calls
    for cost in (wrapped, longer):
        (words,) = exceeded({"path": cost}, {"path": plain})
        assert "path: " in words


def test_a_path_without_a_limit_is_told():
    """Nobody adds one that is not guarded."""
    assert 1 == len(exceeded({"new": Cost(1, 1)}, {}))


def test_counting_leaves_the_tracers_as_they_were():
    """Coverage and debuggers go on."""
    before = sys.gettrace(), sys.getprofile()
    cost_of(partial(echo, VALUE))

    assert before == (sys.gettrace(), sys.getprofile())


def test_the_same_call_costs_the_same():
    """On every machine, and however often it is counted."""
    step = partial(closure(echo), VALUE)

    assert cost_of(step) == cost_of(step)
