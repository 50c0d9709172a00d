"""What an answer that is no result means: the table of OpenAI's sheet, row by row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import errors
from adapters._failures import error_from_status, error_inside, load_json, redirect_error
from adapters._masking import secret_forms
from adapters._messages import Headers
from adapters._openai_errors import OPENAI_ERRORS, QUOTA_WORDS
from adapters.errors import AdapterError
from resilience.classify import classify
from resilience.testing import FakeClock

SECRET = "sk-very-secret-key"
FORMS = secret_forms([SECRET])


def openai_body(
    code: str | int | None = None, kind: str | None = None, message: str = "No."
) -> bytes:
    """The body that OpenAI sends with an error."""
    error = {"message": message, "type": kind, "param": None, "code": code}
    return json.dumps({"error": error}).encode()


def error_of(status: int, body: bytes = b"", **headers: str) -> AdapterError:
    """The error for an answer of OpenAI's."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return error_from_status(OPENAI_ERRORS, status, Headers(pairs), body, FORMS)


@pytest.mark.parametrize(
    ("cls", "kind", "status", "body"),
    [
        (errors.BadRequestError, "permanent", 400, openai_body(None, "invalid_request_error")),
        (errors.ContextLengthError, "permanent", 400, openai_body("context_length_exceeded")),
        (
            errors.ContextLengthError,
            "permanent",
            400,
            openai_body(400, "exceed_context_size_error"),
        ),
        (errors.AuthenticationError, "key", 401, openai_body("invalid_api_key")),
        (errors.QuotaExceededError, "key", 402, b""),
        (errors.PermissionDeniedError, "key", 403, openai_body("unsupported_country")),
        (errors.NotFoundError, "permanent", 404, openai_body("model_not_found")),
        (AdapterError, "permanent", 405, b""),
        (errors.RequestTimeoutError, "transient", 408, b""),
        (errors.ConflictError, "transient", 409, openai_body("lock")),
        (errors.PayloadTooLargeError, "permanent", 413, b""),
        (errors.BadRequestError, "permanent", 422, openai_body()),
        (AdapterError, "permanent", 424, b""),
        (AdapterError, "transient", 425, b""),
        (errors.RateLimitError, "rate_limit", 429, b""),
        (errors.RateLimitError, "rate_limit", 429, openai_body("rate_limit_exceeded", "tokens")),
        (errors.RateLimitError, "rate_limit", 429, openai_body("slow_down", "rate_limit_error")),
        (
            errors.RateLimitError,
            "rate_limit",
            429,
            openai_body("rate_limit_exceeded", "insufficient_quota"),
        ),
        (errors.QuotaExceededError, "key", 429, openai_body(None, "insufficient_quota")),
        (errors.QuotaExceededError, "key", 429, openai_body("new_word", "insufficient_quota")),
        *((errors.QuotaExceededError, "key", 429, openai_body(word)) for word in QUOTA_WORDS),
        (errors.RateLimitError, "rate_limit", 498, b""),
        (AdapterError, "permanent", 499, b""),
        (errors.ServerError, "transient", 500, openai_body("server_error")),
        (errors.ServerError, "transient", 500, openai_body("insufficient_quota")),
        (errors.ServerError, "transient", 500, openai_body(message="invalid_api_key quota 429")),
        (errors.ServerError, "permanent", 501, b""),
        (errors.ServerError, "transient", 502, b"<html>Bad Gateway</html>"),
        (errors.OverloadedError, "transient", 503, openai_body("server_is_overloaded")),
        (errors.ServerError, "transient", 504, b""),
        (errors.OverloadedError, "rate_limit", 529, b""),
        (errors.ServerError, "transient", 599, b""),
    ],
)
def test_status_and_code_decide(cls: type[AdapterError], kind: str, status: int, body: bytes):
    """The status first, the code where the table says so, the message never."""
    error = error_of(status, body)

    assert cls is type(error)
    assert kind == classify(error).kind
    assert status == error.status_code


@pytest.mark.parametrize(
    ("kind", "status", "word"),
    [
        ("permanent", 500, "false"),
        ("permanent", 429, "false"),
        ("transient", 400, "true"),
        ("transient", 401, "True"),
        ("rate_limit", 429, "true"),
        ("rate_limit", 429, "perhaps"),
    ],
)
def test_x_should_retry_wins(kind: str, status: int, word: str):
    """The server knows better than the table; what it does not say clearly it does not say."""
    assert kind == classify(error_of(status, x_should_retry=word)).kind


