"""More keys in a pool: what one lease costs, taken and given back."""

from __future__ import annotations

from collections.abc import Callable

import resilience
from benchmarks.harness import fresh
from benchmarks.samples import VALUE, seconds_per_call
from benchmarks.series import Series, Step

__all__ = ["SERIES"]

_STRATEGIES = ("round-robin", "two-choices", "first", "least-loaded", "weighted")
_LEASES = 500


def _leasing(strategy: str) -> Callable[[int], Step]:
    def line(size: int) -> Step:
        keys = {f"key {number}": f"sk-benchmark-{number}" for number in range(size)}
        lease = resilience.KeyPool(keys, strategy=strategy).lease

        def call(value: int) -> int:
            with lease() as leased:
                assert leased.key
            return value

        assert VALUE == call(VALUE)
        sample = fresh(seconds_per_call)

        def step(_: int) -> float:
            for _ in range(size):  # a key's first lease in a second costs more, at any size
                call(VALUE)
            return sample(call, _LEASES)

        return step

    return line


SERIES = (
    Series(
        name="keys",
        title="`KeyPool`, one lease",
        axis="keys",
        sizes=(2, 10, 100, 1_000),
        lines={strategy: _leasing(strategy) for strategy in _STRATEGIES},
        goals=dict.fromkeys(_STRATEGIES, 1.5),
        weight=20,
    ),
)
