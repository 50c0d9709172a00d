"""boto3 is the judge: what the emulated S3 answers parses into its types."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from adapters.emulator import Emulator
from tests.support.s3 import boto3_client

KEYS = ["plain", "a b+c.txt", "x/../y", "./z", "über/日本", "a//b", "p%20q", "~tilde'()*!", "tail/"]
MEBIBYTE = 1024 * 1024


@pytest.fixture
def s3(server: Emulator) -> Iterator[Any]:
    """The vendor's client, which does not repeat anything, and a bucket named bucket."""
    client = boto3_client(server.base_url("s3"), **server.credentials()["production"])
    client.create_bucket(Bucket="bucket")
    yield client
    client.close()


def refused(operation: Any, **arguments: Any) -> tuple[int, str]:
    """Return status and code of the error that an operation ends with."""
    with pytest.raises(ClientError) as caught:
        operation(**arguments)
    answer: Any = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_kept_as_it_is(s3: Any, key: str) -> None:
    """Dots, double slashes, blanks and foreign letters are a part of the key."""
    s3.put_object(Bucket="bucket", Key=key, Body=key.encode())

    assert key.encode() == s3.get_object(Bucket="bucket", Key=key)["Body"].read()
    assert [key] == [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]]


def test_an_object_has_what_it_was_given(s3: Any) -> None:
    """Type and metadata come back; the tag is the MD5 of the bytes."""
    given = {"ContentType": "text/plain", "CacheControl": "no-store", "Metadata": {"color": "red"}}

    written = s3.put_object(Bucket="bucket", Key="key", Body=b"hello", **given)
    found = s3.head_object(Bucket="bucket", Key="key")

    tag = f'"{hashlib.md5(b"hello", usedforsecurity=False).hexdigest()}"'
    assert (tag, tag, 5) == (written["ETag"], found["ETag"], found["ContentLength"])
    assert given == {name: found[name] for name in given}
    assert datetime.now(UTC) - found["LastModified"] < timedelta(minutes=5)


def test_buckets(s3: Any) -> None:
    """They are made, listed, found and removed, once they are empty."""
    s3.create_bucket(
        Bucket="another", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    s3.put_object(Bucket="bucket", Key="key", Body=b"")

    assert ["another", "bucket", "demo"] == [each["Name"] for each in s3.list_buckets()["Buckets"]]
    assert 200 == s3.head_bucket(Bucket="bucket")["ResponseMetadata"]["HTTPStatusCode"]
    assert s3.get_bucket_location(Bucket="bucket")["LocationConstraint"] is None
    assert (409, "BucketNotEmpty") == refused(s3.delete_bucket, Bucket="bucket")
    s3.delete_object(Bucket="bucket", Key="key")
    s3.delete_bucket(Bucket="bucket")
    assert (404, "404") == refused(s3.head_bucket, Bucket="bucket")


def test_a_range_is_a_part_of_the_object(s3: Any) -> None:
    """Ranges are inclusive; one that begins behind the end is an error."""
    s3.put_object(Bucket="bucket", Key="key", Body=b"0123456789")

    def read(wanted: str) -> tuple[bytes, str]:
        answer = s3.get_object(Bucket="bucket", Key="key", Range=wanted)
        return answer["Body"].read(), answer["ContentRange"]

    assert (b"234", "bytes 2-4/10") == read("bytes=2-4")
    assert (b"789", "bytes 7-9/10") == read("bytes=7-")
    assert (b"89", "bytes 8-9/10") == read("bytes=-2")
    assert (416, "InvalidRange") == refused(
        s3.get_object, Bucket="bucket", Key="key", Range="bytes=10-"
    )


def test_conditions_on_reading(s3: Any) -> None:
    """A read that needs nothing new is a 304, one whose object has changed a 412."""
    tag = s3.put_object(Bucket="bucket", Key="key", Body=b"x")["ETag"]
    key = {"Bucket": "bucket", "Key": "key"}
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    assert b"x" == s3.get_object(**key, IfMatch=tag)["Body"].read()
    assert (304, "304") == refused(s3.get_object, **key, IfNoneMatch=tag)
    assert (304, "304") == refused(s3.get_object, **key, IfModifiedSince=tomorrow)
    assert (412, "PreconditionFailed") == refused(s3.get_object, **key, IfMatch='"no"')
    yesterday = tomorrow - timedelta(days=2)
    assert (412, "PreconditionFailed") == refused(s3.get_object, **key, IfUnmodifiedSince=yesterday)


def test_conditions_on_writing(s3: Any) -> None:
    """`If-None-Match: *` writes once; `If-Match` writes over what is known."""
    key = {"Bucket": "bucket", "Key": "key"}

    tag = s3.put_object(**key, Body=b"first", IfNoneMatch="*")["ETag"]

    once = refused(s3.put_object, **key, Body=b"second", IfNoneMatch="*")
    assert (412, "PreconditionFailed") == once
    assert (412, "PreconditionFailed") == refused(s3.put_object, **key, Body=b"x", IfMatch='"no"')
    s3.put_object(**key, Body=b"third", IfMatch=tag)
    assert b"third" == s3.get_object(**key)["Body"].read()


def test_listing_page_by_page(s3: Any) -> None:
    """A page ends with a token from which the next one goes on; the order is that of UTF-8."""
    keys = [f"logs/{number:02}" for number in range(25)] + ["ä", "😀", "z"]
    for key in keys:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")

    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket="bucket", PaginationConfig={"PageSize": 10}
    )
    found = [[each["Key"] for each in page["Contents"]] for page in pages]

    assert [10, 10, 8] == [len(page) for page in found]
    assert sorted(keys, key=str.encode) == [key for page in found for key in page]
    after = s3.list_objects_v2(Bucket="bucket", Prefix="logs/", StartAfter="logs/22")
    assert ["logs/23", "logs/24"] == [each["Key"] for each in after["Contents"]]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_delimiter_makes_folders(s3: Any, size: int) -> None:
    """Keys with the same beginning up to the delimiter are one prefix, whatever the page size."""
    for key in ["a", "b/1", "b/2", "b/c/3", "d", "e/4"]:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")

    def names(prefix: str) -> tuple[list[str], list[str]]:
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket="bucket", Prefix=prefix, Delimiter="/", PaginationConfig={"PageSize": size}
        )
        found = list(pages)
        keys = [each["Key"] for page in found for each in page.get("Contents", [])]
        folders = [each["Prefix"] for page in found for each in page.get("CommonPrefixes", [])]
        return keys, folders

    assert (["a", "d"], ["b/", "e/"]) == names("")
    assert (["b/1", "b/2"], ["b/c/"]) == names("b/")


