"""The door to OpenTelemetry's metrics; nothing of its API is asked while no SDK is set up.

What is measured waits until somebody collects: a call pays for taking a note, and no lock of the
SDK is ever wanted in the midst of a call, a signal or a garbage collection.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from resilience import _fork
from resilience._secrets import log_failure
from resilience.telemetry._audience import METRICS, audience_of
from resilience.telemetry.events import (
    BatchFlushed,
    Event,
    KeyRested,
    Queued,
    Refused,
    RetryScheduled,
    Transition,
    subscribe_when,
)
from resilience.telemetry.statistics import error_type_of

if TYPE_CHECKING:
    from resilience.telemetry._otel import SpanContext
    from resilience.telemetry._otel_instruments import Meters

__all__ = ["Attributes", "listen", "meters", "record", "relieve"]

Attributes = Mapping[str, str | int]

_A_FEW = 2  # one for that which the step adds, one against those that wait
_logger = logging.getLogger("resilience.telemetry")


class _Maker:
    """Makes the instruments of each provider once; other threads wait for it, itself never."""

    def __init__(self) -> None:
        self.made: tuple[Any, Meters | None] = (None, None)
        self._is_making = False
        self.renew_after_fork()
        _fork.renew_after(self)

    def renew_after_fork(self) -> None:
        """Take a new lock."""
        self._lock = threading.RLock()

    def make(self, provider: Any) -> Meters | None:
        """Return what measures with this provider; None where it makes no instruments."""
        with self._lock:
            if self._is_making:  # what makes them calls a decorated function itself
                return None
            if self.made[0] is not provider:
                self._is_making = True
                try:
                    self.made = (provider, _instruments_of(provider))
                finally:
                    self._is_making = False
            return self.made[1]


_maker = _Maker()


def meters() -> Meters | None:
    """Return what measures with the provider that the program has now; None without one."""
    # The public way to ask builds a proxy; the global itself has had this name since 1.0.
    provider = getattr(sys.modules.get(METRICS), "_METER_PROVIDER", None)
    if provider is None:
        return None
    known, made = _maker.made
    return made if known is provider else _maker.make(provider)


def record(
    metric: str, value: float, attributes: Attributes, example: SpanContext | None = None
) -> None:
    """Measure a value, or count so many more, by the name of a metric in `conventions`.

    It costs next to nothing without a provider, and never raises. Thread-safe.
    """
    found = meters()
    if found is not None:
        found.record(metric, value, attributes, example)


def relieve() -> None:
    """Hand a few measurements on if too many wait: in a step of a call that adds to them.

    Never where a call ends, which may be in the midst of anything.
    """
    found = meters()
    if found is not None:
        found.relieve(_A_FEW)


def listen() -> None:
    """Begin to count what happens, beside the calls themselves."""
    for kind in (RetryScheduled, Transition, KeyRested, Queued, Refused, BatchFlushed):
        subscribe_when(_on_event, kind, when=audience_of(kind))


def _on_event(event: Event) -> None:
    found = meters() if event.measured else None
    if found is None:
        return
    for metric, value, attributes in _measurements_of(event):
        found.record(f"resilience.{metric}", value, attributes)


def _measurements_of(event: Event) -> Iterator[tuple[str, float, Attributes]]:
    """Yield what an event counts for: metric, value and attributes of each measurement."""
    name: Attributes = {"resilience.name": event.name}
    match event:
        case RetryScheduled():
            if event.reason != "no_key":  # for a key that wakes: nothing was sent yet
                attempt = {**name, "resilience.reason": event.reason, **_error(event.exception)}
                yield "retry.attempts", 1, attempt
            yield "retry.delay", event.delay, {**name, "resilience.source": event.source}
        case Transition():
            move = {**name, "resilience.from": event.from_, "resilience.to": event.to}
            yield "circuit_breaker.transitions", 1, move
        case Queued():
            yield "queue.wait", event.waited, {**name, "resilience.priority": event.priority}
        case Refused():
            yield "refused", 1, {**name, "resilience.reason": event.reason}
        case BatchFlushed():
            yield "batch.size", event.size, {**name, "resilience.flush": event.flush}
            yield "batch.wait", event.waited, name
        case KeyRested():
            entry = {"resilience.pool": event.name, "resilience.key.name": event.key_name}
            yield "key.cooldowns", 1, {**entry, "resilience.reason": event.reason}
        case _:
            pass


def _error(error: BaseException | None) -> Attributes:
    return {} if error is None else {"error.type": error_type_of(error)}


def _instruments_of(provider: Any) -> Meters | None:
    from resilience.telemetry._otel_instruments import (  # noqa: PLC0415 - only with an SDK in place
        meters_of,
    )

    try:
        return meters_of(provider)
    except Exception as error:  # noqa: BLE001 - whatever it is, the calls go on
        log_failure(_logger, "the meter provider makes no instruments, nothing is measured", error)
        return None
