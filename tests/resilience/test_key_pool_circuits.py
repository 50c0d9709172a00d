"""An entry's own circuit: what opens it, who is left out, and what a call is told then."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from resilience import (
    CircuitOpenError,
    KeyPool,
    NoKeyAvailableError,
    RefusedError,
    circuit_breaker,
    deadline,
    get_stats,
    prioritized,
    resilient,
    retry,
)
from resilience.telemetry import Transition
from resilience.testing import FakeClock, capture_events
from tests.support.decorators import pool_of
from tests.support.faults import HttpError
from tests.support.keys import KeyServer, rejected, throttled
from tests.support.stepping import cancelled_at_every_step


@pytest.fixture
def clock():
    """Time that jumps ahead when everybody waits."""
    with FakeClock() as clock:
        yield clock


def replicas(names="ab", **settings):
    """A pool with a server for each letter, none of which needs a key."""
    pool = KeyPool(**settings)
    for name in names:
        pool.add(name, None, base_url=f"http://{name}")
    return pool


def down(times=99):
    """A script of a server that is down so many times."""
    return [HttpError(503)] * times


def open_by_failures(pool, name, times=5, error=None):
    """Let so many calls on one entry fail."""
    for _ in range(times):
        pool.take(name=name).finish(error or HttpError(503))


def states(pool):
    """The state of each circuit."""
    return {name: breaker.state for name, breaker in pool.circuit_breakers.items()}


class Servers:
    """A function that asks the server of its lease, by the name at the end of its address."""

    def __init__(self, run, pool, around=lambda function: function, **scripts):
        self.server = KeyServer(**scripts)
        self.fetch = run.decorate(
            lambda f: around(pool.inject("key")(f)), lambda *, key: self.server.receive(key)
        )

    @property
    def asked(self):
        """The names of the servers in the order of the requests."""
        return self.server.asked


def play(fetch, times):
    """Call so many times; the answers, and the types of the errors."""
    seen = []
    for _ in range(times):
        try:
            seen.append(fetch())
        except Exception as error:
            seen.append(type(error).__name__)
    return seen


# -- who has one -----------------------------------------------------------------------------


def test_plain_keys_of_one_server_have_no_circuit():
    """An outage of the server is the affair of the stack's own circuit."""
    pool = pool_of("ab")
    open_by_failures(pool, "a", 50)

    assert {} == states(pool)
    assert ["a", "b"] == sorted(pool.take().name for _ in range(2))


def test_one_server_has_no_circuit_and_several_have_one_each():
    """As soon as there are two, also those that were there before."""
    pool = replicas("a")
    assert {} == states(pool)
    pool.add("plain", "key of p")
    assert {"a": "CLOSED"} == states(pool)
    pool.add("b", None, base_url="http://b")
    assert {"a": "CLOSED", "b": "CLOSED"} == states(pool)


def test_a_server_that_is_gone_does_not_count():
    """One after another they are one server at a time, and need no circuit."""
    pool = replicas("a")
    pool.remove("a")
    pool.add("b", None, base_url="http://b")
    pool.update("b", base_url="http://c")

    assert {} == states(pool)


def test_several_keys_of_one_server_have_no_circuit_each():
    """It is the server that is down, not the key."""
    pool = KeyPool()
    for name in "ab":
        pool.add(name, f"key of {name}", base_url="http://localhost")

    assert {} == states(pool)
    pool.update("b", base_url="http://elsewhere")
    assert {"a": "CLOSED", "b": "CLOSED"} == states(pool)


@pytest.mark.parametrize("setting", [{"failure_threshold": 2}, {"reset_timeout": 9}])
def test_a_setting_of_a_breaker_makes_a_circuit(setting):
    """For one entry, or for all of a pool."""
    pool = pool_of("ab")
    pool.update("b", **setting)

    assert ["b"] == list(states(pool))
    assert ["a", "b"] == list(states(pool_of("ab", **setting)))


