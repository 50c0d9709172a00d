"""Orders of decorators that work but do not do what they seem to.

The order that `resilient` builds, outermost first:
deadline, batched, retry, key pool, prioritized, circuit breaker, attempt time-out, the function.
"""

from __future__ import annotations

from resilience._warnings import warn
from resilience.errors import OrderWarning

__all__ = ["MISTAKES", "check", "mistakes_of"]

# (outer layer, inner layer): what goes wrong.
MISTAKES = {
    ("circuit_breaker", "retry"): (
        "a circuit breaker outside a retry counts only final outcomes, and lets every attempt of "
        "a call hit a service that it would have spared"
    ),
    ("prioritized", "retry"): (
        "a queue outside a retry holds its permit while the retry sleeps, and others wait for it"
    ),
    ("key_pool", "retry"): (
        "a key pool outside a retry holds its key while the retry sleeps, and repeats on a key "
        "that rests"
    ),
    ("circuit_breaker", "prioritized"): (
        "a circuit breaker outside a queue admits calls that then wait: they are sent even if the "
        "circuit opens meanwhile"
    ),
    ("circuit_breaker", "key_pool"): (
        "a circuit breaker outside a key pool sees one outcome for several requests"
    ),
    ("prioritized", "key_pool"): (
        "a queue outside a key pool holds its permit while the pool waits for a key"
    ),
    ("attempt_timeout", "retry"): (
        "an attempt time-out outside a retry is a time-out of the whole call, its sleeps included"
    ),
    ("retry", "batched"): ("a retry outside a batch repeats each item of a failed batch by itself"),
    ("prioritized", "batched"): (
        "a queue outside a batch limits the items that wait for company, not the batches that run"
    ),
    ("key_pool", "batched"): (
        "a key pool outside a batch leases a key for each item, and items with different keys "
        "share no batch"
    ),
    ("circuit_breaker", "batched"): (
        "a circuit breaker outside a batch counts the failure of one batch once for each item"
    ),
    ("attempt_timeout", "batched"): (
        "an attempt time-out outside a batch runs while its item waits for company"
    ),
}


def mistakes_of(kinds: tuple[str, ...]) -> list[str]:
    """Return what is wrong with these layers, the outermost first."""
    found = [mistakes_of_outermost(kinds[index:]) for index in range(len(kinds))]
    return list(dict.fromkeys(mistake for some in found for mistake in some))


def mistakes_of_outermost(kinds: tuple[str, ...]) -> list[str]:
    """Return what is wrong between the first of these layers and those within it."""
    pairs = dict.fromkeys((kinds[0], inner) for inner in kinds[1:])
    return [MISTAKES[pair] for pair in pairs if pair in MISTAKES]


def check(kinds: tuple[str, ...], name: str) -> None:
    """Warn if the outermost layer, which has just been added, makes a known mistake."""
    for mistake in mistakes_of_outermost(kinds):
        warn(f"{name}: {mistake}; put the decorators the other way round", OrderWarning)
