"""Spans and their events; imported only by a program that has set up OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry import context, trace
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    TracerProvider,
)

from resilience._secrets import log_failure
from resilience.telemetry.conventions import SCOPE
from resilience.telemetry.events import (
    Event,
    KeyRested,
    Queued,
    Refused,
    RetryScheduled,
    Transition,
)
from resilience.telemetry.opentelemetry import is_logging
from resilience.telemetry.statistics import error_type_of, outcome_of

if TYPE_CHECKING:
    from resilience.telemetry.opentelemetry import SpanDescription

__all__ = [
    "CallSpan",
    "SpanContext",
    "add_event",
    "annotate",
    "begin_call",
    "complain",
    "duration_of",
    "tracer",
]

_FIRST = {"resilience.attempts": 1}

_logger = logging.getLogger("resilience.telemetry")


class CallSpan:
    """The span of one logical call: current from `enter` until `leave`, open until `end`."""

    __slots__ = ("_before", "_described", "_here", "_span", "_token")

    def __init__(self, description: SpanDescription) -> None:
        attributes = description.attributes
        self._span: Span = tracer().start_span(
            description.name,
            kind=SpanKind.CLIENT if description.is_client else SpanKind.INTERNAL,
            attributes={**_FIRST, **attributes} if attributes else _FIRST,
            links=_links_to(description.linked) if description.linked else None,
        )
        self._described = description
        self._token: Any = None
        self._before = self._here = context.get_current()

    def enter(self) -> None:
        """Make it current, or nothing at all where Ctrl-C comes."""
        described = self._described
        try:
            if described.elaborate is not None and self._span.is_recording():
                self._span.set_attributes(described.elaborated())
            self._here = trace.set_span_in_context(self._span, self._before)
            self._token = context.attach(self._here)
        except BaseException as error:
            self.drop(error)
            raise

    def leave(self) -> None:
        """Make the surrounding span current again; in the context that made this one."""
        context.detach(self._token)
        self._token = None

    @property
    def example(self) -> SpanContext | None:
        """What a measurement may point to as an example; None where nobody records the span."""
        here = self._span.get_span_context()
        return here if here.trace_flags.sampled else None

    @contextmanager
    def current(self) -> Generator[None]:
        """Make it current once more, for a step of a stream."""
        token = context.attach(self._here)
        try:
            yield
        finally:
            context.detach(token)

    def drop(self, error: BaseException) -> None:
        """Leave and end the span of a call that was interrupted where it began or ended."""
        self._token = None  # it may have been used already
        if context.get_current() is self._here is not self._before:
            context.attach(self._before)
        if self._span.is_recording():
            _tell_failure(self._span, error)
            self._span.end()

    def end(self, error: BaseException | None) -> float | None:
        """Leave and end the span; only a failure is an error, cancellation and refusal are not.

        Returns:
            The seconds between its beginning and its end, where it is measured by them and
            somebody records it.
        """
        span, described = self._span, self._described
        if described.conclude is not None and (span.is_recording() or is_logging()):
            span.set_attributes(described.concluded(error))
        if self._token is not None:
            self.leave()
        if error is None:
            span.set_attribute("resilience.outcome", "success")
        else:
            _tell_failure(span, error)
        try:
            span.end()
        except Exception as failure:  # noqa: BLE001 - of a processor; the call goes on
            complain("a span could not be ended", failure)
        return None if described.measure is None else duration_of(span)


def begin_call(description: SpanDescription) -> CallSpan | None:
    """Return the span of a call that begins, as the current one; None where the SDK fails."""
    try:
        span = CallSpan(description)
        span.enter()
    except Exception as failure:  # noqa: BLE001 - of a processor or a sampler; the call goes on
        complain("a span could not be begun", failure)
        return None
    return span


def _tell_failure(span: Span, error: BaseException) -> None:
    outcome = outcome_of(error)
    span.set_attribute("resilience.outcome", outcome)
    if outcome != "cancelled":
        span.set_attribute("error.type", error_type_of(error))
    if outcome == "failure":
        span.set_status(StatusCode.ERROR)


def complain(message: str, failure: Exception) -> None:
    """Log a failure of the SDK, the first one of each provider."""
    source = _source_of(trace.get_tracer_provider())
    if not source.has_failed:
        source.has_failed = True
        log_failure(_logger, f"{message}, the calls go on", failure)


def duration_of(span: Span) -> float | None:
    """Return the seconds of a span that has ended; the API alone has no way to ask."""
    begun, ended = (getattr(span, name, None) for name in ("start_time", "end_time"))
    return None if begun is None or ended is None else max(0, ended - begun) / 1e9


def _links_to(contexts: Sequence[Context]) -> list[Link]:
    """Return links to the spans that are current in these contexts, in the order of these."""
    # Read in a copy: one of them is entered just now, and that is possible only once.
    spans = [each.copy().run(trace.get_current_span) for each in contexts]
    found = [span.get_span_context() for span in spans]
    return [Link(each) for each in {each.span_id: each for each in found if each.is_valid}.values()]


def tracer() -> Tracer:
    """Return our tracer of the program's provider."""
    return _source_of(trace.get_tracer_provider()).tracer


class _Source:
    """Our tracer of one provider, which makes a new one each time that it is asked."""

    def __init__(self, provider: TracerProvider) -> None:
        self.tracer = provider.get_tracer(SCOPE)
        self.has_failed = False


_source_of = lru_cache(maxsize=1)(_Source)


def annotate(attributes: Mapping[str, Any]) -> None:
    """Set those attributes on the current span that have a value."""
    span = trace.get_current_span()
    for name, value in attributes.items():
        if value is not None:
            span.set_attribute(name, value)


def add_event(event: Event) -> None:
    """Write an event, and what it says about the whole call, on the current span."""
    span = trace.get_current_span()
    if not span.is_recording():
        return
    name, attributes = _describe(event)
    span.add_event(name, {key: value for key, value in attributes.items() if value is not None})
    match event:
        case RetryScheduled():
            span.set_attribute("resilience.attempts", event.attempt + 1)
        case Refused():
            span.set_attribute("resilience.attempts", 0)
        case Queued():
            span.set_attribute("resilience.queue.wait", event.waited)
        case _:
            pass


def _describe(event: Event) -> tuple[str, dict[str, Any]]:
    match event:
        case RetryScheduled():
            return "retry", {
                "resilience.attempt": event.attempt,
                "resilience.delay": event.delay,
                "resilience.source": event.source,
                "resilience.reason": event.reason,
                "error.type": None if event.exception is None else error_type_of(event.exception),
            }
        case Transition():
            return "circuit_breaker.transition", {
                "resilience.name": event.name,
                "resilience.from": event.from_,
                "resilience.to": event.to,
                "resilience.reason": event.reason,
            }
        case KeyRested():
            return "key.cooldown", {
                "resilience.pool": event.name,
                "resilience.key.name": event.key_name,
                "resilience.delay": event.seconds,
                "resilience.reason": event.reason,
            }
        case Queued():
            return "queued", {"resilience.name": event.name, "resilience.priority": event.priority}
        case Refused():
            return "refused", {"resilience.name": event.name, "resilience.reason": event.reason}
        case _:
            return type(event).__name__, {"resilience.name": event.name}
