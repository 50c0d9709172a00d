"""How a cost grows: the same measured at several sizes, all of them in turn, in one run.

A contest asks who is cheaper; a series asks whether a cost stays what it is when there is more of
something: callers, keys, waiting calls. Its figure is the cost at the largest size as a ratio to
the cost at the smallest one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from benchmarks.figures import Figure, figure_of
from benchmarks.harness import Contest, Effort, Sample, fresh, take_rounds
from benchmarks.samples import Call, own_figure
from benchmarks.table import number, shown, table, verdict

__all__ = ["Curve", "Series", "cost_table", "growth_table", "measure_series", "sampled"]

Step = Callable[[int], object]  # takes one sample; its argument says nothing


@dataclass(frozen=True, kw_only=True)
class Series:
    """A cost at several sizes, for each of several contestants.

    Attributes:
        name: Selects it on the command line.
        title: What is measured.
        axis: What there is more of.
        sizes: How much of it, growing.
        lines: For each label, what makes the taking of one sample at a size. A maker that imports
            what is not installed leaves its line out.
        goals: The most that the cost may grow by, as a ratio, by label; in place of a number, the
            label whose growth is to be reached.
        shown: What a cost is shown in: "µs", "ms" or "bytes".
        with_gc: The garbage collector runs, because it is a part of the cost.
        weight: Rounds are divided by this.
        is_long: A quick run leaves it out.
        around: Stands around the whole series, the making of the lines included.
    """

    name: str
    title: str
    axis: str
    sizes: Sequence[int]
    lines: Mapping[str, Callable[[int], Step]]
    goals: Mapping[str, float | str] = field(default_factory=dict)
    shown: str = "µs"
    with_gc: bool = False
    weight: int = 1
    is_long: bool = False
    around: Callable[[], AbstractContextManager[object]] = nullcontext


@dataclass(frozen=True)
class Curve:
    """A series and what its lines came to: by label and size, and how much each has grown."""

    series: Series
    costs: Mapping[str, Mapping[int, Figure]]
    growth: Mapping[str, Figure]


def sampled(sample: Sample, call: Call, number: int) -> Step:
    """Return what takes a sample of so many calls, with measuring code of its own."""
    taken = fresh(sample)
    return lambda _: taken(call, number)


def measure_series(series: Series, effort: Effort) -> Curve:
    """Measure all lines at all sizes against each other."""
    rounds, absent = take_rounds(_contest(series), effort)
    lines = [label for label in series.lines if _at(label, series.sizes[0]) not in absent]
    first, last = series.sizes[0], series.sizes[-1]
    return Curve(
        series,
        {
            label: {size: figure_of(rounds, _at(label, size)) for size in series.sizes}
            for label in lines
        },
        {label: figure_of(rounds, _at(label, last), _at(label, first)) for label in lines},
    )


def _contest(series: Series) -> Contest:
    """Return the contest of all lines at all sizes, each for itself."""
    return Contest(
        name=series.name,
        title=series.title,
        contestants={
            _at(label, size): _maker(make, size)
            for label, make in series.lines.items()
            for size in series.sizes
        },
        baseline=None,
        sample=own_figure,
        echoes=False,
        number=1,
        with_gc=series.with_gc,
        weight=series.weight,
        around=series.around,
    )


def _maker(make: Callable[[int], Step], size: int) -> Callable[[], Step]:
    return lambda: make(size)


def _at(label: str, size: int) -> str:
    return f"{label} at {size}"


def growth_table(curves: Sequence[Curve]) -> str:
    """Return the table: the cost at the smallest and the largest size, and the growth."""
    sizes = ("sizes", "smallest", "largest")
    header = ("what", "whose", *sizes, "growth", "spread", "goal", "reached")
    return table(header, (row for curve in curves for row in _rows(curve)))


def _rows(curve: Curve) -> Iterable[tuple[str, ...]]:
    series = curve.series
    sizes = (series.sizes[0], series.sizes[-1])
    for label, costs in curve.costs.items():
        growth, goal = curve.growth[label], series.goals.get(label)
        yield (
            series.title,
            label,
            f"{sizes[0]:,} and {sizes[1]:,} {series.axis}",
            *(shown(series.shown, costs[size].best) for size in sizes),
            f"{number(growth.ratio)} × ({number(growth.median)})",
            " to ".join(map(number, growth.spread)),
            *(("", "") if goal is None else _goal_cells(curve, growth, goal)),
        )


def _goal_cells(curve: Curve, growth: Figure, goal: float | str) -> tuple[str, str]:
    """Return the goal, and whether it is reached."""
    if isinstance(goal, str):
        return goal, verdict(growth, curve.growth[goal].ratio)
    return number(goal), verdict(growth, goal)


def cost_table(curves: Sequence[Curve]) -> str:
    """Return every cost: of each line at each size, the best and the median."""
    header = ("series", "whose", "size", "best", "median")
    rows = (
        (
            curve.series.name,
            label,
            f"{size:,} {curve.series.axis}",
            shown(curve.series.shown, figure.best),
            shown(curve.series.shown, figure.median),
        )
        for curve in curves
        for label, costs in curve.costs.items()
        for size, figure in costs.items()
    )
    return table(header, rows)
