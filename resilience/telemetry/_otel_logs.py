"""Events of their own, as log records; imported only by a program that has set up OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from opentelemetry._logs import (
    Logger,
    LoggerProvider,
    LogRecord,
    SeverityNumber,
    get_logger_provider,
)

from resilience.telemetry.conventions import SCOPE

__all__ = ["emit"]


def emit(name: str, attributes: Mapping[str, Any], *, warns: bool) -> None:
    """Emit an event within what is current: its trace and span go along."""
    severity = SeverityNumber.WARN if warns else SeverityNumber.INFO
    record = LogRecord(
        event_name=name,
        severity_number=severity,
        severity_text=severity.name,
        attributes=dict(attributes),
    )
    _logger_of(get_logger_provider()).emit(record)


@lru_cache(maxsize=1)
def _logger_of(provider: LoggerProvider) -> Logger:
    return provider.get_logger(SCOPE)
