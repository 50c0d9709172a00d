"""`RetryBudget`: retries that several functions share."""

from __future__ import annotations

import threading

import pytest

from resilience import RetryBudget, SettingsError, retry
from resilience._core.budget import Budget
from resilience.testing import FakeClock, capture_events, no_waiting
from tests.support.faults import HttpError, failing

FAST = {"max_retries": 3, "initial_retry_delay": 0}


def fail(run, function, times=1):
    """Make calls that fail."""
    for _ in range(times):
        with pytest.raises(OSError, match="scripted"):
            function()


def test_when_it_is_spent_the_first_failure_is_final(run):
    """Ten retries are free; the eleventh is not made, and the note says why."""
    body = failing(*[OSError] * 999)
    fetch = run.decorate(retry(budget=RetryBudget(ratio=0), **FAST), body)
    with FakeClock():
        fail(run, fetch, times=3)
        assert 12 == len(body.times)
        with pytest.raises(OSError, match="scripted") as caught:
            fetch()
        assert 14 == len(body.times)
        fail(run, fetch, times=5)

    assert 19 == len(body.times)
    assert "2 attempts made; not retried: the retry budget is spent" in caught.value.__notes__[0]


def test_calls_earn_retries(run):
    """A fifth of the calls may be retries: a hundred successes pay for twenty."""
    budget = RetryBudget(ratio=0.2, minimum=0)
    healthy = run.decorate(retry(budget=budget, **FAST), failing())
    body = failing(*[OSError] * 999)
    sick = run.decorate(retry(budget=budget, **FAST), body)
    with FakeClock():
        for _ in range(100):
            healthy()
        fail(run, sick, times=10)

    assert 10 + 22 == len(body.times)


def test_functions_share_a_budget(run):
    """What one function spends, another one does not have."""
    budget = RetryBudget(ratio=0, minimum=3)
    bodies = [failing(*[OSError] * 9) for _ in range(2)]
    functions = [run.decorate(retry(budget=budget, **FAST), body) for body in bodies]
    with FakeClock():
        for function in functions:
            fail(run, function)

    assert [4, 1] == [len(body.times) for body in bodies]


def test_the_window_gives_retries_back(run):
    """After `window` seconds the minimum is there again."""
    body = failing(*[OSError] * 99)
    budget = RetryBudget(ratio=0, minimum=2, window=10)
    fetch = run.decorate(retry(budget=budget, **FAST), body)
    with FakeClock() as clock:
        fail(run, fetch, times=2)
        assert 4 == len(body.times)
        clock.advance(10)
        fail(run, fetch)

    assert 4 + 3 == len(body.times)


def test_what_is_not_retried_costs_nothing(run):
    """Neither a permanent error, nor a hint that is too long, nor the last attempt."""
    budget = RetryBudget(ratio=0, minimum=5)
    outcomes = HttpError(404), HttpError(429, {"Retry-After": "99"})
    fetch = run.decorate(retry(budget=budget, max_retries=1), failing(*outcomes))
    with FakeClock():
        for _ in outcomes:
            with pytest.raises(HttpError):
                fetch()

        assert 5 == budget.remaining


def test_what_is_left_can_be_read():
    """Retries that may be made now, never below zero."""
    budget = RetryBudget(ratio=0.5, minimum=1)
    with FakeClock():
        assert 1 == budget.remaining
        budget.call()
        assert 1.5 == budget.remaining
        assert budget.spend()
        assert not budget.spend()
        assert 0.5 == budget.remaining


def test_giving_up_is_an_event(run):
    """Whoever listens learns that the budget ended the call."""
    fetch = run.decorate(
        retry(budget=RetryBudget(ratio=0, minimum=0), **FAST), failing(*[OSError] * 9)
    )
    with no_waiting(), capture_events() as events:
        fail(run, fetch)

    given_up = [event for event in events if type(event).__name__ == "GivenUp"]
    assert ["the retry budget is spent"] == [event.reason for event in given_up]


def test_the_sums_are_touched_under_the_lock_alone():
    """Between looking at what is left and taking it, no other thread can do the same."""
    budget = RetryBudget()

    class Watched(Budget):
        def left(self, now):
            assert budget._lock.locked()
            return super().left(now)

        def call(self, now):
            assert budget._lock.locked()
            super().call(now)

    budget._budget = Watched(0.5, 1, 10)
    budget.call()

    assert [True, False] == [budget.spend(), budget.spend()]
    assert 0.5 == budget.remaining


def test_threads_share_a_budget_exactly():
    """Eight threads never spend more than there is."""
    budget = RetryBudget(ratio=0, minimum=1_000, window=3_600)
    granted = []
    barrier = threading.Barrier(8)

    def spend():
        barrier.wait()
        granted.append(sum(budget.spend() for _ in range(200)))

    threads = [threading.Thread(target=spend) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1_000 == sum(granted)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("ratio", -0.1),
        ("ratio", float("nan")),
        ("ratio", "0.2"),
        ("minimum", -1),
        ("minimum", 1.5),
        ("minimum", True),
        ("window", 0),
        ("window", float("inf")),
        ("window", None),
    ],
)
def test_bad_arguments_are_named(setting, value):
    """The error names the argument as the user wrote it, its rule and the value."""
    with pytest.raises(SettingsError, match=f"^{setting} must be") as caught:
        RetryBudget(**{setting: value})

    assert (setting, repr(value)) == (caught.value.setting, repr(caught.value.value))


def test_its_repr_shows_the_settings():
    """For a log line or a debugger."""
    assert "RetryBudget(ratio=0.5, minimum=1, window=3)" == repr(RetryBudget(0.5, 1, 3))
