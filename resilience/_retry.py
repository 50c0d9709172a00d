"""`@retry`: call again what failed and may succeed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from resilience import _clock
from resilience._context import check_deadline, deadlines, forget_places
from resilience._giving_up import current_epoch
from resilience._hooks import finish_guarded
from resilience._recovery import Recovery, Terms
from resilience._retry_options import On, RetryOptions
from resilience._site import BaseLayer, Common
from resilience._switches import Switch
from resilience._waiters import running_loop
from resilience._warnings import warn
from resilience._wrapper import decorate

if TYPE_CHECKING:
    from resilience._budget import RetryBudget
    from resilience._site import Site
    from resilience.telemetry.events import RetryScheduled

__all__ = ["RetryLayer", "retry"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def retry(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def retry(
    *,
    max_retries: int = 5,
    initial_retry_delay: float = 1.0,
    backoff_factor: float = 2.0,
    max_retry_delay: float = 60.0,
    jitter: float = 0.5,
    on: On = None,
    retry_result: Callable[[Any], bool] | None = None,
    max_elapsed: float | None = None,
    budget: RetryBudget | None = None,
    before_retry: Callable[[RetryScheduled], object] | None = None,
    retry_nested: bool = False,
    metrics_enabled: bool = True,
    name: str | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def retry(function: Callable[..., Any] | None = None, /, **settings: Any) -> Any:
    """Call the function again when it fails in a way that may pass.

    The delay before retry n is `initial_retry_delay · backoff_factor^(n-1)`, at most
    `max_retry_delay`, less a random part of up to `jitter`.
    A server's hint (Retry-After and the like) replaces it where it is longer, and is never
    undercut; a hint that is longer than `max_retry_delay`, or that would pass the deadline, ends
    the call at once.
    Serves functions, coroutine functions, generators and async generators (the last two until
    their first item), methods, class and static methods. Thread-safe.

    Args:
        function: The function, where the decorator is used bare.
        max_retries: Retries after the first attempt (5); 0 turns retrying off.
        initial_retry_delay: Seconds before the first retry (1).
        backoff_factor: Each delay is the previous one times this (2).
        max_retry_delay: The longest delay in seconds (60).
        jitter: The random part of a delay, 0 to 1 (0.5).
        on: Exception types, or a predicate, that say what is retried. Default: every `Exception`
            unless it says that it is permanent (`resilience.classify`).
        retry_result: A predicate: whether a returned value is to be retried.
        max_elapsed: Seconds after which no retry begins (None: no limit).
        budget: A `RetryBudget`, shared by functions that call one service.
        before_retry: Called before each wait with one `RetryScheduled` record; for coroutine
            functions it may be one itself.
        retry_nested: Whether to repeat what a retry inside has already given up on (False).
        metrics_enabled: Whether calls are counted and timed (True).
        name: The name in statistics, spans, logs and notes (the function's qualified name).

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule; at decoration.

    The last real exception is raised as it is, with a note of how many attempts were made; with
    `retry_result`, the last result is returned.
    """
    common = Common.take(settings)
    options = RetryOptions.of(settings)

    def decorator(function: Callable[..., Any]) -> Any:
        return decorate(function, lambda _: RetryLayer(options, common))

    return decorator if function is None else decorator(function)


class RetryLayer(BaseLayer):
    """The layer that `@retry` adds; beside its switch it keeps nothing between calls."""

    kind = "retry"
    __slots__ = ("_options", "metrics_enabled", "name", "switch")

    def __init__(self, options: RetryOptions, common: Common, switch: Switch | None = None) -> None:
        self._options = options
        self.switch = switch or Switch(self.kind)
        self.name = common.name
        self.metrics_enabled = common.metrics_enabled

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` repeated; a call that succeeds at once asks no machine."""
        options, name = self._options, site.name
        terms, repeat = self.repeating(inner, site)
        begin = self._begin if options.counts_calls else None
        takes_any_result = options.retry_result is None

        def call(*args: Any, **kwargs: Any) -> Any:
            if deadlines.in_use:
                check_deadline(name)
            started = begin() if begin else None
            epoch = current_epoch.value
            try:
                result = inner(*args, **kwargs) if kwargs else inner(*args)
            except Exception as error:  # noqa: BLE001 - the recovery decides
                recovery = Recovery(terms, started, epoch)
                recovery.failed(error)
            except BaseException:
                forget_places()
                raise
            else:
                if takes_any_result:
                    return result
                recovery = Recovery(terms, started, epoch)
                if recovery.accepts(result):
                    return result
            return repeat(recovery, args, kwargs)

        return call

    def repeating(self, inner: Callable[..., Any], site: Site) -> tuple[Terms, Callable[..., Any]]:
        """Return the terms, and what goes on by them after a first attempt that was not enough."""
        options, terms = self._options, Terms(self._options, site, self.switch)
        takes_any_result, has_hook = options.retry_result is None, options.before_retry is not None
        warn_of_sleep = _warner(site.name)

        def repeat(recovery: Recovery, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            stops_loop = running_loop() is not None
            try:
                while recovery.goes_on():
                    if has_hook:
                        recovery.call_hook()
                    if stops_loop:
                        warn_of_sleep(recovery.delay)
                    _clock.sleep(recovery.delay)
                    try:
                        result = inner(*args, **kwargs)
                    except Exception as error:  # noqa: BLE001 - the recovery decides
                        recovery.failed(error)
                    else:
                        if takes_any_result or recovery.accepts(result):
                            return result
                return recovery.last_result
            finally:
                recovery.end()

        return terms, repeat

    def asynchronous(  # noqa: C901 - two closures, counted as one
        self, inner: Callable[..., Any], site: Site
    ) -> Callable[..., Any]:
        """Return the coroutine function `inner` repeated; as `sync`, but for `await`."""
        options, name = self._options, site.name
        terms = Terms(options, site, self.switch)
        begin = self._begin if options.counts_calls else None
        takes_any_result, has_hook = options.retry_result is None, options.before_retry is not None

        async def call(*args: Any, **kwargs: Any) -> Any:
            if deadlines.in_use:
                check_deadline(name)
            started = begin() if begin else None
            epoch = current_epoch.value
            try:
                result = await (inner(*args, **kwargs) if kwargs else inner(*args))
            except Exception as error:  # noqa: BLE001 - the recovery decides
                recovery = Recovery(terms, started, epoch)
                recovery.failed(error)
            except BaseException:
                forget_places()
                raise
            else:
                if takes_any_result:
                    return result
                recovery = Recovery(terms, started, epoch)
                if recovery.accepts(result):
                    return result
            return await repeat(recovery, args, kwargs)

        async def repeat(recovery: Recovery, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            try:
                while recovery.goes_on():
                    if has_hook:
                        await finish_guarded(recovery.call_hook())
                    await _clock.sleep_async(recovery.delay)
                    try:
                        result = await inner(*args, **kwargs)
                    except Exception as error:  # noqa: BLE001 - the recovery decides
                        recovery.failed(error)
                    else:
                        if takes_any_result or recovery.accepts(result):
                            return result
                return recovery.last_result
            finally:
                recovery.end()

        return call

    def _begin(self) -> float:
        """Count the call in the budget and return when it began."""
        if self._options.budget is not None and not self.switch.is_off:
            self._options.budget.call()
        return _clock.now()

    def explain(self) -> str:
        """Return the layer with its settings; those that have no default are named if given."""
        return self._options.explain()

    def mistakes(self) -> list[str]:
        """Return what is surely not meant."""
        return self._options.mistakes()

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the switch."""
        return {"retry": self.switch}

    @property
    def enabled(self) -> bool:
        """Whether it works, or has been turned off for everybody."""
        return self.switch.enabled

    @property
    def rests_on_success(self) -> bool:
        """Whether a call that succeeds at once is none of its business."""
        return not self._options.counts_calls and self._options.retry_result is None

    @property
    def is_on(self) -> bool:
        """Whether it retries at all."""
        return self._options.policy.max_retries > 0 and not self.switch.is_off

    @property
    def is_plain(self) -> bool:
        """Whether it repeats just what every other plain one repeats, so that they never add up."""
        options = self._options
        return options.on is None and options.retry_result is None and not options.retry_nested

    def worst_case(self) -> tuple[int, float, float]:
        """Return the most attempts, and the most seconds of back-off: computed, and with hints."""
        policy, backoff = self._options.policy, self._options.policy.backoff
        computed = backoff.longest(policy.max_retries)
        limit = math.inf if policy.max_elapsed is None else policy.max_elapsed
        longest = policy.max_retries * backoff.maximum
        return policy.max_retries + 1, min(computed, limit), min(longest, limit)


def _warner(name: str) -> Callable[[float], None]:
    """Return what says once that a sleep inside a running event loop stops the whole loop."""
    has_warned = False

    def warn_of_sleep(seconds: float) -> None:
        nonlocal has_warned
        if seconds > 0 and not has_warned:
            has_warned = True
            warn(
                f"{name}: a retry sleeps inside a running event loop and stops all its tasks; "
                "decorate a coroutine function, or call this in a thread",
                RuntimeWarning,
            )

    return warn_of_sleep
