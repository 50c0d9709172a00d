"""Answers of S3: from headers and documents to records. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from adapters._exchange import Read
from adapters._failures import (
    WRONG_FORM,
    ErrorTable,
    error_from_status,
    error_inside,
    redirect_error,
)
from adapters._masking import mask
from adapters._messages import Headers, Reply, sent_as
from adapters._s3_places import learn
from adapters._s3_results import (
    Bucket,
    Buckets,
    Deleted,
    DeletedMany,
    Listed,
    ObjectInfo,
    StoredObject,
    Undeleted,
    Written,
)
from adapters._setup import Setup
from adapters.errors import InvalidResponseError

__all__ = [
    "document",
    "parse_buckets",
    "parse_copied",
    "parse_deleted",
    "parse_deleted_many",
    "parse_info",
    "parse_object",
    "parse_page",
    "parse_written",
    "reading",
    "text_in",
]

R = TypeVar("R")

_META = "x-amz-meta-"
_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")
_GOOD = range(200, 300)
_LONGEST_TEXT = 8_192  # characters of an answer that an error keeps
_EMPTY = ET.Element("")


def reading(
    setup: Setup, bucket: str, parse: Callable[[Reply, ET.Element], R], root: str | None = None
) -> Read[R]:
    """Return what reads an answer with `parse`, and learns from one that is a refusal.

    `parse` gets the document, whose root has to be `root`; without one, an empty element. It may
    fail with any error of access on an answer of another form.
    """

    def read(table: ErrorTable, reply: Reply, forms: tuple[str, ...]) -> R:
        if reply.status not in _GOOD:
            learn(setup, bucket, reply)
            if "location" in reply.headers and b"<Code>" not in reply.body:  # it is no S3
                raise redirect_error(reply.status, reply.headers, forms)
            raise error_from_status(table, reply.status, reply.headers, reply.body, forms)
        try:
            found = _EMPTY if root is None else document(reply.body, root, "Error")
            if found.tag == "Error":
                raise error_inside(table, reply.body.decode("utf-8", "replace"), forms)
            return parse(reply, found)
        except (*WRONG_FORM, ET.ParseError) as error:
            raise _unreadable(reply, error, forms) from None

    return read


def _unreadable(reply: Reply, error: Exception, forms: tuple[str, ...]) -> InvalidResponseError:
    is_page = "html" in reply.headers.get("content-type", "")
    message = (
        "the server answered with a web page: does base_url point to the API?"
        if is_page
        else f"the answer is not what the API promises ({type(error).__name__})"
    )
    body = mask(reply.body.decode("utf-8", "replace"), forms)[:_LONGEST_TEXT]
    return InvalidResponseError(message, body=body, retryable=not is_page)


def document(body: bytes, *roots: str) -> ET.Element:
    """Parse a document; namespaces are left out. White space may stand before it.

    Raises:
        ParseError: if it is none.
        ValueError: if its root is another one than these, or it could expand without end.
    """
    if b"<!DOCTYPE" in body:
        msg = "a document type"
        raise ValueError(msg)
    found = ET.fromstring(body.strip())  # noqa: S314 - without a document type nothing expands
    for each in found.iter():
        each.tag = each.tag.rpartition("}")[2]
    if found.tag not in roots:
        msg = f"a document of {found.tag}"
        raise ValueError(msg)
    return found


def parse_buckets(reply: Reply, found: ET.Element) -> Buckets:
    """Read a list of buckets."""
    buckets = tuple(
        Bucket(text_in(each, "Name"), _iso(each.findtext("CreationDate")))
        for each in found.iter("Bucket")
    )
    return Buckets(buckets=buckets, raw=_raw(reply), **sent_as(reply))


def parse_page(reply: Reply, found: ET.Element) -> tuple[list[Listed], str | None, str | None]:
    """Read a page of a listing: its entries in order, the token of the next one, who served."""
    shown = unquote_plus if found.findtext("EncodingType") == "url" else str
    objects = [
        Listed(
            key=shown(text_in(each, "Key")),
            size=int(each.findtext("Size") or 0),
            etag=_quoted(each.findtext("ETag") or ""),
            last_modified=_iso(each.findtext("LastModified")),
            storage_class=each.findtext("StorageClass") or "",
        )
        for each in found.findall("Contents")
    ]
    prefixes = [
        Listed(key=shown(text_in(each, "Prefix")), is_prefix=True)
        for each in found.findall("CommonPrefixes")
    ]
    entries = sorted([*objects, *prefixes], key=lambda entry: entry.key.encode())
    is_cut = found.findtext("IsTruncated") == "true"
    token = text_in(found, "NextContinuationToken") if is_cut else None
    return entries, token, reply.key_name


def parse_object(reply: Reply, _: ET.Element) -> StoredObject:
    """Read an object, or a range of it."""
    total = _TOTAL.fullmatch(reply.headers.get("content-range", ""))
    size = len(reply.body) if total is None else int(total[1])
    return StoredObject(body=reply.body, size=size, **_info(reply))


def parse_info(reply: Reply, _: ET.Element) -> ObjectInfo:
    """Read the headers of an object."""
    return ObjectInfo(size=int(reply.headers.get("content-length", 0)), **_info(reply))


def parse_written(reply: Reply, _: ET.Element) -> Written:
    """Read what a put has written."""
    return Written(etag=reply.headers["etag"], **_version(reply), raw=None, **sent_as(reply))


def parse_copied(reply: Reply, found: ET.Element) -> Written:
    """Read what a copy, or the end of an upload, has written."""
    etag = _quoted(text_in(found, "ETag"))
    return Written(etag=etag, **_version(reply), raw=_raw(reply), **sent_as(reply))


def parse_deleted(reply: Reply, _: ET.Element) -> Deleted:
    """Read what became of an object."""
    is_marker = reply.headers.get("x-amz-delete-marker") == "true"
    return Deleted(is_marker=is_marker, **_version(reply), raw=None, **sent_as(reply))


def parse_deleted_many(reply: Reply, found: ET.Element) -> DeletedMany:
    """Read what became of each key."""
    errors = tuple(
        Undeleted(text_in(each, "Key"), each.findtext("Code") or "", each.findtext("Message") or "")
        for each in found.findall("Error")
    )
    deleted = tuple(text_in(each, "Key") for each in found.findall("Deleted"))
    return DeletedMany(deleted=deleted, errors=errors, raw=_raw(reply), **sent_as(reply))


def _info(reply: Reply) -> dict[str, Any]:
    headers = reply.headers
    return {
        "etag": headers["etag"],
        "content_type": headers.get("content-type", ""),
        "last_modified": _http(headers),
        "metadata": {
            name[len(_META) :].lower(): value
            for name, value in headers.items()
            if name.lower().startswith(_META)
        },
        **_version(reply),
        "raw": None,
        **sent_as(reply),
    }


def _version(reply: Reply) -> dict[str, Any]:
    return {"version_id": reply.headers.get("x-amz-version-id")}


def _raw(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")


def text_in(parent: ET.Element, name: str) -> str:
    """Return what has to be there; a key may be made of white space."""
    text = parent.findtext(name)
    if text is None:
        raise KeyError(name)
    return text


def _quoted(etag: str) -> str:
    """Return a tag as headers have it: not every server puts the quotes into its documents."""
    return etag if not etag or etag.endswith('"') else f'"{etag}"'


def _iso(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _http(headers: Headers) -> datetime | None:
    text = headers.get("last-modified")
    return parsedate_to_datetime(text) if text else None
