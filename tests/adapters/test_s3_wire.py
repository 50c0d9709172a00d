"""The wire: what this adapter sends is what the vendor's own client sends."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import pytest

from adapters import s3
from tests.adapters.flavours import Make
from tests.adapters.recorder import Recorded, Recorder, answer
from tests.support.s3 import boto3_client

MEBIBYTE = 1024 * 1024
CREDENTIALS = {
    "access_key": "AKIATEST",
    "secret_key": "secret-0123456789",
    "session_token": "token-0123456789",
}
# Other servers than the vendor's own do not know what newer releases ask for by themselves.
PLAIN = {
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
TAG = {"ETag": '"5d41402abc4b2a76b9719d911017c592"'}


def document(root: str, inside: str = "") -> bytes:
    """An answer that is a document."""
    return answer(
        f"<{root}>{inside}</{root}>".encode(), headers={"Content-Type": "application/xml"}
    )


HELLO = answer(b"hello", headers=TAG)
PAGES = [
    document(
        "ListBucketResult",
        "<IsTruncated>true</IsTruncated><EncodingType>url</EncodingType>"
        "<NextContinuationToken>1/+=</NextContinuationToken><Contents><Key>a</Key></Contents>",
    ),
    document("ListBucketResult", "<IsTruncated>false</IsTruncated>"),
]
PLACE = {"Bucket": "bucket", "Key": "dir/a b+ü//x/../y"}
OURS = ("bucket", "dir/a b+ü//x/../y")


def _upload(theirs: Any) -> None:
    """An upload in parts, one after the other, as the vendor's client would send them."""
    begun = theirs.create_multipart_upload(**PLACE, ContentType="text/plain", Metadata={"a": "b"})
    upload = {**PLACE, "UploadId": begun["UploadId"]}
    parts = [
        {"ETag": theirs.upload_part(**upload, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, b"x" * 5 * MEBIBYTE), (2, b"end"))
    ]
    numbered = [{**part, "PartNumber": number} for number, part in enumerate(parts, 1)]
    theirs.complete_multipart_upload(**upload, MultipartUpload={"Parts": numbered})


def comparable(recorded: Recorded) -> dict[str, Any]:
    """What has to be the same."""
    headers = {n: v for n, v in recorded.headers.items() if n not in DIFFERENCES}
    return {
        "method": recorded.method,
        "path": recorded.path,
        "query": sorted(recorded.query),
        "body": recorded.body,
        "headers": headers,
    }


# Scripts, theirs, ours.
Question = tuple[list[bytes], Callable[[Any], Any], Callable[[Any], Any]]
QUESTIONS: dict[str, Question] = {
    "buckets": (
        [document("ListAllMyBucketsResult", "<Buckets></Buckets>")],
        lambda theirs: theirs.list_buckets(),
        lambda ours: ours.buckets(),
    ),
    "list": (
        PAGES,
        lambda theirs: list(
            theirs.get_paginator("list_objects_v2").paginate(
                Bucket="bucket", Prefix="a b/", Delimiter="/", StartAfter="a+"
            )
        ),
        lambda ours: list(ours.list("bucket", "a b/", "/", start_after="a+")),
    ),
    "get": (
        [HELLO],
        lambda theirs: theirs.get_object(**PLACE)["Body"].read(),
        lambda ours: ours.get(*OURS),
    ),
    "get with everything": (
        [HELLO],
        lambda theirs: theirs.get_object(
            **PLACE, Range="bytes=1-3", IfMatch='"a"', IfNoneMatch='"b"', VersionId="v 1"
        )["Body"].read(),
        lambda ours: ours.get(
            *OURS, range=(1, 3), if_match='"a"', if_none_match='"b"', version_id="v 1"
        ),
    ),
    "head": (
        [answer(headers=TAG)],
        lambda theirs: theirs.head_object(**PLACE),
        lambda ours: ours.head(*OURS),
    ),
    "put": (
        [answer(headers=TAG)],
        lambda theirs: theirs.put_object(
            **PLACE,
            Body=b"hello",
            ContentType="text/plain",
            Metadata={"Color": "red"},
            CacheControl="no-store",
            IfNoneMatch="*",
        ),
        lambda ours: ours.put(
            *OURS,
            b"hello",
            content_type="text/plain",
            metadata={"Color": "red"},
            if_none_match="*",
            extra_headers={"Cache-Control": "no-store"},
        ),
    ),
    "copy": (
        [document("CopyObjectResult", "<ETag>x</ETag>")],
        lambda theirs: theirs.copy_object(
            **PLACE, CopySource={"Bucket": "from", "Key": "a b+ü//~", "VersionId": "v"}
        ),
        lambda ours: ours.copy("from", "a b+ü//~", *OURS, version_id="v"),
    ),
    "copy with other metadata": (
        [document("CopyObjectResult", "<ETag>x</ETag>")],
        lambda theirs: theirs.copy_object(
            **PLACE,
            CopySource={"Bucket": "from", "Key": "k"},
            MetadataDirective="REPLACE",
            Metadata={"a": "b"},
            ContentType="text/plain",
        ),
        lambda ours: ours.copy("from", "k", *OURS, metadata={"a": "b"}, content_type="text/plain"),
    ),
    "delete": (
        [answer(status=204)],
        lambda theirs: theirs.delete_object(**PLACE, VersionId="v"),
        lambda ours: ours.delete(*OURS, version_id="v"),
    ),
    "delete many": (
        [document("DeleteResult")],
        lambda theirs: theirs.delete_objects(
            Bucket="bucket", Delete={"Objects": [{"Key": "a&<b>"}, {"Key": "ü\r\n"}]}
        ),
        lambda ours: ours.delete_many("bucket", ["a&<b>", "ü\r\n"]),
    ),
    "upload in parts": (
        [
            document("InitiateMultipartUploadResult", "<UploadId>u/+=</UploadId>"),
            answer(headers=TAG),
            answer(headers=TAG),
            document("CompleteMultipartUploadResult", "<ETag>x</ETag>"),
        ],
        _upload,
        lambda ours: ours.upload(
            io.BytesIO(b"x" * 5 * MEBIBYTE + b"end"),
            *OURS,
            part_size=5 * MEBIBYTE,
            content_type="text/plain",
            metadata={"a": "b"},
        ),
    ),
}

