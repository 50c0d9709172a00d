"""What headers and bodies say about when to come back: the facts of every API, as one table."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience import _clock
from resilience._bodies import read_body
from resilience._hints import FORMS, duration, moment, retry_after
from tests.support.sources import ROOT

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


def approx(seconds):
    """About so many seconds, or None."""
    return None if seconds is None else pytest.approx(seconds)


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
    assert approx(seconds) == duration(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360),
        ("20", 20),
        ("0", 0),
        ("2026-11-23T12:00:30Z", 30),
        ("2026-11-23t12:00:30z", 30),
        ("2026-11-23 12:00:30.5+00:00", 30.5),
        ("2026-11-23T13:00:30+01:00", 30),
        ("2026-11-23T12:00:00Z", None),
        ("2025-11-23T12:00:30Z", None),
        ("2026-11-23T12:00:30", None),
        ("2026-13-45T12:00:30Z", None),
        ("20261123T120030Z", None),
        ("9999-12-31T23:59:59Z", 251_606_865_599),
        ("0001-01-01T00:00:00+23:59", None),
        (f"{NOW + 30:.0f}", 30),
        (f"{(NOW + 30) * 1000:.0f}", 30),
        (f"{NOW - 30:.0f}", None),
        ("999999999", 999_999_999),
        ("-20", None),
        ("nan", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_reset_is_a_duration_or_a_moment(in_new_york, text, seconds):
    """A Go duration, seconds, an RFC 3339 time, or seconds or milliseconds since 1970."""
    assert approx(seconds) == moment(text)


def openai_says(message):
    """A body of OpenAI's form."""
    return {"error": {"message": message, "type": "tokens", "code": "rate_limit_exceeded"}}


def gemini_says(delay, kind="type.googleapis.com/google.rpc.RetryInfo", message="Exhausted."):
    """A body of Gemini's form."""
    details = [
        {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
        {"@type": kind, "retryDelay": delay},
    ]
    error = {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": message, "details": details}
    return {"error": error}


def x_limits(**pairs):
    """Headers as OpenAI and Groq send them: `requests="0 20s"` is what remains, and the reset."""
    headers = {}
    for name, pair in pairs.items():
        left, _, reset = pair.partition(" ")
        headers[f"x-ratelimit-remaining-{name}"] = left
        headers[f"x-ratelimit-reset-{name}"] = reset
    return headers


def claude_limits(**pairs):
    """Headers as Anthropic sends them."""
    headers = {}
    for name, pair in pairs.items():
        left, _, reset = pair.partition(" ")
        limit = name.replace("_", "-")
        headers[f"anthropic-ratelimit-{limit}-remaining"] = left
        headers[f"Anthropic-Ratelimit-{limit}-Reset"] = reset
    return headers


NOON = "2026-11-23T12:00:"
SHEETS = [
    # (source, headers, body, seconds of a rate limit, seconds of any other error)
    ("OpenAI: retry-after", {"retry-after": "56"}, None, 56, 56),
    ("OpenAI: retry-after-ms", {"retry-after-ms": "2500", "retry-after": "3"}, None, 2.5, 2.5),
    ("OpenAI: requests", x_limits(requests="0 1s", tokens="5 6m0s"), None, 1, None),
    ("OpenAI: both", x_limits(requests="0 1s", tokens="0 6m0s"), None, 360, None),
    ("OpenAI: milliseconds", x_limits(requests="0 12ms"), None, 0.012, None),
    ("OpenAI: project", x_limits(**{"project-tokens": "0 1h2m3.5s"}), None, 3723.5, None),
    ("OpenAI: remains", x_limits(requests="59 1s", tokens="149984 6m0s"), None, None, None),
    ("OpenAI: in a stream", {}, openai_says("Please try again in 20ms."), 0.02, None),
    ("OpenAI: no time", {}, openai_says("Please try again later."), None, None),
    ("Groq: per day", x_limits(requests="0 2m59.56s", tokens="17997 7.66s"), None, 179.56, None),
    ("Groq: per minute", x_limits(requests="14370 2m59.56s", tokens="0 7.66s"), None, 7.66, None),
    ("Groq: in a stream", {}, openai_says("Please try again in 1m2.5s. Visit"), 62.5, None),
    ("Anthropic: retry-after", {"retry-after": "30"}, None, 30, 30),
    ("Anthropic: tokens", claude_limits(tokens=f"0 {NOON}42Z"), None, 42, None),
    (
        "Anthropic: input and output",
        claude_limits(input_tokens=f"0 {NOON}05Z", output_tokens=f"0 {NOON}45Z"),
        None,
        45,
        None,
    ),
    ("Anthropic: remains", claude_limits(requests=f"7 {NOON}42Z"), None, None, None),
    ("Anthropic: past", claude_limits(requests="0 2026-11-23T11:59:59Z"), None, None, None),
    (
        "Anthropic: priority tier",  # its limit is no reason: the request goes to another tier
        {
            "anthropic-priority-input-tokens-remaining": "0",
            "anthropic-priority-input-tokens-reset": f"{NOON}42Z",
        },
        None,
        None,
        None,
    ),
    ("Gemini: RetryInfo", {}, gemini_says("38s"), 38, 38),
    ("Gemini: fractions", {}, gemini_says("38.24s"), 38.24, 38.24),
    ("Gemini: daily", {}, gemini_says("35625s"), 35_625, 35_625),
    ("Gemini: in a list", {}, [gemini_says("38s")], 38, 38),
    ("Gemini: text", {}, json.dumps(gemini_says("38s")), 38, 38),
    ("Gemini: far too long", {}, json.dumps(gemini_says("38s")) + " " * 70_000, None, None),
    ("Gemini: message", {}, openai_says("Please retry in 10h17m5.7s."), 37_025.7, None),
    ("Gemini: both", {}, gemini_says("38s", message="Please retry in 37.9s."), 38, 38),
    ("Gemini: negative", {}, gemini_says("-38s"), None, None),
    ("Gemini: no text", {}, gemini_says(38), None, None),
    ("Gemini: other detail", {}, gemini_says("38s", kind="google.rpc.ErrorInfo"), None, None),
    ("Hugging Face: draft", {"RateLimit": '"api";r=0;t=55'}, None, 55, None),
    ("Hugging Face: remains", {"RateLimit": '"api";r=1;t=55'}, None, None, None),
    ("Hugging Face: two", {"RateLimit": '"a";r=0;t=5, "b"; r=0; t=9'}, None, 9, None),
    ("Hugging Face: garbage", {"RateLimit": '"api";r=0;t=-5'}, None, None, None),
    ("S3: AWS", {"x-amz-retry-after": "1500"}, None, 1.5, 1.5),
    ("S3: MinIO", {"Retry-After": "120"}, b"<Error/>", 120, 120),
    ("S3: garbage", {"x-amz-retry-after": "soon"}, None, None, None),
    ("TGI", {}, {"error": "Model is overloaded", "error_type": "overloaded"}, None, None),
    ("TEI", {}, {"error": "no permits available", "error_type": "Overloaded"}, None, None),
    ("Ollama", {}, {"error": "server busy, please try again"}, None, None),
    ("OVMS", {}, {"error": "Invalid JSON structure"}, None, None),
    ("OPEA", {}, "Internal Server Error", None, None),
    ("vLLM", {}, {"object": "error", "message": "busy", "code": 503}, None, None),
    ("proxy: seconds", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "20"}, None, 20, None),
    (
        "proxy: since 1970",
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 20:.0f}"},
        None,
        20,
        None,
    ),
    ("a reset without its pair", {"x-ratelimit-reset-requests": "20s"}, None, None, None),
    ("a pair without its reset", {"x-ratelimit-remaining-requests": "0"}, None, None, None),
    (
        "a pair of two limits",
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset-requests": "20s"},
        None,
        None,
        None,
    ),
    ("what remains is no number", x_limits(requests="none 20s"), None, None, None),
    ("NaN", {"retry-after": "NaN", **x_limits(requests="0 nan")}, gemini_says("nan"), None, None),
    ("a text that is no unit", {}, openai_says("try again in 5minutes"), None, None),
    ("a text without a unit", {}, openai_says("try again in 5"), None, None),
    ("a text far too long", {}, "x" * 10_000 + "try again in 5s", None, None),
    ("a message far too long", {}, openai_says("x" * 10_000 + "try again in 5s"), None, None),
]


