"""The last calls, by number and by time, against a list of all calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.breaker import Breaker
from resilience._core.breaker_states import BreakerRules
from resilience._core.window import CountWindow, Tally, TimeWindow
from tests.support.cost import Ends, lines_run

outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60)


@given(st.integers(1, 20), outcomes)
def test_a_count_window_holds_the_last_calls(size, calls):
    """After each call the tally is that of the last `size` calls."""
    window = CountWindow(size)
    for number, (failed, slow) in enumerate(calls, start=1):
        last = calls[max(0, number - size) : number]
        naive = Tally(len(last), sum(f for f, _ in last), sum(s for _, s in last))

        assert naive == window.record(float(number), failed=failed, slow=slow)


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans(), st.booleans()), max_size=60))
def test_a_time_window_holds_the_last_seconds(calls):
    """The tally is that of the last ten seconds, to one second."""
    window, now, seen = TimeWindow(10), 0.0, []
    for pause, failed, slow in calls:
        now += pause
        seen.append((now, failed, slow))
        tally = window.record(now, failed=failed, slow=slow)

        for index, count in enumerate(tally):
            surely = _count(seen, now, 9 - 1e-6, index)
            perhaps = _count(seen, now, 10 + 1e-6, index)
            assert surely <= count <= perhaps


@pytest.mark.parametrize("window", [CountWindow(3), TimeWindow(3)], ids=["count", "time"])
def test_a_window_forgets(window):
    """What fell out of the window speaks neither for nor against the service."""
    for moment in range(3):
        window.record(moment, failed=True, slow=True)
    for moment in range(3, 6):
        tally = window.record(moment, failed=False, slow=False)

    assert Tally(total=3, failures=0, slow=0) == tally


def full_count_window(size, monkeypatch):
    """A window of so many calls that is full, and cannot be walked through unseen."""
    monkeypatch.setattr("resilience._core.window.deque", lambda: Ends(bytes(size)))
    return CountWindow(size)


@pytest.mark.parametrize("outcome", [(False, False), (True, True)])
def test_a_count_window_records_in_constant_time(monkeypatch, outcome):
    """A window of a million calls costs what one of a hundred costs, line by line."""
    failed, slow = outcome

    def cost(size):
        window = full_count_window(size, monkeypatch)
        return lines_run(lambda: window.record(0.0, failed=failed, slow=slow))

    assert cost(100) == cost(1_000_000)


def test_a_time_window_records_in_constant_time(monkeypatch):
    """However many calls it holds, the next one costs the same."""
    monkeypatch.setattr("resilience._core.rolling.deque", Ends)

    def cost(calls):
        window = TimeWindow(60)
        for number in range(calls):
            window.record(50 * number / calls, failed=True, slow=False)
        return lines_run(lambda: window.record(50.0, failed=True, slow=False))

    assert cost(100) == cost(100_000)


@pytest.mark.parametrize("rates", [{"failure_rate": 0.5}, {"slow_call_rate": 0.5}])
def test_a_breaker_evaluates_its_rates_in_constant_time(monkeypatch, rates):
    """The whole step of the machine, evaluation included, does not depend on the window."""

    def cost(size):
        monkeypatch.setattr("resilience._core.window.deque", lambda: Ends(bytes(size)))
        breaker = Breaker(BreakerRules(failure_threshold=None, window=size, **rates))
        permit = breaker.admit(0.0)
        return lines_run(lambda: breaker.record(permit, failed=True, now=1.0, slow=True))

    assert cost(100) == cost(1_000_000)


def _count(seen, now, age, index):
    recent = [call for call in seen if now - call[0] < age]
    return len(recent) if index == 0 else sum(call[index] for call in recent)
