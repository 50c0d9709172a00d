"""`@circuit_breaker`: what counts, what opens it, and how it heals."""

from __future__ import annotations

import asyncio
import math
import pickle
from datetime import timedelta

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    DeadlineExceededError,
    QueueFullError,
    SettingsError,
    circuit_breaker,
    deadline,
)
from resilience.testing import FakeClock
from tests.support.faults import HttpError, failing


def play(fetch, calls):
    """Call so many times; what came of each call: its result, or the name of its error."""
    seen = []
    for _ in range(calls):
        try:
            seen.append(fetch())
        except BaseException as error:
            seen.append(type(error).__name__)
    return seen


@pytest.fixture
def clock():
    """Time that stands still but for `advance`."""
    with FakeClock(autojump=False) as clock:
        yield clock


def test_it_opens_after_consecutive_failures(run):
    """At the fifth failure in a row it opens, and the function is not called any more."""
    body = failing(*[OSError] * 9)
    fetch = run.decorate(circuit_breaker, body)

    assert ["OSError"] * 5 + ["CircuitOpenError"] * 3 == play(fetch, 8)
    assert (5, "OPEN") == (len(body.calls), fetch.circuit_breaker.state)


def test_a_success_ends_the_row(run):
    """Failures are counted in a row: one success between them begins anew."""
    fetch = run.decorate(circuit_breaker(failure_threshold=2), failing(*[OSError, "good"] * 5))

    assert ["OSError", "good"] * 5 == play(fetch, 10)
    assert ("CLOSED", 0) == (fetch.circuit_breaker.state, fetch.circuit_breaker.failure_count)


def test_the_count_is_shown(run):
    """`failure_count` is the row so far; it stays while the circuit is open, and ends with it."""
    fetch = run.decorate(
        circuit_breaker(failure_threshold=3, reset_timeout=0), failing(*[OSError] * 3)
    )
    counts = []
    for _ in range(4):
        play(fetch, 1)
        counts.append(fetch.circuit_breaker.failure_count)

    assert [1, 2, 3, 0] == counts


def test_an_open_circuit_says_when_to_come_back(run, clock):
    """The refusal has the name and the seconds that are left, and survives pickling."""
    fetch = run.decorate(circuit_breaker(failure_threshold=1, name="model"), failing(OSError))
    play(fetch, 1)
    clock.advance(12)
    with pytest.raises(CircuitOpenError, match=r"'model' is OPEN: come back in 18 s") as refused:
        fetch()
    copy = pickle.loads(pickle.dumps(refused.value))

    assert ("model", 18) == (refused.value.name, refused.value.retry_after)
    assert ("model", 18, str(refused.value)) == (copy.name, copy.retry_after, str(copy))
    assert repr(refused.value) == repr(copy) == f"CircuitOpenError({str(copy)!r})"
    assert 18 == fetch.circuit_breaker.retry_after


def test_a_refusal_names_the_state(run, clock):
    """Open until a probe, half-open while it is on its way, or held open by hand."""
    gate, errors, texts = run.gate(), [OSError()], []

    @run.drive
    @circuit_breaker(failure_threshold=1, name="model")
    @run.steps
    def fetch():
        if errors:
            raise errors.pop()
        yield gate.wait()

    def refuse():
        with pytest.raises(CircuitOpenError) as refused:
            fetch()
        texts.append((refused.value.state, str(refused.value).partition(" is ")[2]))

    play(fetch, 1)
    refuse()
    clock.advance(30)
    probe = run.start(fetch)
    run.until(lambda: 1 == gate.arrived)
    refuse()
    gate.open()
    probe.result()
    fetch.circuit_breaker.open()
    refuse()

    assert [
        ("OPEN", "OPEN: come back in 30 s"),
        ("HALF-OPEN", "HALF-OPEN: come back in 0.1 s"),
        ("OPEN", "OPEN: come back when it has been closed by hand"),
    ] == texts


def test_it_probes_and_heals(run, clock):
    """After `reset_timeout` it is half-open at once, a success closes it, and all pass again."""
    fetch = run.decorate(circuit_breaker(failure_threshold=1), failing(OSError))
    play(fetch, 1)
    states = [fetch.circuit_breaker.state]
    clock.advance(30)
    states.append(fetch.circuit_breaker.state)

    assert ["done", "done"] == play(fetch, 2)
    assert ["OPEN", "HALF-OPEN", "CLOSED"] == [*states, fetch.circuit_breaker.state]


