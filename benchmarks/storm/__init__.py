"""The storm: the same work against the same unkind server, for ours and for each peer."""

from __future__ import annotations

from benchmarks.storm.measure import STORMS, Finish, Races, Storm, measure_storm
from benchmarks.storm.tables import Total, storm_tables, total

__all__ = [
    "STORMS",
    "Finish",
    "Races",
    "Storm",
    "Total",
    "measure_storm",
    "storm_tables",
    "total",
]