def test_a_circuit_obeys_the_settings_of_its_entry():
    """All of those of `CircuitBreaker`; those of the pool are the defaults."""
    with FakeClock() as clock:
        pool = pool_of("ab", failure_threshold=2, reset_timeout=7)
        pool.update("b", failure_threshold=1)
        open_by_failures(pool, "b", 1)
        open_by_failures(pool, "a", 1)
        assert {"a": "CLOSED", "b": "OPEN"} == states(pool)
        clock.advance(7)

        assert "HALF-OPEN" == states(pool)["b"]


# -- what opens it ---------------------------------------------------------------------------


def test_a_dead_server_is_left_out(run, clock):
    """After its failures the calls go to its neighbours, whose circuits are not touched."""
    pool = replicas("ab", strategy="first")
    servers = Servers(run, by_url(pool), a=down())

    assert ["HttpError"] * 5 + ["b"] * 5 == play(servers.fetch, 10)
    assert {"a": "OPEN", "b": "CLOSED"} == states(pool)
    assert "aaaaabbbbb" == servers.asked


def by_url(pool):
    """A pool whose injected key is the name of the server, as `key of a`."""
    for name in pool.names():
        pool.update(name, key=f"key of {name}")
    return pool


@pytest.mark.parametrize("error", [throttled(0), rejected(), HttpError(404), KeyboardInterrupt()])
def test_what_is_no_failure_of_the_server_does_not_count(error):
    """Rate limits, rejected keys, mistakes of the caller and interrupts."""
    pool = pool_of("a", failure_threshold=1)
    pool.take().finish(error)

    assert {"a": "CLOSED"} == states(pool)


def test_a_success_begins_the_count_anew():
    """Consecutive failures open it, as everywhere."""
    pool = pool_of("a", failure_threshold=2)
    for error in (HttpError(500), None, HttpError(500)):
        pool.take().finish(error)

    assert {"a": "CLOSED"} == states(pool)


def test_the_end_of_a_stream_counts(run):
    """A server that breaks off in the middle has failed."""
    pool = pool_of("a", failure_threshold=1)

    @run.decorate(pool.inject("key"))
    def numbers(*, key):
        yield 1
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(numbers())

    assert {"a": "OPEN"} == states(pool)


def test_a_new_server_begins_with_a_closed_circuit():
    """What the old one still answers says nothing about it."""
    pool = replicas("ab", failure_threshold=1)
    late = pool.take(name="a")
    open_by_failures(pool, "a", 1)
    pool.update("a", base_url="http://new")

    assert "CLOSED" == states(pool)["a"]
    late.finish(HttpError(503))
    assert "CLOSED" == states(pool)["a"]


# -- how it comes back -----------------------------------------------------------------------


def test_one_call_probes_a_server_that_was_down(run, clock):
    """The others go elsewhere meanwhile; its success closes the circuit."""
    pool, gate = pool_of("ab", reset_timeout=30, strategy="first"), run.gate()
    open_by_failures(pool, "a")
    clock.advance(30)
    asked = []

    @run.drive
    @pool.inject("key")
    @run.steps
    def fetch(*, key):
        asked.append(key[-1])
        if key == "key of a" and asked.count("a") == 1:
            yield gate.wait()
        return key[-1]

    probe = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    assert list("bbb") == play(fetch, 3)
    gate.open()
    assert "a" == probe.result()
    assert list("aa") == play(fetch, 2)


def test_a_probe_that_was_cancelled_gives_its_place_back(clock):
    """The next call probes."""
    pool = pool_of("a", failure_threshold=1)
    open_by_failures(pool, "a", 1)
    clock.advance(30)
    pool.take().finish(asyncio.CancelledError())
    pool.take().finish(None)

    assert {"a": "CLOSED"} == states(pool)