@pytest.mark.parametrize(
    ("seconds", "status", "headers"),
    [
        (56, 429, {"retry_after": "56"}),
        (0.25, 429, {"retry_after": "1", "retry_after_ms": "250"}),
        (60, 429, {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "1m0s"}),
        (2, 503, {"retry_after": "2"}),
        (None, 500, {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "1m0s"}),
        (None, 429, {}),
    ],
)
def test_how_long_to_wait(seconds: float | None, status: int, headers: dict[str, str]):
    """The resets of limits count only where a limit was the reason."""
    assert seconds == error_of(status, **headers).retry_after


@pytest.mark.parametrize(
    ("seconds", "status", "message"),
    [
        (62.5, 429, "Rate limit reached. Please try again in 1m2.5s."),
        (None, 429, "Please try again later."),
        (None, 500, "Please try again in 1m2.5s."),
    ],
)
def test_a_message_may_say_how_long_to_wait(seconds: float | None, status: int, message: str):
    """Where no header does, and a limit was the reason."""
    assert seconds == error_of(status, openai_body(message=message)).retry_after


def test_headers_go_before_the_body():
    """They are meant for programs."""
    body = openai_body(message="Please try again in 20ms.")

    assert 56 == error_of(429, body, retry_after="56").retry_after


def test_an_error_inside_an_answer_says_how_long_to_wait():
    """There are no headers of its own there: its body is all that it has."""
    error = {"code": "rate_limit_exceeded", "message": "Please try again in 20ms."}
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38.5s"}

    assert 0.02 == error_inside(OPENAI_ERRORS, {"error": error}).retry_after
    assert 38.5 == error_inside(OPENAI_ERRORS, {"error": {"details": [info]}}).retry_after


def test_a_date_says_how_long_to_wait():
    """`Retry-After` may be a date; the wait is counted from now, on the toolkit's clock."""
    with FakeClock():
        error = error_of(429, retry_after="Fri, 31 Dec 2100 23:59:59 GMT")

    assert error.retry_after is not None
    assert 0 < error.retry_after


@pytest.mark.parametrize(
    ("message", "code", "body"),
    [
        ("No.", "c", openai_body("c", "t")),
        ("No.", "t", openai_body(None, "t")),
        ("No.", None, openai_body()),
        ("Unauthorized", None, b'{"error":"Unauthorized"}'),
        ("too long", "validation", b'{"error":"too long","error_type":"validation"}'),
        ("gone", None, b'{"message":"gone"}'),
        ("not here", None, b'{"detail":"not here"}'),
        ("first", None, b'[{"error":{"message":"first"}}]'),
        ("plain words", None, b"plain words\n"),
        ("off", "not_supported", b'{"error":{"code":501,"message":"off","type":"not_supported"}}'),
        ("Bad Request", None, b""),
        ("Bad Request", None, b"<html><body>nginx</body></html>"),
        ("Bad Request", None, b'{"error":null}'),
        ("Bad Request", None, b"[]"),
        ("Bad Request", None, b"7"),
        ("Bad Request", None, b"x" * 501),
    ],
)
def test_message_and_code_are_found_in_any_form(message: str, code: str | None, body: bytes):
    """The forms that servers send; a web page or a long text is no message but stays the body."""
    error = error_of(400, body)

    assert (message, code) == (error.message, error.code)


def test_an_unknown_status_has_a_message():
    """Also where HTTP has no phrase for it."""
    assert "the server answered with status 599" == error_of(599).message


def test_the_body_is_kept_parsed_or_as_text_but_not_without_end():
    """An error is small enough for a log and a pickle."""
    assert {"error": "a"} == error_of(400, b'{"error":"a"}').body
    assert "plain" == error_of(400, b"plain").body
    assert error_of(400).body is None
    assert 8_192 == len(error_of(400, b"x" * 100_000).body)
    assert 8_192 == len(error_of(400, b'"' + b"x" * 100_000 + b'"').body)


@pytest.mark.parametrize(
    "body",
    [
        openai_body(SECRET, SECRET, f"Incorrect API key provided: {SECRET}."),
        f"your key {SECRET}".encode(),
        f"<html>{SECRET}</html>".encode(),
        b"x" * 8_185 + SECRET.encode(),
        json.dumps({SECRET: [{SECRET: SECRET}]}).encode().replace(b"s", rb"\u0073"),
    ],
    ids=["fields", "text", "page", "cut in the middle", "escaped"],
)
def test_an_echoed_secret_is_masked(body: bytes):
    """No field, text or pickle of the error shows what the server sends back."""
    error = error_of(401, body)
    everything = f"{error!s} {error!r} {error.__dict__} {error.args}"

    assert SECRET not in everything
    assert SECRET[:7] not in everything


