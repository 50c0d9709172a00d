"""What a server says about when to come back, as a retry obeys it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import deadline, retry
from resilience.testing import FakeClock, capture_events
from tests.support.faults import BotoError, HttpError, failing, gaps, hold_random
from tests.support.run import AsyncRun, SyncRun

RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
SOON, LATE = {"Retry-After": "30"}, {"Retry-After": "61"}


class LimitedError(Exception):
    """Says of itself when to come back."""

    retryable = True

    def __init__(self, seconds):
        super().__init__("slow down")
        self.retry_after = seconds


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (HttpError(429, {"retry-after": "30"}), 30),
        (HttpError(503, {"Retry-After": "7.5"}), 7.5),
        (HttpError(429, {"retry-after-ms": "2500", "retry-after": "9"}), 2.5),
        (BotoError(503, {"retry-after": "12"}), 12),
        (HttpError(429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20s"}), 20),
        (BotoError(503, {"x-amz-retry-after": "12000"}), 12),
        (HttpError(429, body={"error": {"details": [RETRY_INFO]}}), 34.5),
        (HttpError(429, {"retry-after": "9"}, body={"error": {"details": [RETRY_INFO]}}), 9),
        (HttpError(429, body={"error": {"message": "Please try again in 1m0.5s."}}), 60.5),
        (HttpError(503, body={"error": {"message": "Please try again in 1m0.5s."}}), 1),
        (LimitedError(45), 45),
        (HttpError(429, {"retry-after": "0.25"}), 1),
        (HttpError(429, {"retry-after": "soon"}), 1),
        (HttpError(500, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20s"}), 1),
    ],
)
def test_the_longer_of_hint_and_back_off_is_waited_for(run, error, delay):
    """A hint replaces a computed delay of 1 s where it is longer; what is no hint does not."""
    body = failing(error)
    fetch = run.decorate(retry(jitter=0, max_retry_delay=90), body)
    with FakeClock():
        fetch()

    assert [delay] == gaps(body.times)


def test_the_source_of_a_delay_is_told(run):
    """Events say who chose the delay: the server, or the back-off."""
    outcomes = HttpError(429, SOON), HttpError(429)
    fetch = run.decorate(retry(jitter=0), failing(*outcomes))
    with FakeClock(), capture_events() as events:
        fetch()

    retries = [event for event in events if type(event).__name__ == "RetryScheduled"]
    assert [("server", "rate_limit", 30), ("backoff", "rate_limit", 2)] == [
        (event.source, event.reason, event.delay) for event in retries
    ]


@pytest.mark.parametrize("flavour", [SyncRun, AsyncRun])
@given(hint=st.floats(0, 60), jitter=st.floats(0, 1))
def test_a_hint_is_never_undercut(flavour, hint, jitter):
    """With any jitter and any luck, nobody comes back before the server's time."""
    run = flavour()
    body = failing(LimitedError(hint))
    fetch = run.decorate(retry(jitter=jitter), body)
    with FakeClock():
        fetch()
    run.close()

    assert hint - 1e-9 <= gaps(body.times)[0] <= max(hint + 1, 1) + 1e-9


@pytest.mark.parametrize(("hint", "delay"), [(4, 4.2), (40, 40.5)])
def test_jitter_is_added_to_a_hint(run, monkeypatch, hint, delay):
    """Up to a tenth, up to one second: enough to spread a crowd that was told the same."""
    hold_random(monkeypatch, 0.5)
    body = failing(LimitedError(hint))
    with FakeClock():
        run.decorate(retry, body)()

    assert [delay] == gaps(body.times)


@pytest.mark.parametrize(
    "error", [HttpError(429, LATE), BotoError(503, LATE), LimitedError(61)], ids=repr
)
def test_a_hint_above_the_cap_ends_the_call_at_once(run, error):
    """Nothing is waited for, nothing is asked early; the error says when to come back."""
    body = failing(error)
    fetch = run.decorate(retry, body)
    with FakeClock() as clock, pytest.raises(type(error)) as caught:
        fetch()

    assert (0, 1) == (clock.now, len(body.times))
    assert caught.value is error
    assert 61 == error.retry_after
    assert "the server asks for 61 s, longer than max_retry_delay=60 s" in error.__notes__[0]


def test_a_cap_that_is_raised_lets_the_call_wait(run):
    """Who can wait longer says so by `max_retry_delay`."""
    body = failing(HttpError(429, LATE))
    with FakeClock():
        run.decorate(retry(jitter=0, max_retry_delay=120), body)()

    assert [61] == gaps(body.times)


def test_a_hint_beyond_the_deadline_ends_the_call_at_once(run):
    """The server's time comes too late for this caller, who is told so now."""
    body = failing(HttpError(429, SOON))
    fetch = run.decorate(retry, body)
    with FakeClock() as clock, deadline(29), pytest.raises(HttpError) as caught:
        fetch()

    assert (0, 30) == (clock.now, caught.value.retry_after)
    assert "would pass the deadline" in caught.value.__notes__[0]


def test_a_hint_beyond_max_elapsed_ends_the_call_at_once(run):
    """The same holds for the call's own limit."""
    body = failing(HttpError(429, {"Retry-After": "8"}), HttpError(429, {"Retry-After": "8"}))
    fetch = run.decorate(retry(jitter=0, max_elapsed=15), body)
    with FakeClock() as clock, pytest.raises(HttpError) as caught:
        fetch()

    assert (8, 8) == (clock.now, caught.value.retry_after)
    assert "would pass max_elapsed" in caught.value.__notes__[0]


@pytest.mark.parametrize("luck", [0.0, 0.999])
def test_a_hint_that_just_fits_is_waited_for(run, monkeypatch, luck):
    """Jitter alone never turns a hint that fits the deadline into one that does not."""
    hold_random(monkeypatch, luck)
    body = failing(LimitedError(30))
    fetch = run.decorate(retry, body)
    with FakeClock(), deadline(30.01):
        assert "done" == fetch()


def test_an_error_with_an_empty_hint_of_its_own_gets_the_servers(run):
    """An attribute `retry_after` that says nothing does not hide what the headers said."""

    class PartialError(HttpError):
        retry_after = None

    fetch = run.decorate(retry, failing(PartialError(429, LATE)))
    with FakeClock(), pytest.raises(PartialError) as caught:
        fetch()

    assert 61 == caught.value.retry_after


def test_an_error_of_the_last_attempt_carries_its_hint(run):
    """However the call ends, the next one can be made at the server's time."""
    fetch = run.decorate(retry(max_retries=1), failing(*[HttpError(429, SOON)] * 2))
    with FakeClock(), pytest.raises(HttpError) as caught:
        fetch()

    assert 30 == caught.value.retry_after


def test_a_hint_of_an_error_that_is_not_retried_is_carried_too(run):
    """A permanent error may say when it would not be one any more."""
    fetch = run.decorate(retry, failing(HttpError(404, SOON)))
    with FakeClock() as clock, pytest.raises(HttpError) as caught:
        fetch()

    assert (0, 30) == (clock.now, caught.value.retry_after)


def test_a_date_is_waited_for(run):
    """Retry-After as an HTTP date: until then by the clock, which is the fake one here."""
    from email.utils import formatdate

    from resilience import _clock

    with FakeClock():
        in_20_seconds = formatdate(_clock.wall() + 20, usegmt=True)
        body = failing(HttpError(503, {"Retry-After": in_20_seconds}))
        run.decorate(retry(jitter=0), body)()

    assert pytest.approx(20, abs=1) == gaps(body.times)[0]
