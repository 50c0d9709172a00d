"""Conditions and ranges of a request, and the sums of what it carries. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from adapters.emulator.protocol import Call, Refusal
from adapters.emulator.s3_style.documents import http_date
from adapters.emulator.s3_style.errors import S3Problem
from adapters.emulator.s3_style.store import StoredObject

__all__ = ["check_conditions", "check_sums", "range_of"]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_SUMS: Mapping[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
}


def check_sums(call: Call) -> bool:
    """Compare the sums in the headers with the body; say whether there was one.

    Raises:
        Refusal: if one is none, or another one.
    """
    given = {name: call.header(name) for name in _SUMS if call.header(name)}
    for name, text in given.items():
        actual = _SUMS[name](call.body)
        try:
            expected = base64.b64decode(text, validate=True)
        except binascii.Error:
            expected = b""
        if len(expected) != len(actual):
            raise Refusal(S3Problem(400, code="InvalidDigest"))
        if expected != actual:
            raise Refusal(S3Problem(400, code="BadDigest"))
    return bool(given)


def check_conditions(call: Call, found: StoredObject | None, prefix: str = "") -> None:
    """Compare what the request wants of an object with what it is: RFC 9110, section 13.

    Args:
        call: The request.
        found: The object, or None where there is none yet.
        prefix: Of the headers: a copy has conditions on its source.

    Raises:
        Refusal: 304 where a read has what it needs, else 412.
    """
    wanted, unwanted = _tags(call, f"{prefix}if-match"), _tags(call, f"{prefix}if-none-match")
    tag = None if found is None else found.etag
    if wanted and tag not in wanted and not (tag and "*" in wanted):
        raise _failed(f"{prefix}if-match")
    if unwanted and tag is not None and (tag in unwanted or "*" in unwanted):
        if call.method in {"GET", "HEAD"} and not prefix:
            raise Refusal(S3Problem(304, headers=[(b"etag", f'"{tag}"'.encode())]))
        raise _failed(f"{prefix}if-none-match")
    if found is None:
        return
    since, until = (_time(call, f"{prefix}if-{word}-since") for word in ("modified", "unmodified"))
    if until is not None and not wanted and int(found.modified) > until:
        raise _failed(f"{prefix}if-unmodified-since")
    if since is not None and not unwanted and int(found.modified) <= since:
        raise Refusal(S3Problem(304, headers=[(b"last-modified", http_date(found.modified))]))


def range_of(call: Call, size: int) -> tuple[int, int] | None:
    """Return the first and last byte that are wanted, or None for all of them.

    Raises:
        Refusal: if there are none.
    """
    match = _RANGE.fullmatch(call.header("range"))
    if match is None or match[0] == "bytes=-":  # RFC 9110, section 14.2: ignored
        return None
    if match[1]:
        first, last = int(match[1]), int(match[2]) if match[2] else size - 1
        if last < first <= size - 1:
            return None
    else:
        first, last = max(0, size - int(match[2])), size - 1
    if first >= size:
        details = {"RangeRequested": match[0], "ActualObjectSize": str(size)}
        raise Refusal(S3Problem(416, code="InvalidRange", details=details))
    return first, min(last, size - 1)


def _tags(call: Call, header: str) -> set[str]:
    return {tag.strip().strip('"') for tag in call.header(header).split(",") if tag.strip()}


def _time(call: Call, header: str) -> float | None:
    try:
        return parsedate_to_datetime(call.header(header)).timestamp()
    except ValueError:
        return None


def _failed(condition: str) -> Refusal:
    name = "-".join(word.capitalize() for word in condition.split("-"))
    return Refusal(S3Problem(412, code="PreconditionFailed", details={"Condition": name}))
