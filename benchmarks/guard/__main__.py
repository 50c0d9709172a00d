"""`python -m benchmarks.guard`: count what each hot path takes; in a process that did nothing else.

What is imported and set up changes what is counted, so nobody else may be there.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping

from benchmarks.guard.counting import LIMITS, Cost, cost_of
from benchmarks.guard.paths import FLAT, PATHS, SIZES, still

__all__ = ["count_paths"]


def count_paths() -> dict[str, Cost]:
    """Return the cost of every hot path."""
    with still():
        return {name: cost_of(make()) for name, make in PATHS.items()}


def _count_flat() -> dict[str, tuple[Cost, ...]]:
    with still():
        return {name: tuple(cost_of(make(size)) for size in SIZES) for name, make in FLAT.items()}


def _as_json(costs: Mapping[str, object]) -> str:
    """Return a line for each path, so that a change shows what has changed."""
    lines = (f"  {json.dumps(name)}: {json.dumps(cost)}" for name, cost in costs.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Print the costs as JSON, or write them as the new limits."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"write {LIMITS.name} anew")
    parser.add_argument("--flat", action="store_true", help="count what must not grow, twice")
    options = parser.parse_args()
    if options.write:
        LIMITS.write_text(_as_json(count_paths()), encoding="utf-8")
    else:
        print(_as_json(_count_flat() if options.flat else count_paths()), end="")


if __name__ == "__main__":
    main()
