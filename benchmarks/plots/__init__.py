"""A run as pictures (SVG); the same figures give the same bytes."""

from __future__ import annotations

from pathlib import Path

from benchmarks.plots.bars import draw_bars
from benchmarks.plots.lines import draw_lines
from benchmarks.plots.storms import draw_storm
from benchmarks.plots.style import save
from benchmarks.report import Report

__all__ = ["draw"]


def draw(report: Report, folder: Path) -> list[str]:
    """Write all pictures into the folder and return their names, in the order of the page."""
    pictures = {
        "calls": draw_bars([each for each in report.results if "c" == each.contest.unit]),
        "adapters": draw_bars(
            [each for each in report.results if each.contest.name.startswith("adapter-")]
        ),
        **{curve.series.name: draw_lines(curve) for curve in report.curves},
        **{races.storm.name: draw_storm(races) for races in report.races},
    }
    return [save(figure, folder / f"{name}.svg") for name, figure in pictures.items() if figure]
