"""`@prioritized`: a limit on how many run, and a fair, bounded line for the others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, overload

from resilience._coroutine_jobs import CoroutineJob
from resilience._jobs import Job, Submitter
from resilience._queue import PriorityQueue
from resilience._queue_calls import (
    TakePriority,
    priority_taker,
    stream_under_permit,
    stream_under_permit_async,
    under_permit,
    under_permit_async,
)
from resilience._rules import fail
from resilience._site import BaseLayer, Common
from resilience._wrapper import decorate

if TYPE_CHECKING:
    from resilience._future import SubmittedFuture
    from resilience._prioritized_types import (
        Prioritized,
        PrioritizedDecorator,
        PrioritizedOfClass,
    )
    from resilience._site import Site
    from resilience.telemetry.statistics import CallStatistics

__all__ = ["QueueLayer", "prioritized"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@overload
def prioritized(
    function: Callable[Concatenate[type[T], P], R], /
) -> PrioritizedOfClass[type[T], P, R]: ...


@overload
def prioritized(function: Callable[P, R], /) -> Prioritized[P, R]: ...


@overload
def prioritized(
    queue: PriorityQueue, /, *, executor: Executor | None = None, metrics_enabled: bool = True
) -> PrioritizedDecorator: ...


@overload
def prioritized(
    *,
    max_concurrent_requests: int = 5,
    queue_size: int = 100,
    aging: float | None = None,
    queue_timeout: float | None = None,
    queue_enabled: bool = True,
    executor: Executor | None = None,
    metrics_enabled: bool = True,
    name: str | None = None,
) -> PrioritizedDecorator: ...


def prioritized(target: Any = None, /, **settings: Any) -> Any:
    """Let at most `max_concurrent_requests` calls run; the others wait by priority.

    Used bare, with settings, or with a `PriorityQueue` to share; the settings are those of
    `PriorityQueue`. The object is `fn.queue`.
    A call runs in its caller's thread or task once it has a permit. Its priority is `priority=`
    of the call (unless the function has a parameter of that name), else that of the surrounding
    `with priority(...)`, else NORMAL.
    `fn.submit(*args, **kwargs)` returns a `concurrent.futures.Future` at once and runs in a
    worker thread, of which there are at most `max_concurrent_requests`; a coroutine function runs
    as a task of the loop that submits it. Thread-safe.

    Args:
        target: The function, or a `PriorityQueue` that several functions share.
        executor: Runs what is submitted, instead of threads made on demand.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule; at decoration.
    """
    shared = target if isinstance(target, PriorityQueue) else None
    common = Common.take(settings)
    executor = settings.pop("executor", None)
    if executor is not None and not isinstance(executor, Executor):
        fail("executor", "must be a concurrent.futures.Executor, or None", executor)
    if shared is not None and (settings or common.name):
        fail("prioritized", "takes no settings beside a PriorityQueue, which has its own", shared)
    PriorityQueue(**settings)  # a mistake shows here, at the line of the decorator

    def make_layer(name: str) -> QueueLayer:
        queue = shared or PriorityQueue(name=common.name or name, **settings)
        return QueueLayer(queue, executor, common)

    def decorator(function: Any) -> Any:
        return decorate(function, make_layer)

    return decorator if target is None or shared is not None else decorator(target)


class QueueLayer(BaseLayer):
    """The layer that `@prioritized` adds."""

    kind = "prioritized"
    submits = True

    def __init__(self, queue: PriorityQueue, executor: Executor | None, common: Common) -> None:
        self.queue = queue
        self._executor = executor
        self._job_type = Job
        self._keeps_permit = False
        self._take_priority: TakePriority
        self.name = common.name
        self.metrics_enabled = common.metrics_enabled

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` under a permit."""
        self._take_priority = priority_taker(site.function)
        self._keeps_permit = not site.repeats
        driver = stream_under_permit if site.streams else under_permit
        return driver(self.queue, inner, site, self._take_priority)

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return the coroutine function `inner` under a permit."""
        self._take_priority = priority_taker(site.function)
        self._keeps_permit = not site.repeats
        self._job_type = Job if site.streams else CoroutineJob
        driver = stream_under_permit_async if site.streams else under_permit_async
        return driver(self.queue, inner, site, self._take_priority)

    def serves(self, function: Any, statistics: CallStatistics | None) -> None:
        """Tell the queue whose metrics it follows."""
        self.queue.users.add(function, statistics)

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the queue and `submit`."""
        submitter = Submitter(self.queue, call, self._executor, keeps_permit=self._keeps_permit)
        enqueue, job_type, take_priority = self.queue.enqueue, self._job_type, self._take_priority

        def submit(*args: Any, **kwargs: Any) -> SubmittedFuture[Any]:
            # Taken from a copy: it stays there, for retries.
            tier = take_priority(dict(kwargs)) if "priority" in kwargs else None
            job = job_type(submitter, args, kwargs)
            enqueue(job, tier)
            return job

        submit.binds = True  # type: ignore[attr-defined] # a method's submit gets its instance
        return {"queue": self.queue, "submit": submit}

    @property
    def enabled(self) -> bool:
        """Whether it works, or has been turned off for everybody."""
        return self.queue.enabled

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        return self.queue.live()

    def explain(self) -> str:
        """Return the layer with its settings."""
        queue = self.queue
        limits = f"max_concurrent_requests={queue.max_concurrent_requests}"
        text = f"prioritized: {limits}, queue_size={queue.queue_size}"
        others = {"queue_timeout": queue.queue_timeout, "aging": queue.aging}
        given = (f", {name}={value:g} s" for name, value in others.items() if value is not None)
        return text + "".join(given)