def test_one_failing_probe_opens_it_again(run, clock):
    """Half-open forgives nothing, whatever the threshold of the closed circuit is."""
    fetch = run.decorate(circuit_breaker(failure_threshold=2), failing(*[OSError] * 3))
    play(fetch, 2)
    clock.advance(30)

    assert ["OSError", "CircuitOpenError"] == play(fetch, 2)
    clock.advance(29)
    assert "OPEN" == fetch.circuit_breaker.state
    clock.advance(1)
    assert ["done"] == play(fetch, 1)


def test_success_threshold_asks_for_several_probes(run, clock):
    """So many probes in a row have to succeed before it closes."""
    fetch = run.decorate(
        circuit_breaker(failure_threshold=1, success_threshold=3), failing(OSError)
    )
    play(fetch, 1)
    clock.advance(30)
    states = []
    for _ in range(3):
        play(fetch, 1)
        states.append(fetch.circuit_breaker.state)

    assert ["HALF-OPEN", "HALF-OPEN", "CLOSED"] == states


def test_it_stays_open_longer_each_time(run, clock):
    """With `max_reset_timeout` each opening in a row lasts twice as long, up to that."""
    fetch = run.decorate(
        circuit_breaker(failure_threshold=1, reset_timeout=10, max_reset_timeout=30),
        failing(*[OSError] * 4),
    )
    waits = []
    for _ in range(4):
        play(fetch, 1)
        waits.append(fetch.circuit_breaker.retry_after)
        clock.advance(waits[-1])

    assert [10, 20, 30, 30] == waits


def test_a_rate_over_a_number_of_calls(run):
    """At half of the last ten calls, in any order, it opens; a row of failures alone does not."""
    outcomes = ["good"] * 5 + [OSError] * 5
    fetch = run.decorate(circuit_breaker(failure_rate=0.5, window=10), failing(*outcomes))
    seen = play(fetch, 11)

    assert ["good"] * 5 + ["OSError"] * 5 + ["CircuitOpenError"] == seen


def test_a_rate_needs_enough_calls(run):
    """Below `minimum_calls` nobody can speak of a rate: nine failures out of nine do not open."""
    fetch = run.decorate(circuit_breaker(failure_rate=0.1), failing(*[OSError] * 10))
    play(fetch, 9)
    before = fetch.circuit_breaker.state
    play(fetch, 1)

    assert ("CLOSED", "OPEN") == (before, fetch.circuit_breaker.state)


def test_a_rate_over_a_time(run, clock):
    """A `timedelta` as window: what is older than a minute does not count any more."""
    window = timedelta(minutes=1)
    fetch = run.decorate(
        circuit_breaker(failure_rate=0.5, minimum_calls=2, window=window),
        failing(OSError, "good", "good", OSError, OSError),
    )
    play(fetch, 1)
    clock.advance(61)
    play(fetch, 3)
    before = fetch.circuit_breaker.state
    play(fetch, 1)

    assert ("CLOSED", "OPEN") == (before, fetch.circuit_breaker.state)


def test_a_rate_replaces_the_threshold_unless_both_are_given(run):
    """With `failure_rate` alone five failures in a row are nothing special; with both they are."""
    alone = run.decorate(circuit_breaker(failure_rate=0.9), failing(*[OSError] * 9))
    both = run.decorate(
        circuit_breaker(failure_rate=0.9, failure_threshold=5), failing(*[OSError] * 9)
    )
    play(alone, 9)
    play(both, 9)

    assert ("CLOSED", "OPEN") == (alone.circuit_breaker.state, both.circuit_breaker.state)


def test_slow_calls_open_it(run, clock):
    """Calls that take `slow_call_duration` or longer open it at their rate, successful or not."""

    def slow():
        clock.advance(2)
        return "late"

    fetch = run.decorate(
        circuit_breaker(slow_call_duration=2, slow_call_rate=1, minimum_calls=3), slow
    )

    assert ["late"] * 3 + ["CircuitOpenError"] == play(fetch, 4)


