"""Forms with files (`multipart/form-data`), as clients upload them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import BytesParser

from adapters.emulator.protocol import Call

__all__ = ["FormField", "read_form"]


@dataclass(frozen=True, slots=True)
class FormField:
    """One field, which may be a file."""

    content: bytes

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode(errors="replace")


def read_form(call: Call) -> dict[str, list[FormField]]:
    """Give the fields of a form by name, each with all its values; nothing for another body."""
    kind = call.header("content-type")
    if not kind.lower().startswith("multipart/form-data"):
        return {}
    found: dict[str, list[FormField]] = {}
    for name, field in _fields(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + call.body):
        found.setdefault(name, []).append(field)
    return found


def _fields(message: bytes) -> Iterator[tuple[str, FormField]]:
    for part in BytesParser().parsebytes(message).walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            yield name, FormField(content)
