"""Who would see an event: asked at each failure, before the event is made."""

from __future__ import annotations

import logging
from sys import modules

from resilience.telemetry.events import (
    BatchFlushed,
    Condition,
    Event,
    GivenUp,
    KeyRested,
    Refused,
    RetryScheduled,
    Transition,
)

__all__ = ["API", "LINES", "METRICS", "audience_of", "is_heard"]

API = "opentelemetry"  # a program that has set up an SDK has imported it
METRICS = f"{API}.metrics._internal"  # where the API keeps the meter provider of the program
_SILENT: list[logging.Handler] = [logging.NullHandler()]
_all = logging.getLogger("resilience")
_all.addHandler(_SILENT[0])

# By kind of event, whose lines tell of it, and the gravest level that they have.
LINES: dict[type[Event], tuple[logging.Logger, int]] = {
    RetryScheduled: (logging.getLogger("resilience.retry"), logging.WARNING),
    GivenUp: (logging.getLogger("resilience.retry"), logging.WARNING),
    Transition: (logging.getLogger("resilience.circuit_breaker"), logging.WARNING),
    BatchFlushed: (logging.getLogger("resilience.batched"), logging.DEBUG),
    KeyRested: (logging.getLogger("resilience.key_pool"), logging.WARNING),
    Refused: (logging.getLogger("resilience.calls"), logging.INFO),
}


def audience_of(kind: type[Event]) -> Condition:
    """Return the question whether the logs or OpenTelemetry would take an event of this kind."""
    return _AUDIENCES.get(kind, _is_observed)


def _question(
    logger: logging.Logger,
    level: int,
    root: logging.Logger,
    above: logging.Logger,
    silent: list[logging.Handler],
) -> Condition:
    def is_there() -> bool:
        # Where nobody has set up logging or OpenTelemetry, as nearly always, nothing is called.
        if root.handlers or above.handlers != silent or logger.handlers or API in modules:
            return is_heard(logger, level) or _is_observed()
        return False

    return is_there


def is_heard(logger: logging.Logger, level: int) -> bool:
    """Return whether a handler but our silent one would get a line of this level.

    Without one, `logging` still makes the record, which costs more than the retry itself.
    """
    if not logger.isEnabledFor(level):
        return False
    above: logging.Logger | None = logger
    while above is not None:
        for handler in above.handlers:
            if level >= handler.level and not isinstance(handler, logging.NullHandler):
                return True
        above = above.parent if above.propagate else None
    return False


def _is_observed() -> bool:
    if API not in modules:
        return False
    from resilience.telemetry.opentelemetry import (  # noqa: PLC0415 - which asks for audiences
        is_metering,
        is_tracing,
    )

    return is_tracing() or is_metering()


_AUDIENCES: dict[type[Event], Condition] = {
    kind: _question(*line, logging.root, _all, _SILENT) for kind, line in LINES.items()
}
