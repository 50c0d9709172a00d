"""Errors of S3: the code decides first, the status where there is none."""

from __future__ import annotations

import io
import pickle
from hashlib import md5
from typing import Any

import pytest

from adapters import s3
from adapters._failures import error_from_status, error_inside
from adapters._messages import Headers
from adapters._s3_errors import S3_ERRORS
from adapters.errors import (
    AccessDeniedError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InvalidResponseError,
    NotFoundError,
    OverloadedError,
    PayloadTooLargeError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from tests.adapters.flavours import Make
from tests.adapters.recorder import Do, Recorder, answer, chunked

MEBIBYTE = 1024 * 1024
CREDENTIALS = {
    "access_key": "AKIATEST",
    "secret_key": "secret-0123456789",
    "session_token": "token-0123456789",
}


def document(code: str, message: str = "No &amp; it&#39;s no.") -> bytes:
    """The body of an error."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code>'
        f"<Message>{message}</Message><RequestId>1</RequestId></Error>"
    ).encode()


@pytest.mark.parametrize(
    ("status", "code", "cls", "kind"),
    [
        (503, "SlowDown", RateLimitError, "rate_limit"),
        (400, "ThrottlingException", RateLimitError, "rate_limit"),
        (503, "RequestLimitExceeded", RateLimitError, "rate_limit"),
        (509, "BandwidthLimitExceeded", RateLimitError, "rate_limit"),
        (429, "TooManyRequestsException", RateLimitError, "rate_limit"),
        (429, None, RateLimitError, "rate_limit"),
        (500, "InternalError", ServerError, "transient"),
        (503, "ServiceUnavailable", OverloadedError, "transient"),
        (503, None, OverloadedError, "transient"),
        (502, None, ServerError, "transient"),
        (504, None, ServerError, "transient"),
        (400, "RequestTimeout", RequestTimeoutError, "transient"),
        (400, "RequestTimeoutException", RequestTimeoutError, "transient"),
        (400, "PriorRequestNotComplete", ConflictError, "transient"),
        (400, "BadDigest", BadRequestError, "transient"),
        (409, "OperationAborted", ConflictError, "transient"),
        (409, "ConditionalRequestConflict", ConflictError, "transient"),
        (412, "PreconditionFailed", ConflictError, "permanent"),
        (304, None, ConflictError, "permanent"),
        (301, "PermanentRedirect", BadRequestError, "permanent"),
        (307, "TemporaryRedirect", BadRequestError, "permanent"),
        (400, "AuthorizationHeaderMalformed", BadRequestError, "permanent"),
        (403, "RequestTimeTooSkewed", BadRequestError, "permanent"),
        (404, "NoSuchKey", NotFoundError, "permanent"),
        (404, "NoSuchBucket", NotFoundError, "permanent"),
        (404, "NoSuchUpload", NotFoundError, "permanent"),
        (404, None, NotFoundError, "permanent"),
        (403, "AccessDenied", AccessDeniedError, "permanent"),
        (403, None, AccessDeniedError, "permanent"),
        (403, "SignatureDoesNotMatch", AuthenticationError, "key"),
        (403, "InvalidAccessKeyId", AuthenticationError, "key"),
        (403, "ExpiredToken", AuthenticationError, "key"),
        (400, "ExpiredToken", AuthenticationError, "key"),
        (401, None, AuthenticationError, "key"),
        (403, "QuotaExceeded", QuotaExceededError, "key"),
        (416, "InvalidRange", BadRequestError, "permanent"),
        (416, None, BadRequestError, "permanent"),
        (400, "EntityTooLarge", PayloadTooLargeError, "permanent"),
        (400, "EntityTooSmall", BadRequestError, "permanent"),
        (400, "InvalidPart", BadRequestError, "permanent"),
        (400, "InvalidPartOrder", BadRequestError, "permanent"),
        (400, "MalformedXML", BadRequestError, "permanent"),
        (400, "InvalidBucketName", BadRequestError, "permanent"),
        (409, "BucketAlreadyExists", ConflictError, "permanent"),
        (409, "BucketAlreadyOwnedByYou", ConflictError, "permanent"),
        (409, "BucketNotEmpty", ConflictError, "permanent"),
        (405, "MethodNotAllowed", None, "permanent"),
        (501, "NotImplemented", ServerError, "permanent"),
    ],
)
def test_an_error_has_its_class(status: int, code: str | None, cls: Any, kind: str):
    """Each row of the table of codes, and statuses without a body, as a HEAD has them."""
    body = b"" if code is None else document(code)

    error = error_from_status(S3_ERRORS, status, Headers(), body)

    assert (code, kind, status) == (error.code, error.resilience_kind, error.status_code)
    if cls is not None:
        assert cls is type(error)
    if code is not None:
        assert "No & it's no." == error.message
    copied: Any = pickle.loads(pickle.dumps(error))
    assert (type(error), code) == (type(copied), copied.code)


@pytest.mark.parametrize(
    ("code", "cls"),
    [("InternalError", ServerError), ("SlowDown", RateLimitError), ("NewWord", ServerError)],
)
def test_an_error_inside_a_200(code: str, cls: Any):
    """The code decides; one that nobody knows is the server's fault."""
    error = error_inside(S3_ERRORS, document(code).decode())

    assert (cls, code) == (type(error), error.code)


def test_bodies_of_other_forms():
    """Other servers, and proxies, answer in JSON or with a page."""
    json = error_from_status(S3_ERRORS, 503, Headers(), b'{"code": "SlowDown", "message": "no"}')
    page = error_from_status(S3_ERRORS, 502, Headers(), b"<html><Code></html>" * 1000)
    long = document("SlowDown").replace(b"<RequestId>1", b"<X>" + b"x" * 100_000)

    assert (RateLimitError, "no") == (type(json), json.message)
    assert (ServerError, "Bad Gateway") == (type(page), page.message)
    assert RateLimitError is type(error_from_status(S3_ERRORS, 503, Headers(), long))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"x-amz-retry-after": "1500"}, 1.5), ({"Retry-After": "3"}, 3.0), ({}, None)],
)
def test_the_time_to_wait(headers: dict[str, str], seconds: float | None):
    """The vendor's header counts milliseconds; others send the usual one."""
    error = error_from_status(S3_ERRORS, 503, Headers(headers.items()), document("SlowDown"))

    assert seconds == error.retry_after


