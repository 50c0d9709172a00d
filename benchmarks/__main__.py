"""`python -m benchmarks`: measure, print the tables, and keep a whole run's with its plots."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from benchmarks.contests import CONTESTS
from benchmarks.curves import SERIES
from benchmarks.harness import FULL, QUICK, Contest, Effort, measure
from benchmarks.report import Report, page
from benchmarks.series import Series, measure_series
from benchmarks.storm import STORMS, Storm, measure_storm

__all__ = ["main"]

RESULTS = Path(__file__).parent / "results"

T = TypeVar("T", Contest, Series, Storm)


def main() -> None:
    """Run what the command line selects."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help="what to measure, by the beginning of names (all)")
    parser.add_argument("--quick", action="store_true", help="less of everything, and no storm")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument(
        "--output", type=Path, help="the folder for page and plots (a whole run: results)"
    )
    options = parser.parse_args()
    contests = _selected(CONTESTS, options.name, quick=options.quick)
    series = _selected(SERIES, options.name, quick=options.quick)
    storms = _selected(STORMS, options.name, quick=options.quick)
    names = [each.name for each in (*contests, *series, *storms)]
    unknown = [each for each in options.name if not any(name.startswith(each) for name in names)]
    if unknown:
        parser.error(f"nothing is called {' or '.join(unknown)}; --list shows the names")
    if options.list:
        print("\n".join(names))
        return
    is_whole = not options.name and not options.quick
    keep = _keeper(options.output or (RESULTS if is_whole else None))
    effort = QUICK if options.quick else FULL
    report = _run(contests, series, storms, effort)
    keep(report, effort)
    print(page(report, effort), end="")


def _selected(kind: Sequence[T], prefixes: list[str], *, quick: bool) -> list[T]:
    if prefixes:
        return [each for each in kind if each.name.startswith(tuple(prefixes))]
    return [each for each in kind if not (quick and each.is_long)]


def _run(
    contests: Sequence[Contest], series: Sequence[Series], storms: Sequence[Storm], effort: Effort
) -> Report:
    report, before = Report(), os.getloadavg()[0]
    for contest in contests:
        _say(contest.name)
        report.results.append(measure(contest, effort))
    for each in series:
        _say(each.name)
        report.curves.append(measure_series(each, effort))
    for storm in storms:
        _say(storm.name)
        report.races.append(measure_storm(storm, effort.races))
    report.load = (before, os.getloadavg()[0])
    return report


def _say(name: str) -> None:
    print(f"{name} …", file=sys.stderr, flush=True)


def _keeper(folder: Path | None) -> Callable[[Report, Effort], None]:
    """Return what keeps a report, before minutes are spent on one: it may not be installed."""
    if folder is None:
        return lambda report, effort: None
    from benchmarks.plots import draw  # takes its time, and is seldom asked for

    def keep(report: Report, effort: Effort) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        plots = draw(report, folder)
        (folder / "latest.md").write_text(page(report, effort, plots), encoding="utf-8")

    return keep


if __name__ == "__main__":
    main()
