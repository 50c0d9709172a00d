"""The emulator of S3 beside SeaweedFS: what one refuses the other does, in the same words."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from freezegun import freeze_time

from adapters.emulator import Emulator
from tests.support.s3 import boto3_client
from tests_real.seaweed import CREDENTIALS
from tests_real.servers import Server

BUCKET = {"Bucket": "parity"}
KEY = {**BUCKET, "Key": "key"}
Outcome = tuple[int, str]


@dataclass(frozen=True)
class Side:
    """One of the two servers, with a bucket, an object and an upload of two small parts."""

    url: str
    credentials: dict[str, str]
    client: Any
    upload: dict[str, Any]
    parts: list[dict[str, Any]]

    def finish(self, *parts: dict[str, Any]) -> Any:
        """Finish the upload with these parts."""
        return self.client.complete_multipart_upload(
            **self.upload, MultipartUpload={"Parts": list(parts)}
        )

    def other(self, **changes: str) -> Any:
        """List buckets with other credentials."""
        client = boto3_client(self.url, **{**self.credentials, **changes})
        try:
            return client.list_buckets()
        finally:
            client.close()

    def presigned(self, old: str = "", new: str = "", method: str = "GET", minutes: int = 0) -> Any:
        """Use an address that was signed so long ago, and changed."""
        with freeze_time(datetime.now(UTC) - timedelta(minutes=minutes)):
            url = self.client.generate_presigned_url("get_object", Params=KEY, ExpiresIn=60)
        assert old in url
        return fetched(url.replace(old, new) if old else url, method)


# What is asked. Where S3's own description and SeaweedFS differ, the emulator follows the former:
# backward ranges are ignored, other regions refused, and so are addresses that are not valid yet.
QUESTIONS: dict[str, Callable[[Side], Any]] = {
    "a bucket that is there": lambda side: side.client.create_bucket(**BUCKET),
    "a name of a bucket": lambda side: side.client.create_bucket(Bucket="no..dots"),
    "an object that is not": lambda side: side.client.get_object(**BUCKET, Key="no"),
    "its head": lambda side: side.client.head_object(**BUCKET, Key="no"),
    "a bucket that is not": lambda side: side.client.get_object(Bucket="nowhere", Key="key"),
    "its listing": lambda side: side.client.list_objects_v2(Bucket="nowhere"),
    "a range behind the end": lambda side: side.client.get_object(**KEY, Range="bytes=10-"),
    "another tag": lambda side: side.client.get_object(**KEY, IfMatch='"no"'),
    "the same tag": lambda side: side.client.get_object(
        **KEY, IfNoneMatch=side.client.head_object(**KEY)["ETag"]
    ),
    "a second put": lambda side: side.client.put_object(**KEY, Body=b"", IfNoneMatch="*"),
    "a put over another": lambda side: side.client.put_object(**KEY, Body=b"", IfMatch='"no"'),
    "another sum": lambda side: side.client.put_object(
        **KEY, Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg=="
    ),
    "no sum at all": lambda side: side.client.put_object(**KEY, Body=b"x", ContentMD5="xx"),
    "a deletion of nothing": lambda side: side.client.delete_object(**BUCKET, Key="no"),
    "a copy of nothing": lambda side: side.client.copy_object(
        **KEY, CopySource={**BUCKET, "Key": "no"}
    ),
    "no such upload": lambda side: side.client.abort_multipart_upload(**KEY, UploadId="no"),
    "small parts": lambda side: side.finish(*side.parts),
    "parts in disorder": lambda side: side.finish(*reversed(side.parts)),
    "no such part": lambda side: side.finish({"PartNumber": 3, "ETag": '"x"'}),
    "a page of no size": lambda side: side.client.list_objects_v2(**BUCKET, MaxKeys=-1),
    "a long key": lambda side: side.client.put_object(**BUCKET, Key="k" * 1025, Body=b""),
    "a wrong secret": lambda side: side.other(secret_key="no"),
    "a wrong key": lambda side: side.other(access_key="no"),
    "a presigned address": lambda side: side.presigned(),
    "another method": lambda side: side.presigned(method="PUT"),
    "a changed address": lambda side: side.presigned("Expires=60", "Expires=61"),
    "a life that is too long": lambda side: side.presigned("Expires=60", "Expires=604801"),
    "an expired address": lambda side: side.presigned(minutes=2),
    "nobody": lambda side: fetched(f"{side.url}/parity/key?x"),
}


def fetched(url: str, method: str = "GET") -> Outcome:
    """Ask for an address; status and code."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}")
        answer = connection.getresponse()
        code = answer.read().partition(b"<Code>")[2].partition(b"</Code>")[0]
        return answer.status, code.decode()
    finally:
        connection.close()


def outcome(side: Side, question: Callable[[Side], Any]) -> Outcome:
    """Status and code of what a question comes to."""
    try:
        answer = question(side)
    except ClientError as error:
        answer = error.response
    if isinstance(answer, tuple):
        return answer
    code = answer.get("Error", {}).get("Code", "")
    return answer["ResponseMetadata"]["HTTPStatusCode"], code


def prepared(url: str, credentials: dict[str, str]) -> Side:
    """A side on which everything is there that the questions are about."""
    client = boto3_client(url, **credentials)
    client.create_bucket(**BUCKET)
    client.put_object(**KEY, Body=b"0123456789")
    upload = {**KEY, "UploadId": client.create_multipart_upload(**KEY)["UploadId"]}
    parts = [
        {"PartNumber": n, "ETag": client.upload_part(**upload, PartNumber=n, Body=b"x")["ETag"]}
        for n in (1, 2)
    ]
    return Side(url, credentials, client, upload, parts)


@pytest.fixture(scope="module")
def sides(seaweed_server: Server) -> Iterator[tuple[Side, Side]]:
    """The emulator, and the real server."""
    with Emulator() as emulator:
        emulated = prepared(emulator.base_url("s3"), emulator.credentials()["production"])
        real = prepared(seaweed_server.url, CREDENTIALS)
        yield emulated, real
        emulated.client.close()
        real.client.close()


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_both_answer_the_same(sides: tuple[Side, Side], question: Callable[[Side], Any]):
    """The same status, and the same code in the document."""
    emulated, real = sides

    assert outcome(real, question) == outcome(emulated, question)


@pytest.mark.parametrize("minutes", [-20, 20])
def test_both_refuse_a_skewed_clock(sides: tuple[Side, Side], minutes: int):
    """More than a quarter of an hour, in either direction."""
    with freeze_time(datetime.now(UTC) + timedelta(minutes=minutes)):
        found = [outcome(side, lambda side: side.client.list_buckets()) for side in sides]

    assert [(403, "RequestTimeTooSkewed")] * 2 == found