def test_a_denied_object_is_a_denied_permission():
    """Whoever catches the wider class catches it."""
    assert issubclass(AccessDeniedError, PermissionDeniedError)


@pytest.fixture
def client(make: Make, server: Recorder) -> Any:
    """A client of the scripted server."""
    host = server.url.removesuffix("/v1")
    return make(s3, **CREDENTIALS, base_url=host, initial_retry_delay=0, max_retries=1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<ListBucketResult>",
        b"<Other/>",
        b"{}",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><ListBucketResult/>",
        b"<ListBucketResult><Contents></Contents></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ],
)
def test_what_is_no_listing(client: Any, server: Recorder, body: bytes):
    """It may be an accident: it is asked for again."""
    server.play(answer(body))

    with pytest.raises(InvalidResponseError):
        list(client.list("bucket"))

    assert 2 == len(server.requests)


def test_a_page_is_no_accident(client: Any, server: Recorder):
    """It comes from another server, and will come again."""
    server.play(answer(b"<html></html>", headers={"Content-Type": "text/html"}))

    with pytest.raises(InvalidResponseError, match="does base_url point to the API"):
        client.buckets()

    assert 1 == len(server.requests)


def test_a_region_that_is_right_already(client: Any, server: Recorder):
    """Every answer may name it; nothing is to be corrected then."""
    region = {"x-amz-bucket-region": "us-east-1"}
    server.play(answer(document("InvalidRequest"), 400, region))

    with pytest.raises(BadRequestError, match="InvalidRequest"):
        client.get("bucket", "key")

    assert 1 == len(server.requests)


def test_a_server_that_is_never_content(client: Any, server: Recorder):
    """A request is corrected twice at most, whatever is said."""
    regions = [{"x-amz-bucket-region": f"eu-west-{number}"} for number in range(9)]
    server.play(*(answer(document("PermanentRedirect"), 301, region) for region in regions))

    with pytest.raises(BadRequestError, match="PermanentRedirect"):
        client.get("bucket", "key")

    sent = [each.headers["authorization"].split("/")[2] for each in server.requests]
    assert ["us-east-1", "eu-west-0", "eu-west-1"] == sent


def test_white_space_before_a_document(client: Any, server: Recorder):
    """S3 sends some while it works on an answer; other servers leave out the quotes of a tag."""
    document = b'<?xml version="1.0"?><CopyObjectResult><ETag>1</ETag></CopyObjectResult>'
    server.play([*chunked(b"\n", b"  \n", document, kind="application/xml")])

    assert '"1"' == client.copy("a", "b", "c", "d").etag


def test_secrets_do_not_come_back(client: Any, server: Recorder):
    """What a server echoes of secret and token is masked, in body, message and causes."""
    echo = f"{CREDENTIALS['secret_key']} {CREDENTIALS['session_token']}"
    server.play(answer(document("AccessDenied", echo), 403))

    with pytest.raises(AccessDeniedError) as caught:
        client.get("bucket", "key")

    shown = f"{caught.value!r} {caught.value} {caught.value.body} {client!r} {client.keys!r}"
    assert "0123456789" not in shown
    assert b"0123456789" not in pickle.dumps(caught.value)


def test_an_answer_that_was_lost_at_the_end_of_an_upload(client: Any, server: Recorder):
    """The second attempt hears that there is no such upload; the object shows that it is there."""
    tag = "5d41402abc4b2a76b9719d911017c592"
    begun = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
    server.play(
        answer(begun),
        answer(headers={"ETag": f'"{tag}"'}),
        answer(headers={"ETag": f'"{tag}"'}),
        [Do.CLOSE],
        answer(document("NoSuchUpload"), 404),
        answer(headers={"ETag": '"c56d5bd5b9ba7ef2ed79ffd9e3e8e9a2-2"'}),
    )
    content = io.BytesIO(bytes(6 * MEBIBYTE))

    with pytest.raises(NotFoundError):  # it is another object
        client.upload(content, "bucket", "key", part_size=5 * MEBIBYTE)

    server.play(*server_scripts(begun, tag))
    content.seek(0)
    written = client.upload(content, "bucket", "key", part_size=5 * MEBIBYTE)
    assert (2, "HEAD") == (written.parts, server.requests[-1].method)
    assert written.etag.endswith('-2"')


def server_scripts(begun: bytes, tag: str) -> list[Any]:
    """The same, with the tag that an object of these parts has."""
    whole = md5(bytes.fromhex(tag) * 2, usedforsecurity=False).hexdigest()
    part = answer(headers={"ETag": f'"{tag}"'})
    end = answer(headers={"ETag": f'"{whole}-2"'})
    return [answer(begun), part, part, [Do.CLOSE], answer(document("NoSuchUpload"), 404), end]
