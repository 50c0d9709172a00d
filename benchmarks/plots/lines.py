"""A series as lines: the cost of each contestant at each size."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from benchmarks.plots.style import colour
from benchmarks.series import Curve
from benchmarks.table import FACTORS

__all__ = ["draw_lines"]


def draw_lines(curve: Curve) -> Figure:
    """Return the picture of a series; both axes are logarithmic."""
    series = curve.series
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for position, (label, costs) in enumerate(curve.costs.items()):
        best = [costs[size].best * FACTORS[series.shown] for size in series.sizes]
        name = label.replace("`", "")
        axes.plot(list(series.sizes), best, marker="o", label=name, color=colour(label, position))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(list(series.sizes), [f"{size:,}" for size in series.sizes])
    axes.xaxis.minorticks_off()
    axes.set_xlabel(series.axis)
    axes.set_ylabel(series.shown)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
    axes.set_title(series.title.replace("`", ""), fontsize=10)
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    return figure
