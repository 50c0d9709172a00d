"""What is measured where the program has set up a meter provider."""

from __future__ import annotations

import asyncio

import pytest

from resilience import CircuitOpenError, batched, circuit_breaker, prioritized, retry
from resilience.testing import FakeClock
from tests.support.decorators import pool_of
from tests.support.faults import HttpError, failing
from tests.support.keys import KeyServer, rejected, throttled


def test_a_call_is_measured_by_its_outcome(run, metrics):
    """How long it took, retries included; what failed and what was refused says of what type."""
    fetch = run.decorate(
        retry(name="fetch", max_retries=1, jitter=0),
        failing("fine", OSError, "fine", *[ValueError] * 2),
    )
    guarded = run.decorate(circuit_breaker(name="guarded"), failing())
    guarded.circuit_breaker.open()
    cancelled = run.decorate(retry(name="cancelled"), failing(asyncio.CancelledError))
    with FakeClock():
        fetch()
        fetch()
        for call, error in (
            (fetch, ValueError),
            (guarded, CircuitOpenError),
            (cancelled, asyncio.CancelledError),
        ):
            with pytest.raises(error):
                call()

    assert {
        ("fetch", "success"): (2, 1),
        ("ValueError", "fetch", "failure"): (1, 1),
        ("CircuitOpenError", "guarded", "refused"): (1, 0),
        ("cancelled", "cancelled"): (1, 0),
    } == metrics.points("call.duration")


def test_retries_are_counted_and_their_waits_measured(run, metrics):
    """By reason and type of error, and by who chose the wait."""
    limited = HttpError(429, {"Retry-After": "7"})
    limited.code = "rate_limit_exceeded"
    fetch = run.decorate(
        retry(name="fetch", jitter=0, retry_result=lambda result: result is None),
        failing(OSError, limited, None),
    )
    with FakeClock():
        fetch()

    assert {
        ("OSError", "fetch", "transient"): 1,
        ("rate_limit_exceeded", "fetch", "rate_limit"): 1,
        ("fetch", "result"): 1,
    } == metrics.points("retry.attempts")
    assert {("fetch", "backoff"): (2, 5), ("fetch", "server"): (1, 7)} == metrics.points(
        "retry.delay"
    )


def test_waiting_for_a_key_repeats_nothing(run, metrics):
    """Nothing was sent that could be sent again; the wait is one of the retry all the same."""
    pool = pool_of("a")
    fetch = run.decorate(
        lambda f: retry(name="fetch", jitter=0)(pool.inject("key")(f)), KeyServer().answer
    )
    with FakeClock():
        with pytest.raises(HttpError), pool.lease():
            raise throttled(5)
        fetch()

    assert {} == metrics.points("retry.attempts")
    assert [(1, 5)] == list(metrics.points("retry.delay").values())


def test_circuits(run, metrics):
    """Each change is counted, and the state is a number: 0 closed, 1 half-open, 2 open."""
    fetch = run.decorate(
        circuit_breaker(failure_threshold=1, reset_timeout=10, name="circuit"),
        failing("fine", OSError),
    )
    states = []

    def look():
        states.append(metrics.points("circuit_breaker.state")["circuit",])

    with FakeClock() as clock:
        fetch()
        look()
        with pytest.raises(OSError, match="scripted"):
            fetch()
        look()
        clock.advance(10)
        look()
        fetch()
        look()
        fetch.circuit_breaker.disable()
        look()

    assert [0, 2, 1, 0, 3] == states
    assert {
        ("CLOSED", "circuit", "OPEN"): 1,
        ("OPEN", "circuit", "HALF-OPEN"): 1,
        ("HALF-OPEN", "circuit", "CLOSED"): 1,
        ("CLOSED", "circuit", "DISABLED"): 1,
    } == metrics.points("circuit_breaker.transitions")


def test_queues(run, metrics):
    """Who waits by priority, who holds a permit, how many there are, and how long it took."""
    gate = run.gate()

    @run.drive
    @prioritized(max_concurrent_requests=1, name="line")
    @run.steps
    def fetch():
        yield gate.wait()

    with FakeClock(autojump=False) as clock:
        first = run.start(fetch)
        run.until(lambda: 1 == gate.arrived)
        others = [run.start(fetch, priority=tier) for tier in (0, 2, 2)]
        run.until(lambda: 3 == fetch.queue.size)
        waiting, active = metrics.points("queue.size"), metrics.points("queue.active")
        clock.advance(2.5)
        gate.open()
        for call in (first, *others):
            call.result()
    for call in (first, *others):
        call.result()

    assert {("line", 0): 1, ("line", 1): 0, ("line", 2): 2} == waiting
    assert {("line",): 1} == active == metrics.points("queue.limit")
    assert {("line", 0): (1, 2.5), ("line", 2): (2, 5)} == metrics.points("queue.wait")
    assert {("line",): 0} == metrics.points("queue.active")


def test_batches(run, metrics):
    """How many items each had, why it went, and how long the oldest had waited."""
    fetch = batched(max_batch_size=2, batch_timeout=60, name="fetch")(run.function(list))
    run.call(fetch.map, range(3))

    assert {("size", "fetch"): (1, 2), ("explicit", "fetch"): (1, 1)} == metrics.points(
        "batch.size"
    )
    assert 2 == metrics.points("batch.wait")["fetch",][0]
    assert {("fetch", "success"): 3} == {
        key: count for key, (count, _) in metrics.points("call.duration").items()
    }


def test_keys(run, metrics):
    """Each lease of each entry, each rest with its reason, and how many are ready."""
    server = KeyServer(a=[throttled(20)], b=[rejected()])
    pool = pool_of("abc", name="service")
    fetch = run.decorate(lambda f: retry(pool.inject("key")(f)), server.answer)
    with FakeClock() as clock:
        fetch()
        fetch()
        ready = metrics.points("key.available")["service",]
        clock.advance(20)

        assert 2 == metrics.points("key.available")["service",]
    assert 1 == ready
    assert {("a", "service"): 1, ("b", "service"): 1, ("c", "service"): 2} == metrics.points(
        "key.leases"
    )
    assert {("a", "service", "rate_limit"): 1, ("b", "service", "key"): 1} == metrics.points(
        "key.cooldowns"
    )


def test_refusals_are_counted_once_where_they_happen(run, metrics):
    """By the name of who refused; each decorated caller has its own outcome."""
    inner = run.decorate(circuit_breaker(name="inner"), failing())
    inner.circuit_breaker.open()
    outer = run.drive(retry(name="outer")(run.steps(lambda: (yield inner.function()))))
    with pytest.raises(CircuitOpenError):
        outer()

    assert {("inner", "circuit_open"): 1} == metrics.points("refused")
    assert {"inner": 1, "outer": 1} == {
        name: count for (_, name, _), (count, _) in metrics.points("call.duration").items()
    }
