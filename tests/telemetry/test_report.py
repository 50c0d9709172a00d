"""`generate_report`: the main figures, for people and for JSON."""

from __future__ import annotations

import json

import pytest

from resilience import (
    KeyPool,
    circuit_breaker,
    generate_report,
    get_stats,
    reset_stats,
    resilient,
    retry,
)
from resilience.testing import FakeClock, no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import HttpError, failing


@pytest.fixture
def reported(run, request):
    """A function with three calls: one at once, one after a retry, one in vain."""
    name = f"{request.node.name} {run.flavour}"
    body = failing("fine", OSError, "fine", *[OSError] * 2)
    fetch = run.decorate(retry(name=name, max_retries=1), body)
    with no_waiting():
        fetch()
        fetch()
        with pytest.raises(OSError, match="scripted"):
            fetch()
    return name


def test_rates_are_of_what_was_answered(reported):
    """Success among answered calls, and retries for each request."""
    report = generate_report(reported)

    assert (3, 2, 1) == tuple(
        report[f"{kind}_requests"] for kind in ("total", "successful", "failed")
    )
    assert pytest.approx(2 / 3) == report["success_rate"] == report["retries_per_request"]
    assert "errors_by_type" not in report


def test_nothing_called_has_no_rates(run):
    """There is nothing to divide by."""
    fetch = run.decorate(retry(name=f"never called {run.flavour}"), failing())
    report = generate_report(fetch.function)

    assert (0, None, None) == (
        report["total_requests"],
        report["success_rate"],
        report["retries_per_request"],
    )


def test_details_are_added_where_they_are_wanted(reported, run):
    """By type of error, by model and by endpoint; for all, by function as well."""
    details = generate_report(reported, include_details=True)
    keys = {f"{reported} {each}": f"key of {each}" for each in "ab"}
    fetch = run.decorate(resilient(keys=KeyPool(keys)), lambda *, api_key: 1)
    fetch()
    everything = generate_report(include_details=True)

    assert {"OSError": 1} == details["errors_by_type"]
    assert {"OSError": 3} == details["attempt_errors_by_type"]
    assert 3 == everything["functions"][reported]
    assert set(keys) <= set(everything["endpoints"])
    assert "functions" not in generate_report(include_details=False)


def test_a_report_prints_as_aligned_tables(reported):
    """Figures in groups with their units, tables of the details, at most 80 columns."""
    text = str(generate_report(reported, include_details=True))
    first, *lines = text.splitlines()

    assert first.startswith(f"{reported}, 20")
    assert ["", "requests", "  total_requests             3"] == lines[:3]
    assert "  success_rate         66.67 %" in lines
    assert ["errors_by_type", "  OSError     1"] == lines[-5:-3]
    assert ["attempt_errors_by_type", "  OSError     3"] == lines[-2:]
    assert "tokens" not in lines


def test_a_report_of_a_pool_has_a_row_for_each_entry():
    """Under heads that say what its figures are."""
    pool = KeyPool({"a": "key of a", "idle": "key of another"}, strategy="first")
    with FakeClock() as clock:
        assert clock.advance(2.5) == pool(lambda api_key: clock.advance(2.5))()
        lines = str(pool.generate_report(include_details=True)).splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("endpoints"))
    head, *rows = [line.split() for line in lines[place : place + 3]]

    assert ["endpoints", "requests", "failed", "rests", "tokens", "p50", "p99", "circuit"] == head
    assert ["a", "1", "0", "0", "0", "2.5", "s", "2.5", "s", "-"] == rows[0]
    assert ["idle", "0", "0", "0", "0", "0", "s", "0", "s", "-"] == rows[1]


@pytest.mark.parametrize("name", ["long " * 40, "a\tb\x1b[31m\nc", "\u202edesrever"])
def test_no_name_breaks_the_lines(name):
    """Nothing moves the cursor, and nothing is wider than a terminal."""
    pool = KeyPool({name[:200]: "key of a"}, name=name, failure_threshold=1)
    fetch = resilient(keys=pool, name=name, max_retries=0)(lambda *, api_key: _fail(name))
    with pytest.raises(Exception, match=r"^$"):
        fetch()
    text = str(generate_report(name, include_details=True))

    assert "CLOSED -> OPEN (failure_threshold)" in text
    assert [] == [line for line in text.splitlines() if len(line) > 80 or not line.isprintable()]


def test_a_report_is_plain(reported):
    """What JSON makes of it is the same again."""
    for report in (generate_report(reported, include_details=True), generate_report()):
        assert report == json.loads(json.dumps(report))


