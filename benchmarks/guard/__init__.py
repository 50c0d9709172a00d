"""The guard against regressions: what a hot path costs, counted and not timed."""

from __future__ import annotations

from benchmarks.guard.counting import LIMITS, Cost, cost_of, exceeded
from benchmarks.guard.paths import FLAT, PATHS, SIZES

__all__ = ["FLAT", "LIMITS", "PATHS", "SIZES", "Cost", "cost_of", "exceeded"]