# Headers that may differ, and why.
DIFFERENCES = {
    "accept": "ours says what is true anyway",
    "accept-encoding": "theirs is a wish for no compression too, in some releases",
    "amz-sdk-invocation-id": "a new one for each call",
    "amz-sdk-request": "theirs counts attempts there",
    "authorization": "each signs at its own moment; see test_s3_signing",
    "content-length": "theirs says that a deletion has no body; bodies are compared",
    "content-md5": "ours for the document of many keys: not every server knows other sums",
    "connection": "their library says what HTTP/1.1 assumes anyway",
    "expect": "theirs asks before it sends a body",
    "user-agent": "each names itself",
    "x-amz-checksum-crc32": "theirs for the document of many keys",
    "x-amz-date": "each signs at its own moment",
    "x-amz-sdk-checksum-algorithm": "the same",
}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_we_send_what_the_vendors_client_sends(server: Recorder, make: Make, question: Question):
    """The same method, path, query, body and headers for the same question, request by request."""
    scripts, ask_theirs, ask_ours = question
    host = server.url.removesuffix("/v1")
    # One at a time: parts that are sent side by side have no order.
    ours = make(s3, **CREDENTIALS, base_url=host, max_retries=0, max_concurrent_requests=1)
    theirs = boto3_client(host, **CREDENTIALS, **PLAIN)
    sent = []
    for ask, client in ((ask_theirs, theirs), (ask_ours, ours)):
        server.requests.clear()
        server.play(*scripts)
        ask(client)
        sent.append([comparable(each) for each in server.requests])
    theirs.close()
    for vendors, own in zip(*sent, strict=True):
        if "content-type" not in vendors["headers"]:  # theirs leaves it out where it says nothing
            own["headers"].pop("content-type", None)

    assert sent[0] == sent[1]


def test_every_attempt_is_signed_anew(server: Recorder, make: Make):
    """A signature is good for some minutes only."""
    server.play(answer(status=500), HELLO)
    ours = make(s3, **CREDENTIALS, base_url=server.url, initial_retry_delay=0)

    found = ours.get("bucket", "key")

    first, second = server.requests
    assert (2, b"hello") == (found.attempts, found.body)
    pattern = re.compile(
        r"AWS4-HMAC-SHA256 Credential=AKIATEST/\d{8}/us-east-1/s3/aws4_request, .*"
    )
    assert all(pattern.fullmatch(each.headers["authorization"]) for each in (first, second))
    assert first.headers["amz-sdk-invocation-id"] == second.headers["amz-sdk-invocation-id"]


def test_both_read_the_same_environment(server: Recorder, make: Make, monkeypatch):
    """Credentials, address and region come from the variables that the vendor's client reads."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-of-environment")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    server.play(HELLO)

    make(s3).get("bucket", "key")

    (sent,) = server.requests
    assert "/v1/bucket/key" == sent.path
    assert "token-of-environment" == sent.headers["x-amz-security-token"]
    assert re.search(r"=AKIAENV/\d{8}/eu-north-1/s3/", sent.headers["authorization"])
