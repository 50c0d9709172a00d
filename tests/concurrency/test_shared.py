"""One queue and one breaker for eight threads and several event loops at once."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    PriorityQueue,
    QueueTimeoutError,
    circuit_breaker,
    prioritized,
)

LIMIT = 3
CALLS = 60
THREADS = 5
LOOPS = 3


class Gauge:
    """Counts how many run at once, and the most that ever did."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now = self.most = self.calls = 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.calls += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


@pytest.mark.parametrize("seed", range(5))
def test_eight_threads_and_three_loops_share_all(seed: int):  # noqa: C901, PLR0915 - one scene
    """Every call ends, never more than the limit run, and nothing is held at the end."""
    queue = PriorityQueue(max_concurrent_requests=LIMIT, queue_size=10_000)
    breaker = CircuitBreaker(failure_threshold=10_000)
    gauge, outcomes, errors = Gauge(), [], []

    @prioritized(queue)
    @circuit_breaker(breaker)
    def work(dice: random.Random) -> str:
        with gauge:
            if dice.random() < 0.2:
                raise OSError
            return "done"

    @prioritized(queue)
    @circuit_breaker(breaker)
    async def work_async(dice: random.Random) -> str:
        with gauge:
            await asyncio.sleep(0)
            if dice.random() < 0.2:
                raise OSError
            return "done"

    def thread(number: int) -> None:
        dice = random.Random(f"{seed}/{number}")
        for _ in range(CALLS):
            try:
                outcomes.append(work(dice, priority=dice.randrange(3)))
            except OSError:
                outcomes.append("failed")

    async def task(dice: random.Random) -> None:
        try:
            outcomes.append(await work_async(dice, priority=dice.randrange(3)))
        except OSError:
            outcomes.append("failed")
        except asyncio.CancelledError:
            outcomes.append("cancelled")

    async def loop(number: int) -> None:
        dice = random.Random(f"{seed}/loop/{number}")
        tasks = [asyncio.create_task(task(dice)) for _ in range(CALLS)]
        for each in tasks:
            for _ in range(dice.randrange(3)):
                await asyncio.sleep(0)
            if dice.random() < 0.3:
                each.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        # A task that is cancelled before its first step never gets to say so.
        outcomes.extend("cancelled" for each in ended if isinstance(each, asyncio.CancelledError))

    def guarded(run, *args) -> None:
        try:
            run(*args)
        except BaseException as error:
            errors.append(error)

    runs = [(thread, number) for number in range(THREADS)]
    runs += [(lambda number: asyncio.run(loop(number)), number) for number in range(LOOPS)]
    threads = [threading.Thread(target=guarded, args=run) for run in runs]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert [] == errors
    assert not any(each.is_alive() for each in threads), "a wake-up was lost"
    assert (THREADS + LOOPS) * CALLS == len(outcomes)
    assert LIMIT >= gauge.most
    assert (0, 0, 0) == (gauge.now, queue.active, queue.size)
    assert {} == queue._holders
    assert breaker.state == "CLOSED"


@pytest.mark.parametrize("seed", range(3))
def test_a_half_open_breaker_lets_one_of_all_through(seed: int):
    """Threads and loops race for the only probe of a shared breaker."""
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=0)
    start, gauge, refused = threading.Barrier(8), Gauge(), []
    release = threading.Event()
    permit = breaker.admit()
    breaker.record(permit, OSError())

    @circuit_breaker(breaker)
    def probe() -> None:
        with gauge:
            release.wait(30)

    @circuit_breaker(breaker)
    async def probe_async() -> None:
        with gauge:
            release.wait(30)

    def run(number: int) -> None:
        start.wait(30)
        try:
            asyncio.run(probe_async()) if number % 2 else probe()
        except CircuitOpenError as error:
            refused.append(error)
        if len(refused) == 7:
            release.set()

    breaker.machine.rules = breaker.machine.rules.__class__(failure_threshold=1, reset_timeout=30)
    threads = [threading.Thread(target=run, args=(number + seed,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)

    assert (1, 1, 7) == (gauge.calls, gauge.most, len(refused))
    assert "CLOSED" == breaker.state


def test_a_queue_timeout_in_the_crowd_takes_nothing_away():
    """Waiters that give up at once leave all permits to the others."""
    queue = PriorityQueue(max_concurrent_requests=1, queue_size=100, queue_timeout=0)
    served, refused = [], []
    with queue.permit():

        def ask() -> None:
            try:
                with queue.permit():
                    served.append(1)
            except QueueTimeoutError:
                refused.append(1)

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(30)

    assert (0, 20) == (len(served), len(refused))
    assert (0, 0) == (queue.active, queue.size)
