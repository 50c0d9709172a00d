"""The page of a run: every table, and the plots where they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.harness import Effort, Result
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.series import Curve, cost_table, growth_table
from benchmarks.storm import Races, storm_tables
from benchmarks.table import details, summary

__all__ = ["Report", "page"]


@dataclass
class Report:
    """What a run has measured so far.

    Attributes:
        load: The machine's, before and after.
    """

    results: list[Result] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    races: list[Races] = field(default_factory=list)
    load: tuple[float, float] = (0.0, 0.0)


def page(report: Report, effort: Effort, plots: Sequence[str] = ()) -> str:
    """Return the page; plots are named by their files, which lie beside it."""
    sections = [_head(report, effort), *_sections(report, plots)]
    return "\n\n".join(sections) + "\n"


def _head(report: Report, effort: Effort) -> str:
    before, after = report.load
    return f"""\
# Benchmarks of {datetime.now(UTC):%Y-%m-%d}

- Machine: {describe_machine()}; load {before:.1f} before and {after:.1f} after.
- Packages: {describe_versions()}.
- Up to {effort.rounds} rounds; samples of {effort.seconds * 1e3:g} ms where their length is free; \
{effort.races} races in each storm.
- A figure is the ratio of the best samples; in brackets stands the median of the ratios."""


def _sections(report: Report, plots: Sequence[str]) -> list[str]:
    found: list[str] = []
    if report.results:
        found.append(f"## What a call costs\n\n{summary(report.results)}")
    if report.curves:
        found.append(f"## What grows with the number\n\n{growth_table(report.curves)}")
    if report.races:
        found.append(f"## The storm\n\n{storm_tables(report.races)}")
    if plots:
        pictures = "\n".join(f"![{name.removesuffix('.svg')}]({name})" for name in plots)
        found.append(f"## Plots\n\n{pictures}")
    if report.results:
        found.append(f"## Every figure\n\n{details(report.results)}")
    if report.curves:
        found.append(f"## Every size\n\n{cost_table(report.curves)}")
    return found
