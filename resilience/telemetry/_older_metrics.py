"""The switch that adds the metrics which the GenAI conventions had up to v1.41.

Dashboards that were made for those show calls of models then as well; the newer metrics are there
in any case.
"""

from __future__ import annotations

import os

__all__ = ["VARIABLE", "are_wanted", "turn_off", "turn_on"]

VARIABLE = "RESILIENCE_OTEL_OLDER_GENAI_METRICS"  # "true" adds them, where the program says nothing

_said: list[bool] = []  # the last one counts


def turn_on() -> None:
    """Add them from now on, whatever the environment says."""
    _said[:] = [True]


def turn_off() -> None:
    """Add them no more, whatever the environment says."""
    _said[:] = [False]


def are_wanted() -> bool:
    """Return whether they are to be added."""
    return _said[0] if _said else os.environ.get(VARIABLE, "").strip().lower() == "true"
