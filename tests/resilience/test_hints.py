"""What headers say about when to come back."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import _clock
from resilience._hints import duration, retry_after

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def in_new_york(monkeypatch):
    """A machine whose own time is not GMT, at noon of 23 November 2026."""
    monkeypatch.setattr(_clock, "wall", lambda: NOW)
    with monkeypatch.context() as context:
        context.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


def hint(**headers):
    """The hint of these headers; an underscore stands for a hyphen."""
    return retry_after([(name.replace("_", "-"), value) for name, value in headers.items()])


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("  7  ", 7),
        ("1.5", 1.5),
        ("3.", 3),
        ("99999999", 99_999_999),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("1_000", None),
        ("0x10", None),
        ("٣", None),
        ("nan", None),
        ("inf", None),
        ("9" * 400, None),
        ("", None),
        ("soon", None),
        ("12 seconds", None),
        ("1,5", None),
    ],
)
def test_retry_after_in_seconds(text, seconds):
    """A plain decimal number of at least 0 and nothing else."""
    assert seconds == hint(Retry_After=text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30),
        ("Monday, 23-Nov-26 12:00:30 GMT", 30),
        ("Mon Nov 23 12:00:30 2026", 30),
        ("Mon, 23 Nov 2026 12:00:30 -0000", 30),
        ("Mon, 23 Nov 2026 13:00:30 +0100", 30),
        ("Mon, 23 Nov 2026 12:00:00 GMT", None),
        ("Mon, 23 Nov 2026 11:59:59 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 251_606_865_599),
        ("Mon, 23 Nov 2026 25:00:00 GMT", None),
        ("Mon, 99 Nov 2026 12:00:30 GMT", None),
        ("2026-11-23T12:00:30Z", None),
    ],
)
def test_retry_after_as_a_date(in_new_york, text, seconds):
    """The three forms of RFC 9110, all in GMT; what is past says nothing."""
    assert seconds == hint(Retry_After=text)


@given(st.integers(3, 10**9))
def test_a_date_is_as_far_as_it_is(seconds):
    """The hint is the difference between the date and the clock."""
    date = formatdate(_clock.wall() + seconds, usegmt=True)

    assert seconds - 2 <= hint(Retry_After=date) <= seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "2500"}, 2.5),
        ({"retry_after_ms": "0"}, 0),
        ({"retry_after_ms": "2500", "retry_after": "9"}, 2.5),
        ({"retry_after_ms": "soon", "retry_after": "9"}, 9),
        ({"retry_after_ms": "-5", "retry_after": "9"}, 9),
        ({"RETRY_AFTER": "9"}, 9),
        ({"retry_after": "soon", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "4"}, 4),
        ({"retry_after": "9", "x_ratelimit_remaining": "0", "x_ratelimit_reset": "4"}, 9),
        ({"date": "Mon, 23 Nov 2026 12:00:30 GMT"}, None),
        ({}, None),
    ],
)
def test_the_most_exact_header_wins(headers, seconds):
    """Milliseconds, then Retry-After, then the resets; one that cannot be read does not count."""
    assert seconds == hint(**headers)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("12ms", 0.012),
        ("1h2m3.5s", 3723.5),
        ("2m59.56s", 179.56),
        ("7.66s", 7.66),
        ("100us", 0.0001),
        ("100µs", 0.0001),
        ("5ns", 5e-9),
        ("90", 90),
        ("0s", 0),
        ("", None),
        ("s", None),
        ("1d", None),
        ("1h ", None),
        ("-1s", None),
        ("1 s", None),
        ("9" * 400 + "h", None),
    ],
)
def test_a_go_duration(text, seconds):
    """Numbers with units, from hours to nanoseconds, or a plain number of seconds."""
    assert (None if seconds is None else pytest.approx(seconds)) == duration(text)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"remaining_requests": "0", "reset_requests": "20s"}, 20),
        ({"remaining_requests": "1", "reset_requests": "20s"}, None),
        ({"remaining_requests": "0"}, None),
        ({"reset_requests": "20s"}, None),
        ({"remaining": "0", "reset": "20"}, 20),
        ({"remaining": "0", "reset_requests": "20s"}, None),
        (
            {
                "remaining_requests": "0",
                "reset_requests": "2s",
                "remaining_tokens": "0",
                "reset_tokens": "6m0s",
            },
            360,
        ),
        (
            {
                "remaining_requests": "0",
                "reset_requests": "2s",
                "remaining_tokens": "5",
                "reset_tokens": "6m0s",
            },
            2,
        ),
        ({"remaining_project_tokens": "0", "reset_project_tokens": "1h"}, 3600),
        ({"remaining": "none", "reset": "20"}, None),
    ],
)
def test_the_longest_reset_of_a_used_up_limit_counts(headers, seconds):
    """A limit of which something remains was not the reason."""
    assert seconds == hint(**{f"x_ratelimit_{name}": value for name, value in headers.items()})


def test_resets_can_be_left_out():
    """For an error that is no rate limit."""
    headers = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "20")]

    assert (20, None) == (retry_after(headers), retry_after(headers, resets=False))


names = st.sampled_from(
    ["retry-after", "Retry-After-Ms", "x-ratelimit-remaining", "x-ratelimit-reset", "x"]
)
dates = st.from_regex(
    r"(Mon, )?[0-9]{1,2}[ -](Nov|Xyz)[ -][0-9]{2,5} [0-9]{1,2}(:[0-9]{2}){1,2} ?[A-Z+\-0-9]{0,6}",
    fullmatch=True,
)
texts = st.text(max_size=10) | dates | st.text("0123456789hmsuµn.", max_size=10)


@given(st.lists(st.tuples(names, texts), max_size=6))
def test_any_headers_can_be_read(headers):
    """Garbage never raises; a hint is a finite number of seconds, at least 0."""
    seconds = retry_after(headers)

    assert seconds is None or 0 <= seconds < float("inf")
