"""`before_retry`: what it gets, when it is called, and what its faults do."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from resilience import SettingsError, retry
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import HttpError, failing


def test_the_hook_gets_one_record_for_each_retry(run):
    """Name, attempt, limit, delay, source, exception, elapsed: all that is known before a wait."""
    errors = OSError("one"), HttpError(429, {"Retry-After": "30"})
    records = []
    decorator = retry(name="fetch", max_retries=4, jitter=0, before_retry=records.append)
    with FakeClock():
        run.decorate(decorator, failing(*errors))()

    shared = {"name": "fetch", "measured": True, "max_retries": 4, "result": None}
    first = {"attempt": 1, "delay": 1, "source": "backoff", "elapsed": 0, "reason": "transient"}
    second = {"attempt": 2, "delay": 30, "source": "server", "elapsed": 1, "reason": "rate_limit"}
    assert [
        shared | first | {"exception": errors[0]},
        shared | second | {"exception": errors[1]},
    ] == [
        {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}
        for record in records
    ]


def test_the_record_of_a_result_has_no_exception(run):
    """A result that is not good enough stands in place of the exception, and the reverse."""
    records = []
    decorator = retry(retry_result=bool, before_retry=records.append)
    with no_waiting():
        run.decorate(decorator, failing("bad", OSError, then=""))()

    assert [("bad", None, "result"), (None, OSError, "transient")] == [
        (record.result, record.exception and type(record.exception), record.reason)
        for record in records
    ]


def test_the_record_is_frozen(run):
    """A hook cannot change what the retry does."""
    records = []
    with no_waiting():
        run.decorate(retry(before_retry=records.append), failing(OSError))()

    with pytest.raises(dataclasses.FrozenInstanceError):
        records[0].delay = 0


def test_the_hook_is_called_before_the_wait(run):
    """Not after it: it can refresh a token while there is time."""
    with FakeClock() as clock:
        seen = []
        decorator = retry(jitter=0, before_retry=lambda _: seen.append(clock.now))
        run.decorate(decorator, failing(OSError, OSError))()

    assert [0, 1] == seen


def test_the_hook_is_not_called_where_nothing_follows(run):
    """Neither after a success, nor after the last failure, nor for a permanent error."""
    records = []
    decorator = retry(max_retries=1, before_retry=records.append)
    with no_waiting():
        run.decorate(decorator, failing())()
        with pytest.raises(OSError, match="scripted"):
            run.decorate(decorator, failing(OSError, OSError))()
        with pytest.raises(HttpError):
            run.decorate(decorator, failing(HttpError(404)))()

    assert 1 == len(records)


def test_a_hook_that_fails_harms_no_call(run, caplog):
    """The retry goes on; the hook's error is in the log."""

    def hook(record):
        raise RuntimeError("of the hook")

    with no_waiting():
        assert "done" == run.decorate(retry(before_retry=hook), failing(OSError))()

    assert "of the hook" in caplog.text
    assert "RuntimeError" == caplog.records[-1].resilience_error_type


def test_a_hook_can_end_the_program(run):
    """What is no `Exception` passes: Ctrl-C in a hook is still Ctrl-C."""

    def hook(record):
        raise KeyboardInterrupt

    body = failing(OSError)
    with no_waiting(), pytest.raises(KeyboardInterrupt):
        run.decorate(retry(before_retry=hook), body)()

    assert 1 == len(body.times)


def test_a_coroutine_functions_hook_may_be_one():
    """It is awaited before the wait begins."""
    order = []

    async def hook(record):
        await asyncio.sleep(0)
        order.append("hook")

    @retry(before_retry=hook)
    async def fetch():
        order.append("attempt")
        if len(order) < 2:
            raise OSError

    with no_waiting():
        asyncio.run(fetch())

    assert ["attempt", "hook", "attempt"] == order


def test_an_awaited_hook_that_fails_harms_no_call(caplog):
    """Whether it fails at once or later makes no difference."""

    async def hook(record):
        await asyncio.sleep(0)
        raise RuntimeError("of the hook")

    outcomes = iter([OSError()])

    @retry(before_retry=hook)
    async def fetch():
        for outcome in outcomes:
            raise outcome
        return "done"

    with no_waiting():
        assert "done" == asyncio.run(fetch())

    assert "of the hook" in caplog.text


def test_a_plain_function_takes_no_coroutine_hook():
    """Nobody could await it there; the mistake shows at decoration."""

    async def hook(record):
        """Do nothing."""

    with pytest.raises(SettingsError, match="before_retry must be a plain function"):
        retry(before_retry=hook)(lambda: None)


def test_every_call_of_a_hook_is_outside_of_locks(run):
    """A hook may call the decorated function itself, or one that shares its budget."""
    from resilience import RetryBudget

    budget = RetryBudget(minimum=99)
    inner = retry(budget=budget)(lambda: "inner")
    results = []
    decorator = retry(budget=budget, before_retry=lambda _: results.append(inner()))
    with no_waiting():
        run.decorate(decorator, failing(OSError))()

    assert ["inner"] == results
