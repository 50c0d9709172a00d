"""What an answer that is no result means: tables of status and code first, then the fields.

The text of a message never decides what an error is: a server error whose message says "quota" is
still a server error. Pure; what comes in has not been masked, what goes out is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from adapters._json import is_object
from adapters._masking import mask
from adapters._messages import Headers, Reply
from adapters._said import Said, said
from adapters.errors import (
    AdapterError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InvalidResponseError,
    NotFoundError,
    OverloadedError,
    PayloadTooLargeError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from resilience._bodies import read_body
from resilience._hints import retry_after
from resilience._record import record

__all__ = [
    "WRONG_FORM",
    "ErrorTable",
    "error_from_status",
    "error_inside",
    "load_json",
    "no_stream",
    "read_answer",
    "redirect_error",
]

R = TypeVar("R")

STATUS_ERRORS: Mapping[int, type[AdapterError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: QuotaExceededError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    409: ConflictError,
    413: PayloadTooLargeError,
    422: BadRequestError,
    429: RateLimitError,
    498: RateLimitError,
    503: OverloadedError,
    529: OverloadedError,
}
# What a parser raises on an answer of another form than it expects.
WRONG_FORM = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
    OverflowError,  # JSON may hold Infinity where a whole number should stand
)

_TOO_EARLY = 425  # transient, and of no class of its own
_FIRST_SERVER_ERROR = 500
_LONGEST_TEXT = 8_192  # characters of a body that is kept as text
_LONGEST_JSON = 65_536  # bytes of an error's body that is worth parsing


def _nothing() -> dict[Any, type[AdapterError]]:
    return {}


@record
class ErrorTable:
    """Where one API differs from the table of statuses.

    Attributes:
        codes: (status, code or type) to the class that fits better than the status' own.
        words: Code or type to class, for errors inside an answer, which have no status.
        statuses: Status to class, where this API means something else by it.
        retryable: Statuses that are transient at this API.
        retryable_words: Codes or types that are transient, whatever the class says.
        words_first: Whether `words` say more than the status, also where there is one.
        said: Reads the parsed, masked body of an error, or its text where it is no JSON.
    """

    codes: Mapping[tuple[int, str], type[AdapterError]] = field(default_factory=_nothing)
    words: Mapping[str, type[AdapterError]] = field(default_factory=_nothing)
    statuses: Mapping[int, type[AdapterError]] = field(default_factory=_nothing)
    retryable: frozenset[int] = frozenset()
    retryable_words: frozenset[str] = frozenset()
    words_first: bool = False
    said: Callable[[Any], Said] = said

    def class_of(self, status: int) -> type[AdapterError]:
        """Return the class that a status means by itself."""
        default = ServerError if status >= _FIRST_SERVER_ERROR else AdapterError
        return self.statuses.get(status) or STATUS_ERRORS.get(status, default)


def error_from_status(
    table: ErrorTable, status: int, headers: Headers, content: bytes, forms: tuple[str, ...] = ()
) -> AdapterError:
    """Return the error that an answer with a status of 400 and above is."""
    body = _readable(content, forms)
    told = table.said(body)
    known = [table.codes[status, word] for word in told.words if (status, word) in table.codes]
    if table.words_first:
        known += [table.words[word] for word in told.words if word in table.words]
    cls = known[0] if known else table.class_of(status)
    fields: dict[str, Any] = {"phase": "server"} if cls is RequestTimeoutError else {}
    return cls(
        told.message or _phrase(status),
        status_code=status,
        code=next(iter(told.words), None),
        body=body,
        retry_after=_hint(cls, headers, body),
        retryable=_verdict(table, status, told.words, headers),
        **fields,
    )


def error_inside(table: ErrorTable, body: Any, forms: tuple[str, ...] = ()) -> AdapterError:
    """Return the error that an answer, or an event of a stream, carries in its `body`.

    Where no table knows it, it is a server error: the server had taken the request.
    """
    body = mask(body, forms)
    told = table.said(body)
    cls = next((table.words[word] for word in told.words if word in table.words), None)
    if cls is None:
        cls = ServerError if told.status is None else table.class_of(told.status)
    fields: dict[str, Any] = {"phase": "server"} if cls is RequestTimeoutError else {}
    return cls(
        told.message or "the answer is an error",
        code=next(iter(told.words), None),
        retryable=True if table.retryable_words.intersection(told.words) else None,
        body=body,
        retry_after=_hint(cls, {}, body),
        **fields,
    )


def redirect_error(status: int, headers: Headers, forms: tuple[str, ...] = ()) -> AdapterError:
    """Return the error for a redirect: following it could carry the key to another host."""
    location: str = mask(headers.get("location", ""), forms)
    message = (
        f"the server redirects to {_place(location)}, and redirects are not followed, lest the key"
        " goes to another host. Set base_url to the address that answers"
    )
    return InvalidResponseError(message, status_code=status)


def _place(location: str) -> str:
    """Return where a redirect leads, without the query; a server may send any text there."""
    try:
        to = urlsplit(location)
    except ValueError:
        return "what is no address"
    return f"{to.scheme}://{to.hostname}{to.path}" if to.hostname else to.path or "nowhere"


def load_json(headers: Headers, content: bytes, forms: tuple[str, ...] = ()) -> Any:
    """Parse the body of a successful answer.

    Raises:
        InvalidResponseError: if it is no JSON: retryable where it may be an accident on the way,
            not where it is a web page, which a wrong base URL gives for ever.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        is_page = "html" in headers.get("content-type", "") or content.lstrip()[:1] == b"<"
        message = (
            "the server answered with a web page: does base_url point to the API?"
            if is_page
            else f"the answer is not valid JSON ({len(content):,} bytes)"
        )
        body = _text(content, forms)
        raise InvalidResponseError(message, body=body, retryable=not is_page) from _bare(error)


