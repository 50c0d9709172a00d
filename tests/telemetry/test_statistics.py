"""What the calls of a function came to: counts, latencies, what is live."""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from resilience import (
    PriorityQueue,
    Settings,
    circuit_breaker,
    get_stats,
    prioritized,
    reset_stats,
    resilient,
    retry,
)
from resilience.telemetry._totals import Totals
from resilience.telemetry.statistics import FOLD_AT, all_statistics
from resilience.testing import FakeClock, no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import failing

FIELDS = (
    "total_requests",
    "successful_requests",
    "failed_requests",
    "refused_requests",
    "cancelled_requests",
)


@pytest.fixture
def name(request, run):
    """A name that nothing else has."""
    return f"{request.node.name} of {run.flavour}"


def counts(name):
    """The counts by outcome, the total first."""
    stats = get_stats(name)
    return [stats[field] for field in FIELDS]


def play(fetch, times):
    """Call so often, whatever comes."""
    for _ in range(times):
        try:
            fetch()
        except BaseException as error:
            del error


def test_calls_are_counted_by_their_outcome(run, name):
    """Success, failure, refusal and cancellation; the total is all of them."""
    outcomes = [1, OSError, asyncio.CancelledError, GeneratorExit, KeyboardInterrupt]
    fetch = run.decorate(circuit_breaker(failure_threshold=1, name=name), failing(*outcomes))
    play(fetch, 1)
    fetch.circuit_breaker.disable()
    play(fetch, 4)
    fetch.circuit_breaker.open()
    play(fetch, 1)

    assert [6, 1, 1, 1, 3] == counts(name)
    assert {"OSError": 1, "CircuitOpenError": 1} == get_stats(name)["errors_by_type"]
    assert {"OSError": 1} == get_stats(name)["attempt_errors_by_type"]


def test_a_call_is_one_however_many_attempts(run, name):
    """A recovered call is a success; its attempts and retries are told apart."""
    body = failing(OSError, TimeoutError, "fine", *[ValueError] * 6)
    fetch = run.decorate(retry(name=name), body)
    with no_waiting():
        play(fetch, 2)
    stats = get_stats(name)

    assert [2, 1, 1, 0, 0] == counts(name)
    assert 7 == stats["retries"]
    assert {"ValueError": 1} == stats["errors_by_type"]
    expected = {"OSError": 1, "TimeoutError": 1, "ValueError": 6}
    assert expected == stats["attempt_errors_by_type"]


def test_time_outs_are_counted(run, name):
    """A call that ended with a time-out, of whatever kind."""
    play(run.decorate(circuit_breaker(name=name), failing(TimeoutError, OSError)), 3)

    assert 1 == get_stats(name)["timeouts"]


def test_latency_is_the_time_of_the_whole_call(run, name):
    """Retries and waits included; refused and cancelled calls have none."""
    outcomes = [OSError, "fine", KeyboardInterrupt, "fine"]
    fetch = run.decorate(retry(name=name, jitter=0), failing(*outcomes))
    with FakeClock():
        play(fetch, 3)
    stats = get_stats(name)

    assert pytest.approx({"p50": 0, "p90": 0, "p99": 0, "max": 1}) == stats["latency"]
    assert 0.5 == stats["average_latency"]


def test_percentiles_are_close(run, name):
    """A thousand calls of known length."""
    luck = random.Random(1)
    lengths = [luck.lognormvariate(0, 2) for _ in range(1_000)]
    with FakeClock() as clock:
        fetch = run.decorate(retry(name=name), clock.advance)
        for seconds in lengths:
            fetch(seconds)
    latency = get_stats(name)["latency"]
    ranked = sorted(lengths)

    assert pytest.approx(ranked[499], rel=0.02) == latency["p50"]
    assert pytest.approx(ranked[899], rel=0.02) == latency["p90"]
    assert pytest.approx(ranked[989], rel=0.02) == latency["p99"]
    assert ranked[-1] == pytest.approx(latency["max"])


