"""Values as they are now, of every object that is alive: read only when somebody collects.

Objects of one name show as one. Nothing is locked and no code of the user's is called: whoever
collects may hold a lock of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from resilience import _fork
from resilience.telemetry._totals import GRAVEST_FIRST

if TYPE_CHECKING:
    from resilience._users import Users

__all__ = ["Gauged", "Reading", "number_of_state", "readings_of"]

Reading = tuple[Mapping[str, str | int], float]

_STATE = "resilience.circuit_breaker.state"


class Gauged(Protocol):
    """An object with gauges.

    Attributes:
        gauges: The names of its metrics.
        users: The functions whose metrics it follows.
    """

    gauges: ClassVar[frozenset[str]]
    users: Users

    def read(self, gauge: str) -> Iterable[Reading]:
        """Return the attributes and the value of each point of this metric."""
        ...


def readings_of(gauge: str) -> list[Reading]:
    """Return the points of this metric, over all objects that have it."""
    found: dict[tuple[tuple[str, str | int], ...], float] = {}
    living = [each for each in _fork.living() if gauge in getattr(each, "gauges", ())]
    for thing in cast("list[Gauged]", living):
        if not thing.users.want_metrics:
            continue
        for attributes, value in thing.read(gauge):
            key = tuple(attributes.items())
            found[key] = _together(gauge, found[key], value) if key in found else value
    return [(dict(key), value) for key, value in found.items()]


def _together(gauge: str, one: float, other: float) -> float:
    """Return what two objects of one name come to: the gravest state, or the sum."""
    if gauge != _STATE:
        return one + other
    states = [number_of_state(name) for name in GRAVEST_FIRST]
    return min(one, other, key=lambda state: states.index(int(state)))


def number_of_state(name: str) -> int:
    """Return the number that stands for a state of a circuit breaker."""
    # The instruments have imported it: without them nobody asks, and it takes 5 ms.
    from resilience.telemetry.conventions import CIRCUIT_STATES  # noqa: PLC0415

    return CIRCUIT_STATES[name]
