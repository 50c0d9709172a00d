"""Names in requests: bucket and key in the path, fields in the query. Pure."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, unquote_to_bytes

from adapters.emulator.protocol import Call, Refusal
from adapters.emulator.s3_style.errors import S3Problem

__all__ = ["checked_bucket", "checked_key", "place_of", "query_of", "uri_encode"]

_MOUNT = "/s3"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_KEY = 1024  # bytes of UTF-8
# RFC 3986, section 2.3: what is never encoded; `quote` leaves letters, digits and these alone.
_UNRESERVED = "-_.~"


def place_of(target: bytes) -> tuple[str, str]:
    """Return bucket and key of a path, decoded once; empty where there is none.

    Dots and double slashes are a part of a key like any other letter.
    """
    path = target.decode("ascii", "surrogateescape").removeprefix(_MOUNT).removeprefix("/")
    bucket, _, key = path.partition("/")
    return unquote(bucket), unquote(key)


def query_of(call: Call) -> dict[str, str]:
    """Return the fields of the query; a plus sign is a plus sign."""
    pairs = (pair.partition("=") for pair in call.query.decode("ascii").split("&") if pair)
    return {unquote(name): unquote(value) for name, _, value in pairs}


def uri_encode(text: str, *, is_path: bool = False) -> str:
    """Encode a part of a request anew, as it has to stand in what is signed."""
    return quote(unquote_to_bytes(text), safe=_UNRESERVED + "/" * is_path)


def checked_bucket(name: str) -> str:
    """Return the name of a new bucket.

    Raises:
        Refusal: unless it is 3 to 63 small letters, digits, dots and hyphens.
    """
    if _BUCKET.fullmatch(name) is None or ".." in name:
        raise Refusal(S3Problem(400, code="InvalidBucketName", details={"BucketName": name}))
    return name


def checked_key(key: str) -> str:
    """Return the key of a new object.

    Raises:
        Refusal: if it is longer than 1,024 bytes.
    """
    if len(key.encode()) > _LONGEST_KEY:
        raise Refusal(S3Problem(400, code="KeyTooLongError"))
    return key
