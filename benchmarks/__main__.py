"""`python -m benchmarks`: measure, print the table, and keep that of a whole run."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.contests import CONTESTS
from benchmarks.harness import FULL, QUICK, Contest, Effort, Result, measure
from benchmarks.machine import describe_machine, describe_versions
from benchmarks.table import details, summary

__all__ = ["main"]

LATEST = Path(__file__).parent / "results" / "latest.md"


def main() -> None:
    """Run what the command line selects."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", help="contests whose name begins so (all)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter samples")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument(
        "--output", type=Path, help=f"where to write the page (a whole run: {LATEST.name})"
    )
    options = parser.parse_args()
    contests = _selected(options.name, quick=options.quick)
    if not contests:
        parser.error(f"no contest is called so; there are {', '.join(_names(CONTESTS))}")
    if options.list:
        print("\n".join(_names(contests)))
        return
    is_whole = not options.name and not options.quick
    page = _page(contests, QUICK if options.quick else FULL)
    print(page, end="")
    output = options.output or (LATEST if is_whole else None)
    if output is not None:
        output.write_text(page, encoding="utf-8")


def _selected(prefixes: list[str], *, quick: bool) -> list[Contest]:
    if prefixes:
        return [contest for contest in CONTESTS if contest.name.startswith(tuple(prefixes))]
    return [contest for contest in CONTESTS if not (quick and contest.is_long)]


def _names(contests: list[Contest] | tuple[Contest, ...]) -> list[str]:
    return [contest.name for contest in contests]


def _page(contests: list[Contest], effort: Effort) -> str:
    load_before = os.getloadavg()[0]
    results: list[Result] = []
    for contest in contests:
        print(f"{contest.name} …", file=sys.stderr, flush=True)
        results.append(measure(contest, effort))
    load = f"{load_before:.1f} before and {os.getloadavg()[0]:.1f} after"
    return f"""\
# Benchmarks of {datetime.now(UTC):%Y-%m-%d}

- Machine: {describe_machine()}; load {load}.
- Packages: {describe_versions()}.
- Up to {effort.rounds} rounds; samples of {effort.seconds * 1e3:g} ms where their length is free.

{summary(results)}

## Every figure

{details(results)}
"""


if __name__ == "__main__":
    main()
