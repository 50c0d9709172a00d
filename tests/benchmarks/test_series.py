"""How a series comes to its figure: the cost at the largest size to that at the smallest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.curves import SERIES
from benchmarks.harness import DEFAULT, PLAIN, Effort
from benchmarks.samples import seconds_per_call
from benchmarks.series import Curve, Series, cost_table, growth_table, measure_series, sampled

ONE_SAMPLE = Effort(rounds=1, seconds=0.0, fewest=1)
FEW = (2, 4)  # callers, keys or waiting ones, where a real run takes thousands


def scripted(figures: Mapping[int, Sequence[float]]) -> Callable[[int], Any]:
    """Make a line whose samples come to these figures at each size, after one that warms it up."""

    def make(size: int) -> Any:
        rest = iter((1_000.0, *figures[size]))
        return lambda _: next(rest)

    return make


def missing(size: int) -> Any:
    """Stand for a peer that is not installed."""
    raise ModuleNotFoundError


def curve_of(lines: Mapping[str, Any], **changes: Any) -> Curve:
    """Measure a series of two sizes three times."""
    fields: dict[str, Any] = {"name": "series", "title": "the title", "axis": "keys"}
    series = Series(lines=lines, sizes=(1, 1_000), **fields | changes)
    return measure_series(series, Effort(rounds=3, seconds=0.0, fewest=1))


@pytest.mark.parametrize("series", SERIES, ids=[series.name for series in SERIES])
def test_a_series_runs(series: Series):
    """All who are here come to a cost at every size."""
    curve = measure_series(replace(series, sizes=FEW), ONE_SAMPLE)

    assert {PLAIN, DEFAULT} & set(series.lines) <= set(curve.costs) <= set(series.lines)
    assert curve.costs
    assert all(set(FEW) == set(costs) for costs in curve.costs.values())
    assert all(figure.best > 0 for costs in curve.costs.values() for figure in costs.values())


def test_growth_is_the_ratio_of_the_best_at_both_ends():
    """Slower samples change nothing but the spread."""
    curve = curve_of({PLAIN: scripted({1: (2.0, 1.0, 2.0), 1_000: (3.0, 4.0, 3.0)})})

    assert 3.0 == curve.growth[PLAIN].ratio
    assert 1.5 == curve.growth[PLAIN].median
    assert (1.5, 4.0) == curve.growth[PLAIN].spread


def test_a_goal_bounds_the_growth():
    """The table says whether a cost stays what it was."""
    line = scripted({1: (2e-6,) * 3, 1_000: (4e-6,) * 3})
    text = growth_table([curve_of({PLAIN: line}, goals={PLAIN: 1.5})])

    assert "| 1 and 1,000 keys | 2.00 µs | 4.00 µs | 2.00 × (2.00) |" in text
    assert text.endswith("| 1.50 | no |")


def test_a_goal_may_be_the_growth_of_another():
    """Who grows no more than what it stands on has not grown by itself."""
    line, other = scripted({1: (1.0,) * 3, 1_000: (2.0,) * 3}), {1: (3.0,) * 3, 1_000: (6.0,) * 3}
    text = growth_table(
        [curve_of({PLAIN: line, "task": scripted(other)}, goals={PLAIN: "task"}, shown="bytes")]
    )

    assert "| 2.00 to 2.00 | task | yes |" in text


def test_who_is_not_installed_has_no_line():
    """The others have theirs."""
    curve = curve_of({PLAIN: scripted({1: (1.0,) * 3, 1_000: (1.0,) * 3}), "peer": missing})

    assert {PLAIN} == set(curve.costs)
    assert "peer" not in cost_table([curve])


def test_a_sample_is_taken_of_the_call():
    """Each sample makes as many calls as it should."""
    calls: list[int] = []

    assert 0 <= sampled(seconds_per_call, calls.append, 5)(0)
    assert 5 == len(calls)
