"""`@retry` around a function that succeeds at once."""

from __future__ import annotations

from functools import partial

from benchmarks.functions import closure, closure_async, echo, echo_async
from benchmarks.harness import BASE, DEFAULT, PLAIN, Contest
from benchmarks.peers import RETRIES, RETRIES_ASYNC, decorated
from benchmarks.samples import seconds_per_await

__all__ = ["CONTESTS"]

CONTESTS = (
    Contest(
        name="retry-sync",
        title="`@retry`, success, sync",
        contestants={BASE: partial(closure, echo), **decorated(RETRIES, echo)},
        goals={PLAIN: 1.6, DEFAULT: 4},
    ),
    Contest(
        name="retry-async",
        title="`@retry`, success, async",
        contestants={
            BASE: partial(closure_async, echo_async),
            **decorated(RETRIES_ASYNC, echo_async),
        },
        goals={PLAIN: 1.5, DEFAULT: 3},
        sample=seconds_per_await,
    ),
)