def read_answer(
    parse: Callable[[Any, Reply], R], table: ErrorTable, reply: Reply, forms: tuple[str, ...]
) -> R:
    """Parse a successful answer, which may still be an error inside.

    Raises:
        InvalidResponseError: if it is no JSON, or not of the form that `parse` expects. The latter
            may be tried again: gateways under load answer `{}` or no choices now and then.
        AdapterError: if it carries an error.
    """
    payload = load_json(reply.headers, reply.body, forms)
    try:
        if is_object(payload) and payload.get("error"):
            raise error_inside(table, payload, forms)
        return parse(payload, reply)
    except WRONG_FORM as error:
        msg = f"the answer is not what the API promises ({type(error).__name__})"
        body = _readable(reply.body, forms)
        raise InvalidResponseError(msg, body=body, retryable=True) from None


def no_stream(
    table: ErrorTable, headers: Headers, content: bytes, forms: tuple[str, ...]
) -> AdapterError:
    """Return the error that an answer is which should have been a stream."""
    try:
        payload = load_json(headers, content, forms)
    except InvalidResponseError as error:
        return error
    if is_object(payload) and payload.get("error"):
        return error_inside(table, payload, forms)
    msg = "the server answered without a stream"
    return InvalidResponseError(msg, body=_readable(content, forms))


def _bare(error: Exception) -> Exception:
    """Copy what a JSON error says without its document, which may echo a secret."""
    return ValueError(getattr(error, "msg", type(error).__name__))


def _hint(cls: type[AdapterError], headers: Mapping[str, str], body: Any) -> float | None:
    """Read how long to wait; the resets of limits count only where a limit was the reason."""
    limited = issubclass(cls, RateLimitError)
    return retry_after(headers.items(), read_body(body), limited=limited)


def _verdict(
    table: ErrorTable, status: int, words: tuple[str, ...], headers: Headers
) -> bool | None:
    """Say whether a retry may help where it is not the class that says so: the server first."""
    asked = headers.get("x-should-retry", "").strip().lower()
    if asked in ("true", "false"):
        return asked == "true"
    transient = status == _TOO_EARLY or status in table.retryable
    return True if transient or table.retryable_words.intersection(words) else None


def _readable(content: bytes, forms: tuple[str, ...]) -> Any:
    """Return the masked body: parsed where it is JSON of a sane size, else its text, else None."""
    if len(content) <= _LONGEST_JSON:
        try:
            return mask(json.loads(content), forms)
        except (ValueError, RecursionError):
            pass
    return _text(content, forms)


def _text(content: bytes, forms: tuple[str, ...]) -> str | None:
    # Masked before it is cut: half of a secret would not be found any more.
    text: str = mask(content.decode("utf-8", "replace"), forms)
    return text[:_LONGEST_TEXT] or None


def _phrase(status: int) -> str:
    from http import HTTPStatus  # noqa: PLC0415 - for answers that say nothing themselves

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"the server answered with status {status}"