def test_slow_streams_open_it(run, clock):
    """What counts is the time until their end."""

    def items():
        yield 1
        clock.advance(2)

    fetch = run.decorate(
        circuit_breaker(slow_call_duration=2, slow_call_rate=1, minimum_calls=3), items
    )

    assert [[1]] * 3 + ["CircuitOpenError"] == play(lambda: list(fetch()), 4)


def test_a_slow_probe_does_not_heal(run, clock):
    """A service that answers as slowly as before has not healed."""
    pauses = iter([2, 2, 2, 1.9])
    fetch = run.decorate(
        circuit_breaker(slow_call_duration=2, slow_call_rate=1, minimum_calls=2),
        lambda: clock.advance(next(pauses)),
    )
    play(fetch, 2)
    clock.advance(30)
    play(fetch, 1)
    before = fetch.circuit_breaker.state
    clock.advance(30)
    play(fetch, 1)

    assert ("OPEN", "CLOSED") == (before, fetch.circuit_breaker.state)


class DeclaredError(Exception):
    """An error that says whether it is worth a retry."""

    def __init__(self, retryable):
        super().__init__("declared")
        self.retryable = retryable


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (OSError("x"), True),
        (TimeoutError(), True),
        (KeyError("bug"), True),
        (HttpError(500), True),
        (HttpError(503), True),
        (HttpError(408), True),
        (DeclaredError(retryable=True), True),
        (DeclaredError(retryable=False), False),
        (HttpError(400), False),
        (HttpError(401), False),
        (HttpError(404), False),
        (HttpError(429), False),
        (HttpError(501), False),
        (QueueFullError("full"), False),
        (DeadlineExceededError("late"), False),
        (CircuitOpenError("another circuit"), False),
        (ExceptionGroup("all", [OSError(), TimeoutError()]), True),
        (ExceptionGroup("one", [OSError(), HttpError(404)]), False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_counts_as_a_failure(run, error, counts):
    """Transient errors count; rate limits, the caller's own mistakes and refusals do not."""
    fetch = run.decorate(circuit_breaker(failure_threshold=1), failing(error))
    with pytest.raises(type(error)):
        fetch()

    assert ("OPEN" if counts else "CLOSED") == fetch.circuit_breaker.state


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit]
)
def test_trap_2_neutral_outcomes_count_for_nothing(run, error):
    """Cancellation and Ctrl-C pass through as they are, and are neither failure nor success."""
    fetch = run.decorate(circuit_breaker(failure_threshold=2), failing(OSError, error, OSError))
    play(fetch, 1)
    with pytest.raises(error):
        fetch()
    before = fetch.circuit_breaker.failure_count
    play(fetch, 1)

    assert (1, "OPEN") == (before, fetch.circuit_breaker.state)


@pytest.mark.parametrize("counts", [ValueError, (ValueError, KeyError), "predicate"])
def test_counts_says_what_a_failure_is(run, counts):
    """Types or a predicate replace the classification, for the better and for the worse."""
    if counts == "predicate":
        counts = lambda error: isinstance(error, ValueError)  # noqa: E731 - one of three forms
    fetch = run.decorate(
        circuit_breaker(failure_threshold=1, counts=counts), failing(OSError, ValueError)
    )
    play(fetch, 1)
    before = fetch.circuit_breaker.state
    play(fetch, 1)

    assert ("CLOSED", "OPEN") == (before, fetch.circuit_breaker.state)


def test_counts_cannot_make_a_failure_of_a_neutral_outcome(run):
    """Even where the user says so, cancellation and refusals say nothing about the service."""
    fetch = run.decorate(
        circuit_breaker(failure_threshold=1, counts=lambda _: True),
        failing(asyncio.CancelledError, QueueFullError, HttpError(404)),
    )
    play(fetch, 2)
    before = fetch.circuit_breaker.state
    play(fetch, 1)

    assert ("CLOSED", "OPEN") == (before, fetch.circuit_breaker.state)


def test_a_predicate_that_fails_counts_nothing(run, caplog):
    """The caller gets the function's own error, and the mistake stands in the log."""

    def broken(error):
        raise ZeroDivisionError

    fetch = run.decorate(circuit_breaker(failure_threshold=1, counts=broken), failing(OSError))
    with pytest.raises(OSError, match="scripted"):
        fetch()

    assert "CLOSED" == fetch.circuit_breaker.state
    assert "broken" in caplog.text


