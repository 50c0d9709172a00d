"""Events as log lines, one logger a module under `resilience`; silent until the program asks.

Numbers stand in the text and, as structured fields, in `extra`.
"""

from __future__ import annotations

import logging
from types import NoneType

from resilience._request_id import current_request_id
from resilience._secrets import mask
from resilience.telemetry._audience import LINES, audience_of, is_heard
from resilience.telemetry.events import (
    BatchFlushed,
    Event,
    GivenUp,
    KeyRested,
    Refused,
    RetryScheduled,
    Transition,
    subscribe_when,
)

__all__ = ["RequestIdFilter", "listen", "log"]

_LEFT_OUT = frozenset({"measured", "result"})
_PLAIN = (str, int, float, NoneType)
_LONGEST = 200  # characters of an error's text: some servers answer with a page

_retry, _ = LINES[RetryScheduled]
_breaker, _ = LINES[Transition]
_batches, _ = LINES[BatchFlushed]
_pool, _ = LINES[KeyRested]
_calls, _ = LINES[Refused]


class RequestIdFilter(logging.Filter):
    """Writes on each record the id of the adapter's call within which it was made.

    It is for a handler: one on a logger sees no lines of the loggers below. It lets every line
    pass, and an id that a record has already stays. Outside of a call it is "-". Safe for
    concurrent use.

    Args:
        field: What it is called on the record.
    """

    def __init__(self, field: str = "request_id") -> None:
        super().__init__()
        self._field = field

    def filter(self, record: logging.LogRecord) -> bool:
        """Write it."""
        if not hasattr(record, self._field):
            setattr(record, self._field, current_request_id() or "-")
        return True


def log(event: Event) -> None:  # noqa: C901 - one case for each kind
    """Write the line for an event, if anybody would read it."""
    line_of = LINES.get(type(event))
    if line_of is None or not is_heard(*line_of):
        return
    match event:
        case RetryScheduled(reason="no_key"):
            line = "%s: no key is ready; tries again in %s s"
            _write(_retry, logging.INFO, event, line, _text(event.delay))
        case RetryScheduled():
            cause = "its result" if event.exception is None else _cause(event.exception)
            line = "%s: attempt %d failed (%s); retry %d of %d in %s s (%s)"
            plan = (event.attempt, event.max_retries, _text(event.delay), event.source)
            _write(_retry, logging.WARNING, event, line, event.attempt, cause, *plan)
        case GivenUp():
            line = "%s: gave up after attempt %d: %s"
            _write(_retry, logging.WARNING, event, line, event.attempts, event.reason)
        case Transition():
            level = logging.WARNING if event.to == "OPEN" else logging.INFO
            line = "%s: circuit %s -> %s (%s)"
            _write(_breaker, level, event, line, event.from_, event.to, event.reason)
        case KeyRested(reason="key"):
            line = "%s: key %s was rejected by the server and is set aside for %s s"
            _write(_pool, logging.WARNING, event, line, event.key_name, _text(event.seconds))
        case KeyRested():
            line = "%s: key %s rests for %s s (%s)"
            rest = (event.key_name, _text(event.seconds), event.reason)
            _write(_pool, logging.WARNING, event, line, *rest)
        case BatchFlushed():
            line = "%s: a batch of %d after %s s (%s)"
            batch = (event.size, _text(event.waited), event.flush)
            _write(_batches, logging.DEBUG, event, line, *batch)
        case Refused(retry_after=None):
            _write(_calls, logging.INFO, event, "%s: refused (%s)", event.reason)
        case Refused():
            line = "%s: refused (%s), retry after %s s"
            _write(_calls, logging.INFO, event, line, event.reason, _text(event.retry_after))
        case _:
            pass  # the others are for listeners that count


def listen() -> None:
    """Begin to write."""
    for kind in LINES:
        subscribe_when(log, kind, when=audience_of(kind))


def _write(logger: logging.Logger, level: int, event: Event, line: str, *values: object) -> None:
    if logger.isEnabledFor(level):
        logger.log(level, line, event.name, *values, extra=_fields(event))


def _fields(event: Event) -> dict[str, object]:
    """Return the event's plain values, under names that no log record has already.

    A result stays out: it is the user's data, not a number about the call.
    """
    fields: dict[str, object] = {}
    for name in event.__dataclass_fields__:
        value = getattr(event, name)
        if name not in _LEFT_OUT and isinstance(value, _PLAIN):
            fields[f"resilience_{name.strip('_')}"] = value
    found = current_request_id()
    if found is not None:
        fields["resilience_request_id"] = found
    return fields


def _cause(error: BaseException) -> str:
    """Return an error's type and text, in one line of bearable length."""
    text = " ".join(mask(str(error)).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(seconds: float | None) -> str:
    """Return seconds to the millisecond, without digits that say nothing."""
    return f"{seconds or 0:.3f}".rstrip("0").rstrip(".")
