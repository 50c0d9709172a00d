"""Requests of S3: paths, queries, headers, documents. Pure."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from adapters._build import checked_headers
from adapters._messages import Request
from resilience._rules import fail

__all__ = [
    "TELLING",
    "delete_many_body",
    "encoded",
    "finish_body",
    "is_count",
    "object_headers",
    "object_path",
    "range_header",
    "request",
]

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
# Not None: `delete("bucket", None)` has to fail, and not to delete the bucket.
_ABSENT: Any = object()
_ARGUMENTS = {"start-after": "start_after", "versionId": "version_id"}
_UNRESERVED = "-_.~"  # RFC 3986, section 2.3
# Refusals that say where the bucket is, or what time it is: they are read like an answer.
TELLING = frozenset({301, 304, 307, 400, 403})
# What XML 1.0 cannot express, not even as a reference (section 2.2).
_UNWRITABLE = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")


def request(
    operation: str,
    method: str,
    bucket: Any = _ABSENT,
    key: Any = _ABSENT,
    *,
    query: Mapping[str, object] | None = None,
    headers: Mapping[str, str | None] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    content_type: str | None = None,
    as_stored: bool = False,
) -> Request:
    """Build a request; what is None in query and headers is left out.

    Raises:
        SettingsError: for a name that cannot be one, and for a header that would break the request.
    """
    given = {name: value for name, value in (headers or {}).items() if value is not None}
    kind = checked_headers({"Content-Type": content_type or "application/octet-stream"})
    return Request(
        operation=operation,
        method=method,
        path=("" if bucket is _ABSENT else object_path(bucket, key)) + _query(query or {}),
        body=body,
        content_type=kind["Content-Type"],
        headers=checked_headers(given) | checked_headers(extra_headers),
        accepts=TELLING,
        as_stored=as_stored,
    )


def encoded(text: Any, setting: str = "bucket", *, keep: str = "") -> str:
    """Encode a part of an address once, as S3 signs it; letters of other scripts as UTF-8.

    Raises:
        SettingsError: unless it is a text that has UTF-8; it names the argument.
    """
    if not isinstance(text, str):
        fail(setting, "must be a text", type(text))
    try:
        return quote(text, safe=_UNRESERVED + keep)
    except UnicodeEncodeError:
        fail(setting, "must be a text without half a surrogate pair", text)


def object_path(bucket: Any, key: Any) -> str:
    """Return the path of an object.

    Raises:
        SettingsError: for a name that cannot be one.
    """
    if not isinstance(bucket, str) or not bucket or "/" in bucket:
        fail("bucket", "must be a text that is not empty, without a slash", bucket)
    if key is _ABSENT:
        return encoded(bucket)
    if not isinstance(key, str) or not key:
        fail("key", "must be a text that is not empty", key)
    return f"{encoded(bucket)}/{encoded(key, 'key', keep='/')}"


def object_headers(
    content_type: str | None = None, metadata: Mapping[str, str] | None = None, **more: str | None
) -> dict[str, str | None]:
    """Return the headers that belong to an object; `more` are others by their names.

    Raises:
        SettingsError: for metadata that is no mapping, or that a signature could not cover.
    """
    given: Any = metadata
    if not isinstance(given, Mapping | None):
        fail("metadata", "must be a mapping of names to texts", type(given))
    for name, value in (metadata or {}).items():
        if not _is_plain(name) or not _is_plain(value):
            fail("metadata", "must have names and values of ASCII text", name)
    added = {f"x-amz-meta-{name}": value for name, value in (metadata or {}).items()}
    named = {name.replace("_", "-").title(): value for name, value in more.items()}
    return {"Content-Type": content_type, **named, **added}


def range_header(wanted: Any) -> str | None:
    """Return the header of an inclusive range.

    Raises:
        SettingsError: unless it is two places, of which the second may be None for the end.
    """
    if wanted is None:
        return None
    rule = "must be (first, last), both counted from 0 and included, or (first, None)"
    if not isinstance(wanted, Sequence) or len(wanted) != 2:  # noqa: PLR2004 - first and last
        fail("range", rule, wanted)
    first, last = wanted
    if not is_count(first) or not (last is None or (is_count(last) and first <= last)):
        fail("range", rule, wanted)
    return f"bytes={first}-{'' if last is None else last}"


def is_count(value: object) -> bool:
    """Say whether it is a whole number of at least 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def delete_many_body(keys: Sequence[str]) -> tuple[bytes, str]:
    """Return the document that names many keys, and its MD5, which S3 asks for.

    Raises:
        SettingsError: for a key that a document cannot hold.
    """
    inside = "".join(f"<Object><Key>{_escaped(key)}</Key></Object>" for key in keys)
    body = f'<Delete xmlns="{_NAMESPACE}">{inside}</Delete>'.encode()
    return body, base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def finish_body(etags: Sequence[str]) -> bytes:
    """Return the document that names the parts of an upload, in their order."""
    parts = (
        f"<Part><ETag>{escape(etag)}</ETag><PartNumber>{number}</PartNumber></Part>"
        for number, etag in enumerate(etags, start=1)
    )
    document = f'<CompleteMultipartUpload xmlns="{_NAMESPACE}">{"".join(parts)}'
    return f"{document}</CompleteMultipartUpload>".encode()


def _query(fields: Mapping[str, object]) -> str:
    return "?" + "&".join(_pairs(fields)) if any(v is not None for v in fields.values()) else ""


def _pairs(fields: Mapping[str, object]) -> Iterator[str]:
    for name, value in fields.items():
        if value is True:
            yield name
        elif value is not None:
            text = str(value) if isinstance(value, int) else value
            yield f"{name}={encoded(text, _ARGUMENTS.get(name, name))}"


def _escaped(key: Any) -> str:
    if not isinstance(key, str) or not key or _UNWRITABLE.search(key):
        rule = "must be texts that are not empty, without control characters (delete those alone)"
        fail("keys", rule, key)
    return escape(key, {"\r": "&#xD;", "\n": "&#xA;"})


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and text.isprintable()
