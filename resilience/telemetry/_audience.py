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

__all__ = ["API", "LOGGERS", "audience_of", "is_heard"]

API = "opentelemetry"  # a program that has set up an SDK has imported it
_SILENT: list[logging.Handler] = [logging.NullHandler()]
_all = logging.getLogger("resilience")
_all.addHandler(_SILENT[0])

# By kind of event, whose lines tell of it.
LOGGERS: dict[type[Event], logging.Logger] = {
    RetryScheduled: logging.getLogger("resilience.retry"),
    GivenUp: logging.getLogger("resilience.retry"),
    Transition: logging.getLogger("resilience.circuit_breaker"),
    BatchFlushed: logging.getLogger("resilience.batched"),
    KeyRested: logging.getLogger("resilience.key_pool"),
    Refused: logging.getLogger("resilience.calls"),
}


def audience_of(kind: type[Event]) -> Condition:
    """Return the question whether the logs or OpenTelemetry would take an event of this kind."""
    return _AUDIENCES.get(kind, _is_observed)


def _question(
    logger: logging.Logger,
    root: logging.Logger,
    above: logging.Logger,
    silent: list[logging.Handler],
) -> Condition:
    """Return one question for both, which looks at what tells nearly always before it calls."""

    def is_there() -> bool:
        if root.handlers or above.handlers != silent or logger.handlers or API in modules:
            return is_heard(logger) or _is_observed()
        return False  # nobody has set up logging or OpenTelemetry

    return is_there


def is_heard(logger: logging.Logger) -> bool:
    """Return whether a handler but our silent one would get a line.

    Without one, `logging` still makes the record, which costs more than the retry itself.
    """
    above: logging.Logger | None = logger
    while above is not None:
        if above.handlers and not _are_silent(above.handlers):
            return True
        above = above.parent if above.propagate else None
    return False


def _are_silent(handlers: list[logging.Handler]) -> bool:
    return all(isinstance(handler, logging.NullHandler) for handler in handlers)


def _is_observed() -> bool:
    if API not in modules:
        return False
    from resilience.telemetry.opentelemetry import (  # noqa: PLC0415 - which asks for audiences
        is_metering,
        is_tracing,
    )

    return is_tracing() or is_metering()


_AUDIENCES: dict[type[Event], Condition] = {
    kind: _question(logger, logging.root, _all, _SILENT) for kind, logger in LOGGERS.items()
}
