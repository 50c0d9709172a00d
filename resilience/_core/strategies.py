"""How a key pool chooses among the entries that may serve."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from resilience._core.keys import Entry

__all__ = ["DEFAULT", "STRATEGIES", "Strategy"]

DEFAULT = "round-robin"

Strategy = Callable[[Sequence[Entry], float], Entry]


def round_robin(candidates: Sequence[Entry], random: float) -> Entry:
    """Return the next one: the candidates come in the order of the ring."""
    del random
    return candidates[0]


def first(candidates: Sequence[Entry], random: float) -> Entry:
    """Return the one that was added first: the others are for when it cannot serve."""
    del random
    return min(candidates, key=lambda entry: entry.position)


def least_loaded(candidates: Sequence[Entry], random: float) -> Entry:
    """Return the one with the fewest calls for its weight; in turn where several are equal."""
    del random
    return min(candidates, key=_load)


def two_choices(candidates: Sequence[Entry], random: float) -> Entry:
    """Return the less loaded of two different ones at random: no herd runs to the best of all.

    Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001.
    """
    others = len(candidates) - 1
    if not others:
        return candidates[0]
    one, other = divmod(int(random * (others + 1) * others), others)
    return min(candidates[one], candidates[other + (other >= one)], key=_load)


def weighted(candidates: Sequence[Entry], random: float) -> Entry:
    """Return each as often as its weight says, evenly spread.

    Source: the smooth weighted round-robin of nginx.
    """
    del random
    for entry in candidates:
        entry.credit += entry.weight
    best = max(candidates, key=lambda entry: entry.credit)
    best.credit -= sum(entry.weight for entry in candidates)
    return best


def _load(entry: Entry) -> float:
    return (entry.active + 1) / entry.weight


STRATEGIES: dict[str, Strategy] = {
    "first": first,
    "round-robin": round_robin,
    "least-loaded": least_loaded,
    "two-choices": two_choices,
    "weighted": weighted,
}
