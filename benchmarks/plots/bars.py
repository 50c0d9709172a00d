"""Contests as bars, the shortest first: each contestant's ratio to the baseline."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.harness import Result
from benchmarks.plots.style import colour
from benchmarks.table import number

__all__ = ["draw_bars"]

_BAR = 0.27  # inches
_FRAME = 0.8  # inches for title and axis


def draw_bars(results: Sequence[Result]) -> Figure | None:
    """Return one row of bars for each contest, or nothing where there is none."""
    shown = [result for result in results if result.figures]
    if not shown:
        return None
    heights = [_BAR * len(result.figures) + _FRAME for result in shown]
    figure = Figure(figsize=(8, sum(heights)), layout="constrained")
    rows = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)
    for (axes,), result in zip(rows, shown, strict=True):
        _fill(axes, result)
    return figure


def _fill(axes: Axes, result: Result) -> None:
    contest = result.contest
    ordered = sorted(result.figures.items(), key=lambda item: item[1].ratio, reverse=True)
    labels = [label for label, _ in ordered]
    ratios = [figure.ratio for _, figure in ordered]
    ends = [
        [max(0.0, figure.ratio - figure.spread[0]) for _, figure in ordered],
        [max(0.0, figure.spread[1] - figure.ratio) for _, figure in ordered],
    ]
    colours = [colour(label, -1) for label in labels]
    bars = axes.barh(labels, ratios, color=colours, xerr=ends, ecolor="#444444", capsize=2)
    axes.bar_label(bars, [f" {number(ratio)}" for ratio in ratios], padding=3)
    if max(ratios) > 20 * min(ratios):
        axes.set_xscale("log")
    axes.margins(x=0.12)
    better = "more is better" if contest.is_rate else "less is better"
    axes.set_title(f"{contest.title} ({contest.unit}, {better})".replace("`", ""), fontsize=10)
