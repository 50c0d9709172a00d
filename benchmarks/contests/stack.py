"""Retry, breaker and queue in one stack, around a function that succeeds at once."""

from __future__ import annotations

from functools import partial

from benchmarks.functions import closure, echo
from benchmarks.harness import BASE, DEFAULT, PLAIN, Contest
from benchmarks.peers import STACKS, decorated

__all__ = ["CONTESTS"]

CONTESTS = (
    Contest(
        name="stack",
        title="retry + breaker + queue in one stack, sync",
        contestants={BASE: partial(closure, echo), **decorated(STACKS, echo)},
        goals={PLAIN: 5, DEFAULT: 7},
    ),
)
