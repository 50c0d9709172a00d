"""An upload in parts: what begins, continues, finishes and gives it up."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import replace
from hashlib import md5
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

from adapters._exchange import Read
from adapters._flows import Ask, Asks
from adapters._messages import Reply
from adapters._s3_answers import parse_copied, parse_info, parse_written, reading, text_in
from adapters._s3_places import asked
from adapters._s3_requests import encoded, finish_body, object_headers, request
from adapters._s3_results import Written
from adapters._setup import Setup
from adapters.errors import NotFoundError
from resilience._record import record
from resilience._rules import fail

__all__ = ["MOST_PARTS", "Upload", "begin"]

R = TypeVar("R")

MOST_PARTS = 10_000


@record(kw_only=False)
class Upload:
    """An upload that has begun; the entry that began it has to go on with it."""

    setup: Setup
    bucket: str
    key: str
    upload_id: str
    entry: str | None

    def parts(self, contents: Iterable[bytes], first: int) -> list[Ask[str]]:
        """Return what sends these parts, numbered from `first` on; each gives its tag.

        Raises:
            SettingsError: if there are more of them than S3 takes.
        """
        read = reading(self.setup, encoded(self.bucket), _parse_tag)
        return [
            self._ask("PUT", {"partNumber": _checked(number)}, content, read=read)
            for number, content in enumerate(contents, first)
        ]

    def finish(self, etags: list[str]) -> Generator[Asks, Any, Written]:
        """Make the object of its parts.

        Where the answer to the first attempt is lost, the second one hears that there is no such
        upload: then the object itself tells whether it is there.
        """
        body = finish_body(etags)
        read = reading(
            self.setup, encoded(self.bucket), parse_copied, "CompleteMultipartUploadResult"
        )
        ask = self._ask("POST", {}, body, "application/xml", read=read)
        try:
            written: Written = yield from asked(self.setup, encoded(self.bucket), ask)
        except NotFoundError as error:
            if error.code != "NoSuchUpload" or error.attempts == 1:
                raise
            found = yield self._look()
            if found.etag.strip('"') != _joined(etags):
                raise
            written = Written(etag=found.etag, raw=None, request_id=found.request_id)
        return replace(written, parts=len(etags))

    def abort(self) -> Ask[None]:
        """Return what makes the server forget all parts."""
        read = reading(self.setup, encoded(self.bucket), lambda _reply, _document: None)
        return self._ask("DELETE", {}, read=read, cleans_up=True)

    def _look(self) -> Ask[Any]:
        built = request("upload", "HEAD", self.bucket, self.key)
        read = reading(self.setup, encoded(self.bucket), parse_info)
        return Ask(built, read=read, entry=self.entry)

    def _ask(
        self,
        method: str,
        query: Mapping[str, object],
        body: bytes | None = None,
        content_type: str | None = None,
        *,
        read: Read[R],
        cleans_up: bool = False,
    ) -> Ask[R]:
        built = request(
            "upload",
            method,
            self.bucket,
            self.key,
            query={**query, "uploadId": self.upload_id},
            body=body,
            content_type=content_type,
        )
        return Ask(built, read=read, entry=self.entry, cleans_up=cleans_up)


def begin(
    setup: Setup,
    bucket: str,
    key: str,
    *,
    content_type: str,
    metadata: Mapping[str, str] | None,
    extra_headers: Mapping[str, str] | None,
) -> Generator[Asks, Any, Upload]:
    """Begin an upload."""
    built = request(
        "upload",
        "POST",
        bucket,
        key,
        query={"uploads": True},
        headers=object_headers(content_type, metadata),
        extra_headers=extra_headers,
    )

    def parse(reply: Reply, found: ET.Element) -> Upload:
        return Upload(setup, bucket, key, text_in(found, "UploadId"), reply.key_name)

    read = reading(setup, encoded(bucket), parse, "InitiateMultipartUploadResult")
    return (yield from asked(setup, encoded(bucket), Ask(built, read=read)))


def _parse_tag(reply: Reply, found: ET.Element) -> str:
    return parse_written(reply, found).etag


def _checked(number: int) -> int:
    if number > MOST_PARTS:
        fail("part_size", f"must be larger: S3 takes {MOST_PARTS:,} parts at most", number)
    return number


def _joined(etags: list[str]) -> str:
    """Return the tag of an object of parts: the MD5 of their MD5s, and how many they are."""
    try:
        sums = b"".join(bytes.fromhex(etag.strip('"')) for etag in etags)
    except ValueError:  # a server with tags of another kind
        return ""
    return f"{md5(sums, usedforsecurity=False).hexdigest()}-{len(etags)}"
