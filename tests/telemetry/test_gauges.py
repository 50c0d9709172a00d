"""Gauges show what is alive, once by name, for those who want metrics."""

from __future__ import annotations

import gc

import pytest

from resilience import (
    CircuitBreaker,
    PriorityQueue,
    RefusedError,
    Settings,
    _fork,
    batched,
    circuit_breaker,
    disabled,
    prioritized,
    resilient,
    retry,
)
from resilience.telemetry.gauges import readings_of
from resilience.testing import no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import failing
from tests.support.keys import lease, throttled

STATE = "circuit_breaker.state"


@pytest.fixture
def shown(metrics):
    """The values of a gauge by name."""
    return lambda gauge: {name: value for (name,), value in metrics.points(gauge).items()}


def test_what_is_shared_shows_once(run, metrics, shown):
    """Under its own name, not under those of the functions that use it."""
    breaker, queue = CircuitBreaker(name="service"), PriorityQueue(name="line")
    functions = [run.decorate(resilient(breaker=breaker, queue=queue), failing()) for _ in range(2)]
    for function in functions:
        function()

    assert {"service": 0} == shown(STATE)
    assert {"line": 5} == shown("queue.limit")


def test_objects_of_one_name_show_as_one(metrics, shown):
    """The gravest state, and the sum of all else."""
    breakers = [CircuitBreaker(name="service") for _ in range(3)]
    queues = [PriorityQueue(name="line") for _ in range(3)]
    breakers[0].disable()
    breakers[1].open()

    assert 2 == shown(STATE).get("service")
    assert 15 == shown("queue.limit").get("line")
    breakers[1].close()
    assert 3 == shown(STATE).get("service")
    assert 3 == len(queues)


def test_what_is_used_alone_shows_too(run, metrics, shown):
    """A breaker, a queue and a pool without any decorated function, and what they count."""
    breaker, pool = CircuitBreaker(name="alone"), pool_of("ab", name="alone")
    queue = PriorityQueue(name="alone")
    breaker.open()
    lease(run, pool)
    with queue.permit():
        active = shown("queue.active").get("alone")

    assert 1 == active
    assert 2 == shown(STATE).get("alone")
    assert 2 == shown("key.available").get("alone")
    assert {("a", "alone"): 1} == metrics.points("key.leases")
    assert {("CLOSED", "alone", "OPEN"): 1} == metrics.points("circuit_breaker.transitions")


@pytest.mark.parametrize("alone", ["queue", "breaker"])
def test_the_first_use_may_be_of_anything(shown, alone):
    """Instruments are made by whatever is used first."""
    if alone == "queue":
        with PriorityQueue(name="alone").permit():
            assert 1 == shown("queue.active").get("alone")
    else:
        breaker = CircuitBreaker(name="alone")
        breaker.open()

        assert 2 == shown(STATE).get("alone")


def test_what_is_gone_shows_no_more(run, metrics, shown):
    """An object is not kept alive; those of a function last, as its statistics do."""
    breaker, pool = CircuitBreaker(name="service"), pool_of("a", name="pool")
    lease(run, pool)
    functions = [run.decorate(resilient(name="fetch"), failing())]
    functions[0]()
    gauges = (STATE, "queue.limit", "key.available")
    before = [shown(gauge) for gauge in gauges]
    del breaker, pool
    functions[0] = run.decorate(retry(name="fetch"), failing())
    functions[0]()
    gc.collect()

    assert [{"service": 0, "fetch": 0}, {"fetch": 5}, {"pool": 1}] == before
    assert [{"fetch": 0}, {"fetch": 5}, {}] == [shown(gauge) for gauge in gauges]


def test_objects_may_be_made_while_somebody_looks(monkeypatch):
    """Another thread adds one in the midst of it: it is looked at once more."""

    class Busy(list):
        def __iter__(self):
            if not asked:
                asked.append(True)
                raise RuntimeError("Set changed size during iteration")
            return super().__iter__()

    asked = []
    monkeypatch.setattr(_fork, "_objects", Busy([CircuitBreaker(name="service")]))

    assert [({"resilience.name": "service"}, 0)] == readings_of(f"resilience.{STATE}")
    assert asked


def test_each_key_of_a_breaker_shows(run, metrics, shown):
    """By the name of the function and the key."""
    fetch = run.decorate(
        circuit_breaker(key=lambda host: host, name="fetch", failure_threshold=1),
        lambda host: failing(OSError)() if host == "b" else host,
    )
    fetch("a")
    with pytest.raises(OSError, match="scripted"):
        fetch("b")

    assert {"fetch": 0, "fetch[a]": 0, "fetch[b]": 2} == shown(STATE)