def test_many_calls_wait_for_nobody_who_looks(run, name):
    """Latencies go to the histogram in batches, whether anybody asks for them or not."""
    fetch = run.decorate(circuit_breaker(name=name), failing())
    for _ in range(2 * FOLD_AT + 1):
        fetch()

    assert len(all_statistics()[name].pending) < FOLD_AT
    assert 2 * FOLD_AT + 1 == get_stats(name)["total_requests"]


def test_statistics_may_be_asked_in_three_ways(run):
    """By the name, by the function or method, or for everything."""
    before = get_stats()["total_requests"]

    class Service:
        @retry(name=f"three ways {run.flavour}")
        def method(self):
            """Be counted."""

        @classmethod
        @retry
        def of_the_class(cls):
            """Be counted."""

    function = retry(Service.of_the_class)
    bound = retry(name=f"bound {run.flavour}")(Service().method)
    Service().method()
    Service.of_the_class()
    bound()

    for named in (Service.method, Service().method, f"three ways {run.flavour}"):
        assert 1 == get_stats(named)["total_requests"]
    for named in (bound, f"bound {run.flavour}"):
        assert 1 == get_stats(named)["total_requests"]
    assert get_stats(Service.of_the_class) == get_stats(function)
    assert before + 3 == get_stats()["total_requests"]


def test_an_unknown_name_is_an_error_with_the_nearest(run, name):
    """What was never decorated has no statistics; nor has what has them off."""
    run.decorate(retry(name=f"{name} fetch"), failing())
    with pytest.raises(KeyError, match=rf"did you mean '{name.replace('[', '.')[:9]}"):
        get_stats(f"{name} fetsh")
    with pytest.raises(KeyError, match="nothing named"):
        get_stats(len)


def test_functions_of_one_name_share_a_record(run, name):
    """The name says what belongs together."""
    first, second = (run.decorate(retry(name=name), failing()) for _ in range(2))
    first()
    second()

    assert 2 == get_stats(name)["total_requests"]


def test_reset_forgets_one_or_all(run, name):
    """What was counted is gone; what is counted next begins at nothing."""
    fetch = run.decorate(retry(name=name), failing(OSError))
    other = run.decorate(retry(name=f"{name} too"), failing())
    with no_waiting():
        play(fetch, 3)
        play(other, 2)
    reset_stats(name)

    assert ([0, 0, 0, 0, 0], 2) == (counts(name), get_stats(f"{name} too")["total_requests"])
    assert (0, {}, 0) == tuple(
        get_stats(name)[field] for field in ("retries", "attempt_errors_by_type", "average_latency")
    )
    fetch()
    reset_stats(other.function)
    assert (1, 0) == (counts(name)[0], counts(f"{name} too")[0])
    fetch()
    reset_stats()
    assert 0 == get_stats()["total_requests"] == counts(name)[0]


def test_a_function_may_be_left_out(run, name):
    """`metrics_enabled=False` counts nothing, and costs nothing."""
    decorators = (
        retry(metrics_enabled=False, name=name),
        circuit_breaker(metrics_enabled=False, name=name),
        prioritized(metrics_enabled=False, name=name),
        resilient(Settings(metrics_enabled=False), name=name),
    )
    for decorator in decorators:
        assert "done" == run.decorate(decorator, failing())()
    inside = circuit_breaker(metrics_enabled=False, name=name)

    assert "done" == run.decorate(lambda f: retry(inside(f)), failing())()
    assert name not in all_statistics()
    with pytest.raises(KeyError):
        get_stats(name)


