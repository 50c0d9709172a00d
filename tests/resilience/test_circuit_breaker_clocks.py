"""`@circuit_breaker` where time is frozen, jumps or runs backwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from freezegun import freeze_time

from resilience import CircuitOpenError, circuit_breaker
from resilience.testing import FakeClock
from tests.support.faults import failing


def opened(run, **settings):
    """A function whose circuit has just opened."""
    fetch = run.decorate(
        circuit_breaker(**{"failure_threshold": 1, "reset_timeout": 30} | settings),
        failing(OSError),
    )
    with pytest.raises(OSError, match="scripted"):
        fetch()
    return fetch


def frozen(date):
    """Freeze time, but for the loops: coroutines need the real clock there."""
    return freeze_time(date, real_asyncio=True)


@pytest.mark.parametrize("date", ["2026-01-01", "1970-01-01"])
def test_trap_7_freezegun_moves_it_through_its_states(run, date):
    """Made inside the frozen time it opens, probes and heals by that time alone."""
    with frozen(date) as time:
        fetch = opened(run)
        states = [fetch.circuit_breaker.state]
        time.tick(timedelta(seconds=29))
        states.append(fetch.circuit_breaker.state)
        time.tick(timedelta(seconds=1))
        states.append(fetch.circuit_breaker.state)
        fetch()

        assert ["OPEN", "OPEN", "HALF-OPEN", "CLOSED"] == [*states, fetch.circuit_breaker.state]


@pytest.mark.parametrize("date", ["2026-01-01", "1970-01-01"])
def test_trap_7_it_survives_freezing_and_thawing(run, date):
    """Opened outside, it heals inside; opened inside, outside: a jump never leaves it stuck."""
    before = opened(run)
    with frozen(date) as time:
        inside = opened(run)
        before.circuit_breaker.state  # noqa: B018 - to look at it must not hurt
        time.tick(timedelta(seconds=31))

        assert "done" == before()
    # The clock may have gone back by fifty years: the wait begins anew, and is no longer.
    assert 30 >= (inside.circuit_breaker.retry_after or 0)
    with FakeClock(autojump=False) as clock:
        inside.circuit_breaker.state  # noqa: B018 - as above
        clock.advance(31)
        assert "done" == inside()


@pytest.mark.parametrize("date", ["2026-01-01", "1970-01-01"])
def test_trap_7_a_probe_lost_in_another_time_does_not_stick(run, date):
    """The place of a probe that was begun before a jump is given back in the time after it."""
    with frozen(date) as time:
        fetch = opened(run)
        time.tick(timedelta(seconds=30))
        fetch.circuit_breaker.admit()
    with FakeClock(autojump=False) as clock:
        with pytest.raises(CircuitOpenError) as error:
            fetch()
        clock.advance(30)

        assert 30 >= error.value.retry_after
        assert "done" == fetch()


def test_trap_7_a_window_of_time_survives_a_jump(run):
    """What was counted in another time is forgotten, not added up with what comes after."""
    body = failing(*[OSError] * 4)
    with FakeClock(1_000_000) as _:
        fetch = run.decorate(
            circuit_breaker(failure_rate=0.5, minimum_calls=3, window=timedelta(minutes=1)), body
        )
        for _ in range(2):
            with pytest.raises(OSError, match="scripted"):
                fetch()
    with FakeClock(5):
        with pytest.raises(OSError, match="scripted"):
            fetch()

        assert "CLOSED" == fetch.circuit_breaker.state
