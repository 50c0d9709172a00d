"""Events as log lines, one logger a module under `resilience`; silent until the program asks.

Numbers stand in the text and, as structured fields, in `extra`.
"""

from __future__ import annotations

import logging

from resilience._secrets import mask
from resilience.telemetry.events import (
    Event,
    GivenUp,
    KeyRested,
    Refused,
    RetryScheduled,
    Transition,
    subscribe,
)

__all__ = ["log"]

logging.getLogger("resilience").addHandler(logging.NullHandler())
_retry = logging.getLogger("resilience.retry")
_breaker = logging.getLogger("resilience.circuit_breaker")
_pool = logging.getLogger("resilience.key_pool")
_calls = logging.getLogger("resilience.calls")


def log(event: Event) -> None:
    """Write the line for an event."""
    match event:
        case RetryScheduled():
            cause = "its result" if event.exception is None else _cause(event.exception)
            line = "%s: attempt %d failed (%s); retry %d of %d in %.3g s (%s)"
            plan = (event.attempt, event.max_retries, event.delay, event.source)
            _write(_retry, logging.WARNING, event, line, event.attempt, cause, *plan)
        case GivenUp():
            line = "%s: gave up after %d attempts: %s"
            _write(_retry, logging.WARNING, event, line, event.attempts, event.reason)
        case Transition():
            level = logging.WARNING if event.to == "OPEN" else logging.INFO
            line = "%s: circuit %s -> %s (%s)"
            _write(_breaker, level, event, line, event.from_, event.to, event.reason)
        case KeyRested():
            line = "%s: key %s rests for %.3g s (%s)"
            rest = (event.key_name, event.seconds, event.reason)
            _write(_pool, logging.WARNING, event, line, *rest)
        case Refused():
            line = "%s: refused (%s), retry after %s s"
            _write(_calls, logging.INFO, event, line, event.reason, event.retry_after)


def _write(logger: logging.Logger, level: int, event: Event, line: str, *values: object) -> None:
    if logger.isEnabledFor(level):
        logger.log(level, line, event.name, *values, extra=_fields(event))


def _fields(event: Event) -> dict[str, object]:
    """Return the event's plain values, under names that no log record has already."""
    fields = {name: getattr(event, name) for name in event.__dataclass_fields__}
    plain = (str, int, float, type(None))
    return {f"resilience_{k.strip('_')}": v for k, v in fields.items() if isinstance(v, plain)}


def _cause(error: BaseException) -> str:
    text = mask(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


subscribe(log, RetryScheduled, GivenUp, Transition, KeyRested, Refused)
