"""What happened: events, statistics, log lines, OpenTelemetry."""

from __future__ import annotations

from resilience.telemetry import logs, opentelemetry
from resilience.telemetry._configure import Telemetry, configure
from resilience.telemetry.events import (
    BatchFlushed,
    CallFinished,
    Event,
    GivenUp,
    KeyRested,
    Queued,
    Refused,
    RetryScheduled,
    Transition,
    subscribe,
    unsubscribe,
)

__all__ = [
    "BatchFlushed",
    "CallFinished",
    "Event",
    "GivenUp",
    "KeyRested",
    "Queued",
    "Refused",
    "RetryScheduled",
    "Telemetry",
    "Transition",
    "configure",
    "subscribe",
    "unsubscribe",
]

logs.listen()
opentelemetry.listen()
