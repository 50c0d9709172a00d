"""The usual stack in one frame, while all is well: a retry, a queue and a circuit breaker.

What each of them has to do for a call that succeeds at once is little; what costs is the closure
around closure around closure. So such a call of a plain function goes by a shortcut: a stack of
three costs 4 plain closures by it, and 6 without.
It does what the drivers of the layers do for a call that finds a permit free and the circuit
closed, in their order, and when the function fails as well. Everything else is left to them: a
deadline, a priority, a wait, a circuit that is not closed, and each further attempt.
Coroutine functions have none. It would stay on in each task that waits, and gains them less.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from resilience._context import deadlines, forget_places
from resilience._giving_up import current_epoch
from resilience._recovery import Recovery
from resilience._waiters import holder, running_loop, this_thread

if TYPE_CHECKING:
    from resilience._breaker_layer import BreakerLayer
    from resilience._prioritized import QueueLayer
    from resilience._retry import RetryLayer
    from resilience._site import Layer, Site

__all__ = ["with_shortcut"]

Call = Callable[..., Any]


def with_shortcut(site: Site, layers: tuple[Layer, ...], inner: Call, whole: Call) -> Call:
    """Return `whole`, by a shortcut if these layers have one; `inner` is what the first repeats."""
    kinds = [layer.kind for layer in layers]
    if site.shape != "function" or kinds != ["retry", "prioritized", "circuit_breaker"]:
        return whole
    retry, queue = cast("RetryLayer", layers[0]), cast("QueueLayer", layers[1])
    breaker = cast("BreakerLayer", layers[2])
    if not (retry.rests_on_success and breaker.asks_outcome_only):
        return whole
    return _shortcut(site, (retry, queue, breaker), inner, whole)


def _shortcut(
    site: Site, layers: tuple[RetryLayer, QueueLayer, BreakerLayer], inner: Call, whole: Call
) -> Call:
    retry, queue, guard, function = layers[0], layers[1].queue, layers[2], site.function
    terms, repeat = retry.repeating(inner, site)
    breaker, circuit = guard.breaker, guard.breaker.machine
    machine, holders, away = queue.gate
    passing, arrivals = machine.passing, machine.arrivals

    def call(*args: Any, **kwargs: Any) -> Any:
        me = this_thread.token if running_loop() is None else holder()
        if (
            not (machine.room and circuit.closed)
            or deadlines.in_use
            or (kwargs and "priority" in kwargs)
            or (passing and me in passing)
            or (holders and me in holders)
            or (away and me in away)
        ):
            return whole(*args, **kwargs)
        epoch, permit, number = current_epoch.value, circuit.permit, 0
        try:
            passing[me] = number = next(arrivals)
            if len(passing) <= machine.room:
                try:
                    result = function(*args, **kwargs) if kwargs else function(*args)
                except BaseException as error:
                    guard.failed(permit, error)
                    raise
                if not circuit.calm:
                    breaker.record(permit, None)
                if holders and me in holders:  # a stream shares the permit
                    queue.leave(me, number)
                else:
                    del passing[me]
                    if machine.waiting or queue.drains:
                        queue.hand_on()
                return result
            queue.leave(me, number)
            recovery = None
        except BaseException as error:
            queue.leave(me, number, returns=isinstance(error, Exception))
            if not isinstance(error, Exception):
                forget_places()
                raise
            recovery = Recovery(terms, None, epoch)
            recovery.failed(error)
        return whole(*args, **kwargs) if recovery is None else repeat(recovery, args, kwargs)

    return call
