"""ListObjectsV2: the objects of a bucket, page by page, grouped where a delimiter is given."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from urllib.parse import quote

from adapters.emulator.protocol import Answer, Call, Operation, Refusal
from adapters.emulator.s3_style.documents import answer, iso_date
from adapters.emulator.s3_style.errors import S3Problem
from adapters.emulator.s3_style.names import query_of
from adapters.emulator.s3_style.store import Bucket, StoredObject, bucket_of

__all__ = ["listing_operations"]

_LARGEST_PAGE = 1_000


def listing_operations() -> tuple[Operation, ...]:
    """Return the operation that lists objects."""
    return (Operation("list", "GET", "/{bucket}", _list, takes_json=False),)


def _list(call: Call) -> Answer:
    bucket, query = bucket_of(call), query_of(call)
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token")
    after = _after(token) if token is not None else query.get("start-after", "")
    size = min(_size(query.get("max-keys", str(_LARGEST_PAGE))), _LARGEST_PAGE)
    entries = list(_up_to(size + 1, _entries(bucket, prefix, delimiter, after)))
    page, is_cut = entries[:size], len(entries) > size > 0
    encoded = query.get("encoding-type") == "url"

    def shown(text: str) -> str:
        return quote(text, safe="/") if encoded else text

    fields: dict[str, object] = {
        "Name": bucket.name,
        "Prefix": shown(prefix),
        "KeyCount": len(page),
        "MaxKeys": size,
        "IsTruncated": is_cut,
    }
    if delimiter:
        fields["Delimiter"] = shown(delimiter)
    if encoded:
        fields["EncodingType"] = "url"
    if token is not None:
        fields["ContinuationToken"] = token
    if is_cut:
        fields["NextContinuationToken"] = _token(page[-1][0])
    fields["Contents"] = [_content(shown(name), found) for name, found in page if found]
    fields["CommonPrefixes"] = [{"Prefix": shown(name)} for name, found in page if not found]
    return answer("ListBucketResult", fields)


def _entries(
    bucket: Bucket, prefix: str, delimiter: str, after: str
) -> Iterator[tuple[str, StoredObject | None]]:
    """Give keys with their objects, and common prefixes with None, in the order of UTF-8."""
    last = None
    for key in sorted(bucket.objects, key=str.encode):
        if not key.startswith(prefix) or key.encode() <= after.encode():
            continue
        head, found, _ = (
            key.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
        )
        if not found:
            yield key, bucket.objects[key]
            continue
        group = prefix + head + delimiter
        # A token that names a group stands for all of its keys.
        if group not in {last, after}:
            last = group
            yield group, None


def _up_to(
    count: int, entries: Iterator[tuple[str, StoredObject | None]]
) -> Iterator[tuple[str, StoredObject | None]]:
    for _, entry in zip(range(count), entries, strict=False):
        yield entry


def _content(name: str, found: StoredObject) -> dict[str, object]:
    return {
        "Key": name,
        "LastModified": iso_date(found.modified),
        "ETag": f'"{found.etag}"',
        "Size": len(found.body),
        "StorageClass": "STANDARD",
    }


def _size(text: str) -> int:
    if not text.isdecimal():
        message = "Provided max-keys not an integer or within integer range"
        raise Refusal(S3Problem(400, message, code="InvalidArgument"))
    return int(text)


def _token(last: str) -> str:
    return base64.b64encode(last.encode()).decode()


def _after(token: str) -> str:
    try:
        return base64.b64decode(token, validate=True).decode()
    except (binascii.Error, ValueError):
        message = "The continuation token provided is incorrect"
        raise Refusal(S3Problem(400, message, code="InvalidArgument")) from None
