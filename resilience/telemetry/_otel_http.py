"""Spans of HTTP requests; imported only by a program that has set up OpenTelemetry.

Source of names and rules: the stable semantic conventions for HTTP clients, v1.44.0.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode

from resilience.telemetry._otel import complain, duration_of, tracer

__all__ = ["RequestSpan"]

# The API has both keys, under private names, for all instrumentations to honour; by value, since a
# release without them must not break a call.
_HTTP_ALONE = getattr(
    context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", "suppress_http_instrumentation"
)
_EVERYTHING = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")


class RequestSpan:
    """The span of one request on the wire: a child of what is current, open until `end`.

    It is never current but while the request is sent: the answer is read in many steps.
    """

    __slots__ = ("_here", "_span")

    def __init__(self, name: str, attributes: Mapping[str, Any]) -> None:
        self._span: Span = trace.INVALID_SPAN
        self._here: Context = context.get_current()
        # Whoever asks for no spans of HTTP has some of his own, or wants none.
        if context.get_value(_HTTP_ALONE) or context.get_value(_EVERYTHING):
            return
        try:
            self._span = tracer().start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        except Exception as failure:  # noqa: BLE001 - of a processor; the request goes on
            complain("the span of a request could not be begun", failure)
        else:
            self._here = trace.set_span_in_context(self._span)

    def headers(self) -> dict[str, str]:
        """Return what tells the server which trace this is, as the program's propagator has it."""
        carrier: dict[str, str] = {}
        try:
            _propagate().inject(carrier, context=self._here)
        except Exception as failure:  # noqa: BLE001 - of a propagator; the request goes on
            complain("a trace could not be handed on", failure)
            return {}
        return carrier

    @contextmanager
    def sending(self) -> Generator[None]:
        """Make it current; instrumentations of the libraries below make no spans of their own."""
        token = context.attach(context.set_value(_HTTP_ALONE, True, self._here))  # noqa: FBT003
        try:
            yield
        finally:
            context.detach(token)

    @property
    def example(self) -> SpanContext | None:
        """What a measurement may point to as an example; None where nobody records the span."""
        here = self._span.get_span_context()
        return here if here.trace_flags.sampled else None

    def end(self, attributes: Mapping[str, Any]) -> float | None:
        """End it; one with an `error.type` has failed.

        Returns:
            The seconds between its beginning and its end, where somebody records it.
        """
        self._span.set_attributes(attributes)
        if "error.type" in attributes:
            self._span.set_status(StatusCode.ERROR)
        try:
            self._span.end()
        except Exception as failure:  # noqa: BLE001 - of a processor; the request goes on
            complain("the span of a request could not be ended", failure)
        return duration_of(self._span)


@cache
def _propagate() -> Any:
    """Return what hands traces on; it is none if the variable that names it is misspelt."""
    return import_module("opentelemetry.propagate")
