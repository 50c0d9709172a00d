"""The errors of the adapters: fields, pickling, what the toolkit makes of them, what they say."""

from __future__ import annotations

import pickle

import pytest

from adapters import errors
from adapters.errors import AdapterError, OverloadedError, RequestTimeoutError, ServerError
from resilience.classify import classify

FIELDS = {
    "provider": "openai",
    "operation": "chat",
    "status_code": 418,
    "code": "teapot",
    "body": {"error": {"message": "short and stout"}},
    "request_id": "req_1_a",
    "server_request_id": "req_server",
    "retry_after": 1.5,
    "key_name": "backup",
    "attempts": 3,
}
CLASSES = [
    value for name in errors.__all__ if issubclass(value := getattr(errors, name), AdapterError)
]


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_pickles_with_all_its_fields(cls: type[AdapterError]):
    """An error from a worker process tells as much as one from here."""
    error = cls("no tea", retryable=True, **FIELDS)
    error.add_note("3 attempts were made")

    copy = pickle.loads(pickle.dumps(error))

    assert cls is type(copy)
    assert error.__dict__ == copy.__dict__
    assert str(error) == str(copy)
    assert ("no tea",) == copy.args


@pytest.mark.parametrize(
    ("cls", "own"),
    [
        (errors.RequestTimeoutError, {"phase": "connect"}),
        (errors.StreamInterruptedError, {"partial": "Hel"}),
    ],
)
def test_the_fields_of_one_class_pickle_too(cls: type[AdapterError], own: dict[str, str]):
    """`phase` and `partial` survive as the common fields do."""
    copy = pickle.loads(pickle.dumps(cls("gone", **own)))

    assert own == {name: getattr(copy, name) for name in own}


def test_a_timeout_is_a_timeout_error():
    """Code that catches `TimeoutError` catches ours."""
    with pytest.raises(TimeoutError):
        raise RequestTimeoutError("no answer")


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("rate_limit", errors.RateLimitError()),
        ("key", errors.QuotaExceededError()),
        ("key", errors.AuthenticationError()),
        ("key", errors.PermissionDeniedError()),
        ("permanent", errors.BadRequestError()),
        ("permanent", errors.ContextLengthError()),
        ("permanent", errors.NotFoundError()),
        ("permanent", errors.ConflictError()),
        ("transient", errors.ConflictError(retryable=True)),
        ("permanent", errors.PayloadTooLargeError()),
        ("transient", OverloadedError(status_code=503)),
        ("rate_limit", OverloadedError(status_code=529)),
        ("transient", ServerError(status_code=500)),
        ("permanent", ServerError(status_code=501)),
        ("permanent", ServerError(status_code=505)),
        ("permanent", ServerError(status_code=506)),
        ("transient", errors.ConnectionFailedError()),
        ("transient", errors.RequestTimeoutError()),
        ("transient", errors.StreamInterruptedError()),
        ("permanent", errors.InvalidResponseError()),
        ("transient", errors.InvalidResponseError(retryable=True)),
        ("permanent", errors.RateLimitError(retryable=False)),
        ("transient", errors.AuthenticationError(retryable=True)),
        ("permanent", AdapterError()),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_toolkit_reads_an_error_as_the_table_says(kind: str, error: AdapterError):
    """Every class has its kind, and what a server says about retrying wins over the class."""
    assert kind == classify(error).kind
    assert (kind in ("transient", "rate_limit")) == error.retryable


def test_the_hint_of_an_error_reaches_the_toolkit():
    """`retry_after` is what a retry and a key pool wait for."""
    assert 7.5 == classify(errors.RateLimitError(retry_after=7.5)).retry_after


def test_a_message_names_call_status_and_code_and_says_what_to_do():
    """What failed, why, and the next step stand in one line."""
    error = errors.AuthenticationError(
        "Incorrect API key provided",
        provider="openai",
        operation="chat",
        status_code=401,
        code="invalid_api_key",
        key_name="backup",
    )

    assert (
        "openai chat (401, invalid_api_key): Incorrect API key provided. "
        "Check the key 'backup': is it complete, active, and meant for this base_url?"
    ) == str(error)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("in 20 s", errors.RateLimitError("slow down", retry_after=20)),
        ("Try again later", errors.RateLimitError("slow down")),
        ("Add credit", errors.QuotaExceededError("no credit")),
        ("Give the key access", errors.PermissionDeniedError("no")),
        ("Shorten the messages", errors.ContextLengthError("too long")),
        ("Check its name", errors.NotFoundError("no such model")),
        ("Send less", errors.PayloadTooLargeError("too large")),
        (".partial", errors.StreamInterruptedError("cut")),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_message_says_what_to_do_next(words: str, error: AdapterError):
    """Where there is something to do, the message says it."""
    assert words in str(error)


def test_every_class_stands_in_the_tree_of_the_docstring():
    """The drawn tree cannot drift from the classes."""
    assert errors.__doc__ is not None

    assert [] == [cls.__name__ for cls in CLASSES if cls.__name__ not in errors.__doc__]
