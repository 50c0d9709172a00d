"""The layer that a key pool adds: a key for each attempt, and another one where it fails."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import Parameter
from typing import TYPE_CHECKING, Any

from resilience._context import (
    Priority,
    as_priority,
    check_deadline,
    deadline,
    deadlines,
    forget_places,
)
from resilience._lease import Lease, LeaseLapsedError, carry_waking
from resilience._marks import mark, marked
from resilience._rules import fail
from resilience._site import BaseLayer, parameters_of
from resilience.classify import classify
from resilience.errors import NoKeyAvailableError, RefusedError
from resilience.telemetry.opentelemetry import annotate, is_tracing

if TYPE_CHECKING:
    from resilience._key_pool import KeyPool
    from resilience._site import Site
    from resilience.telemetry.statistics import CallStatistics

__all__ = ["PoolLayer"]


class PoolLayer(BaseLayer):
    """Passes the key of a lease, or with `passes_lease` the lease itself, as one argument.

    `name_of` may name the entry for a call: a function of the call's arguments.
    """

    kind = "key_pool"

    def __init__(
        self,
        pool: KeyPool,
        parameter: str,
        *,
        passes_lease: bool = False,
        name_of: Callable[..., str | None] | None = None,
    ) -> None:
        self.pool = pool
        self._parameter = parameter
        self._passes_lease = passes_lease
        self._name_of = name_of

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` with a key for each attempt."""
        pool, streams, parameter = self.pool, site.streams, self._parameter
        position, reads_priority = _position(parameter, site.function), _reads_priority(site)

        def call(*args: Any, **kwargs: Any) -> Any:
            if parameter in kwargs or len(args) > position:
                return inner(*args, **kwargs)
            if deadlines.in_use:
                check_deadline(site.name)
            tier = _tier_of(kwargs) if reads_priority and "priority" in kwargs else None
            round_ = Round(pool, self._entry_for(args, kwargs), tier, site)
            while True:
                try:
                    lease = pool.take(**round_.request())
                except RefusedError as refusal:
                    round_.give_up(refusal)
                    raise
                kwargs[parameter] = lease
                try:
                    result = inner(*args, **kwargs)
                    if streams:
                        result.on_end(lease.finish)
                    else:
                        lease.finish(None)
                except BaseException as error:  # a Ctrl-C just after the success as well
                    if not round_.goes_on(lease, error):
                        raise
                    continue
                if round_.has_moved:
                    round_.end()
                    forget_places()
                return result

        return call

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return the coroutine function `inner` with keys; as `sync`, but for `await`."""
        pool, streams, parameter = self.pool, site.streams, self._parameter
        position, reads_priority = _position(parameter, site.function), _reads_priority(site)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if parameter in kwargs or len(args) > position:
                return await inner(*args, **kwargs)
            if deadlines.in_use:
                check_deadline(site.name)
            tier = _tier_of(kwargs) if reads_priority and "priority" in kwargs else None
            round_ = Round(pool, self._entry_for(args, kwargs), tier, site)
            while True:
                try:
                    lease = await pool.take_async(**round_.request())
                except RefusedError as refusal:
                    round_.give_up(refusal)
                    raise
                kwargs[parameter] = lease
                try:
                    result = await inner(*args, **kwargs)
                    if streams:
                        result.on_end(lease.finish)
                    else:
                        lease.finish(None)
                except BaseException as error:  # a Ctrl-C just after the success as well
                    if not round_.goes_on(lease, error):
                        raise
                    continue
                if round_.has_moved:
                    round_.end()
                    forget_places()
                return result

        return call

    def innermost(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Put the key in the place of the lease, if its entry does not rest by now.

        The call may have waited for a permit since the lease; so the key is looked at once more
        when nothing is left to wait for, and no layer in between ever sees it.
        """
        parameter, passes_lease = self._parameter, self._passes_lease

        def call(*args: Any, **kwargs: Any) -> Any:
            lease = kwargs.get(parameter)
            if type(lease) is Lease:
                lease.send()
                kwargs[parameter] = lease if passes_lease else lease.key
                if is_tracing():
                    annotate(resilience__key__name=lease.name)
            return function(*args, **kwargs)

        return call

    def _entry_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        return None if self._name_of is None else self._name_of(*args, **kwargs)

    def serves(self, function: Any, statistics: CallStatistics | None) -> None:
        """Tell the pool, and what its entries have, whose metrics they follow."""
        self.pool.users.add(function, statistics)

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the pool."""
        return {"key_pool": self.pool}

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        return {"pool": self.pool, "entries": self.pool.snapshots()}

    @property
    def enabled(self) -> bool:
        """Whether it works, or has been turned off for everybody."""
        return self.pool.enabled

    def explain(self) -> str:
        """Return the layer with its settings."""
        return f"key_pool: {self.pool.explain()}"


class Round:
    """One attempt's walk through the entries: each is tried at most once.

    Attributes:
        has_moved: Whether it has gone on from one entry to another.
    """

    __slots__ = ("_error", "_name", "_pool", "_site", "_tier", "_tried", "has_moved")

    def __init__(self, pool: KeyPool, name: str | None, tier: Priority | None, site: Site) -> None:
        self._pool = pool
        self._name = name
        self._site = site
        self._tier = tier
        self._tried: set[str] = set()
        self._error: Exception | None = None
        self.has_moved = False

    def request(self) -> dict[str, Any]:
        """Return what to ask of the pool; only the first request of a round may wait."""
        wait = False if self._tried else None
        return {"name": self._name, "tier": self._tier, "tried": self._tried, "wait": wait}

    def goes_on(self, lease: Lease, error: BaseException) -> bool:
        """End the lease; return whether another key may help, and keep the error if so."""
        try:
            lease.finish(error)
        except BaseException:  # a listener that ends the program
            self.end()
            forget_places()
            raise
        if isinstance(error, LeaseLapsedError):  # nothing was sent
            self.has_moved = True
            return True
        helps = not lease.is_free and classify(error).kind in ("rate_limit", "key")
        if not helps or not isinstance(error, Exception) or deadline.remaining() == 0:
            self.end()
            if not isinstance(error, Exception):
                forget_places()  # a retry further out does not see a cancellation
            elif lease.passage is not None and lease.passage.has_circuit:
                self._tell_retry(error)
            return False
        self._count_error()
        self._tried.add(lease.name)
        self._error = error
        self.has_moved = True
        return True

    def _tell_retry(self, error: Exception) -> None:
        """Write on the error for how long all circuits are open: no retry sleeps towards that."""
        open_for = self._pool.open_for(self._tier, self._name)
        if open_for is not None or marked(error, "circuit_open_for") is not None:
            mark(error, "circuit_open_for", open_for)

    def give_up(self, refusal: RefusedError) -> None:
        """Raise the last real error of this round, with the earliest waking; return without one."""
        error, self._error = self._error, None
        self.end()
        if error is None:
            return
        if isinstance(refusal, NoKeyAvailableError):
            carry_waking(error, *self._pool.waking(self._tier, self._name))
        context = error.__context__
        try:
            raise error
        finally:
            error.__context__ = context  # what it was raised in, not the refusal that ends this

    def end(self) -> None:
        """Let go of what the round has kept: an error, which holds the frame that holds this."""
        self._count_error()
        self._error = None
        if "retry" not in self._site.outside:
            forget_places()

    def _count_error(self) -> None:
        """Count an error that nobody further out will see: another entry was tried after it."""
        if self._error is not None and self._site.statistics is not None:
            self._site.statistics.attempt_failed(self._error, retried=False)


def _position(parameter: str, function: Callable[..., Any]) -> int:
    """Return how many positional arguments come before the one that gets the key.

    Raises:
        SettingsError: if the function does not take it.
    """
    parameters = parameters_of(function)
    if parameters is None:
        return sys.maxsize
    found = parameters.get(parameter)
    if found is not None and found.kind is found.POSITIONAL_OR_KEYWORD:
        return list(parameters).index(parameter)
    kinds = [each.kind for each in parameters.values()]
    is_taken = found.kind is found.KEYWORD_ONLY if found else Parameter.VAR_KEYWORD in kinds
    if not is_taken:
        name = getattr(function, "__qualname__", None) or repr(function)
        rule = f"must be one that {name} takes by name (inject() chooses another one)"
        fail("parameter", rule, parameter)
    return sys.maxsize


def _reads_priority(site: Site) -> bool:
    """Return whether `priority=` of a call is meant for a queue within, not for the function."""
    return "prioritized" in site.inside and "priority" not in (parameters_of(site.function) or ())


def _tier_of(kwargs: dict[str, Any]) -> Priority | None:
    value = kwargs["priority"]
    return None if value is None else as_priority(value)
