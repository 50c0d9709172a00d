"""The door to OpenTelemetry; nothing of its API is imported or asked while no SDK is set up.

One logical call is one span, whatever the stack: INTERNAL and named for the function, or as the
adapter says. What happens in between becomes events on it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import Context
from dataclasses import field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from resilience._record import record
from resilience._secrets import log_failure
from resilience.telemetry._audience import METRICS, audience_of
from resilience.telemetry.events import (
    Event,
    KeyRested,
    Queued,
    Refused,
    RetryScheduled,
    Transition,
    subscribe_when,
)

if TYPE_CHECKING:
    from types import ModuleType

    from resilience.telemetry._otel import CallSpan
    from resilience.telemetry._otel_http import RequestSpan

__all__ = [
    "Measurement",
    "SpanDescription",
    "annotate",
    "begin_request",
    "begin_span",
    "emit",
    "is_logging",
    "is_metering",
    "is_tracing",
    "listen",
]

_T = TypeVar("_T")
Measurement = tuple[str, float, Mapping[str, Any]]

_LOGS = "opentelemetry._logs._internal"  # where the API keeps the logger provider of the program
_logger = logging.getLogger("resilience.telemetry")


@record
class SpanDescription:
    """How a span is to look, where it is not simply that of a call, named for its function.

    Attributes:
        name: Its name.
        is_client: CLIENT, instead of INTERNAL.
        attributes: What stands on it from the beginning.
        linked: Contexts to the current spans of which it is linked.
        elaborate: Returns more attributes, asked for only where the span is recorded.
        conclude: Returns those that are known at the end, from what the call raised, or None;
            asked for as well where there is no span but a logger provider.
        measure: Returns metric, value and attributes of all that the call is to be measured by
            beside what every call is, from what it raised and the seconds that it took.
    """

    name: str
    is_client: bool = False
    attributes: Mapping[str, Any] = field(default_factory=dict[str, Any])
    linked: Sequence[Context] = ()
    elaborate: Callable[[], Mapping[str, Any]] | None = None
    conclude: Callable[[BaseException | None], Mapping[str, Any]] | None = None
    measure: Callable[[BaseException | None, float], Iterable[Measurement]] | None = None

    def elaborated(self) -> Mapping[str, Any]:
        """Return the further attributes; whatever goes wrong, the call goes on."""
        return {} if self.elaborate is None else _quietly(self.elaborate, {})

    def concluded(self, error: BaseException | None) -> Mapping[str, Any]:
        """Return the last attributes; whatever goes wrong, the call goes on."""
        return {} if self.conclude is None else _quietly(partial(self.conclude, error), {})

    def measured(self, error: BaseException | None, seconds: float) -> Sequence[Measurement]:
        """Return what to measure; whatever goes wrong, the call goes on."""
        measure = self.measure
        if measure is None:
            return ()
        return _quietly(lambda: list(measure(error, seconds)), [])


def _quietly(make: Callable[[], _T], instead: _T) -> _T:
    """Return what is made, or something else where that fails: it reads what strangers sent."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - a bug of ours must not become one of the program
        log_failure(_logger, "a call was not described, it goes on", error)
        return instead


def is_tracing() -> bool:
    """Return whether the program has set up a tracer provider.

    A program that has one has imported the API; a span of the API without one costs several
    microseconds and leads nowhere.
    """
    api = sys.modules.get("opentelemetry.trace")
    # The public way to ask builds a proxy; the global itself has had this name since 1.0.
    return api is not None and getattr(api, "_TRACER_PROVIDER", None) is not None


def is_metering() -> bool:
    """Return whether the program has set up a meter provider."""
    return getattr(sys.modules.get(METRICS), "_METER_PROVIDER", None) is not None


def begin_span(description: SpanDescription) -> CallSpan | None:
    """Return the span of a call that begins, as the current one; ask `is_tracing` before.

    None where the SDK of the program fails: the call goes on without.
    """
    span: CallSpan | None = _otel().begin_call(description)
    return span


def begin_request(name: str, attributes: Mapping[str, Any]) -> RequestSpan:
    """Return the span of a request on the wire that begins; ask `is_tracing` before."""
    from resilience.telemetry import _otel_http  # noqa: PLC0415 - only with an SDK in place

    return _otel_http.RequestSpan(name, attributes)


def is_logging() -> bool:
    """Return whether the program has set up a logger provider."""
    return getattr(sys.modules.get(_LOGS), "_LOGGER_PROVIDER", None) is not None


def emit(name: str, attributes: Mapping[str, Any], *, warns: bool = False) -> None:
    """Emit an event as a log record, if there is a logger provider; never raises."""
    if is_logging():
        from resilience.telemetry import _otel_logs  # noqa: PLC0415 - only with an SDK in place

        try:
            _otel_logs.emit(name, attributes, warns=warns)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
            _otel().complain(f"the event {name} was not emitted", error)


def annotate(**attributes: Any) -> None:
    """Set attributes on the span of the call in progress; a double underscore stands for a dot."""
    if is_tracing():
        _otel().annotate(
            {name.replace("__", "."): value for name, value in attributes.items()},
        )


def listen() -> None:
    """Begin to write events on the spans of the calls that they happen in."""
    for kind in (RetryScheduled, Transition, KeyRested, Queued, Refused):
        subscribe_when(_on_event, kind, when=audience_of(kind))


def _on_event(event: Event) -> None:
    if is_tracing():
        _otel().add_event(event)


@cache
def _otel() -> ModuleType:
    from resilience.telemetry import _otel as module  # noqa: PLC0415 - only with an SDK in place

    return module
