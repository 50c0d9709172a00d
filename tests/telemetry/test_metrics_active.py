"""`resilience.call.active`: calls in progress, which come back to 0 whatever ends them."""

from __future__ import annotations

import asyncio
import gc
import os

import pytest

from resilience import batched, circuit_breaker, prioritized, resilient, retry
from tests.support.faults import failing
from tests.support.programs import run_program


def active(metrics, name="fetch"):
    """How many calls of this name are in progress."""
    return metrics.points("call.active")[name,]


def test_calls_in_progress(run, metrics):
    """Each counts from its begin to its end."""
    gate = run.gate()

    @run.drive
    @retry(name="fetch")
    @run.steps
    def fetch():
        yield gate.wait()

    calls = [run.start(fetch) for _ in range(3)]
    run.until(lambda: 3 == gate.arrived)
    during = active(metrics)
    gate.open()
    for call in calls:
        call.result()

    assert 3 == during
    assert 0 == active(metrics)


@pytest.mark.parametrize("error", [OSError, asyncio.CancelledError, KeyboardInterrupt])
def test_an_error_ends_a_call(run, metrics, error):
    """Of whatever kind."""
    fetch = run.decorate(resilient(max_retries=0, name="fetch"), failing(error))
    with pytest.raises(error):
        fetch()

    assert 0 == active(metrics)


def test_a_refusal_ends_a_call(run, metrics):
    """It was in progress while it was asked."""
    fetch = run.decorate(circuit_breaker(name="fetch"), failing())
    fetch.circuit_breaker.open()
    with pytest.raises(Exception, match="OPEN"):
        fetch()

    assert 0 == active(metrics)


@pytest.mark.parametrize("end", ["exhausted", "closed", "forgotten", "failed"])
def test_a_stream_is_in_progress_until_its_end(run, metrics, end):
    """Until it is used up, closed, forgotten, or fails."""

    @run.decorate(retry(name="fetch"))
    def numbers():
        yield 1
        if end == "failed":
            raise OSError
        yield 2

    stream = numbers()
    next(stream)
    during = active(metrics)
    if end == "exhausted":
        assert [2] == list(stream)
    elif end == "closed":
        stream.close()
    elif end == "failed":
        with pytest.raises(OSError):  # noqa: PT011 - it has no text
            next(stream)
    del stream
    gc.collect()
    run.until(lambda: 0 == active(metrics))

    assert 1 == during
    assert 1 == sum(count for count, _ in metrics.points("call.duration").values())


def test_a_task_that_is_cancelled(metrics):
    """Before its first step it never began; later it ends."""

    @prioritized(name="fetch")
    async def fetch():
        await asyncio.sleep(3600)

    async def main():
        early, late = (asyncio.create_task(fetch()) for _ in range(2))
        early.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        during = active(metrics)
        late.cancel()
        await asyncio.wait([early, late])
        return during

    assert 1 == asyncio.run(main())
    assert 0 == active(metrics)
    assert {("fetch", "cancelled"): 1} == {
        key: count for key, (count, _) in metrics.points("call.duration").items()
    }


def test_submitted_calls(run, metrics):
    """A call that was submitted is in progress while it runs, and ends with its future."""
    fetch = prioritized(max_concurrent_requests=2, name="fetch")(run.function(failing(OSError)))
    futures = [fetch.submit() for _ in range(5)]
    run.until(lambda: all(future.done() for future in futures))

    assert 0 == active(metrics)
    assert {4: 1, 1: 1} == {count: 1 for count, _ in metrics.points("call.duration").values()}


def test_submitted_items_of_batches(run, metrics):
    """From being submitted to the answer, or to being cancelled."""
    fetch = batched(max_batch_size=10, batch_timeout=60, name="fetch")(run.function(list))

    def submit():
        return [fetch.submit(number) for number in range(3)]

    async def submit_in_loop():
        futures = submit()
        during = active(metrics)
        futures[0].cancel()
        await fetch.flush()
        return during

    if run.flavour == "sync":
        futures = submit()
        during = active(metrics)
        futures[0].cancel()
        fetch.flush()
    else:
        during = run.call(submit_in_loop)

    assert 3 == during
    assert 0 == active(metrics)
    assert {("fetch", "cancelled"): 1, ("fetch", "success"): 2} == {
        key: count for key, (count, _) in metrics.points("call.duration").items()
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_measures_its_own_calls():
    """What its parent has measured and not handed on is the parent's; nobody else's call is in it.

    So both together count each call once.
    """
    program = """
        import os, threading
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from resilience import retry

        reader = InMemoryMetricReader()
        metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=False))
        gate = threading.Event()

        @retry(name="fetch")
        def fetch(wait=False):
            if wait:
                began.set()
                gate.wait()

        def points(name):
            data = reader.get_metrics_data()
            found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
            (metric,) = (m for m in found if m.name == name)
            return [getattr(p, "count", getattr(p, "value", None)) for p in metric.data.data_points]

        began = threading.Event()
        thread = threading.Thread(target=fetch, args=(True,))
        thread.start()
        began.wait()
        fetch()
        child = os.fork()
        if child == 0:
            before = points("resilience.call.active")
            fetch()
            print("child", before, points("resilience.call.duration"), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        before = points("resilience.call.active")
        gate.set()
        thread.join()
        print("parent", before, points("resilience.call.duration"))
    """

    assert ["child", "[0]", "[1]", "parent", "[1]", "[2]"] == run_program(program)