def test_a_call_in_line_learns_that_the_circuit_has_opened(run):
    """It goes elsewhere and is not sent: neither after the entry's line nor after the stack's."""
    for limit in (lambda pool: pool.update("a", max_concurrent_requests=1), lambda pool: None):
        pool = pool_of("ab", failure_threshold=1, strategy="first")
        limit(pool)
        gate, asked = run.gate(), []
        around = prioritized(max_concurrent_requests=9 if pool.queues else 1)

        def inside(*, key, gate=gate, asked=asked):
            asked.append(key[-1])
            if len(asked) == 1:
                yield gate.wait()
                raise HttpError(503)
            return key[-1]

        fetch = pool.inject("key")(around(run.steps(inside)))
        first = run.start(fetch)
        run.until(lambda gate=gate: 1 == gate.arrived)
        others = [run.start(fetch) for _ in range(3)]
        run.until(
            lambda fetch=fetch, pool=pool: (
                3 == fetch.queue.size + sum(queue.size for queue in pool.queues.values())
            )
        )
        gate.open()

        assert ["b"] * 3 == [other.result() for other in others]
        with pytest.raises(HttpError):
            first.result()
        assert ["a", "b", "b", "b"] == asked
        assert 0 == pool.get_stats()["active_requests"]


def test_a_circuit_that_is_turned_off_lets_a_call_in_line_pass(run):
    """The permit of a circuit that was asked before says nothing against it."""
    pool, gate = pool_of("a", failure_threshold=1), run.gate()
    around = prioritized(max_concurrent_requests=1)

    @run.steps
    def inside(*, key):
        yield gate.wait()
        return key[-1]

    fetch = pool.inject("key")(around(inside))
    calls = [run.start(fetch) for _ in range(2)]
    run.until(lambda: (1, 1) == (gate.arrived, fetch.queue.size))
    pool.circuit_breakers["a"].disable()
    gate.open()

    assert ["a", "a"] == [call.result() for call in calls]
    assert 0 == pool.get_stats("a")["refused_requests"]


# -- when nobody is left ---------------------------------------------------------------------


def test_all_circuits_are_open(run, clock):
    """One clear error: why for each entry, and when the first may be probed."""
    pool = replicas("abc", failure_threshold=1, reset_timeout=30, name="service")
    pool.update("b", reset_timeout=20)
    pool.update("c", key="key of c")
    for name in "ab":
        open_by_failures(pool, name, 1)
    pool.circuit_breakers["c"].open()
    with pytest.raises(NoKeyAvailableError) as caught:
        Servers(run, pool).fetch()

    assert {
        "a": "its circuit is OPEN for 30.0 s",
        "b": "its circuit is OPEN for 20.0 s",
        "c": "its circuit is OPEN until it is closed by hand",
    } == caught.value.reasons
    assert 20 == caught.value.retry_after
    clock.advance(20)
    with pool.lease("b"), pytest.raises(NoKeyAvailableError) as caught:
        pool.take(name="b")
    assert {"b": "its circuit is HALF-OPEN, and others are trying it"} == caught.value.reasons


def test_a_retry_does_not_sleep_through_an_outage(run, clock):
    """As at an open circuit: it fails fast, whether it met the refusal or opened the circuits."""
    pool = pool_of("ab", failure_threshold=1, reset_timeout=30)
    servers = Servers(run, pool, retry(jitter=0), a=down(), b=down())
    with pytest.raises(HttpError) as caught:
        servers.fetch()

    assert (1, "ab") == (clock.now, servers.asked)
    assert 29 == caught.value.retry_after
    assert "the circuit is open for 29 s" in caught.value.__notes__[0]
    with pytest.raises(NoKeyAvailableError) as refused:
        servers.fetch()
    assert (1, 29) == (clock.now, refused.value.retry_after)


def test_a_retry_waits_for_a_rest_and_not_for_a_circuit(run, clock):
    """Of an open circuit and a resting key it is the key that is worth waiting for."""
    pool = pool_of("ab", failure_threshold=1, reset_timeout=3)
    open_by_failures(pool, "a", 1)
    pool.take(name="b").finish(throttled(5))
    with pytest.raises(NoKeyAvailableError) as caught:
        pool.take()
    servers = Servers(run, pool, retry(jitter=0))

    assert 3 == caught.value.retry_after
    assert servers.fetch() in ("a", "b")
    assert 5 == clock.now


