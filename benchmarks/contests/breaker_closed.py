"""`@circuit_breaker` while the circuit is closed."""

from __future__ import annotations

from functools import partial

from benchmarks.functions import closure, closure_async, echo, echo_async
from benchmarks.harness import BASE, DEFAULT, PLAIN, Contest
from benchmarks.peers import BREAKERS, BREAKERS_ASYNC, decorated
from benchmarks.samples import seconds_per_await

__all__ = ["CONTESTS"]

CONTESTS = (
    Contest(
        name="breaker-sync",
        title="`@circuit_breaker`, closed, sync",
        contestants={BASE: partial(closure, echo), **decorated(BREAKERS, echo)},
        goals={PLAIN: 1.8, DEFAULT: 4},
    ),
    Contest(
        name="breaker-async",
        title="`@circuit_breaker`, closed, async",
        contestants={
            BASE: partial(closure_async, echo_async),
            **decorated(BREAKERS_ASYNC, echo_async),
        },
        goals={PLAIN: 1.5, DEFAULT: 3},
        sample=seconds_per_await,
    ),
)