def test_details_say_what_happened_when(run, request):
    """Outcomes by interval, changes of circuits and rests of keys, by the clock of the wall."""
    name = f"{request.node.name} {run.flavour}"
    pool, body = pool_of("ab", name=name), failing(HttpError(429))
    decorator = resilient(keys=pool, name=name, failure_threshold=1)
    fetch = run.decorate(decorator, body)
    with FakeClock() as clock:
        clock.advance(0.5)
        fetch()
        fetch.circuit_breaker.open()
        fetch.circuit_breaker.close()
        clock.advance(9)
        fetch()
        report = generate_report(name, include_details=True)
        began = report["generated_at"] - clock.now
    timeline, (opened, closed) = report["timeline"], report["circuits"][name]
    (rest,) = report["cooldowns_of_keys"][f"{name}[a]"]

    assert pytest.approx(began) == timeline["start"]
    assert (1.0, [1, *[0] * 8, 1]) == (timeline["interval"], timeline["success"])
    assert pytest.approx([began + 0.5] * 3) == [each.pop("at") for each in (rest, opened, closed)]
    assert {"seconds": 1.0, "reason": "rate_limit"} == rest
    assert 1 == report["cooldowns"] == report["endpoints"]["a"]["cooldowns"]
    assert {"from": "CLOSED", "to": "OPEN", "reason": "manual"} == opened
    assert {"from": "OPEN", "to": "CLOSED", "reason": "manual"} == closed


def test_latencies_are_spread_over_bars(run, request):
    """Four bars an octave, each with its bounds in seconds; together all calls."""
    name = f"{request.node.name} {run.flavour}"
    with FakeClock() as clock:
        fetch = run.decorate(retry(name=name), clock.advance)
        for seconds in (0.26, 0.27, 1.1, 1.8):
            fetch(seconds)
    report = generate_report(name, include_details=True)

    assert [[0.25, 0.3125, 2], [1.0, 1.25, 1], [1.75, 2.0, 1]] == report["latency_distribution"]


def test_a_report_is_of_a_function_a_pool_or_an_entry(run, request):
    """Each has the same fields, and only its own circuits and keys."""
    name = f"{request.node.name} {run.flavour}"
    pool, body = pool_of("ab", name=name, failure_threshold=1), failing(OSError)
    fetch = run.decorate(lambda f: retry(name=name)(pool(f)), body)
    with no_waiting():
        fetch()
    reports = {
        "function": generate_report(fetch.function, include_details=True),
        "pool": pool.generate_report(include_details=True),
        "a": pool.generate_report("a", include_details=True),
        "b": pool.generate_report(name="b", include_details=True),
    }

    assert 1 == len({tuple(report) for report in reports.values()})
    assert [name, name, f"{name}[a]", f"{name}[b]"] == [each["name"] for each in reports.values()]
    assert [1, 2, 1, 1] == [each["total_requests"] for each in reports.values()]
    assert [1, 1, 1, 0] == [len(each["circuits"]) for each in reports.values()]
    assert [f"{name}[a]"] == list(reports["a"]["circuits"])


def test_a_reset_forgets_what_happened_when(run, request):
    """Of the function or the entry that is named, and of no other."""
    name = f"{request.node.name} {run.flavour}"
    fetch, other = (
        run.decorate(circuit_breaker(name=f"{name} {each}"), failing()) for each in "xy"
    )
    pool = pool_of("ab", failure_threshold=1, name=name)
    for breaker in (fetch.circuit_breaker, other.circuit_breaker, *pool.circuit_breakers.values()):
        breaker.open()
    reset_stats(fetch.function)
    pool.reset_stats("a")

    def remembered():
        return [each for each in generate_report(include_details=True)["circuits"] if name in each]

    assert [f"{name} y", f"{name}[b]"] == remembered()
    reset_stats()
    assert [] == remembered()


def test_a_reset_of_all_forgets_the_entries_of_pools(request):
    """That of a function does not: others may share the pool."""
    pool = pool_of("y", name=request.node.name)
    fetch = retry(name=request.node.name)(pool(lambda api_key: 1))
    fetch()
    reset_stats(fetch)

    assert (0, 1) == (get_stats(fetch)["total_requests"], pool.get_stats("y")["total_requests"])
    reset_stats()
    assert 0 == pool.get_stats("y")["total_requests"]


def test_entries_of_one_name_in_two_pools_are_told_apart(request):
    """In what is of everything; a pool that two functions share is there once."""
    first, second = (pool_of("z", name=f"{request.node.name} {each}") for each in "xy")
    for number, pool in enumerate((first, first, second)):
        retry(name=f"{request.node.name} {number}")(pool(lambda api_key: 1))()
    endpoints = generate_report(include_details=True)["endpoints"]

    assert [2, 1] == [endpoints[f"{pool.name}[z]"]["total_requests"] for pool in (first, second)]
    assert "z" not in endpoints


def _fail(name):
    raise type(name.replace("\x00", ""), (Exception,), {})
