"""Operations of S3 on many things: buckets, objects of a bucket, keys to delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any
from xml.etree import ElementTree as ET

from adapters._flows import Ask, Flow, Page, Pages
from adapters._messages import Reply, Request
from adapters._raw import read_raw
from adapters._results import RawAnswer
from adapters._s3_answers import parse_buckets, parse_deleted_many, parse_page, reading
from adapters._s3_errors import S3_ERRORS
from adapters._s3_places import asked, bucket_in
from adapters._s3_requests import TELLING, delete_many_body, encoded, is_count, request
from adapters._s3_results import Buckets, DeletedMany, Listed
from adapters._setup import Setup
from resilience._rules import fail

__all__ = ["ask_raw", "buckets", "delete_many", "list_objects"]

_MOST_KEYS = 1_000  # that S3 deletes, or lists, in one request


def buckets(setup: Setup) -> Flow[Buckets]:
    """List the buckets that the credentials own.

    Returns:
        The buckets; `.names`, and it iterates over them.
    """
    read = reading(setup, "", parse_buckets, "ListAllMyBucketsResult")
    return (yield from asked(setup, "", Ask(request("buckets", "GET"), read=read)))


def ask_raw(setup: Setup, raw: Request) -> Flow[RawAnswer]:
    """Ask for whatever has no function; region and clock are corrected here as well."""
    bucket = bucket_in(raw.path)

    def parse(reply: Reply, _: ET.Element) -> RawAnswer:
        return read_raw(S3_ERRORS, reply, ())

    ask = Ask(replace(raw, accepts=TELLING), read=reading(setup, bucket, parse))
    return (yield from asked(setup, bucket, ask))


def list_objects(
    setup: Setup,
    bucket: str,
    prefix: str = "",
    delimiter: str | None = None,
    *,
    start_after: str | None = None,
    page_size: int | None = None,
    extra_headers: Mapping[str, str] | None = None,
) -> Pages[Listed]:
    """List the objects of a bucket in the order of their keys, page after page.

    Args:
        bucket: The bucket.
        prefix: What the keys begin with.
        delimiter: Keys with the same text up to it, behind the prefix, are one entry, whose
            `is_prefix` is true.
        start_after: Begin behind this key.
        page_size: How many entries one request fetches, at most 1,000 (default: the server's).
        extra_headers: More headers.
    """
    given: Any = page_size
    if given is not None and not (is_count(given) and 1 <= given <= _MOST_KEYS):
        fail("page_size", f"must be a number from 1 to {_MOST_KEYS:,}", given)
    read = reading(setup, encoded(bucket), parse_page, "ListBucketResult")
    token: str | None = None
    entry: str | None = None  # a token is good for the server that has given it
    while True:
        query = {
            "list-type": 2,
            "prefix": prefix,
            "delimiter": delimiter,
            "max-keys": page_size,
            "start-after": start_after,
            "encoding-type": "url",
            "continuation-token": token,
        }
        built = request("list", "GET", bucket, query=query, extra_headers=extra_headers)
        ask = Ask(built, read=read, entry=entry)
        entries, token, entry = yield from asked(setup, encoded(bucket), ask)
        yield Page(entries)
        if token is None:
            return


def delete_many(
    setup: Setup,
    bucket: str,
    keys: Iterable[str],
    *,
    extra_headers: Mapping[str, str] | None = None,
) -> Flow[DeletedMany]:
    """Delete many objects, 1,000 with each request.

    Args:
        bucket: The bucket.
        keys: The keys; those that do not exist count as deleted.
        extra_headers: More headers.

    Returns:
        `.deleted`, and `.errors` for the keys that the server did not delete.
    """
    read = reading(setup, encoded(bucket), parse_deleted_many, "DeleteResult")
    given: Any = keys
    if not isinstance(given, Iterable):
        fail("keys", "must be texts", type(given))
    rest = iter([keys] if isinstance(keys, str) else keys)
    requests: list[Request] = []
    while part := list(islice(rest, _MOST_KEYS)):
        requests.append(_deleting(bucket, part, extra_headers))
    if not requests:
        return DeletedMany(deleted=(), raw=[], attempts=0)
    first, *others = (Ask(each, read=read) for each in requests)
    results: list[DeletedMany] = [(yield from asked(setup, encoded(bucket), first))]
    if others:
        results += yield others
    return _joined(results)


def _deleting(bucket: str, keys: list[str], extra_headers: Mapping[str, str] | None) -> Request:
    body, checksum = delete_many_body(keys)
    return request(
        "delete_many",
        "POST",
        bucket,
        query={"delete": True},
        headers={"Content-MD5": checksum},
        extra_headers=extra_headers,
        body=body,
        content_type="application/xml",
    )


def _joined(results: list[DeletedMany]) -> DeletedMany:
    first = results[0]
    if len(results) == 1:
        return first
    return DeletedMany(
        deleted=tuple(key for each in results for key in each.deleted),
        errors=tuple(error for each in results for error in each.errors),
        raw=[each.raw for each in results],
        request_id=first.request_id,
        server_request_id=first.server_request_id,
        key_name=first.key_name,
        attempts=sum(each.attempts for each in results),
        headers=first.headers,
    )
