"""`@retry`: how often, how long between, and what comes out at the end."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import get_stats, retry
from resilience._recovery import Recovery
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import failing, gaps, hold_random
from tests.support.run import AsyncRun, SyncRun


def test_a_success_is_called_once(run):
    """Nothing is repeated, nothing is waited for, and arguments and result pass through."""
    body = failing(then="answer")
    fetch = run.decorate(retry, body)
    with FakeClock() as clock:
        assert "answer" == fetch(1, key="value")

    assert [((1,), {"key": "value"})] == body.calls
    assert 0 == clock.now


def test_a_success_touches_no_machine(run, monkeypatch):
    """The success path decides nothing, so it costs nothing that can be measured."""
    monkeypatch.setattr(Recovery, "__init__", None)

    assert "done" == run.decorate(retry, failing())()


def test_delays_are_exact_without_jitter(run):
    """1, 2, 4, 8, 16 seconds, then the error: five retries after the first attempt."""
    body = failing(*[OSError] * 6)
    fetch = run.decorate(retry(jitter=0), body)
    with FakeClock(), pytest.raises(OSError, match="scripted"):
        fetch()

    assert [0, 1, 3, 7, 15, 31] == body.times


def test_arguments_are_the_same_each_time(run):
    """Every attempt gets what the caller passed."""
    body = failing(OSError, OSError)
    with no_waiting():
        run.decorate(retry, body)(1, by="name")

    assert [((1,), {"by": "name"})] * 3 == body.calls


@pytest.mark.parametrize(
    ("settings", "delays"),
    [
        ({"max_retry_delay": 5}, [1, 2, 4, 5, 5]),
        ({"initial_retry_delay": 0.25, "backoff_factor": 4}, [0.25, 1, 4, 16, 60]),
        ({"initial_retry_delay": 0}, [0, 0, 0, 0, 0]),
        ({"backoff_factor": 1, "max_retries": 2}, [1, 1]),
        ({"max_retries": 0}, []),
    ],
)
def test_settings_shape_the_delays(run, settings, delays):
    """First delay, factor, cap and number of retries are the user's."""
    body = failing(*[OSError] * 99)
    fetch = run.decorate(retry(jitter=0, **settings), body)
    with FakeClock(), pytest.raises(OSError, match="scripted"):
        fetch()

    assert delays == gaps(body.times)


@pytest.mark.parametrize(("random", "delay"), [(0.0, 4), (0.5, 3), (1.0, 2)])
def test_jitter_is_taken_from_the_delay(run, monkeypatch, random, delay):
    """By default half of each delay is random."""
    hold_random(monkeypatch, random)
    body = failing(OSError)
    fetch = run.decorate(retry(initial_retry_delay=4), body)
    with FakeClock():
        fetch()

    assert [delay] == gaps(body.times)


@pytest.mark.parametrize("flavour", [SyncRun, AsyncRun])
@given(jitter=st.floats(0, 1), initial=st.floats(0.001, 100))
def test_every_delay_is_within_its_jitter(flavour, jitter, initial):
    """Whatever the luck, each pause lies between `(1 - jitter)` of the computed one and all."""
    run = flavour()
    body = failing(*[OSError] * 3)
    fetch = run.decorate(retry(max_retries=3, initial_retry_delay=initial, jitter=jitter), body)
    with FakeClock():
        fetch()
    run.close()

    for number, pause in enumerate(gaps(body.times)):
        whole = min(60, initial * 2**number)
        assert whole * (1 - jitter) - 1e-6 <= pause <= whole + 1e-6


def test_a_recovered_call_returns_its_result(run):
    """Failures that were overcome leave no trace but in the statistics."""
    name = f"recovers {run.flavour}"
    fetch = run.decorate(retry(name=name), failing(OSError, TimeoutError))
    with no_waiting():
        assert "done" == fetch()

    stats = get_stats(name)
    assert (1, 1, 0) == tuple(
        stats[f"{kind}_requests"] for kind in ("total", "successful", "failed")
    )
    assert 2 == stats["retries"]
    assert {"OSError": 1, "TimeoutError": 1} == stats["attempt_errors_by_type"]


def test_a_failed_call_counts_once(run):
    """The call is one failure, its attempts are counted apart."""
    name = f"fails {run.flavour}"
    fetch = run.decorate(retry(name=name, max_retries=2), failing(*[OSError] * 3))
    with no_waiting(), pytest.raises(OSError, match="scripted"):
        fetch()

    stats = get_stats(name)
    assert (1, 1, 2) == (stats["total_requests"], stats["failed_requests"], stats["retries"])
    assert ({"OSError": 1}, {"OSError": 3}) == (
        stats["errors_by_type"],
        stats["attempt_errors_by_type"],
    )


@pytest.mark.parametrize("retries", [1_200])
def test_many_retries_stay_at_the_cap(run, retries):
    """Beyond the range of floats the delay is still the longest one."""
    body = failing(*[OSError] * retries)
    fetch = run.decorate(retry(max_retries=retries, jitter=0, max_retry_delay=2), body)
    with no_waiting():
        fetch()

    assert retries + 1 == len(body.times)
    assert pytest.approx(2, abs=0.5) == body.times[-1] - body.times[-2]


def test_methods_and_class_methods_are_retried(run):
    """The instance, or the class, is passed to each attempt, in both orders of the decorators."""

    class Api:
        one = retry(run.function(failing(OSError)))
        two = classmethod(retry(run.function(failing(OSError))))
        three = retry(classmethod(run.function(failing(OSError))))
        four = staticmethod(retry(run.function(failing(OSError))))
        five = retry(staticmethod(run.function(failing(OSError))))

    api = Api()
    with no_waiting():
        results = [run.call(getattr(api, name)) for name in ("one", "two", "three", "four", "five")]

    assert ["done"] * 5 == results


def test_one_decorator_serves_several_functions(run):
    """A retry keeps nothing between calls: a policy can be made once and used anywhere."""
    policy = retry(max_retries=1, jitter=0)
    first, second = (run.decorate(policy, failing(OSError, then=name)) for name in ("a", "b"))
    with no_waiting():
        assert ["a", "b"] == [first(), second()]


def test_calls_at_the_same_time_do_not_share_their_attempts(run):
    """Each call has its own count of attempts."""
    gate = run.gate()
    failed = []

    @run.drive
    @retry(max_retries=2, initial_retry_delay=0)
    @run.steps
    def fetch(name):
        yield gate.wait()
        if failed.count(name) < 2:
            failed.append(name)
            raise OSError
        return name

    calls = [run.start(fetch, name) for name in "abcde"]
    run.until(lambda: 5 == gate.arrived)
    gate.open()

    assert list("abcde") == [call.result() for call in calls]
    assert 10 == len(failed)


def test_infinity_is_no_delay():
    """The cap must be finite, so that no call sleeps for ever."""
    with pytest.raises(ValueError, match="max_retry_delay"):
        retry(max_retry_delay=math.inf)
