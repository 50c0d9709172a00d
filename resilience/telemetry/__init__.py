"""What happened: events, statistics, log lines, OpenTelemetry."""

from __future__ import annotations

from resilience._request_id import current_request_id
from resilience.telemetry import history, instruments, logs, opentelemetry
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
from resilience.telemetry.logs import RequestIdFilter

__all__ = [
    "BatchFlushed",
    "CallFinished",
    "Event",
    "GivenUp",
    "KeyRested",
    "Queued",
    "Refused",
    "RequestIdFilter",
    "RetryScheduled",
    "Telemetry",
    "Transition",
    "configure",
    "current_request_id",
    "subscribe",
    "unsubscribe",
]

logs.listen()
history.listen()
opentelemetry.listen()
instruments.listen()
