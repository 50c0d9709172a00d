"""The storm: everybody is asked the same, and what is told was counted."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks.storm import STORMS, Finish, Races, measure_storm, storm_tables, total
from benchmarks.storm.count import Count
from benchmarks.storm.plain import is_failure, may_pass
from benchmarks.storm.senders import OURS, SENDERS, pause_after
from benchmarks.storm.weather import RESET
from resilience import CircuitOpenError


def finish_of(*, answers: int, requests: int, too_early: int = 0) -> Finish:
    """Return the finish of somebody whose answers came one after another."""
    times = [0.1 * (number + 1) for number in range(answers)]
    return Finish(Count(answered=times, waits=times), requests, too_early)


def races_of(**finishes: list[Finish]) -> Races:
    """Return such races of two seconds each."""
    return Races(replace(STORMS[0], seconds=2.0), finishes, ())


def test_a_race_of_everybody():
    """What each contestant gets in time is right, and each request that it sends is counted."""
    races = measure_storm(replace(STORMS[0], seconds=1.0), 1)

    assert set(SENDERS) == {*races.finishes, *races.absent}
    for (finish,) in races.finishes.values():
        assert 0 < finish.requests
        assert len(finish.count.answered) <= finish.requests
        assert 0 == finish.count.wrong
        assert max(finish.count.answered, default=0.0) <= 1.0


def test_a_storm_has_the_limits_of_its_keys():
    """The server is told nothing of keys that nobody has."""
    two, one = STORMS

    assert {None, "production", "backup"} == {rule.get("key") for rule in two.rules}
    assert {None, "production"} == {rule.get("key") for rule in one.rules}


def test_a_total_is_the_median_of_the_races():
    """Goodput, requests for each answer and requests before their time, each for itself."""
    found = total(
        races_of(
            ours=[
                finish_of(answers=10, requests=10),
                finish_of(answers=20, requests=30, too_early=2),
                finish_of(answers=40, requests=100, too_early=3),
            ]
        ),
        OURS,
    )

    assert (10.0, (5.0, 20.0)) == (found.goodput, found.spread)
    assert (30, 1_500, 2) == (found.requests, found.of_a_thousand, found.too_early)


def test_the_table_compares_with_each_peer():
    """Answers and requests for each of them, as times the peer's."""
    text = storm_tables(
        [
            races_of(
                ours=[finish_of(answers=20, requests=22)], peer=[finish_of(answers=10, requests=20)]
            )
        ]
    )

    assert "| ours | 10.0 | 10.0 to 10.0 |" in text
    assert "- 2.00 times the answers of peer, with 0.55 times its requests for each." in text


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (CircuitOpenError("open", name="f", retry_after=0.25), 0.25),
        (type("CircuitBreakerError", (Exception,), {})(), RESET),
        (ValueError(), 1.0),
    ],
)
def test_a_program_comes_back_when_the_error_says(error: Exception, seconds: float):
    """Where it does not say, after the reset of a circuit or a second."""
    assert seconds == pause_after(error)


@pytest.mark.parametrize(
    ("status", "passes", "fails"), [(429, True, False), (503, True, True), (400, False, False)]
)
def test_what_the_peers_are_told(status: int, passes: Any, fails: Any):
    """A limit is tried again and opens no circuit, a bad request neither."""
    from requests import HTTPError

    error = HTTPError(response=SimpleNamespace(status_code=status))  # type: ignore[arg-type]

    assert (passes, fails) == (may_pass(error), is_failure(error))
