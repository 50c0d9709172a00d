"""A storm as a picture: right answers as they come in, and what they cost in requests."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.plots.style import colour
from benchmarks.storm import Races, total
from benchmarks.storm.weather import OUTAGE
from benchmarks.table import number

__all__ = ["draw_storm"]


def draw_storm(races: Races) -> Figure:
    """Return the first race of each contestant over time, and the requests of all of them."""
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    _answers(left, races)
    _requests(right, races)
    figure.suptitle(f"The storm, {races.storm.title}", fontsize=10)
    return figure


def _answers(axes: Axes, races: Races) -> None:
    axes.axvspan(*OUTAGE, color="#dddddd", label="outage")
    for position, (label, finishes) in enumerate(races.finishes.items()):
        times = [0.0, *sorted(finishes[0].count.answered), races.storm.seconds]
        numbers = [*range(len(times) - 1), len(times) - 2]
        axes.step(times, numbers, where="post", label=label, color=colour(label, position))
    axes.set_xlabel("seconds")
    axes.set_ylabel("right answers")
    axes.legend(loc="upper left")


def _requests(axes: Axes, races: Races) -> None:
    labels = list(races.finishes)[::-1]
    needed = [total(races, label).of_a_thousand for label in labels]
    colours = [colour(label, len(labels) - 1 - position) for position, label in enumerate(labels)]
    bars = axes.barh(labels, needed, color=colours)
    axes.bar_label(bars, [f" {number(each)}" for each in needed], padding=3)
    axes.margins(x=0.15)
    axes.set_xlabel("requests for 1,000 right answers")
