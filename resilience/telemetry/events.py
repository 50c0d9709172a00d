"""What happened, as data: one frozen record for each kind of event.

A machine returns what happened; its driver publishes it after it has let go of its lock.
Logs, statistics, OpenTelemetry and `capture_events` listen.
A listener that fails never harms a call: its error is logged once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import field
from typing import ClassVar, Literal, Protocol

from resilience._context import deadlines
from resilience._fork import SharedLock
from resilience._record import record
from resilience._secrets import log_failure, shown

__all__ = [
    "BatchFlushed",
    "CallFinished",
    "Condition",
    "Event",
    "GivenUp",
    "KeyRested",
    "Listener",
    "Outcome",
    "Queued",
    "Refused",
    "RetryScheduled",
    "Transition",
    "publish",
    "subscribe",
    "subscribe_when",
    "unsubscribe",
]

Outcome = Literal["success", "failure", "refused", "cancelled"]
Listener = Callable[["Event"], object]


class Condition(Protocol):
    """A question without arguments, the same for a class and for its instances."""

    def __call__(self) -> bool:
        """Answer."""
        ...


_logger = logging.getLogger("resilience.telemetry")
_lock = SharedLock()
_failed: set[int] = set()


def _never() -> bool:
    return False


@record
class Event:
    """The base of all events.

    Logs and OpenTelemetry listen in every program and do nothing in most. So what happens often
    asks its kind first, by `is_wanted()`, whether anybody would do something with the event: that
    costs a twentieth of making it.

    Attributes:
        name: The name of the function, breaker, queue or pool that it happened to.
        measured: Whether it counts in metrics; False where those of the call are off.
    """

    listeners: ClassVar[tuple[Listener, ...]] = ()
    is_wanted: ClassVar[Condition] = _never
    subscriptions: ClassVar[tuple[tuple[Listener, Condition], ...]] = ()

    name: str
    measured: bool = field(default=True, repr=False)


@record
class RetryScheduled(Event):
    """An attempt failed and another one follows; also what `before_retry` gets.

    Attributes:
        attempt: The number of the attempt that failed: 1, 2, …
        max_retries: How many retries there may be.
        delay: Seconds until the next attempt.
        source: Who chose the delay: "backoff", or the "server".
        exception: What the attempt raised, or None if its result asks for a retry.
        result: What the attempt returned, if that asks for a retry.
        elapsed: Seconds since the call began; None where nothing needed to know.
        reason: The kind of failure: "transient", "rate_limit", …, or "result".
    """

    attempt: int
    max_retries: int
    delay: float
    source: Literal["backoff", "server"]
    exception: BaseException | None
    result: object
    elapsed: float | None
    reason: str


@record
class GivenUp(Event):
    """A call that could have been retried is not, or not any more.

    Attributes:
        attempts: How many attempts were made.
        reason: Why there is no further one.
        exception: The last real error, or None where a result was not good enough.
    """

    attempts: int
    reason: str
    exception: BaseException | None


@record
class Transition(Event):
    """A circuit breaker changed its state; also what `on_transition` gets.

    Attributes:
        from_: The state before: "CLOSED", "OPEN", "HALF-OPEN" or "DISABLED".
        to: The state after.
        reason: "failure_threshold", "failure_rate", "slow_call_rate", "reset_timeout",
            "probe_succeeded", "probe_failed" or "manual".
    """

    from_: str
    to: str
    reason: str


@record
class Queued(Event):
    """A call had to wait for its permit, and got it.

    Attributes:
        priority: 0 high, 1 normal, 2 low.
        waited: Seconds.
    """

    priority: int
    waited: float


@record
class Refused(Event):
    """A call was not even tried.

    Attributes:
        reason: "circuit_open", "queue_full", "queue_timeout", "queue_closed", "no_key" or
            "deadline".
        retry_after: Seconds until it makes sense to come back, or None.
    """

    reason: str
    retry_after: float | None


@record
class BatchFlushed(Event):
    """Items that waited for company go to their function as one batch.

    Attributes:
        size: How many items.
        flush: "size": it was full; "time": the oldest had waited for `batch_timeout`, or an item
            had no time to wait; "explicit": by `flush()`, at the end of `map()` or at exit.
        waited: Seconds that the oldest item had waited.
    """

    size: int
    flush: Literal["size", "time", "explicit"]
    waited: float


@record
class KeyRested(Event):
    """An entry of a key pool is not handed out for a while.

    Attributes:
        key_name: The name of the entry, never the key.
        seconds: How long it rests.
        reason: "rate_limit", or "key" where the key itself was rejected.
    """

    key_name: str
    seconds: float
    reason: str


@record
class CallFinished(Event):
    """One logical call ended; made only while somebody listens.

    Attributes:
        outcome: "success", "failure", "refused" or "cancelled".
        duration: Seconds, retries and waits included.
        exception: What it raised, or None.
    """

    outcome: Outcome
    duration: float
    exception: BaseException | None


def subscribe(listener: Listener, *kinds: type[Event]) -> None:
    """Call `listener` for each event of these kinds, or of all kinds.

    It is called in the thread or task of the call, with no lock held.
    """
    subscribe_when(listener, *kinds, when=_always)


def subscribe_when(listener: Listener, *kinds: type[Event], when: Condition) -> None:
    """As `subscribe`; events that happen often are made only while `when` holds for somebody."""
    everything = not kinds or Event in kinds
    with _lock:
        for kind in Event.__subclasses__() if everything else kinds:
            _subscribed(kind, (*kind.subscriptions, (listener, when)))
        if CallFinished.listeners:
            deadlines.in_use = True  # so that calls look for listeners: a class is slow to read


def unsubscribe(listener: Listener) -> None:
    """Stop calling `listener`."""
    with _lock:
        for kind in Event.__subclasses__():
            # Not by identity: each look at a bound method makes another one.
            gone = [each for each in kind.listeners if each == listener]
            _failed.difference_update(map(id, gone))
            _subscribed(kind, tuple(pair for pair in kind.subscriptions if pair[0] != listener))


def _subscribed(kind: type[Event], subscriptions: tuple[tuple[Listener, Condition], ...]) -> None:
    kind.subscriptions = subscriptions
    kind.listeners = tuple(listener for listener, _ in subscriptions)
    kind.is_wanted = _question(subscriptions)


def _question(subscriptions: tuple[tuple[Listener, Condition], ...]) -> Condition:
    """Return one question for all of them, each condition asked once."""
    conditions = tuple(dict.fromkeys(when for _, when in subscriptions))
    if len(conditions) == 1:  # as in most programs: logs and OpenTelemetry ask the same one
        return conditions[0]
    return lambda: any(holds() for holds in conditions)


def _always() -> bool:
    return True


def publish(event: Event) -> None:
    """Tell everybody who listens to this kind of event; never raises an `Exception`."""
    for listener in type(event).listeners:
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - whatever it is, the call goes on
            if id(listener) not in _failed:
                _failed.add(id(listener))
                log_failure(
                    _logger, f"the listener {shown(listener)} failed, and is called on", error
                )