def test_a_deadline_that_has_passed_is_no_outcome(run):
    """The function is not called, no probe is used up, and nothing is counted."""
    body = failing(OSError)
    fetch = run.decorate(circuit_breaker(failure_threshold=1, reset_timeout=0), body)
    play(fetch, 1)
    with deadline(0), pytest.raises(DeadlineExceededError):
        fetch()

    assert (1, "HALF-OPEN") == (len(body.calls), fetch.circuit_breaker.state)
    assert "done" == fetch()


def test_it_says_for_how_long_nobody_passes(clock):
    """0 where a permit has to be asked for, to know; for ever where it is held open by hand."""
    breaker = CircuitBreaker(failure_threshold=1, reset_timeout=10)
    seconds = [breaker.open_for()]
    breaker.record(breaker.admit(), OSError())
    seconds.append(breaker.open_for())
    clock.advance(10)
    seconds.append(breaker.open_for())
    breaker.open()
    seconds.append(breaker.open_for())

    assert [0, 10, 0, math.inf] == seconds


def test_one_object_for_several_functions(run):
    """Functions of one service share its circuit: what one of them learns spares the others."""
    breaker = CircuitBreaker(failure_threshold=2, name="service")
    one = run.decorate(circuit_breaker(breaker), failing(OSError))
    other = run.decorate(circuit_breaker(breaker), failing(OSError))
    play(one, 1)
    play(other, 1)

    assert ["CircuitOpenError"] == play(one, 1)
    assert breaker is one.circuit_breaker is other.circuit_breaker


def test_a_stream_is_judged_at_its_end(run):
    """A generator succeeds when it is exhausted, and fails wherever it fails."""

    def items(fails):
        yield 1
        if fails:
            raise OSError

    fetch = run.decorate(circuit_breaker(failure_threshold=2), items)
    counts = []
    for fails in (True, False, True, True):
        play(lambda fails=fails: list(fetch(fails)), 1)
        counts.append(fetch.circuit_breaker.failure_count)

    assert [1, 0, 1, 2] == counts
    with pytest.raises(CircuitOpenError):
        next(fetch(fails=False))


def test_a_stream_that_is_left_early_says_nothing(run):
    """Whoever stops reading has no opinion: the row of failures is neither longer nor over."""
    fetch = run.decorate(
        circuit_breaker(failure_threshold=2), lambda fails: (yield from _one_item(fails))
    )
    play(lambda: list(fetch(True)), 1)
    stream = fetch(False)
    next(stream)
    stream.close()

    assert 1 == fetch.circuit_breaker.failure_count


def _one_item(fails):
    if fails:
        raise OSError
    yield 1


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"failure_threshold": 0}, "failure_threshold"),
        ({"failure_threshold": True}, "failure_threshold"),
        ({"failure_threshold": None}, "failure_threshold"),
        ({"reset_timeout": -1}, "reset_timeout"),
        ({"reset_timeout": float("inf")}, "reset_timeout"),
        ({"half_open_max_calls": 0}, "half_open_max_calls"),
        ({"success_threshold": 0}, "success_threshold"),
        ({"failure_rate": 0}, "failure_rate"),
        ({"failure_rate": 1.1}, "failure_rate"),
        ({"failure_rate": 0.5, "minimum_calls": 101}, "minimum_calls"),
        ({"window": timedelta(0)}, "window"),
        ({"window": 1.5}, "window"),
        ({"slow_call_rate": 0.5}, "slow_call_rate"),
        ({"slow_call_duration": 1}, "slow_call_rate"),
        ({"max_reset_timeout": 29}, "max_reset_timeout"),
        ({"counts": "OSError"}, "counts"),
        ({"on_transition": 1}, "on_transition"),
        ({"key": "argument"}, "key"),
        ({"name": ""}, "name"),
        ({"failure_treshold": 3}, "failure_treshold"),
    ],
)
def test_bad_settings_show_at_decoration(settings, setting):
    """The error names the setting that breaks its rule, before any call is made."""
    with pytest.raises(SettingsError) as error:
        circuit_breaker(**settings)

    assert setting == error.value.setting


def test_a_shared_object_has_its_own_settings():
    """Beside a `CircuitBreaker` no settings are taken: they would be silently without effect."""
    with pytest.raises(SettingsError, match="takes no settings beside a CircuitBreaker"):
        circuit_breaker(CircuitBreaker(), failure_threshold=1)
