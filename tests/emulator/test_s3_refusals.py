"""The emulated S3 refuses what breaks the protocol, and its faults speak its language."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ResponseStreamingError

from adapters.emulator import Emulator
from tests.support.s3 import boto3_client


@pytest.fixture
def s3(server: Emulator) -> Iterator[Any]:
    """The vendor's client, and a bucket named bucket with an object named key."""
    client = boto3_client(server.base_url("s3"), **server.credentials()["production"])
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="key", Body=b"0123456789")
    yield client
    client.close()


def md5(body: bytes) -> str:
    """Return the sum of a body as the header has it."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def answered(operation: Any, **arguments: Any) -> Any:
    """Return the parsed error that an operation ends with."""
    with pytest.raises(ClientError) as caught:
        operation(**arguments)
    return caught.value.response


def spoil(client: Any, operation: str, **changes: Any) -> None:
    """Change a request before it is signed."""

    def change(params: Any, **_: Any) -> None:
        for name, value in changes.items():
            params[name] = {**params[name], **value} if isinstance(value, dict) else value

    client.meta.events.register(f"before-call.s3.{operation}", change)


@pytest.mark.parametrize(
    ("operation", "arguments", "status", "code"),
    [
        ("get_object", {"Key": "nothing"}, 404, "NoSuchKey"),
        ("get_object", {"Bucket": "nowhere", "Key": "key"}, 404, "NoSuchBucket"),
        ("head_object", {"Key": "nothing"}, 404, "404"),
        ("put_object", {"Key": "k" * 1025, "Body": b""}, 400, "KeyTooLongError"),
        ("create_bucket", {"Bucket": "bucket"}, 409, "BucketAlreadyOwnedByYou"),
        ("create_bucket", {"Bucket": "no..dots"}, 400, "InvalidBucketName"),
        ("get_bucket_acl", {}, 501, "NotImplemented"),
        ("list_objects_v2", {"ContinuationToken": "?"}, 400, "InvalidArgument"),
        (
            "upload_part",
            {"Key": "key", "UploadId": "no", "PartNumber": 1, "Body": b""},
            404,
            "NoSuchUpload",
        ),
        (
            "delete_objects",
            {"Delete": {"Objects": [{"Key": str(n)} for n in range(1001)]}},
            400,
            "MalformedXML",
        ),
    ],
)
def test_refusals(
    s3: Any, operation: str, arguments: dict[str, Any], status: int, code: str
) -> None:
    """What cannot be done is answered with the code of the real server."""
    answer = answered(getattr(s3, operation), **{"Bucket": "bucket", **arguments})

    assert (status, code) == (
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Code"],
    )


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ({"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
        ({"Content-MD5": "?"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "AAAAAA=="}, "BadDigest"),
    ],
)
def test_sums_are_checked(s3: Any, header: dict[str, str], code: str) -> None:
    """A body that does not have the sum of its header is not kept."""
    spoil(s3, "PutObject", headers=header)

    answer = answered(s3.put_object, Bucket="bucket", Key="key", Body=b"other")

    assert code == answer["Error"]["Code"]
    assert b"0123456789" == s3.get_object(Bucket="bucket", Key="key")["Body"].read()


@pytest.mark.parametrize("body", [b"", b"<Delete>", b"<Other/>", b"<!DOCTYPE x><Delete/>"])
def test_documents_are_checked(s3: Any, body: bytes) -> None:
    """What is no document of the right kind is refused."""
    spoil(s3, "DeleteObjects", body=body, headers={"Content-MD5": md5(body)})

    answer = answered(s3.delete_objects, Bucket="bucket", Delete={"Objects": [{"Key": "k"}]})

    assert "MalformedXML" == answer["Error"]["Code"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("429", 429, "TooManyRequests"),
        ("500", 500, "InternalError"),
        ("503", 503, "SlowDown"),
        ("529", 529, "SlowDown"),
        ("401", 401, "AccessDenied"),
        ("quota", 429, "QuotaExceeded"),
        ("400:code=RequestTimeout", 400, "RequestTimeout"),
    ],
)
def test_a_status_has_its_code(
    s3: Any, server: Emulator, fault: str, status: int, code: str
) -> None:
    """Faults are documents like every other error, with the ids of the request."""
    server.script([f"{fault}{':' if ':' not in fault else ','}operation=get"])

    answer = answered(s3.get_object, Bucket="bucket", Key="key")

    assert (status, code) == (
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Code"],
    )
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amz-request-id"] == answer["ResponseMetadata"]["RequestId"]


def test_the_time_to_wait(s3: Any, server: Emulator) -> None:
    """In seconds it stands in the usual header, in milliseconds in the vendor's own."""
    server.script(
        ["503:nth=1,retry_after=2", "503:nth=1,retry_after=1.5,retry_after_as=ms", "503:nth=1"]
    )

    def headers() -> Any:
        answer = answered(s3.get_object, Bucket="bucket", Key="key")
        return answer["ResponseMetadata"]["HTTPHeaders"]

    assert "2" == headers()["retry-after"]
    assert "1500" == headers()["x-amz-retry-after"]
    assert not {"retry-after", "x-amz-retry-after"} & headers().keys()


def test_an_error_inside_a_200(s3: Any, server: Emulator) -> None:
    """A copy may fail after its status has been sent; boto3 takes that for a 500."""
    server.script(["error_in_200:status=500"])

    answer = answered(
        s3.copy_object, Bucket="bucket", Key="copy", CopySource={"Bucket": "bucket", "Key": "key"}
    )

    assert "InternalError" == answer["Error"]["Code"]


def test_damages(s3: Any, server: Emulator) -> None:
    """A body that is cut, and a connection that is reset, are noticed."""
    server.script(["truncated:nth=1", "reset:nth=1"])

    with pytest.raises(ResponseStreamingError):
        s3.get_object(Bucket="bucket", Key="key")["Body"].read()
    with pytest.raises(ConnectionClosedError):
        s3.get_object(Bucket="bucket", Key="key")
