"""One file for each thing that there may be more of; here they are in the order of the table."""

from __future__ import annotations

from benchmarks.curves import callers, keys, records, waiting

__all__ = ["SERIES"]

SERIES = (*callers.SERIES, *waiting.SERIES, *keys.SERIES, *records.SERIES)