def test_what_is_live_is_asked_when_somebody_looks(run, name):
    """Queue, permits, circuit and the entries of a pool, as they are now."""
    gate, pool = run.gate(), pool_of("ab")

    @run.drive
    @retry(name=name)
    @pool.inject("key")
    @prioritized(max_concurrent_requests=1)
    @circuit_breaker
    @run.steps
    def fetch(*, key):
        yield gate.wait()

    calls = [run.start(fetch)]
    run.until(lambda: 1 == gate.arrived)
    calls += [run.start(fetch) for _ in range(2)]
    run.until(lambda: 2 == fetch.queue.size)
    stats = get_stats(name)

    assert (2, 1, "CLOSED", 2) == tuple(
        stats[field]
        for field in ("queue_size", "active_requests", "circuit_state", "endpoints_count")
    )
    assert [2, 1] == [entry["active_requests"] for entry in stats["endpoints"].values()]
    fetch.circuit_breaker.open()
    assert "OPEN" == get_stats(name)["circuit_state"]
    fetch.circuit_breaker.close()
    gate.open()
    for call in calls:
        call.result()
    assert 0 == get_stats(name)["queue_size"] == get_stats(name)["active_requests"]


def test_a_stream_that_breaks_off_is_a_failed_attempt(run, name):
    """After its first item no retry sees it; it counts all the same, once."""

    @run.drive
    @retry(name=name, max_retries=1, jitter=0)
    @run.function
    def numbers(fails_at):
        script.append(fails_at)
        for number in range(2):
            if number == fails_at:
                raise OSError("gone")
            yield number

    script = []
    with no_waiting():
        for fails_at in (1, 0):
            with pytest.raises(OSError, match="gone"):
                list(numbers(fails_at))
    stats = get_stats(name)

    assert [1, 0, 0] == script
    assert (2, 1) == (stats["failed_requests"], stats["retries"])
    assert {"OSError": 3} == stats["attempt_errors_by_type"]


def test_the_timeline_says_when_calls_ended(run, name):
    """Each outcome and each retry in its own second; what is still running is in none."""
    outcomes = ["fine", OSError, "fine", OSError, OSError, KeyboardInterrupt, "fine"]
    fetch = run.decorate(retry(name=name, jitter=0, max_retries=1), failing(*outcomes))
    with FakeClock() as clock:
        for _ in range(4):
            play(fetch, 1)
            clock.advance(2)
        fetch()
        record = all_statistics()[name]
        seen = record.snapshot().timeline.as_dict(0)

    assert {
        "start": 0,
        "interval": 1,
        "success": [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1],
        "failure": [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
        "refused": [0] * 11,
        "cancelled": [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
        "retries": [0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0],
    } == seen
    reset_stats(name)
    assert [] == record.snapshot().timeline.as_dict(0)["success"]
    with FakeClock(start=0.5) as clock:
        for _ in range(2):
            fetch()
            clock.advance(2)
        fetch()
        assert [1, 0, 1, 0, 1] == record.snapshot().timeline.as_dict(0)["success"]


def test_a_shared_queue_counts_once_in_all(run, name):
    """Two functions with one queue have, together, what stands in it, not twice as much."""
    before = get_stats()["active_requests"]
    queue = PriorityQueue()
    first, second = (retry(name=f"{name} {n}")(prioritized(queue)(failing())) for n in range(2))
    with queue.permit():
        assert before + 1 == get_stats()["active_requests"]
        assert 1 == get_stats(first)["active_requests"] == get_stats(second)["active_requests"]


def test_everything_is_plain(run, name):
    """The dictionary is fit for JSON, and has the same fields for a function and for all."""
    fetch = run.decorate(resilient(keys=pool_of("a"), name=name), lambda *, api_key: 1)
    fetch()
    one, everything = get_stats(name), get_stats()

    assert one == json.loads(json.dumps(one))
    assert list(one) == list(everything) == list(one["endpoints"]["a"])
    json.dumps(everything)


def test_what_is_written_to_is_a_records_own():
    """The counters that have counted nothing are one and the same, so nobody writes to them."""
    totals = Totals()
    with pytest.raises(TypeError, match=r"'success' is counted in Totals\.own"):
        totals.outcomes["success"] += 1
    totals.own("outcomes")["success"] += 1

    assert (1, 0) == (totals.requests, Totals().requests)
