"""Building requests: headers, ids and paths are checked before anything is sent. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from adapters._fields import encode_fields, extra_fields
from adapters._messages import Request
from resilience.errors import SettingsError

__all__ = [
    "checked_headers",
    "checked_method",
    "checked_request_id",
    "is_sendable",
    "json_request",
    "merged_headers",
    "relative_path",
]

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")  # no line break: it would begin another header
_METHOD = re.compile(r"[A-Za-z]+")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_SENDABLE = "!$&'()*+,;=:@/?%~-._"  # RFC 3986, sections 3.3 and 3.4
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})
_LONGEST_ID = 512  # characters, OpenAI's limit for X-Client-Request-Id


def json_request(
    operation: str, path: str, fields: Mapping[str, Any], options: Mapping[str, Any]
) -> Request:
    """Build a POST from the operation's own fields and what the caller adds to them.

    Every option goes into the body as it is, but for `extra_headers` and `extra_body`; the latter
    wins over all other fields.

    Raises:
        SettingsError: for what JSON cannot express; it names the field.
    """
    body = {**fields, **options}
    extra_headers = body.pop("extra_headers", None)
    body.update(extra_fields(body.pop("extra_body", None)))
    return Request(
        operation=operation,
        method="POST",
        path=path,
        body=encode_fields(body),
        headers=checked_headers(extra_headers),
        model=body.get("model"),
    )


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Copy the headers that a caller adds.

    Raises:
        SettingsError: for what would break the request or smuggle in another header; the message
            never shows the value, which may be a secret.
    """
    if headers is None:
        return {}
    given: Any = headers
    if not isinstance(given, Mapping):
        raise _refused("extra_headers", "must be a mapping of names to texts")
    for name, value in headers.items():
        if not _matches(_NAME, name):
            raise _refused("extra_headers", "must have names of letters, digits and hyphens")
        if not _matches(_VALUE, value):
            rule = "must be one line of Latin-1 text without control characters"
            raise _refused(f"extra_headers[{name!r}]", rule)
        if name.lower() in _FRAMING:
            raise _refused(
                f"extra_headers[{name!r}]", "is set by the connection and cannot be changed"
            )
    return dict(headers)


def merged_headers(base: Mapping[str, str], extra: Mapping[str, str]) -> dict[str, str]:
    """Copy `base` with `extra` over it, whatever the case of the names."""
    replaced = {name.lower() for name in extra}
    return {name: base[name] for name in base if name.lower() not in replaced} | dict(extra)


def checked_request_id(request_id: str) -> str:
    """Return the id that a caller chose.

    Raises:
        SettingsError: unless it is 1 to 512 visible ASCII characters, which every server takes.
    """
    if not is_sendable(request_id) or len(request_id) > _LONGEST_ID:
        raise _refused("request_id", f"must be 1 to {_LONGEST_ID} visible ASCII characters")
    return request_id


def checked_method(method: str) -> str:
    """Return an HTTP method in capitals.

    Raises:
        SettingsError: unless it is one word: anything else would break the request line.
    """
    if not _matches(_METHOD, method):
        raise _refused("method", "must be a word such as GET or POST")
    return method.upper()


def is_sendable(secret: object) -> bool:
    """Say whether a header can carry this key: visible ASCII alone, no space, no line break."""
    return _matches(_VISIBLE, secret)


def relative_path(path: str, params: Mapping[str, Any] | None = None) -> str:
    """Return a path below the base URL with its query; lists repeat their parameter.

    What no request line can carry is quoted, and what is quoted already stays as it is.

    Raises:
        SettingsError: for an address with a host: the key would be sent there.
    """
    given: Any = path
    if not isinstance(given, str):
        raise _refused("path", "must be a text")
    if urlsplit(path).scheme or path.startswith("//"):
        raise _refused("path", "must be relative to base_url, without a host")
    path = quote(path.lstrip("/"), safe=_SENDABLE)
    query = urlencode(params, doseq=True) if params else ""
    return f"{path}{'&' if '?' in path else '?'}{query}" if query else path


def _matches(pattern: re.Pattern[str], text: object) -> bool:
    return isinstance(text, str) and pattern.fullmatch(text) is not None


def _refused(setting: str, rule: str) -> SettingsError:
    return SettingsError(f"{setting} {rule}", setting=setting, rule=rule)
