"""XML as S3 writes and reads it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from adapters.emulator.protocol import Answer, Refusal
from adapters.emulator.s3_style.errors import S3Problem

__all__ = ["answer", "element", "http_date", "iso_date", "read_document"]

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def element(name: str, content: object) -> str:
    """Write an element: of a text, of a mapping of its children, or one for each of a list."""
    if isinstance(content, list):
        return "".join(element(name, each) for each in content)
    return f"<{name}>{_inside(content)}</{name}>"


def answer(root: str, content: Mapping[str, object]) -> Answer:
    """Make the answer that is a document."""
    text = f'{_HEAD}<{root} xmlns="{_NAMESPACE}">{_inside(content)}</{root}>'
    return Answer(200, text.encode(), content_type=b"application/xml")


def _inside(content: object) -> str:
    if isinstance(content, Mapping):
        return "".join(element(str(name), each) for name, each in content.items())
    return escape(str(content).lower() if isinstance(content, bool) else str(content))


def read_document(body: bytes, root: str) -> ET.Element:
    """Parse a document that a client sent; namespaces are left out.

    Raises:
        Refusal: unless it is well-formed, with this root.
    """
    malformed = Refusal(S3Problem(400, code="MalformedXML"))
    if b"<!DOCTYPE" in body:
        raise malformed
    try:
        document = ET.fromstring(body)  # noqa: S314 - without a document type nothing expands
    except ET.ParseError:
        raise malformed from None
    for each in document.iter():
        each.tag = each.tag.rpartition("}")[2]
    if document.tag != root:
        raise malformed
    return document


def iso_date(time: float) -> str:
    """Write a time as documents have it."""
    text = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def http_date(time: float) -> bytes:
    """Write a time as headers have it."""
    return formatdate(time, usegmt=True).encode()