def test_a_retry_goes_on_where_others_can_serve(run, clock):
    """The failure that opened one circuit is retried on another entry."""
    pool = pool_of("ab", failure_threshold=1)
    servers = Servers(run, pool, retry(jitter=0), a=down())

    assert ("b", 1, "ab") == (servers.fetch(), clock.now, servers.asked)


def test_a_retry_waits_for_the_rest_that_ended_its_round(run, clock):
    """The circuit of another entry would let it in before; but nobody sleeps towards that."""
    pool = pool_of("ab", failure_threshold=1, reset_timeout=3)
    open_by_failures(pool, "a", 1)
    servers = Servers(run, pool, retry(jitter=0), b=[throttled(5)])

    assert servers.fetch() in ("a", "b")
    assert [0, 5] == servers.server.times


def test_a_failure_that_opens_a_circuit_leaves_the_rest_of_others(run, clock):
    """A key that will wake is worth its wait, however long the circuit is open."""
    pool = pool_of("ab", failure_threshold=1, reset_timeout=300)
    pool.take(name="b").finish(throttled(20))
    servers = Servers(run, pool, retry(jitter=0), a=down())

    assert ("b", [0, 20]) == (servers.fetch(), servers.server.times)


def test_one_error_object_is_news_each_time(run, clock):
    """What was written on it when all circuits were open does not end a later call."""
    pool, error = pool_of("a", failure_threshold=1, reset_timeout=30), HttpError(503)
    servers = Servers(run, pool, retry(jitter=0), a=[error, error])
    assert ["HttpError"] == play(servers.fetch, 1)
    pool.update("a", failure_threshold=9)

    assert ["a"] == play(servers.fetch, 1)


def test_a_waiting_pool_waits_for_the_first_probe(run, clock):
    """Within the deadline; a circuit that is closed by hand wakes at once."""
    pool = pool_of("a", wait=True, failure_threshold=1, reset_timeout=30)
    open_by_failures(pool, "a", 1)

    assert ["a"] == play(Servers(run, pool).fetch, 1)
    assert 30 == clock.now
    open_by_failures(pool, "a", 1)
    with deadline(5):
        assert ["DeadlineExceededError"] == play(Servers(run, pool).fetch, 1)


def test_whoever_waits_is_woken_by_a_circuit_that_closes(run):
    """Time stands still here: the change of state itself is what wakes."""
    with FakeClock(autojump=False) as clock:
        pool = pool_of("a", wait=True, failure_threshold=1)
        open_by_failures(pool, "a", 1)
        calls = [run.start(Servers(run, pool).fetch) for _ in range(3)]
        run.until(lambda: 3 == len(pool._waiters))
        pool.circuit_breakers["a"].close()

        assert ["a"] * 3 == [call.result() for call in calls]
        assert (0, {}) == (clock.now, pool._waiters)


# -- beside the circuit of the stack ---------------------------------------------------------


def test_the_circuit_of_the_stack_does_not_hear_of_it(run, clock):
    """A dead server would else close the way to its neighbours: one circuit counts a failure."""
    pool = pool_of("ab", strategy="first", failure_threshold=5)
    server = KeyServer(a=down())
    stack = resilient(keys=pool, max_retries=0)
    fetch = run.decorate(stack, lambda *, api_key: server.receive(api_key))

    assert ["HttpError"] * 5 + ["b"] * 3 == play(fetch, 8)
    assert ("CLOSED", 0) == (fetch.circuit_breaker.state, fetch.circuit_breaker.failure_count)


def test_the_circuit_of_the_stack_is_obeyed(run):
    """Opened by hand it holds for all entries; a success closes it after its time."""
    with FakeClock() as clock:
        pool = pool_of("a", failure_threshold=5)
        fetch = run.decorate(
            lambda f: pool.inject("key")(circuit_breaker(failure_threshold=1)(f)),
            KeyServer().answer,
        )
        fetch.circuit_breaker.open()
        with pytest.raises(CircuitOpenError):
            fetch()
        fetch.circuit_breaker.close()
        fetch.circuit_breaker.record(fetch.circuit_breaker.admit(), OSError())
        clock.advance(30)

        assert "a" == fetch()
        assert "CLOSED" == fetch.circuit_breaker.state


