"""What is retried: by classification, by type, by predicate, by result."""

from __future__ import annotations

import logging
from contextlib import suppress

import pytest

from resilience import retry
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import HttpError, failing

FEW = {"max_retries": 2, "initial_retry_delay": 0}


class ToldError(Exception):
    """Says of itself whether a retry may help."""

    def __init__(self, *, retryable):
        super().__init__("told")
        self.retryable = retryable


def attempts_of(run, decorator, *outcomes):
    """How often a function is called that has these outcomes."""
    body = failing(*outcomes)
    fetch = run.decorate(decorator, body)
    with no_waiting(), suppress(type(outcomes[-1])):
        fetch()
    return len(body.times)


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (ValueError("any"), 3),
        (TimeoutError(), 3),
        (HttpError(500), 3),
        (HttpError(429), 3),
        (HttpError(408), 3),
        (HttpError(400), 1),
        (HttpError(404), 1),
        (HttpError(401), 1),
        (HttpError(501), 1),
        (ToldError(retryable=True), 3),
        (ToldError(retryable=False), 1),
        (ExceptionGroup("both", [OSError(), HttpError(503)]), 3),
        (ExceptionGroup("one", [OSError(), HttpError(404)]), 1),
    ],
    ids=str,
)
def test_by_default_all_is_retried_that_may_pass(run, error, attempts):
    """Every `Exception`, unless it says that it is permanent."""
    assert attempts == attempts_of(run, retry(**FEW), *[error] * 3)


@pytest.mark.parametrize(
    ("on", "error", "attempts"),
    [
        (OSError, OSError(), 3),
        (OSError, ConnectionError(), 3),
        (OSError, ValueError(), 1),
        ((OSError, KeyError), KeyError(), 3),
        ((OSError, KeyError), ValueError(), 1),
        (OSError, ExceptionGroup("all", [OSError(), ConnectionError()]), 3),
        (OSError, ExceptionGroup("some", [OSError(), ValueError()]), 1),
        (OSError, ExceptionGroup("deep", [ExceptionGroup("all", [OSError()])]), 3),
        (ExceptionGroup, ExceptionGroup("group", [ValueError()]), 3),
        (HttpError, HttpError(404), 3),
        (BaseException, ValueError(), 3),
        (KeyboardInterrupt, ValueError(), 1),
        (lambda error: "busy" in str(error), ValueError("busy"), 3),
        (lambda error: "busy" in str(error), ValueError("gone"), 1),
    ],
)
def test_on_says_what_is_retried(run, on, error, attempts):
    """Types with their subclasses, all members of a group, or a predicate; nothing else."""
    assert attempts == attempts_of(run, retry(on=on, **FEW), *[error] * 3)


def test_on_keeps_the_servers_hint(run):
    """Who chooses what is retried still waits for as long as the server says."""
    with FakeClock() as clock:
        run.decorate(retry(on=HttpError, jitter=0), failing(HttpError(409, {"Retry-After": "9"})))()

        assert 9 == clock.now


def test_a_predicate_that_fails_retries_nothing(run, caplog):
    """The call ends with its own error; the predicate's is in the log."""
    fetch = run.decorate(retry(on=lambda error: error.missing), failing(OSError("mine")))
    with no_waiting(), caplog.at_level(logging.ERROR), pytest.raises(OSError, match="mine"):
        fetch()

    assert "AttributeError" in caplog.text


def test_a_predicate_is_asked_once_for_each_failure(run):
    """Also with the error that the last attempt raised."""
    asked = []
    outcomes = [OSError(number) for number in range(3)]
    attempts_of(run, retry(on=lambda error: not asked.append(error), **FEW), *outcomes)

    assert outcomes == asked


def test_a_result_can_be_retried(run):
    """Until the predicate is content; the good result is returned."""
    body = failing(None, "", then="full")
    fetch = run.decorate(retry(retry_result=lambda result: not result, **FEW), body)
    with no_waiting():
        assert "full" == fetch()

    assert 3 == len(body.times)


def test_the_last_result_is_returned(run):
    """When the retries are used up, what the last attempt returned is the result."""
    fetch = run.decorate(retry(retry_result=bool, jitter=0, **FEW), failing(*"abc"))
    with no_waiting():
        assert "c" == fetch()


def test_the_last_result_is_not_an_earlier_one(run):
    """An error after a bad result is the call's end, not the result before it."""
    outcomes = "bad", OSError("last")
    fetch = run.decorate(retry(retry_result=bool, max_retries=1), failing(*outcomes))
    with no_waiting(), pytest.raises(OSError, match="last"):
        fetch()


def test_a_bad_result_after_an_error_is_returned(run):
    """Errors and results count together; what came last is what comes out."""
    fetch = run.decorate(retry(retry_result=bool, max_retries=1), failing(OSError, "bad"))
    with no_waiting():
        assert "bad" == fetch()


def test_a_result_waits_as_long_as_an_error(run):
    """The back-off is the same."""
    fetch = run.decorate(retry(retry_result=bool, jitter=0), failing(*"abc", then=""))
    with FakeClock() as clock:
        fetch()

        assert 1 + 2 + 4 == clock.now


def test_a_result_predicate_that_fails_accepts(run, caplog):
    """The result is returned; the predicate's error is in the log."""
    fetch = run.decorate(retry(retry_result=lambda result: result.missing), failing(then="mine"))
    with no_waiting():
        assert "mine" == fetch()

    assert "AttributeError" in caplog.text


def test_without_a_predicate_any_result_is_good(run):
    """None and False are results like others, after a retry too."""
    fetch = run.decorate(retry, failing(OSError, then=None))
    with no_waiting():
        assert fetch() is None


@pytest.mark.parametrize("setting", ["on", "retry_result"])
def test_a_coroutine_function_is_no_predicate(setting):
    """It would never be awaited, and a coroutine is always true."""

    async def ask(_):
        return False

    with pytest.raises(ValueError, match=f"{setting} must be .*plain"):
        retry(**{setting: ask})


def test_trap_16_a_coroutine_that_a_plain_function_returns_is_told_about():
    """A lambda that returns a coroutine is retried in vain: nobody awaits it inside."""

    async def fail():
        raise OSError

    fetch = retry(lambda: fail())  # noqa: PLW0108 - the case in point
    with pytest.warns(RuntimeWarning, match="make it a coroutine function") as warned:
        fetch().close()

    assert [__file__] == [warning.filename for warning in warned]
    fetch().close()  # and once is enough
