"""Events as OpenTelemetry spans; nothing is asked of the API while no SDK is set up.

One logical call is one span, whatever the stack: INTERNAL and named for the function, or as the
adapter says.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resilience.telemetry.events import (
    Event,
    KeyRested,
    Queued,
    Refused,
    RetryScheduled,
    Transition,
    subscribe,
)
from resilience.telemetry.statistics import outcome_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span

__all__ = ["CallSpan", "SpanDescription", "annotate", "is_tracing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanDescription:
    """How the span of a call is to look, where it is not simply named for its function."""

    name: str
    is_client: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict)


def is_tracing() -> bool:
    """Return whether the program has set up a tracer provider.

    A program that has one has imported the API; a span of the API without one costs several
    microseconds and leads nowhere.
    """
    api = sys.modules.get("opentelemetry.trace")
    # The public way to ask builds a proxy; the global itself has had this name since 1.0.
    return api is not None and getattr(api, "_TRACER_PROVIDER", None) is not None


class CallSpan:
    """The span of one logical call, current until `leave`, open until `end`."""

    __slots__ = ("_span", "_token")

    def __init__(self, description: SpanDescription) -> None:
        from opentelemetry import context, trace  # noqa: PLC0415 - only with an SDK in place

        tracer = trace.get_tracer("resilience")
        kind = trace.SpanKind.CLIENT if description.is_client else trace.SpanKind.INTERNAL
        self._span: Span = tracer.start_span(
            description.name, kind=kind, attributes=dict(description.attributes)
        )
        self._span.set_attribute("resilience.attempts", 1)
        self._token = context.attach(trace.set_span_in_context(self._span))

    def leave(self) -> None:
        """Make the surrounding span current again; in the context that made this one."""
        from opentelemetry import context  # noqa: PLC0415

        context.detach(self._token)

    def end(self, error: BaseException | None) -> None:
        """End the span; only a failure is an error, cancellation and refusal are not."""
        from opentelemetry import trace  # noqa: PLC0415

        outcome = outcome_of(error)
        self._span.set_attribute("resilience.outcome", outcome)
        if error is not None and outcome != "cancelled":
            self._span.set_attribute("error.type", _error_type(error))
        if outcome == "failure":
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


def annotate(**attributes: Any) -> None:
    """Set attributes on the span of the call in progress; a double underscore stands for a dot."""
    if not is_tracing():
        return
    from opentelemetry import trace  # noqa: PLC0415

    span = trace.get_current_span()
    for name, value in attributes.items():
        if value is not None:
            span.set_attribute(name.replace("__", "."), value)


def _error_type(error: BaseException) -> str:
    """Return a name with few values: the server's own code where the error has one."""
    code = getattr(error, "code", None)
    return code if isinstance(code, str) and code else type(error).__qualname__


def _on_event(event: Event) -> None:
    if not is_tracing():
        return
    from opentelemetry import trace  # noqa: PLC0415

    span = trace.get_current_span()
    if not span.is_recording():
        return
    name, attributes = _describe(event)
    span.add_event(name, {key: value for key, value in attributes.items() if value is not None})
    if isinstance(event, RetryScheduled):
        span.set_attribute("resilience.attempts", event.attempt + 1)
    elif isinstance(event, Queued):
        span.set_attribute("resilience.queue.wait", event.waited)


def _describe(event: Event) -> tuple[str, dict[str, Any]]:
    match event:
        case RetryScheduled():
            error = event.exception
            return "retry", {
                "resilience.attempt": event.attempt,
                "resilience.delay": event.delay,
                "resilience.source": event.source,
                "resilience.reason": event.reason,
                "error.type": None if error is None else _error_type(error),
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


subscribe(_on_event, RetryScheduled, Transition, KeyRested, Queued, Refused)