def test_copies(s3: Any) -> None:
    """A copy keeps the metadata of its source, or takes that of the request."""
    source = {"Bucket": "bucket", "Key": "a b+ü"}
    s3.put_object(**source, Body=b"hello", Metadata={"color": "red"})

    s3.copy_object(Bucket="bucket", Key="copy", CopySource=source)
    s3.copy_object(
        Bucket="bucket",
        Key="other",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"color": "blue"},
    )

    copied, other = (s3.get_object(Bucket="bucket", Key=key) for key in ("copy", "other"))
    assert (b"hello", {"color": "red"}) == (copied["Body"].read(), copied["Metadata"])
    assert (b"hello", {"color": "blue"}) == (other["Body"].read(), other["Metadata"])
    missing = {"Bucket": "bucket", "Key": "nothing"}
    assert (404, "NoSuchKey") == refused(
        s3.copy_object, Bucket="bucket", Key="copy", CopySource=missing
    )


def test_deleting(s3: Any) -> None:
    """What does not exist is deleted as well; many go in one request."""
    for key in ["a", "b&<c>", "d"]:
        s3.put_object(Bucket="bucket", Key=key, Body=b"")

    s3.delete_object(Bucket="bucket", Key="nothing")
    keys = [{"Key": key} for key in ["a", "b&<c>", "nothing"]]
    gone = s3.delete_objects(Bucket="bucket", Delete={"Objects": keys})

    assert keys == gone["Deleted"]
    assert ["d"] == [each["Key"] for each in s3.list_objects_v2(Bucket="bucket")["Contents"]]


def test_an_upload_in_parts(s3: Any) -> None:
    """The vendor's transfer manager sends parts side by side, and reads them back."""
    content = bytes(range(256)) * (11 * MEBIBYTE // 256)
    config = TransferConfig(multipart_threshold=5 * MEBIBYTE, multipart_chunksize=5 * MEBIBYTE)

    s3.upload_fileobj(io.BytesIO(content), "bucket", "big", Config=config)
    back = io.BytesIO()
    s3.download_fileobj("bucket", "big", back, Config=config)

    assert content == back.getvalue()
    assert s3.head_object(Bucket="bucket", Key="big")["ETag"].endswith('-3"')
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="bucket")


def test_an_upload_part_by_part(s3: Any) -> None:
    """Parts can be listed, copied from an object, and forgotten again."""
    key = {"Bucket": "bucket", "Key": "big"}
    s3.put_object(Bucket="bucket", Key="source", Body=b"0123456789")
    upload = {**key, "UploadId": s3.create_multipart_upload(**key)["UploadId"]}

    s3.upload_part(**upload, PartNumber=1, Body=b"a" * 5 * MEBIBYTE)
    source = {"Bucket": "bucket", "Key": "source"}
    s3.upload_part_copy(**upload, PartNumber=2, CopySource=source, CopySourceRange="bytes=2-4")
    parts = s3.list_parts(**upload)["Parts"]

    assert [(1, 5 * MEBIBYTE), (2, 3)] == [(each["PartNumber"], each["Size"]) for each in parts]
    assert ["big"] == [
        each["Key"] for each in s3.list_multipart_uploads(Bucket="bucket")["Uploads"]
    ]
    asked = [{"PartNumber": each["PartNumber"], "ETag": each["ETag"]} for each in parts]
    assert (400, "InvalidPartOrder") == refused(
        s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": asked[::-1]}
    )
    wrong = [{"PartNumber": 1, "ETag": '"no"'}]
    assert (400, "InvalidPart") == refused(
        s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": wrong}
    )
    s3.abort_multipart_upload(**upload)
    assert (404, "NoSuchUpload") == refused(s3.list_parts, **upload)


def test_parts_have_a_smallest_size(s3: Any) -> None:
    """All but the last have 5 MiB at least."""
    key = {"Bucket": "bucket", "Key": "big"}
    upload = {**key, "UploadId": s3.create_multipart_upload(**key)["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**upload, PartNumber=n, Body=b"x")["ETag"]}
        for n in (1, 2)
    ]

    assert (400, "EntityTooSmall") == refused(
        s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": parts}
    )


def test_everything_is_forgotten_at_a_reset(s3: Any, server: Emulator) -> None:
    """A test begins with an empty store."""
    server.reset()

    assert ["demo"] == [each["Name"] for each in s3.list_buckets()["Buckets"]]


def test_requests_are_logged(s3: Any, server: Emulator) -> None:
    """The log knows operation and key."""
    s3.put_object(Bucket="bucket", Key="key", Body=b"")

    (_, record) = server.log()
    assert ("s3", "put", "production", 200) == (
        record.provider,
        record.operation,
        record.key,
        record.status,
    )