def test_a_broken_stream_counts_in_one_circuit(run):
    """In that of its entry, not in that of the stack."""
    pool = pool_of("a", failure_threshold=1)

    @run.decorate(lambda f: pool.inject("key")(circuit_breaker(failure_threshold=1)(f)))
    def numbers(*, key):
        yield 1
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(numbers())

    assert ({"a": "OPEN"}, "CLOSED") == (states(pool), numbers.circuit_breaker.state)


def test_without_circuits_of_its_own_an_outage_is_the_stacks(run):
    """`CircuitOpenError` it is then, as ever."""
    server = KeyServer(a=down(), b=down())
    fetch = run.decorate(
        lambda f: pool_of("ab").inject("key")(circuit_breaker(failure_threshold=2)(f)),
        server.answer,
    )

    assert ["HttpError"] * 2 + ["CircuitOpenError"] * 2 == play(fetch, 4)


# -- what is shown ---------------------------------------------------------------------------


def test_statistics_show_each_circuit():
    """Of one entry, in the endpoints of the pool, and in those of a function."""
    pool = pool_of("ab", failure_threshold=1)
    retry(name="circuits of entries")(pool.inject("key")(lambda *, key: key))
    open_by_failures(pool, "a", 1)
    each = (pool.get_stats()["endpoints"], get_stats("circuits of entries")["endpoints"])

    assert "OPEN" == pool.get_stats("a")["circuit_state"]
    for endpoints in each:
        assert {"a": "OPEN", "b": "CLOSED"} == {
            name: stats["circuit_state"] for name, stats in endpoints.items()
        }
    assert pool_of("a").get_stats("a")["circuit_state"] is None


def test_a_transition_names_pool_and_entry():
    """As an event, and to the user's own hook, which may use the very pool."""
    heard = []

    def hook(record):
        heard.append((record.name, record.to, pool.names()))
        pool.update("a", weight=2)
        raise LookupError("of the hook")

    pool = pool_of("a", name="service", failure_threshold=1, on_transition=hook)
    with capture_events() as events:
        open_by_failures(pool, "a", 1)

    assert [("service[a]", "OPEN", ("a",))] == heard
    assert ["service[a]"] == [event.name for event in events if isinstance(event, Transition)]


def test_trap_3_a_cancelled_call_leaves_no_probe_behind():
    """Whatever it waited for, the place of the probe is free again."""
    pool = pool_of("a", failure_threshold=1, reset_timeout=0, max_concurrent_requests=1)

    def make():
        pool.circuit_breakers["a"].close()
        open_by_failures(pool, "a", 1)
        return fetch()

    @pool.inject("key")
    async def fetch(*, key):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return key

    def check(step):
        assert 0 == pool.circuit_breakers["a"].retry_after
        assert (0, 0) == (pool.get_stats()["active_requests"], pool.queues["a"].active)

    assert 2 == cancelled_at_every_step(make, check)


def test_a_pool_with_circuits_and_lines_leaves_no_cycle_behind_a_call(run):
    """The error of a call is gone with it, also where an entry turned the call away."""
    errors = []

    class DownError(HttpError):
        def __init__(self):
            super().__init__(429)
            errors.append(weakref.ref(self))

    pool = pool_of("abc", max_concurrent_requests=1, queue_size=0, failure_threshold=5)
    pool.queues["b"].close()

    def answer(*, key):
        if key == "key of a":
            raise DownError
        return key

    pool._strategy = "first"
    fetch = run.decorate(pool.inject("key"), answer)

    def refusals():
        return {id(each) for each in gc.get_objects() if isinstance(each, RefusedError)}

    gc.collect()
    gc.disable()
    others = refusals()  # those of other tests' parameters
    try:
        assert "key of c" == fetch()
        assert [None] == [error() for error in errors]
        assert set() == refusals() - others
    finally:
        gc.enable()
