"""What a client's calls show to OpenTelemetry, held against the definitions of the toolkit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from resilience.telemetry import conventions
from tests.telemetry.conftest import Spans

__all__ = ["Seen", "attributes_of", "definition_of"]

METHODS = ("DELETE", "GET", "HEAD", "HTTP", "POST", "PUT")
HTTP, S3, MODEL = "{http.request.method}", "S3/{rpc.method}", "{gen_ai.operation.name} "


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """All of its attributes."""
    return dict(span.attributes or {})


def definition_of(span: ReadableSpan) -> conventions.Span:
    """The definition that it has to fit."""
    prefix = HTTP if span.name in METHODS else S3 if span.name.startswith("S3/") else MODEL
    (found,) = (each for each in conventions.SPANS if each.name.startswith(prefix))
    return found


class Seen(Spans):
    """The spans of clients: those of calls, and those of requests."""

    @property
    def requests(self) -> list[ReadableSpan]:
        """Those on the wire, in the order of their beginning."""
        found = [span for span in self if span.name in METHODS]
        return sorted(found, key=lambda span: span.start_time)

    @property
    def calls(self) -> list[ReadableSpan]:
        """Those of calls, in the order of their ends."""
        return [span for span in self if span.name not in METHODS]

    @property
    def call(self) -> ReadableSpan:
        """The only one."""
        (span,) = self.calls
        return span

    @property
    def request(self) -> ReadableSpan:
        """The only one."""
        (span,) = self.requests
        return span

    def misfits(self) -> Iterator[str]:
        """What of any span of a client is not as it is defined."""
        types = {each.name: each for each in conventions.ATTRIBUTES}
        python = {"str": str, "int": int, "float": float, "bool": bool, "str[]": tuple}
        for span in self:
            defined, found = definition_of(span), attributes_of(span)
            if span.kind is not SpanKind[defined.kind]:
                yield f"{span.name} is {span.kind}"
            yield from (f"{span.name} lacks {each}" for each in {*defined.attributes} - {*found})
            known = {*defined.attributes, *defined.optional}
            yield from (f"{span.name} has {each}" for each in {*found} - known)
            for name, value in found.items():
                if not isinstance(value, python[types[name].type]):
                    yield f"{name} is {value!r}"
                if types[name].values and value not in types[name].values:
                    yield f"{name} is {value!r}"
