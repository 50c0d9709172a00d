"""The layer that a key pool adds: a key for each attempt, and another one where it fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resilience._context import PLACES, Priority, as_priority, check_deadline, deadlines
from resilience._marks import mark, set_quietly
from resilience.classify import classify
from resilience.errors import NoKeyAvailableError

if TYPE_CHECKING:
    from resilience._key_pool import KeyPool
    from resilience._lease import Lease
    from resilience._site import Site

__all__ = ["PoolLayer"]


class PoolLayer:
    """Passes the key of a lease, or with `passes_lease` the lease itself, as one argument.

    `name_of` may name the entry for a call: a function of the call's arguments.
    """

    kind = "key_pool"
    name = None
    metrics_enabled = True

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

        def call(*args: Any, **kwargs: Any) -> Any:
            if parameter in kwargs:
                return inner(*args, **kwargs)
            if deadlines.in_use:
                check_deadline(site.name)
            round_ = Round(pool, self._entry_for(args, kwargs), kwargs, site)
            while True:
                try:
                    lease = pool.take(**round_.request())
                except NoKeyAvailableError:
                    round_.give_up()
                    raise
                kwargs[parameter] = lease if self._passes_lease else lease.key
                try:
                    result = inner(*args, **kwargs)
                except BaseException as error:
                    lease.finish(error)
                    if not round_.goes_on(lease, error):
                        raise
                    continue
                if streams:
                    result.on_end(lease.finish)
                else:
                    lease.finish(None)
                return result

        return call

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return the coroutine function `inner` with keys; as `sync`, but for `await`."""
        pool, streams, parameter = self.pool, site.streams, self._parameter

        async def call(*args: Any, **kwargs: Any) -> Any:
            if parameter in kwargs:
                return await inner(*args, **kwargs)
            if deadlines.in_use:
                check_deadline(site.name)
            round_ = Round(pool, self._entry_for(args, kwargs), kwargs, site)
            while True:
                try:
                    lease = await pool.take_async(**round_.request())
                except NoKeyAvailableError:
                    round_.give_up()
                    raise
                kwargs[parameter] = lease if self._passes_lease else lease.key
                try:
                    result = await inner(*args, **kwargs)
                except BaseException as error:
                    lease.finish(error)
                    if not round_.goes_on(lease, error):
                        raise
                    continue
                if streams:
                    result.on_end(lease.finish)
                else:
                    lease.finish(None)
                return result

        return call

    def _entry_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        return None if self._name_of is None else self._name_of(*args, **kwargs)

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the pool."""
        return {"key_pool": self.pool}

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        return {"endpoints": self.pool.get_stats()["endpoints"]}

    def explain(self) -> str:
        """Return the layer with its settings."""
        return f"key_pool: {len(self.pool)} entries of {self.pool.name!r}"


class Round:
    """One attempt's walk through the entries: each is tried at most once."""

    __slots__ = ("_clears_places", "_error", "_name", "_pool", "_tier", "_tried")

    def __init__(self, pool: KeyPool, name: str | None, kwargs: dict[str, Any], site: Site) -> None:
        self._pool = pool
        self._name = name
        self._tier = _tier_of(kwargs)
        self._tried: set[str] = set()
        self._error: Exception | None = None
        self._clears_places = "retry" not in site.outside

    def request(self) -> dict[str, Any]:
        """Return what to ask of the pool; only the first request of a round may wait."""
        wait = False if self._tried else None
        return {"name": self._name, "tier": self._tier, "tried": self._tried, "wait": wait}

    def goes_on(self, lease: Lease, error: BaseException) -> bool:
        """Return whether another key may help; the error is kept for when there is none."""
        if not isinstance(error, Exception) or classify(error).kind not in ("rate_limit", "key"):
            self._clear_places()
            return False
        self._tried.add(lease.name)
        self._error = error
        return True

    def give_up(self) -> None:
        """Raise the last real error of this round, with the earliest waking; return without one."""
        self._clear_places()
        error, self._error = self._error, None  # it holds the frame that holds this object
        if error is None:
            return
        waking = self._pool.waking(self._tier, self._name)
        mark(error, "waking", waking)
        if waking is not None:
            set_quietly(error, "retry_after", waking)
        raise error

    def _clear_places(self) -> None:
        if self._clears_places and PLACES.get() is not None:
            PLACES.set(None)


def _tier_of(kwargs: dict[str, Any]) -> Priority | None:
    """Return the priority that the call asks for, where it is one."""
    value = kwargs.get("priority")
    return as_priority(value) if isinstance(value, int | str) and "priority" in kwargs else None
