"""`get_stats`, `generate_report`, `reset_stats`: what the calls of this process came to."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from resilience._wrapper import stack_of
from resilience.telemetry._report import Report, report_of
from resilience.telemetry._totals import Totals
from resilience.telemetry.history import Changes, name_of_entry
from resilience.telemetry.statistics import CallStatistics, all_statistics

__all__ = ["Named", "Report", "generate_report", "get_stats", "reset_stats"]

Named = str | Callable[..., Any] | None


def get_stats(name: Named = None) -> dict[str, Any]:
    """Return the counts of one function, by its name or itself, or of all added up.

    Values are counts, and seconds for latencies; percentiles are exact to 2 %.
    A call is one request here, however many attempts it took.

    Raises:
        KeyError: if nothing of that name was decorated, or its metrics are off.
    """
    return _totals(name).as_dict()


def generate_report(name: Named = None, *, include_details: bool = False) -> Report:
    """Return the main figures of one function, or of all, with rates; see `Report`.

    Args:
        name: As for `get_stats`.
        include_details: Add the figures by model, endpoint, type of error and function, how
            latencies are spread, and what happened when: outcomes, circuits, cooldowns of keys.

    Raises:
        KeyError: if nothing of that name was decorated, or its metrics are off.
    """
    totals = _totals(name)
    if name is None:
        report = report_of(totals, None, Changes() if include_details else None)
        if include_details:
            snapshots = {each: found.snapshot() for each, found in all_statistics().items()}
            report["functions"] = {each: found.requests for each, found in snapshots.items()}
        return report
    changes = _changes_of(totals) if include_details else None
    return report_of(totals, _known_name(name), changes)


def reset_stats(name: Named = None) -> None:
    """Forget what was counted, for one function or for all, with all that `get_stats()` shows.

    Entries of a pool, which other functions may share, are forgotten with all, or by the pool.

    Raises:
        KeyError: if nothing of that name was decorated, or its metrics are off.
    """
    if name is None:
        Changes().forget()
        for record in all_statistics().values():
            pool = record.snapshot().live.get("pool")
            if pool is not None:
                pool.reset_stats()
            record.reset()
        return
    record = _record(name)
    Changes(circuits=record.snapshot().live.get("circuits", ()), keys=()).forget()
    record.reset()


def _totals(name: Named) -> Totals:
    return _totals_of_all() if name is None else _record(name).snapshot()


def _totals_of_all() -> Totals:
    """Return the counts of all names; each queue and each pool once, however many share it."""
    total, batch_waiting = Totals(), 0
    queues: dict[object, dict[str, Any]] = {}
    pools: dict[object, dict[str, Any]] = {}
    for record in all_statistics().values():
        snapshot = record.snapshot()
        total.add(snapshot)
        if "queue" in snapshot.live:
            queues[snapshot.live["queue"]] = snapshot.live
        if "pool" in snapshot.live:
            pools[snapshot.live["pool"]] = snapshot.live
        batch_waiting += snapshot.live.get("batch_waiting", 0)
    for field in ("queue_size", "active_requests"):
        total.live[field] = sum(live[field] for live in queues.values())
    total.live["batch_waiting"] = batch_waiting
    total.live["entries"] = _entries_of_all(pools)
    return total


def _entries_of_all(pools: dict[Any, dict[str, Any]]) -> dict[str, Totals]:
    """Return the entries of all pools; with the pool's name where two have an entry of one name."""
    found: defaultdict[str, defaultdict[str, list[Totals]]]
    found = defaultdict(lambda: defaultdict(list))
    for pool, live in pools.items():
        for entry, totals in live["entries"].items():
            found[entry][pool.name].append(totals)
    return {
        entry if len(by_pool) == 1 else name_of_entry(pool, entry): Totals().add_all(each)
        for entry, by_pool in found.items()
        for pool, each in by_pool.items()
    }


def _changes_of(totals: Totals) -> Changes:
    """Return the changes of the circuits and keys of one function."""
    live = totals.live
    keys = [name_of_entry(live["pool"].name, entry) for entry in live.get("entries", ())]
    return Changes(circuits=[*live.get("circuits", ()), *keys], keys=keys)


def _record(name: str | Callable[..., Any]) -> CallStatistics:
    known, records = _known_name(name), all_statistics()
    if known not in records:
        nearest = difflib.get_close_matches(known, records, n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        msg = f"nothing named {known!r} has statistics{hint}"
        raise KeyError(msg)
    return records[known]


def _known_name(name: str | Callable[..., Any]) -> str:
    """Return the name that statistics know: of a decorated function, what its layers call it."""
    if isinstance(name, str):
        return name
    stack = stack_of(name)
    return repr(name) if stack is None else stack[0].name
