"""How a key pool chooses among the entries that may serve.

A strategy gets the offer and a random number of [0, 1), and returns an entry, or None where
nobody may serve. It runs under the pool's lock, and looks at no more entries than it must.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from resilience._core.key_entry import Entry
from resilience._core.key_orders import LoadOrder, ShareOrder
from resilience._core.keys import Offer

__all__ = ["DEFAULT", "STRATEGIES", "Strategy"]

DEFAULT = "round-robin"

Strategy = Callable[[Offer, float], Entry | None]


def round_robin(offer: Offer, random: float) -> Entry | None:
    """Return the next one; one with a free permit, if there is any."""
    del random
    turn = next(iter(offer), None)
    if turn is None or turn.line is None or turn.has_permit:
        return turn
    return next((entry for entry in offer if entry.has_permit), turn)


def first(offer: Offer, random: float) -> Entry | None:
    """Return the one that was added first: the others are for when it cannot serve."""
    del random
    return next(offer.in_order(), None)


def least_loaded(offer: Offer, random: float) -> Entry | None:
    """Return the one with the fewest calls for its weight; in turn where several are equal."""
    del random
    return offer.first_by(LoadOrder)


def two_choices(offer: Offer, random: float) -> Entry | None:
    """Return the less loaded of two different ones at random: no herd runs to the best of all.

    Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001.
    """
    pair = _pair(offer.everybody, random)
    if not all(offer.allows(entry) and entry.has_permit for entry in pair):
        ready = list(offer)
        pair = _pair([entry for entry in ready if entry.has_permit] or ready, random)
    return min(pair, key=_load, default=None)


def weighted(offer: Offer, random: float) -> Entry | None:
    """Return each as often as its weight says, evenly spread."""
    del random
    return offer.first_by(ShareOrder)


def _pair(entries: Sequence[Entry], random: float) -> Sequence[Entry]:
    """Return two different entries, or as many as there are."""
    others = len(entries) - 1
    if others < 1:
        return entries
    one, other = divmod(int(random * (others + 1) * others), others)
    return entries[one], entries[other + (other >= one)]


def _load(entry: Entry) -> tuple[bool, float]:
    return not entry.has_permit, (entry.active + 1) / entry.weight


STRATEGIES: dict[str, Strategy] = {
    "first": first,
    "round-robin": round_robin,
    "least-loaded": least_loaded,
    "two-choices": two_choices,
    "weighted": weighted,
}
