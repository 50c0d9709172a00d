"""Threads that call the OpenAI adapter of one client at once: requests per second, and waits.

The clients, ours and the others, are those of `adapter_cpu`. Client and server share the machine.
"""

from __future__ import annotations

from benchmarks.contests.adapter_cpu import CLIENTS, THREADS, running
from benchmarks.harness import DEFAULT, PLAIN, Contest
from benchmarks.samples import of_threads, slowest_of_threads

__all__ = ["CONTESTS"]

_CALLS = 20 * THREADS
_RIVAL = "openai SDK"


CONTESTS = (
    Contest(
        name="adapter-threads",
        title=f"adapter, {THREADS} threads, requests per second",
        contestants=CLIENTS,
        baseline=_RIVAL,
        unit="×",
        goals={PLAIN: 2, DEFAULT: 2},
        sample=of_threads(THREADS),
        number=_CALLS,
        shown="k/s",
        is_rate=True,
        weight=25,
        around=running,
    ),
    Contest(
        name="adapter-latency",
        title=f"adapter, {THREADS} threads, 99 of 100 requests are answered within",
        contestants=CLIENTS,
        baseline=_RIVAL,
        unit="×",
        goals={PLAIN: 1, DEFAULT: 1},
        sample=slowest_of_threads(THREADS),
        number=_CALLS,
        shown="ms",
        weight=25,
        around=running,
    ),
)
