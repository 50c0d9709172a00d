"""`@circuit_breaker`, half-open: who passes, and what becomes of probes that do not come back."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

from resilience import CircuitBreaker, CircuitOpenError, circuit_breaker, retry
from resilience.testing import FakeClock
from tests.support.faults import failing


def half_open(**settings):
    """A breaker whose time to probe has come."""
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=0, **settings)
    breaker.record(breaker.admit(), OSError())
    return breaker


def refused(call):
    """Whether a started call was refused."""
    try:
        call.result()
    except CircuitOpenError:
        return True
    return False


@pytest.mark.parametrize("places", [1, 3])
def test_trap_1_of_thirty_callers_exactly_the_allowed_number_pass(run, places):
    """Thirty callers race for the probes: exactly `half_open_max_calls` reach the service."""
    gate, start = run.gate(), run.gate()

    @run.drive
    @circuit_breaker(half_open(half_open_max_calls=places, success_threshold=places))
    @run.steps
    def probe():
        yield gate.wait()

    @run.steps
    def racer():
        yield start.wait()
        return (yield probe.function())

    calls = [run.start(racer) for _ in range(30)]
    run.until(lambda: 30 == start.arrived)
    start.open()
    run.until(lambda: 30 - places == sum(call.done() for call in calls))

    assert places == gate.arrived
    gate.open()
    assert 30 - places == sum(refused(call) for call in calls)
    assert "CLOSED" == probe.circuit_breaker.state


def test_trap_1_threads_that_start_together_share_one_probe():
    """The step to half-open and its first permit are one: no second thread slips in between."""
    for _ in range(50):
        breaker, passed = half_open(), []
        barrier = threading.Barrier(8)

        def caller(breaker=breaker, passed=passed, barrier=barrier):
            barrier.wait()
            try:
                passed.append(breaker.admit())
            except CircuitOpenError:
                return

        threads = [threading.Thread(target=caller) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert 1 == len(passed)


@pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt])
def test_trap_2_a_cancelled_probe_gives_its_place_back_at_once(run, error):
    """It neither closes nor opens the circuit, and the next caller may probe in its place."""
    probe = run.decorate(circuit_breaker(half_open()), failing(error))
    with pytest.raises(error):
        probe()
    after = probe.circuit_breaker.state

    assert "HALF-OPEN" == after
    assert "done" == probe()
    assert "CLOSED" == probe.circuit_breaker.state


def test_trap_2_a_task_that_is_cancelled_in_its_probe():
    """Cancelling the task in the middle of its call gives the place back as well."""

    @circuit_breaker(half_open())
    async def probe(seconds):
        await asyncio.sleep(seconds)

    async def main():
        task = asyncio.create_task(probe(1_000))
        await asyncio.sleep(0)
        with pytest.raises(CircuitOpenError):
            await probe(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled(), await probe(0)

    assert (True, None) == asyncio.run(main())
    assert "CLOSED" == probe.circuit_breaker.state


def test_trap_2_our_own_time_out_is_a_failure():
    """A time-out inside the function is the service's fault, though it cancels what runs."""

    @circuit_breaker(half_open())
    async def probe():
        async with asyncio.timeout(0):
            await asyncio.sleep(1_000)

    with pytest.raises(TimeoutError):
        asyncio.run(probe())

    assert 2 == probe.circuit_breaker.failure_count


def test_a_probe_that_is_refused_further_in_gives_its_place_back(run):
    """A refusal of the toolkit inside says nothing about the service."""
    inner = CircuitBreaker()
    inner.open()
    probe = run.decorate(
        lambda f: circuit_breaker(half_open())(circuit_breaker(inner)(f)), failing()
    )
    with pytest.raises(CircuitOpenError):
        probe()
    inner.close()

    assert "done" == probe()


def test_a_stream_holds_its_place_until_its_end(run):
    """While a stream probes everybody else is refused; its end decides."""
    items = run.decorate(circuit_breaker(half_open()), lambda: (yield from range(2)))
    stream = items()
    next(stream)
    with pytest.raises(CircuitOpenError):
        next(items())
    before = items.circuit_breaker.state

    assert [1] == list(stream)
    assert ("HALF-OPEN", "CLOSED") == (before, items.circuit_breaker.state)


def test_a_forgotten_stream_gives_its_place_back():
    """A stream that probes and is dropped without an end counts as neutral."""

    @circuit_breaker(half_open())
    def items():
        yield from range(2)

    next(items())
    gc.collect()

    assert [0, 1] == list(items())


