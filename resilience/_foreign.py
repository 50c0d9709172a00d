"""Where the errors of other libraries keep status, headers and body.

Nothing is imported, sent or read from a socket for it, and nothing is raised: only attributes
that are there already are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from resilience._bodies import LONGEST, NOTHING, Said, read_body
from resilience._marks import read_quietly

__all__ = ["headers_of", "said_by", "status_of"]


def status_of(error: Exception) -> int | None:
    """Return the status, where one of the places has a whole number from 100 to 599."""
    for name in ("status_code", "status", "code"):
        status = read_quietly(error, name)
        if _is_status(status):
            return int(status)
    response = read_quietly(error, "response")
    if response is None:
        return None
    status = read_quietly(response, "status_code")
    if not _is_status(status):
        status = _item(_item(response, "ResponseMetadata"), "HTTPStatusCode")
    return int(status) if _is_status(status) else None


def headers_of(error: Exception) -> list[tuple[str, str]]:
    """Return the headers of the answer, as pairs."""
    response = read_quietly(error, "response")
    candidates = (
        read_quietly(error, "headers"),
        read_quietly(response, "headers"),
        _item(_item(response, "ResponseMetadata"), "HTTPHeaders"),
    )
    for found in candidates:
        if found is None:
            continue
        try:
            return [(str(name), str(value)) for name, value in found.items()]
        except Exception:  # noqa: BLE001, S112 - a stranger's object; whatever has items will do
            continue
    return []


def said_by(error: Exception) -> Said:
    """Return what the body of the answer says, as the library has parsed it.

    It is `body` for most SDKs, `details` or `error` for others, and botocore's whole `response`.
    Where nobody has parsed it, it may still have been loaded.
    """
    for name in ("body", "details", "response", "error"):
        found = read_quietly(error, name)
        if found is not None:
            said = read_body(found)
            if said != NOTHING:
                return said
    response = read_quietly(error, "response")
    return NOTHING if response is None else read_body(_loaded(response))


def _loaded(response: object) -> str | None:
    """Return the body that a response of requests or httpx has in memory.

    Their public attributes would read it from the socket, or raise, where it is not there yet.
    """
    content = read_quietly(response, "_content")
    if not isinstance(content, bytes) or len(content) > LONGEST:
        return None
    return content.decode("utf-8", "replace")


def _is_status(value: object) -> bool:
    return isinstance(value, int) and 100 <= value <= 599  # noqa: PLR2004 - as HTTP has it


def _item(thing: object, name: str) -> Any:
    try:
        return thing.get(name) if isinstance(thing, Mapping) else None
    except Exception:  # noqa: BLE001 - a stranger's mapping
        return None