def test_entries_of_a_pool_show(run, metrics, shown):
    """Their circuits and lines, by the names of pool and entry."""
    pool = pool_of("ab", name="pool", max_concurrent_requests=3, failure_threshold=1)
    lease(run, pool)

    assert {"pool[a]": 0, "pool[b]": 0} == shown(STATE)
    assert {"pool[a]": 3, "pool[b]": 3} == shown("queue.limit")


def test_a_queue_that_is_off_has_no_limit(run, metrics, shown):
    """There is nothing to show of it."""
    fetch = run.decorate(prioritized(queue_enabled=False, name="off"), failing())
    fetch()

    assert {} == shown("queue.limit")


# -- who wants metrics -----------------------------------------------------------------------


def test_no_metrics_of_whom_wants_none(run, metrics, shown):
    """`metrics_enabled=False` silences the function and what it alone uses, whatever happens."""
    pool = pool_of("ab", name="pool", max_concurrent_requests=1, failure_threshold=1)
    settings = Settings(metrics_enabled=False, failure_threshold=1, initial_retry_delay=0)
    body = failing(throttled(60), then=OSError)
    run.decorate(retry(name="loud"), failing())()
    fetch = run.decorate(resilient(settings, keys=pool, name="silent"), lambda api_key: body())
    keyed = circuit_breaker(key=lambda host: host, metrics_enabled=False, name="keyed")
    by_host = run.decorate(keyed, lambda host: host)
    by_host("a")
    batches = batched(max_concurrent_batches=1, metrics_enabled=False, name="batches")
    run.call(batches(run.function(list)).map, [1])
    with no_waiting(), pytest.raises(OSError, match="scripted"):
        fetch()
    with pytest.raises(RefusedError):
        fetch()
    fetch.circuit_breaker.open()

    assert [{}] * 3 == [shown(gauge) for gauge in (STATE, "queue.limit", "key.available")]
    assert {"call.active", "call.duration"} == {name.partition(".")[2] for name in metrics.all()}
    assert [("loud", "success")] == list(metrics.points("call.duration"))
    assert {"a"} == set(by_host.circuit_breakers)


def test_what_others_use_as_well_is_measured(run, metrics, shown):
    """One function that wants metrics is enough."""
    breaker = CircuitBreaker(name="service")
    silent = run.decorate(circuit_breaker(breaker, metrics_enabled=False), failing())
    silent()
    breaker.open()
    breaker.close()
    before = shown(STATE), metrics.points("circuit_breaker.transitions")
    loud = run.decorate(circuit_breaker(breaker), failing())
    breaker.open()

    assert ({}, {}) == before
    assert {"service": 2} == shown(STATE)
    assert [1] == list(metrics.points("circuit_breaker.transitions").values())
    assert loud is not silent


def test_the_outermost_decorator_speaks_for_the_stack(run, metrics, shown):
    """A layer that was made before it says that it wants no metrics is silent as well."""
    fetch = run.decorate(lambda f: retry(metrics_enabled=False)(circuit_breaker(f)), failing())
    fetch()
    fetch.circuit_breaker.open()

    assert {} == shown(STATE)
    assert {} == metrics.points("circuit_breaker.transitions")


def test_the_switch_of_a_function(run, metrics, shown):
    """Turned off, nothing of it is counted or shown; turned on again, it goes on from there."""
    fetch = run.decorate(circuit_breaker(name="fetch"), failing())
    fetch()
    fetch.metrics.disable()
    try:
        fetch()
        fetch.circuit_breaker.open()
        fetch.circuit_breaker.close()
        hidden = shown(STATE)
    finally:
        fetch.metrics.enable()
    fetch()

    assert {} == hidden == metrics.points("circuit_breaker.transitions")
    assert {"fetch": 0} == shown(STATE)
    assert [2] == [count for count, _ in metrics.points("call.duration").values()]


def test_the_switch_for_everything_inside(run, metrics, shown):
    """Nothing that happens inside is counted; what is as it is, shows all the same."""
    pool = pool_of("a", name="pool")
    fetch = run.decorate(resilient(keys=pool, name="fetch"), lambda api_key: api_key)
    with disabled("metrics"):
        fetch()
        lease(run, pool)
        fetch.circuit_breaker.open()
        fetch.circuit_breaker.close()
    lease(run, pool)

    assert {} == metrics.points("call.duration") == metrics.points("call.active")
    assert {("a", "pool"): 1} == metrics.points("key.leases")
    assert {} == metrics.points("circuit_breaker.transitions")
    assert {"fetch": 0} == shown(STATE)


def test_what_is_turned_off_during_a_call(run, metrics, shown):
    """It has begun, so it ends; it is counted as little as in the statistics."""
    gate = run.gate()

    @run.drive
    @retry(name="fetch")
    @run.steps
    def fetch():
        yield gate.wait()

    call = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    fetch.metrics.disable()
    try:
        gate.open()
        call.result()
    finally:
        fetch.metrics.enable()

    assert {("fetch",): 0} == metrics.points("call.active")
    assert {} == metrics.points("call.duration")