def test_a_garbage_collection_in_the_midst_of_a_step_does_not_deadlock(monkeypatch):
    """A stream in a cycle may be closed while the very lock of its breaker is held."""
    breaker = half_open(half_open_max_calls=2)

    @circuit_breaker(breaker)
    def items():
        yield from range(2)

    stream = items()
    next(stream)
    cycle = [stream]
    cycle.append(cycle)
    del stream, cycle
    admit = type(breaker.machine).admit

    def collecting(machine, now):
        gc.collect()
        return admit(machine, now)

    monkeypatch.setattr(type(breaker.machine), "admit", collecting)

    assert [0, 1] == list(items())
    assert "CLOSED" == breaker.state


def test_a_lost_probe_cannot_hold_the_circuit():
    """One that never ends gives its place back after `reset_timeout`; its late answer is void."""
    with FakeClock(autojump=False) as clock:
        breaker = CircuitBreaker(failure_threshold=1, reset_timeout=10)
        breaker.record(breaker.admit(), OSError())
        clock.advance(10)
        lost = breaker.admit()
        clock.advance(4)
        with pytest.raises(CircuitOpenError):
            breaker.admit()
        clock.advance(6)
        probe = breaker.admit()
        breaker.record(lost, OSError())
        before = breaker.state
        breaker.record(probe, None)

    assert ("HALF-OPEN", "CLOSED") == (before, breaker.state)


@pytest.mark.parametrize(
    ("awaited", "hint"), [(0, 0.1), (0.05, 0.1), (0.5, 0.5), (4, 4), (6, 4), (9.98, 0.02)]
)
def test_whoever_is_refused_for_a_probe_is_not_far_behind_its_answer(awaited, hint):
    """It asks again in a moment, later and later, and at last when the probe counts as lost."""
    with FakeClock(autojump=False) as clock:
        breaker = CircuitBreaker(failure_threshold=1, reset_timeout=10)
        breaker.record(breaker.admit(), OSError())
        clock.advance(10)
        breaker.admit()
        clock.advance(awaited)
        with pytest.raises(CircuitOpenError, match="is HALF-OPEN: come back in") as error:
            breaker.admit()

        assert pytest.approx(hint) == error.value.retry_after
        assert pytest.approx(hint) == breaker.retry_after


def test_trap_1_late_failures_do_not_prolong_the_open_time(run):
    """Calls from before that fail while it is open change neither the state nor its end."""
    gate = run.gate()
    with FakeClock(autojump=False) as clock:

        @run.drive
        @circuit_breaker(failure_threshold=1, reset_timeout=10)
        @run.steps
        def fetch(waits):
            if waits:
                yield gate.wait()
            raise OSError

        late = [run.start(fetch, True) for _ in range(3)]
        run.until(lambda: 3 == gate.arrived)
        with pytest.raises(OSError):  # noqa: PT011 - it says nothing
            fetch(False)
        clock.advance(8)
        gate.open()
        for call in late:
            with pytest.raises(OSError):  # noqa: PT011 - it says nothing
                call.result()
        left = fetch.circuit_breaker.retry_after
        clock.advance(2)

        assert (2, "HALF-OPEN") == (left, fetch.circuit_breaker.state)


def test_trap_1_a_late_success_does_not_close_it(run):
    """A call from before that succeeds while the probe is under way decides nothing."""
    gate = run.gate()

    @run.drive
    @circuit_breaker(failure_threshold=1, reset_timeout=0)
    @run.steps
    def fetch(waits):
        if not waits:
            raise OSError
        yield gate.wait()

    late = run.start(fetch, True)
    run.until(lambda: 1 == gate.arrived)
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        fetch(False)
    probe = fetch.circuit_breaker.admit()
    gate.open()
    late.result()

    assert "HALF-OPEN" == fetch.circuit_breaker.state
    fetch.circuit_breaker.record(probe, None)
    assert "CLOSED" == fetch.circuit_breaker.state


def test_trap_12_a_retry_outside_does_not_hammer_an_open_circuit(run):
    """Each attempt counts, and the refusal ends the retry with the last real error."""
    body = failing(*[OSError] * 9)
    fetch = run.decorate(
        lambda f: retry(initial_retry_delay=0)(circuit_breaker(failure_threshold=3)(f)), body
    )
    with pytest.raises(OSError, match="scripted"):
        fetch()

    assert (3, "OPEN") == (len(body.calls), fetch.circuit_breaker.state)
