"""Operations of S3 on one object, as flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar
from xml.etree import ElementTree as ET

from adapters._flows import Ask, Flow
from adapters._messages import Reply, Request
from adapters._s3_answers import (
    parse_copied,
    parse_deleted,
    parse_info,
    parse_object,
    parse_written,
    reading,
)
from adapters._s3_places import asked
from adapters._s3_requests import (
    encoded,
    object_headers,
    object_path,
    range_header,
    request,
)
from adapters._s3_results import Deleted, ObjectInfo, StoredObject, Written
from adapters._setup import Setup
from resilience._rules import fail

__all__ = ["copy", "delete", "get", "head", "put"]

R = TypeVar("R")


def get(
    setup: Setup,
    bucket: str,
    key: str,
    range: tuple[int, int | None] | None = None,  # noqa: A002 - the word of the protocol
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
    version_id: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[StoredObject]:
    """Read an object, or a range of it, into memory; `max_answer_size` is the limit.

    Where the connection breaks, the next attempt asks for the rest.

    Args:
        bucket: The bucket.
        key: The key; it reaches the server unchanged, dots and double slashes too.
        range: The first and the last byte, counted from 0 and both included; (first, None) reads
            to the end.
        if_match: Fails with a `ConflictError` unless the object has this tag.
        if_none_match: Fails with a `ConflictError` (304) if it has.
        version_id: A version other than the newest.
        extra_headers: More headers.
    """
    headers = {
        "Range": range_header(range),
        "If-Match": if_match,
        "If-None-Match": if_none_match,
    }
    built = request(
        "get",
        "GET",
        bucket,
        key,
        query={"versionId": version_id},
        headers=headers,
        extra_headers=extra_headers,
        as_stored=True,
    )
    return (yield from _ask(setup, bucket, built, parse_object))


def head(
    setup: Setup,
    bucket: str,
    key: str,
    *,
    version_id: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[ObjectInfo]:
    """Ask for what is known of an object, without its body."""
    query = {"versionId": version_id}
    built = request("head", "HEAD", bucket, key, query=query, extra_headers=extra_headers)
    return (yield from _ask(setup, bucket, built, parse_info))


def put(
    setup: Setup,
    bucket: str,
    key: str,
    body: bytes | str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    if_match: str | None = None,
    if_none_match: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[Written]:
    """Write an object that is in memory; `upload` sends files, and what is large.

    Args:
        bucket: The bucket.
        key: The key; it reaches the server unchanged.
        body: The bytes; a text is written as UTF-8.
        content_type: Its media type (application/octet-stream).
        metadata: What to keep with it, by name, without `x-amz-meta-`.
        if_match: Fails with a `ConflictError` unless the present object has this tag.
        if_none_match: "*" fails with a `ConflictError` if there is an object.
        extra_headers: More headers, such as `Cache-Control`.

    Raises:
        SettingsError: if the body is something else, such as a number or a file.
    """
    headers = object_headers(None, metadata, if_match=if_match, if_none_match=if_none_match)
    content = _in_memory(body)
    built = request(
        "put",
        "PUT",
        bucket,
        key,
        headers=headers,
        extra_headers=extra_headers,
        body=content,
        content_type=content_type,
    )
    return (yield from _ask(setup, bucket, built, parse_written))


def _in_memory(body: object) -> bytes:
    """Return the bytes of a body; `bytes(5)` would be five zeros."""
    if isinstance(body, str):
        try:
            return body.encode()
        except UnicodeEncodeError:
            fail("body", "must be a text without half a surrogate pair", body)
    if not isinstance(body, bytes | bytearray | memoryview):
        rule = "must be bytes or a text (`upload` takes files)"
        fail("body", rule, f"<{type(body).__name__}>")
    return bytes(body)


def copy(
    setup: Setup,
    bucket: str,
    key: str,
    to_bucket: str,
    to_key: str,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    version_id: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[Written]:
    """Copy an object of at most 5 GiB, without its bytes passing here.

    Args:
        bucket: The bucket of the source.
        key: The key of the source.
        to_bucket: The bucket of the copy.
        to_key: The key of the copy.
        content_type: The copy's media type; with `metadata` it replaces all that the source has.
        metadata: What to keep with the copy; None and no `content_type`: what the source has.
        version_id: A version of the source other than the newest.
        extra_headers: More headers.
    """
    source = object_path(bucket, key)
    version = f"?versionId={encoded(version_id, 'version_id')}" if version_id is not None else ""
    replaces = content_type is not None or metadata is not None
    headers = object_headers(content_type, metadata) | {
        "x-amz-copy-source": source + version,
        "x-amz-metadata-directive": "REPLACE" if replaces else None,
    }
    built = request("copy", "PUT", to_bucket, to_key, headers=headers, extra_headers=extra_headers)
    return (yield from _ask(setup, to_bucket, built, parse_copied, "CopyObjectResult"))


def delete(
    setup: Setup,
    bucket: str,
    key: str,
    *,
    version_id: str | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[Deleted]:
    """Delete an object; one that does not exist counts as deleted."""
    query = {"versionId": version_id}
    built = request("delete", "DELETE", bucket, key, query=query, extra_headers=extra_headers)
    return (yield from _ask(setup, bucket, built, parse_deleted))


def _ask(
    setup: Setup,
    bucket: str,
    built: Request,
    parse: Callable[[Reply, ET.Element], R],
    root: str | None = None,
) -> Flow[R]:
    """Send one request about an object of a bucket, and read its answer."""
    read = reading(setup, encoded(bucket), parse, root)
    return (yield from asked(setup, encoded(bucket), Ask(built, read=read)))