ANY_JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "detail", "http_status_code"])
            | st.text(),
            inner,
        )
    ),
    max_leaves=12,
)


@given(st.integers(400, 599), st.binary() | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_makes_an_error(status: int, body: bytes):
    """Whatever a server sends with an error, the error can be made and printed."""
    assert str(error_of(status, body))


@given(ANY_JSON)
def test_any_value_makes_an_error_inside_an_answer(value: object):
    """Whatever stands in an event that is an error, the error can be made and printed."""
    assert str(error_inside(OPENAI_ERRORS, value))


@pytest.mark.parametrize(
    ("cls", "error"),
    [
        (errors.RateLimitError, {"message": "a", "type": "x", "code": "rate_limit_exceeded"}),
        (errors.QuotaExceededError, {"message": "a", "type": "insufficient_quota"}),
        (errors.OverloadedError, {"message": "a", "type": "overloaded_error"}),
        (errors.ServerError, {"message": "a", "type": "server_error"}),
        (errors.ServerError, {"message": "a", "code": "never_heard_of"}),
        (errors.BadRequestError, {"message": "a", "code": 400}),
        (errors.BadRequestError, {"message": "a", "http_status_code": 422}),
        (errors.RequestTimeoutError, {"message": "a", "code": 408}),
        (errors.ServerError, "just words"),
    ],
)
def test_an_error_inside_an_answer_is_known_by_its_word(cls: type[AdapterError], error: object):
    """There is no status there; what no table knows is the server's fault."""
    found = error_inside(OPENAI_ERRORS, {"error": error})

    assert cls is type(found)
    assert found.status_code is None


def test_a_secret_inside_an_answer_is_masked():
    """An event of a stream can echo a key as well as a body can."""
    assert SECRET not in str(
        vars(error_inside(OPENAI_ERRORS, {"error": {"message": SECRET}}, FORMS))
    )


@pytest.mark.parametrize(
    ("place", "location"),
    [
        ("https://other.example/v1/chat", "https://user:pass@other.example/v1/chat?token=1"),
        ("/v2/chat", "/v2/chat?a=b"),
        ("nowhere", ""),
    ],
)
def test_a_redirect_is_an_error_that_names_where_it_leads(place: str, location: str):
    """Its query and its password are not shown."""
    error = redirect_error(307, Headers([("Location", location)]))

    assert f"redirects to {place}, and" in str(error)
    assert "pass" not in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("retryable", "content_type", "body"),
    [
        (True, "application/json", b'{"id":'),
        (True, "application/json", b""),
        (True, "application/json", b"\xff\xfe{"),
        (False, "text/html; charset=utf-8", b"hello"),
        (False, "application/json", b"  <!DOCTYPE html>"),
    ],
)
def test_an_answer_that_is_no_json(retryable: bool, content_type: str, body: bytes):
    """Broken JSON may be an accident on the way; a web page means a wrong address."""
    headers = Headers([("Content-Type", content_type)])

    with pytest.raises(errors.InvalidResponseError) as caught:
        load_json(headers, body)

    assert retryable == caught.value.retryable


def test_json_that_is_nested_without_end_is_no_json():
    """Parsing it would overflow the stack."""
    with pytest.raises(errors.InvalidResponseError):
        load_json(Headers(), b"[" * 1_000_000)


def test_broken_json_shows_no_secret():
    """Neither its excerpt nor the cause of the error."""
    with pytest.raises(errors.InvalidResponseError) as caught:
        load_json(Headers(), f'{{"echo":"{SECRET}"'.encode(), FORMS)

    cause = caught.value.__cause__
    assert SECRET not in f"{vars(caught.value)} {cause!r} {vars(cause)}"


def test_headers_show_what_came():
    """For whoever looks at them in a debugger."""
    assert "Headers([('Date', 'c')])" == repr(Headers([("Date", "c")]))


def test_headers_are_found_whatever_their_case():
    """They are a mapping that keeps the names as they came, and joins repeated ones."""
    headers = Headers([("X-Request-Id", "a"), ("x-request-id", "b"), ("Date", "c")])

    assert "a, b" == headers["X-REQUEST-ID"]
    assert "date" in headers
    assert headers.get("missing") is None
    assert {"x-request-id": "a, b", "Date": "c"} == dict(headers)
