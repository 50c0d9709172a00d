"""`@circuit_breaker`: fail fast while a service is down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, overload

from resilience import _clock
from resilience._circuit_breaker import CircuitBreaker
from resilience._context import check_deadline, deadlines
from resilience._keyed_breakers import KeyedBreakers
from resilience._lease import counts_elsewhere
from resilience._marks import mark, marked
from resilience._retry_options import On
from resilience._rules import check, fail
from resilience._site import BaseLayer, Common
from resilience._switches import is_off
from resilience._wrapper import decorate
from resilience.telemetry._totals import GRAVEST_FIRST

if TYPE_CHECKING:
    from resilience._site import Site
    from resilience.telemetry.events import Transition
    from resilience.telemetry.statistics import CallStatistics

__all__ = ["BreakerLayer", "circuit_breaker"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def circuit_breaker(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def circuit_breaker(
    breaker: CircuitBreaker, /, *, metrics_enabled: bool = True
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


@overload
def circuit_breaker(
    *,
    failure_threshold: int | None = 5,
    reset_timeout: float = 30.0,
    half_open_max_calls: int = 1,
    success_threshold: int = 1,
    failure_rate: float | None = None,
    minimum_calls: int = 10,
    window: int | timedelta = 100,
    slow_call_duration: float | None = None,
    slow_call_rate: float | None = None,
    max_reset_timeout: float | None = None,
    counts: On = None,
    key: Callable[..., Any] | None = None,
    on_transition: Callable[[Transition], object] | None = None,
    metrics_enabled: bool = True,
    name: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def circuit_breaker(target: Any = None, /, **settings: Any) -> Any:
    """Refuse calls with `CircuitOpenError` while the service behind the function is down.

    Used bare, with settings, or with a `CircuitBreaker` to share; the settings are those of
    `CircuitBreaker`.
    The object is `fn.circuit_breaker`. Thread-safe.

    Args:
        target: The function, or a `CircuitBreaker` that several functions share.
        key: A function of the call's arguments: one breaker for each value that it returns, at
            most 1,000 of them (the longest unused is forgotten), in the read-only mapping
            `fn.circuit_breakers`. What it raises is raised to the caller. `fn.circuit_breaker`
            then stands above them: opened or disabled by hand, it holds for every key.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule; at decoration.
    """
    shared = target if isinstance(target, CircuitBreaker) else None
    common = Common.take(settings)
    key = settings.pop("key", None)
    check("key", key)
    if shared is not None and (settings or key or common.name):
        fail(
            "circuit_breaker",
            "takes no settings beside a CircuitBreaker, which has its own",
            shared,
        )
    CircuitBreaker(**settings)  # a mistake shows here, at the line of the decorator

    def make_layer(name: str) -> BreakerLayer:
        def make(suffix: str) -> CircuitBreaker:
            return CircuitBreaker(name=(common.name or name) + suffix, **settings)

        return BreakerLayer(make, key, common, shared)

    def decorator(function: Any) -> Any:
        return decorate(function, make_layer)

    return decorator if target is None or shared is not None else decorator(target)


class BreakerLayer(BaseLayer):
    """The layer that `@circuit_breaker` adds."""

    kind = "circuit_breaker"
    __slots__ = ("_key", "breaker", "breakers", "metrics_enabled", "name")

    def __init__(
        self,
        make: Callable[[str], CircuitBreaker],
        key: Callable[..., Any] | None,
        common: Common,
        shared: CircuitBreaker | None = None,
    ) -> None:
        self._key = key
        self.breaker = shared or make("")
        self.breakers = KeyedBreakers(make, self.breaker.users) if key is not None else None
        self.name = common.name
        self.metrics_enabled = common.metrics_enabled

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` behind the breaker, or behind one for each key."""
        if self._key is None:
            return _sync(self.breaker, inner, site)
        choose = self._choose(_sync, inner, site)

        def call(*args: Any, **kwargs: Any) -> Any:
            return choose(args, kwargs)(*args, **kwargs)

        return call

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return the coroutine function `inner` behind the breaker, or one for each key."""
        if self._key is None:
            return _async(self.breaker, inner, site)
        choose = self._choose(_async, inner, site)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await choose(args, kwargs)(*args, **kwargs)

        return call

    def _choose(self, driver: Any, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        key, breakers, over_all = self._key, self.breakers, self.breaker

        def choose(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            assert key is not None and breakers is not None  # noqa: S101, PT018 - for the checker
            if not over_all.machine.closed or is_off("circuit_breaker"):
                return driver(over_all, inner, site)
            return driver(breakers.get_or_make(key(*args, **kwargs)), inner, site)

        return choose

    @property
    def asks_outcome_only(self) -> bool:
        """Whether it asks of a call, and of its arguments, nothing beside its outcome."""
        return self._key is None and self.breaker.slow_from is None

    def failed(self, permit: int, error: BaseException) -> None:
        """Count a failure, and tell the retry around it how long the circuit is open."""
        self.breaker.record(permit, error)
        _tell_retry(error, self.breaker)

    def serves(self, function: Any, statistics: CallStatistics | None) -> None:
        """Tell the breaker, and those that `key=` makes, whose metrics they follow."""
        self.breaker.users.add(function, statistics)

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the breaker, and the mapping of those that `key=` made."""
        breakers = _NONE if self.breakers is None else self.breakers
        return {"circuit_breaker": self.breaker, "circuit_breakers": breakers}

    @property
    def enabled(self) -> bool:
        """Whether it works, or has been turned off for everybody."""
        return self.breaker.enabled

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now: the gravest state of all keys."""
        breakers = (self.breaker, *(self.breakers or _NONE).values())
        states = {breaker.state for breaker in breakers}
        gravest = next(state for state in GRAVEST_FIRST if state in states)
        return {"circuit_state": gravest, "circuits": [breaker.name for breaker in breakers]}

    def explain(self) -> str:
        """Return the layer with its settings."""
        per_key = ", one for each key" if self._key else ""
        return f"circuit_breaker: {self.breaker.explain()}{per_key}"


class _Special(NamedTuple):
    """What is asked of a call beside its outcome; most breakers ask nothing, and have none."""

    streams: bool
    timed: bool
    leases: bool

    def begin(self, kwargs: dict[str, Any]) -> tuple[float | None, bool]:
        """Return when a timed call begins, and whether its failure counts elsewhere."""
        started = _clock.now() if self.timed else None
        return started, self.leases and counts_elsewhere(kwargs)


def _special(breaker: CircuitBreaker, site: Site) -> _Special | None:
    special = _Special(site.streams, breaker.slow_from is not None, "key_pool" in site.outside)
    return special if any(special) else None


def _sync(breaker: CircuitBreaker, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """Return `inner` behind one breaker; while it is closed and well, no lock is taken."""
    machine, name, tells = breaker.machine, site.name, "retry" in site.outside
    special = _special(breaker, site)

    def call(*args: Any, **kwargs: Any) -> Any:
        if deadlines.in_use:
            check_deadline(name)
            if is_off("circuit_breaker"):
                return inner(*args, **kwargs)
        if machine.closed:
            permit = machine.permit
        elif seconds := breaker.open_for():
            raise breaker.refusal(seconds)
        else:
            permit = breaker.admit()
        started, elsewhere = special.begin(kwargs) if special else (None, False)
        try:
            result = inner(*args, **kwargs) if kwargs else inner(*args)
        except BaseException as error:
            breaker.record(permit, error, started, elsewhere=elsewhere)
            if tells and not elsewhere:
                _tell_retry(error, breaker)
            raise
        if special and special.streams:
            record = partial(breaker.record, permit, started=started, elsewhere=elsewhere)
            result.on_end(record)
        elif not machine.calm:
            breaker.record(permit, None, started)
        return result

    return call


def _tell_retry(error: BaseException, breaker: CircuitBreaker) -> None:
    """Write on the error how long the circuit is open: a retry need not sleep towards that."""
    open_for = None if breaker.machine.closed else breaker.retry_after
    if open_for is not None or marked(error, "circuit_open_for") is not None:
        mark(error, "circuit_open_for", open_for)


def _async(breaker: CircuitBreaker, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
    """Return the coroutine function `inner` behind one breaker; as `_sync`, but for `await`."""
    machine, name, tells = breaker.machine, site.name, "retry" in site.outside
    special = _special(breaker, site)

    async def call(*args: Any, **kwargs: Any) -> Any:
        if deadlines.in_use:
            check_deadline(name)
            if is_off("circuit_breaker"):
                return await inner(*args, **kwargs)
        if machine.closed:
            permit = machine.permit
        elif seconds := breaker.open_for():
            raise breaker.refusal(seconds)
        else:
            permit = breaker.admit()
        started, elsewhere = special.begin(kwargs) if special else (None, False)
        try:
            result = await (inner(*args, **kwargs) if kwargs else inner(*args))
        except BaseException as error:
            breaker.record(permit, error, started, elsewhere=elsewhere)
            if tells and not elsewhere:
                _tell_retry(error, breaker)
            raise
        if special and special.streams:
            record = partial(breaker.record, permit, started=started, elsewhere=elsewhere)
            result.on_end(record)
        elif not machine.calm:
            breaker.record(permit, None, started)
        return result

    return call


_NONE: Mapping[Any, CircuitBreaker] = MappingProxyType({})
