"""What the body of an error says, in the forms that servers send.

Pure, and never raises: a body is a stranger's text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from resilience._record import record

__all__ = ["LONGEST", "NOTHING", "QUOTA_OF_ZERO", "Said", "read_body"]

LONGEST = 65_536  # of a text that is worth parsing
_LONGEST_MESSAGE = 2_000  # characters of a message that are looked at


@record(kw_only=False)
class Said:
    """What a body says.

    Attributes:
        message: The sentence for people.
        words: The words for programs, the most exact one first, in lower case.
        status: The status of an error that stands inside the body, or None.
        details: The objects of a list of details, as `google.rpc.Status` has it.
    """

    message: str = ""
    words: tuple[str, ...] = ()
    status: int | None = None
    details: tuple[Mapping[str, Any], ...] = ()


NOTHING = Said()
QUOTA_OF_ZERO = "quota_of_zero"  # our word for a `google.rpc.QuotaFailure` that no wait can mend


def read_body(body: object) -> Said:
    """Read a body: parsed JSON, or its text; what is of no known form says nothing."""
    try:
        return _read(_parsed(body))
    except Exception:  # noqa: BLE001 - a mapping of a stranger's class may raise anything
        return NOTHING


def _parsed(body: object) -> object:
    """Parse a text that looks like JSON; servers also send a list around the one object."""
    if isinstance(body, str) and len(body) <= LONGEST and body.lstrip()[:1] in ("{", "["):
        import json  # noqa: PLC0415 - most exceptions carry no body

        try:
            body = json.loads(body)
        except ValueError:
            return body
    return body[0] if isinstance(body, list) and body else body


def _read(body: object) -> Said:
    if isinstance(body, str):
        return Said(message=body[:_LONGEST_MESSAGE])
    if not isinstance(body, Mapping):
        return NOTHING
    error = body.get("error") or body.get("Error")
    inner = error if isinstance(error, Mapping) else body
    message = error if isinstance(error, str) else inner.get("message") or inner.get("Message")
    details = inner.get("details")
    found = tuple(_objects(details))
    code = inner.get("code")
    return Said(
        message=message[:_LONGEST_MESSAGE] if isinstance(message, str) else "",
        words=tuple(word.lower() for word in _words(inner, found) if isinstance(word, str)),
        status=code if isinstance(code, int) and 400 <= code <= 599 else None,  # noqa: PLR2004
        details=found,
    )


def _objects(details: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of `details`, which is a list at some servers and one object at others."""
    for each in details if isinstance(details, list) else (details,):
        if isinstance(each, Mapping):
            yield each


def _words(error: Mapping[str, Any], details: tuple[Mapping[str, Any], ...]) -> Iterator[object]:
    """Yield what may be a word; the type often stays the same where the code changes."""
    broken = [limit for each in details for limit in _objects(each.get("violations"))]
    if any(str(limit.get("quotaValue")) == "0" for limit in broken):
        yield QUOTA_OF_ZERO
    for each in details:
        yield each.get("error_code")
        yield each.get("reason")
    for name in ("code", "Code", "type", "error_type", "status"):
        yield error.get(name)
