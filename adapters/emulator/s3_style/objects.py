"""Operations on one object: put, get, head, copy, delete."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from adapters.emulator.protocol import Answer, Call, Operation, Refusal
from adapters.emulator.s3_style.conditions import check_conditions, check_sums, range_of
from adapters.emulator.s3_style.documents import answer, http_date, iso_date
from adapters.emulator.s3_style.errors import S3Problem
from adapters.emulator.s3_style.names import checked_key
from adapters.emulator.s3_style.store import StoredObject, bucket_of, object_of

__all__ = ["copy_source", "kept_headers", "object_operations"]

_KEPT = (
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
)
_META = "x-amz-meta-"
_TYPE = "binary/octet-stream"


def object_operations() -> tuple[Operation, ...]:
    """Return the operations on one object."""
    path = "/{bucket}/{key:path}"
    return (
        Operation("get", "GET", path, _get, takes_json=False),
        Operation("head", "HEAD", path, _get, takes_json=False),
        Operation("put", "PUT", path, _put, takes_json=False),
        Operation("copy", "PUT", path, _copy, takes_json=False),
        Operation("delete", "DELETE", path, _delete, takes_json=False),
    )


def kept_headers(call: Call) -> dict[str, str]:
    """Return the headers of a request that belong to the object."""
    names = [name.decode("latin-1") for name in call.headers]
    kept = {name: call.header(name) for name in names if name in _KEPT or name.startswith(_META)}
    return {"content-type": _TYPE} | kept


def copy_source(call: Call) -> StoredObject:
    """Return the object that a request wants copied.

    Raises:
        Refusal: if the header names none, or its conditions do not hold.
    """
    source = unquote(call.header("x-amz-copy-source").partition("?")[0]).removeprefix("/")
    bucket, slash, key = source.partition("/")
    if not slash or not key:
        message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey"
        raise Refusal(S3Problem(400, message, code="InvalidArgument"))
    found = object_of(bucket_of(call, bucket), key)
    check_conditions(call, found, prefix="x-amz-copy-source-")
    return found


def _get(call: Call) -> Answer:
    found = object_of(bucket_of(call), call.params["key"])
    check_conditions(call, found)
    part = range_of(call, len(found.body))
    headers = [
        (b"accept-ranges", b"bytes"),
        (b"etag", f'"{found.etag}"'.encode()),
        (b"last-modified", http_date(found.modified)),
        *_written(found.headers),
    ]
    if part is None:
        return Answer(200, found.body, content_type=_type(found), headers=tuple(headers))
    first, last = part
    headers.append((b"content-range", f"bytes {first}-{last}/{len(found.body)}".encode()))
    body = found.body[first : last + 1]
    return Answer(206, body, content_type=_type(found), headers=tuple(headers))


def _put(call: Call) -> Answer:
    bucket, key = bucket_of(call), checked_key(call.params["key"])
    check_conditions(call, bucket.objects.get(key))
    check_sums(call)
    bucket.objects[key] = new = StoredObject.of(call.body, kept_headers(call))
    return Answer(200, content_type=b"application/xml", headers=((b"etag", _quoted(new)),))


def _copy(call: Call) -> Answer:
    bucket, key = bucket_of(call), checked_key(call.params["key"])
    source = copy_source(call)
    check_conditions(call, bucket.objects.get(key))
    directive = call.header("x-amz-metadata-directive") or "COPY"
    headers = source.headers if directive == "COPY" else kept_headers(call)
    bucket.objects[key] = new = StoredObject.of(source.body, headers)
    fields = {"LastModified": iso_date(new.modified), "ETag": f'"{new.etag}"'}
    return answer("CopyObjectResult", fields)


def _delete(call: Call) -> Answer:
    bucket_of(call).objects.pop(call.params["key"], None)
    return Answer(204, content_type=b"application/xml")


def _written(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in headers.items()
        if name != "content-type"
    ]


def _type(found: StoredObject) -> bytes:
    return found.headers["content-type"].encode("latin-1")


def _quoted(found: StoredObject) -> bytes:
    return f'"{found.etag}"'.encode()
