"""What a key pool shows of its entries: counters, queues and circuits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._circuit_breaker import CircuitBreaker
from resilience._pool_entries import KeyEntries
from resilience._pool_member import Member
from resilience._queue import PriorityQueue
from resilience.telemetry._totals import Totals
from resilience.telemetry.events import KeyRested, publish
from resilience.telemetry.gauges import Reading
from resilience.telemetry.history import Changes, name_of_entry
from resilience.telemetry.instruments import record

if TYPE_CHECKING:
    from resilience.telemetry._report import Report

__all__ = ["KeyStatistics"]


class KeyStatistics(KeyEntries):
    """What can be asked of a pool; every method is thread-safe."""

    gauges = frozenset({"resilience.key.available"})

    def read(self, gauge: str) -> Iterable[Reading]:
        """Return how many entries can be handed out now, without the lock."""
        now, entries = _clock.now(), tuple(self._ring.entries.values())
        return [({"resilience.pool": self.name}, sum(entry.is_ready(now) for entry in entries))]

    @property
    def queues(self) -> Mapping[str, PriorityQueue]:
        """The queues of the entries that have a limit of their own, by name, as they are now."""
        each = {name: member.queue for name, member in tuple(self._members.items())}
        return MappingProxyType({name: queue for name, queue in each.items() if queue is not None})

    @property
    def circuit_breakers(self) -> Mapping[str, CircuitBreaker]:
        """The breakers of the entries that have a circuit of their own, by name."""
        each = {name: member.breaker for name, member in tuple(self._members.items())}
        return MappingProxyType({name: found for name, found in each.items() if found is not None})

    def _measure_lease(self, entry: str) -> None:
        """Count in the metrics that an entry was handed out."""
        if self.users.measure:
            names = {"resilience.pool": self.name, "resilience.key.name": entry}
            record("resilience.key.leases", 1, names)

    def _publish_rest(self, entry: str, seconds: float, reason: str) -> None:
        """Tell that an entry rests; no lock is held."""
        rested = KeyRested(
            name=self.name,
            measured=self.users.measure,
            key_name=entry,
            seconds=seconds,
            reason=reason,
        )
        publish(rested)

    def resting(self) -> dict[str, float]:
        """Return the entries that rest, are used up or set aside, and for how many seconds."""
        now = _clock.now()
        with self._lock:
            waits = {name: entry.pause(now) for name, entry in self._ring.entries.items()}
        return {name: wait for name, wait in waits.items() if wait}

    def snapshots(self) -> dict[str, Totals]:
        """Return copies of the counts of all entries, by name."""
        return {name: each.statistics.snapshot() for name, each in self._named(None).items()}

    def get_stats(self, name: str | None = None) -> dict[str, Any]:
        """Return what the calls on one entry came to, or on all, with each in `endpoints`.

        The fields are those of `resilience.get_stats`; `queue_size`, `active_requests` and
        `circuit_state` are those of the entry itself.

        Raises:
            SettingsError: for an unknown entry.
        """
        return self._totals(name).as_dict()

    def generate_report(self, name: str | None = None, *, include_details: bool = False) -> Report:
        """Return the main figures of one entry, or of all, with rates; see `Report`.

        Raises:
            SettingsError: for an unknown entry.
        """
        from resilience.telemetry._report import report_of  # noqa: PLC0415 - few programs report

        title = self.name if name is None else name_of_entry(self.name, name)
        changes = self._history_of(self._named(name)) if include_details else None
        return report_of(self._totals(name), title, changes)

    def reset_stats(self, name: str | None = None) -> None:
        """Forget what was counted, for one entry or for all.

        Raises:
            SettingsError: for an unknown entry.
        """
        named = self._named(name)
        self._history_of(named).forget()
        for member in named.values():
            member.statistics.reset()

    def _named(self, name: str | None) -> dict[str, Member]:
        return dict(self._members) if name is None else {name: self._member(name)}

    def _history_of(self, names: Iterable[str]) -> Changes:
        known = [name_of_entry(self.name, name) for name in names]
        return Changes(circuits=known, keys=known)

    def _totals(self, name: str | None) -> Totals:
        if name is not None:
            return self._member(name).statistics.snapshot()
        entries = self.snapshots()
        total = Totals().add_all(entries.values())
        total.live["entries"] = entries
        return total
