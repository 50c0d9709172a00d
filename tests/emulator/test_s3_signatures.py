"""The emulated S3 lets nobody in whose signature is not right; boto3 signs."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from freezegun import freeze_time

from adapters.emulator import Emulator
from tests.support.s3 import boto3_client

KEY = "dir/a b+c.txt"


@pytest.fixture
def bucket(server: Emulator) -> Iterator[Any]:
    """A client, and a bucket with one object."""
    client = boto3_client(server.base_url("s3"), **server.credentials()["production"])
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key=KEY, Body=b"hello")
    yield client
    client.close()


def code(client: Any) -> tuple[int, str]:
    """Return status and code of the error that a listing of buckets ends with."""
    with pytest.raises(ClientError) as caught:
        client.list_buckets()
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def fetch(
    url: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, str | bytes]:
    """Ask for a URL without any library; return the status, and the body or an error's code."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, f"{parts.path}?{parts.query}".rstrip("?"), body, sent)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status < 300:
        return answer.status, content
    return answer.status, content.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def presigned(client: Any, operation: str = "get_object", expires: int = 60) -> str:
    """Return a presigned URL of the object."""
    url: str = client.generate_presigned_url(
        operation, Params={"Bucket": "bucket", "Key": KEY}, ExpiresIn=expires
    )
    return url


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"secret_key": "wrong"}, (403, "SignatureDoesNotMatch")),
        ({"access_key": "AKIAUNKNOWN"}, (403, "InvalidAccessKeyId")),
        ({"session_token": "none was asked for"}, (400, "InvalidToken")),
        ({"region": "eu-west-1"}, (400, "AuthorizationHeaderMalformed")),
    ],
)
def test_wrong_credentials(
    server: Emulator, wrong: dict[str, str], expected: tuple[int, str]
) -> None:
    """Each part of the credentials counts."""
    credentials = server.credentials()["production"]
    client = boto3_client(server.base_url("s3"), **{**credentials, **wrong})

    assert expected == code(client)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_skewed_clock(bucket: Any, minutes: int) -> None:
    """A clock that is off by more than 15 minutes is refused."""
    with freeze_time(datetime.now(UTC) + timedelta(minutes=minutes)):
        found = code(bucket)

    assert (403, "RequestTimeTooSkewed") == found


def test_without_a_signature(bucket: Any, server: Emulator) -> None:
    """Nothing is public, and what is no signature is none."""
    url = f"{server.base_url('s3')}/bucket/dir/a%20b%2Bc.txt"

    assert (403, "AccessDenied") == fetch(url)
    assert (400, "AuthorizationHeaderMalformed") == fetch(url, authorization="Bearer x")


def test_a_body_that_was_not_signed(bucket: Any) -> None:
    """A body that was changed on its way is noticed."""

    def spoil(request: Any, **_: Any) -> None:
        request.body = b"other"

    bucket.meta.events.register("before-send.s3.PutObject", spoil)

    with pytest.raises(ClientError, match="XAmzContentSHA256Mismatch"):
        bucket.put_object(Bucket="bucket", Key="key", Body=b"hello")


def test_a_header_that_was_not_signed(bucket: Any) -> None:
    """A header of the vendor's own that somebody has added is noticed."""

    def add(request: Any, **_: Any) -> None:
        request.headers["x-amz-meta-color"] = "red"

    bucket.meta.events.register("before-send.s3.ListBuckets", add)

    assert (403, "AccessDenied") == code(bucket)


def test_a_presigned_url_is_good_for_its_time(bucket: Any) -> None:
    """It reads or writes without further credentials, until it expires."""
    assert (200, b"hello") == fetch(presigned(bucket))
    assert (200, b"") == fetch(presigned(bucket, "put_object"), "PUT", b"new")
    assert b"new" == bucket.get_object(Bucket="bucket", Key=KEY)["Body"].read()

    with freeze_time(datetime.now(UTC) - timedelta(minutes=2)):
        expired = presigned(bucket)

    assert (403, "AccessDenied") == fetch(expired)
    with freeze_time(datetime.now(UTC) + timedelta(hours=1)):
        early = presigned(bucket)
    assert (403, "AccessDenied") == fetch(early)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a%20b", "a%20c", (403, "SignatureDoesNotMatch")),
        ("X-Amz-Expires=60", "X-Amz-Expires=61", (403, "SignatureDoesNotMatch")),
        ("X-Amz-Expires=60", "X-Amz-Expires=604801", (400, "AuthorizationQueryParametersError")),
        ("&X-Amz-SignedHeaders=host", "", (400, "AuthorizationQueryParametersError")),
        ("SignedHeaders=host", "SignedHeaders=date", (403, "AccessDenied")),
        ("Credential=AKIA", "Credential=AKIB", (403, "InvalidAccessKeyId")),
    ],
)
def test_a_presigned_url_cannot_be_changed(
    bucket: Any, old: str, new: str, expected: tuple[int, str]
) -> None:
    """Every part of it is signed."""
    url = presigned(bucket)

    assert old in url
    assert expected == fetch(url.replace(old, new))


def test_a_presigned_url_is_for_one_method(bucket: Any) -> None:
    """A URL to read with does not write."""
    assert (403, "SignatureDoesNotMatch") == fetch(presigned(bucket), "PUT", b"new")


def test_credentials_with_a_token() -> None:
    """A user's own keys may have a token, which each request has to bring."""
    with Emulator(keys={"role": "ASIAROLE:secret:token", "plain": "secret"}) as server:
        url, credentials = server.base_url("s3"), server.credentials()
        role = boto3_client(url, **credentials["role"])
        role.create_bucket(Bucket="bucket")
        role.put_object(Bucket="bucket", Key=KEY, Body=b"hello")

        assert {"access_key": "ASIAROLE", "secret_key": "secret", "session_token": "token"} == (
            credentials["role"]
        )
        assert (200, b"hello") == fetch(presigned(role))
        plain = boto3_client(url, access_key="plain", secret_key="secret")
        assert ["bucket", "demo"] == [each["Name"] for each in plain.list_buckets()["Buckets"]]
        other = boto3_client(url, **{**credentials["role"], "session_token": "other"})
        assert (400, "InvalidToken") == code(other)


def test_a_bucket_is_in_a_region(bucket: Any, server: Emulator) -> None:
    """A request that is signed for another region is told the right one."""
    bucket.create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )

    # boto3 reads the right region from the refusal, and asks again.
    assert 200 == bucket.head_bucket(Bucket="far-away")["ResponseMetadata"]["HTTPStatusCode"]
    assert [400, 200] == [record.status for record in server.log()[-2:]]
