"""A run in which everything happens that spans and metrics can tell."""

from __future__ import annotations

import contextlib
from typing import Any

from resilience import batched, circuit_breaker, prioritized, retry
from resilience.testing import FakeClock
from tests.support.decorators import pool_of
from tests.support.faults import failing
from tests.support.keys import KeyServer, rejected, throttled
from tests.support.run import Run

__all__ = ["let_everything_happen"]


def let_everything_happen(run: Run) -> None:
    """Calls that succeed, fail, are refused and cancelled, and all that may happen in between.

    Of each kind of fault there is one: what recovers after a retry, of our choosing and of the
    server's; keys that rest and are set aside; a circuit that opens, lets a probe pass and closes;
    lines of each priority; batches that are full, due and flushed.
    """
    with FakeClock() as clock:
        _retry_and_change_keys(run)
        _open_and_close(run, clock)
    with FakeClock(autojump=False) as clock:
        _wait_in_line(run, clock)
        _collect(run, clock)


def _retry_and_change_keys(run: Run) -> None:
    """Each key fails in its own way; then the server names the time, and then we do."""
    server, pool = KeyServer(a=[throttled(7)] * 2, b=[rejected()]), pool_of("ab", name="pool")
    run.decorate(lambda f: retry(name="keys", jitter=0)(pool.inject("key")(f)), server.answer)()
    fail = run.decorate(retry(name="fails", max_retries=1), failing(OSError, ValueError))
    with contextlib.suppress(ValueError):
        fail()
    run.decorate(retry(name="result", retry_result=lambda result: not result), failing(None))()
    with contextlib.suppress(KeyboardInterrupt):
        run.decorate(retry(name="cancelled"), failing(KeyboardInterrupt))()


def _open_and_close(run: Run, clock: FakeClock) -> None:
    """CLOSED, OPEN (refused meanwhile), HALF-OPEN, OPEN, HALF-OPEN, CLOSED, DISABLED, CLOSED."""
    breaker = circuit_breaker(failure_threshold=1, reset_timeout=10, name="circuit")
    fetch = run.decorate(breaker, failing(OSError, OSError))
    for seconds in (0, 0, 10, 10):
        clock.advance(seconds)
        with contextlib.suppress(Exception):
            fetch()
    fetch.circuit_breaker.disable()
    fetch.circuit_breaker.enable()


def _wait_in_line(run: Run, clock: FakeClock) -> None:
    """One of each priority waits behind another one; a further one finds the line full."""
    gate = run.gate()

    @run.drive
    @prioritized(max_concurrent_requests=1, queue_size=3, name="line")
    @run.steps
    def held() -> Any:
        yield gate.wait()

    calls = [run.start(held)]
    run.until(lambda: 1 == gate.arrived)
    for tier in range(3):
        calls.append(run.start(held, priority=tier))
        run.until(lambda tier=tier: tier + 1 == held.queue.size)
    with contextlib.suppress(Exception):
        held()
    clock.advance(2)
    gate.open()
    for call in calls:
        call.result()


def _collect(run: Run, clock: FakeClock) -> None:
    """A batch that is full, one whose time has come, and one that is flushed; each waits in line.

    Its keys, its retries and its errors are those of the function within.
    """
    gate, pool = run.gate(), pool_of("a", name="batch pool")
    settings = {"max_batch_size": 2, "batch_timeout": 5.0, "max_concurrent_batches": 1}

    @batched(**settings, name="batch")
    @retry(max_retries=0)
    @pool.inject("key")
    @run.steps
    def fetch(items: list[Any], *, key: str) -> Any:
        yield gate.wait()
        if None in items:
            raise OSError
        return items

    full = [run.start(fetch, number) for number in (1, 2)]
    run.until(lambda: 1 == gate.arrived)
    due = run.start(fetch, 3)
    run.until(lambda: 1 == fetch.batcher.waiting)
    clock.advance(5)
    run.until(lambda: 0 == fetch.batcher.waiting)
    clock.advance(1)
    gate.open()
    for call in (*full, due):
        call.result()
    with contextlib.suppress(OSError):
        run.call(fetch.map, [None])
