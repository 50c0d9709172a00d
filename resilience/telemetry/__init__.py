"""What happened: events, statistics, log lines, OpenTelemetry."""

from __future__ import annotations

from resilience.telemetry import logs, opentelemetry
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
    "Transition",
    "subscribe",
    "unsubscribe",
]

logs.listen()
opentelemetry.listen()
