"""What the body of an error says: message, code and type in the forms that servers send. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters._json import is_list, is_object, word_or_none
from resilience._record import record

__all__ = ["Said", "said"]

_SHORT_MESSAGE = 500  # a longer text is no sentence; it stays in the body


@record(kw_only=False)
class Said:
    """What a body says about an error.

    Attributes:
        message: A sentence for people.
        code: The API's word for this very error.
        kind: Its word for errors of the kind.
        status: The HTTP status, where the body repeats it.
    """

    message: str | None = None
    code: str | None = None
    kind: str | None = None
    status: int | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The code first: the type often stays the same where the code changes."""
        return tuple(word for word in (self.code, self.kind) if word)


def said(body: Any) -> Said:
    """Find it in parsed JSON or a text: nested in `error`, flat, in a list of one, or a sentence.

    A table of errors may have a function of its own in the place of this one, and fall back on it.
    """
    if is_list(body) and body:
        body = body[0]
    if isinstance(body, str):
        is_sentence = len(body) <= _SHORT_MESSAGE and not body.lstrip().startswith("<")
        return Said(message=body.strip() or None) if is_sentence else Said()
    if not is_object(body):
        return Said()
    error = body.get("error")
    if is_object(error):
        return _said_by(error)
    flat = _said_by(body)
    return Said(error, flat.code, flat.kind, flat.status) if isinstance(error, str) else flat


def _said_by(fields: Mapping[str, Any]) -> Said:
    code, number = fields.get("code"), fields.get("http_status_code")
    status = next((n for n in (code, number) if _is_status(n)), None)
    return Said(
        message=word_or_none(fields.get("message")) or word_or_none(fields.get("detail")),
        code=word_or_none(code),
        kind=word_or_none(fields.get("type")) or word_or_none(fields.get("error_type")),
        status=status,
    )


def _is_status(value: object) -> bool:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return is_number and value in range(400, 600)