@pytest.mark.parametrize(
    ("headers", "body", "seconds", "otherwise"),
    [pytest.param(*row, id=source) for source, *row in SHEETS],
)
def test_every_form_of_every_sheet(in_new_york, headers, body, seconds, otherwise):
    """What each API sends, and what only looks like it; some count for a rate limit alone."""
    said = read_body(body)

    assert approx(seconds) == retry_after(headers.items(), said)
    assert approx(otherwise) == retry_after(headers.items(), said, limited=False)


WINNERS = [
    {"retry-after-ms": "1000"},
    {"x-amz-retry-after": "2000"},
    {"retry-after": "3"},
    x_limits(requests="0 4s"),
    claude_limits(tokens=f"0 {NOON}05Z"),
    {"ratelimit": '"api";r=0;t=6'},
    gemini_says("7s"),
    openai_says("Please try again in 8s."),
]


def test_which_form_wins(in_new_york):
    """A time for this failure, the reset of a used-up limit, a field of the body, its message."""
    for first in range(len(WINNERS)):
        headers = {}
        for form in WINNERS[first:6]:
            headers.update(form)
        bodies = WINNERS[max(first, 6) :]
        said = read_body(bodies[0])

        assert first + 1 == retry_after(headers.items(), said)
    assert len(WINNERS) == len(FORMS)


def test_a_hint_that_says_nothing_leaves_the_word_to_the_next(in_new_york):
    """Garbage, or a moment in the past, does not hide what another field says."""
    past = "Thu, 01 Jan 1970 00:00:00 GMT"

    assert 4 == retry_after({"retry-after": past, **x_limits(requests="0 4s")}.items())
    assert 7 == retry_after({"retry-after": "soon"}.items(), read_body(gemini_says("7s")))


def test_the_documentation_lists_every_form():
    """In the order in which they win."""
    page = (ROOT / "docs/reference/classification.md").read_text("utf-8")
    table = page.partition("## Hints")[2].partition("\n## ")[0]

    assert [form.field for form in FORMS] == re.findall(r"^\| `([^`]+)`", table, re.MULTILINE)


class Unreadable(dict):
    """A body whose class is not what it says."""

    def get(self, *_):
        """Fail."""
        raise RuntimeError


@pytest.mark.parametrize(
    "body",
    [None, 7, b"x", [], [[]], {}, {"error": None}, {"error": [1]}, Unreadable(a=1), "{", "[1"]
    + [{"error": {"details": value}} for value in (None, "x", [None, 1, []], {"@type": 1})]
    + [{"error": {"message": value}} for value in (None, 1, [], {})],
    ids=repr,
)
def test_any_body_can_be_read(body):
    """Whatever a server sends, reading it raises nothing and gives no hint."""
    assert retry_after([], read_body(body)) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "details", "retryDelay", "@type", "code"]), inner
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_can_be_read(body):
    """A hint of a body is a finite number of seconds, at least 0."""
    seconds = retry_after([], read_body(body))

    assert seconds is None or 0 <= seconds < float("inf")


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
