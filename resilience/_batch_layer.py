"""The layer that `@batched` adds, and its handles."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from resilience._batch_calls import AsyncCalls, SyncCalls
from resilience._batch_collector import Collector
from resilience._batch_drivers import drive_async, drive_sync
from resilience._batch_key import Arguments
from resilience._batch_options import BatchOptions
from resilience._coroutine_jobs import CoroutineJob
from resilience._future import SubmittedFuture
from resilience._jobs import Job, Submitter
from resilience._prioritized import QueueLayer
from resilience._queue import PriorityQueue
from resilience._rules import fail
from resilience._site import BaseLayer, Common
from resilience.telemetry.calls import Recorder

if TYPE_CHECKING:
    from resilience._batcher import Batcher
    from resilience._site import Site
    from resilience.telemetry.statistics import CallStatistics

__all__ = ["BatchLayer"]

C = TypeVar("C", SyncCalls, AsyncCalls)

_NO_LIMIT = 2**62  # of batches that wait for one of `max_concurrent_batches`

_collectors: weakref.WeakSet[Collector] = weakref.WeakSet()


class BatchLayer(BaseLayer):
    """What stands inside of it runs once for each batch, with the list.

    Attributes:
        batcher: The object that the user gets, once that has been made.
        calls: The ways into a batch; there once the layer stands somewhere.
        call: The whole stack, for one item.
        handle: The other handles, by name.
    """

    kind = "batched"
    records = True
    submits = True

    batcher: Batcher
    calls: SyncCalls | AsyncCalls
    call: Callable[..., Any]
    handle: dict[str, Callable[..., Any]]

    def __init__(self, options: BatchOptions, common: Common) -> None:
        self.options = options
        self.name = common.name
        self.metrics_enabled = common.metrics_enabled
        self._within: tuple[str, ...] = ()
        self._queue: PriorityQueue | None = None

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return a function of one item; `inner` gets lists."""
        self.calls = self._calls(SyncCalls, inner, site)
        return drive_sync(self.calls, site)

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return a coroutine function of one item; `inner` gets lists."""
        self.calls = self._calls(AsyncCalls, inner, site)
        return drive_async(self.calls, site)

    def _calls(self, kind: type[C], inner: Callable[..., Any], site: Site) -> C:
        if site.streams:
            rule = "must return a list with a result for each item, which a generator does not"
            fail("function", rule, site.function)
        arguments = Arguments(site.function, self.options.key)
        limited = self._limited(inner, site)
        queues = "prioritized" in site.inside or limited is not inner
        self._within = site.outside
        statistics = site.statistics
        recorder = None if statistics is None else Recorder(site, statistics)
        counts = not site.outside
        collector = Collector(
            site.name,
            self.options,
            (limited, inner),
            is_async=site.is_async,
            statistics=statistics,
            counter=recorder if counts else None,
        )
        _collectors.add(collector)
        return kind(
            collector,
            arguments,
            recorder,
            counts=counts,
            takes_priority=queues and not arguments.takes_priority,
        )

    def _limited(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` under a permit, where few batches may run at once."""
        limit = self.options.max_concurrent_batches
        if limit is None:
            return inner
        queue = PriorityQueue(
            max_concurrent_requests=limit, queue_size=_NO_LIMIT, name=f"batches of {site.name}"
        )
        self._queue = queue
        layer, here = QueueLayer(queue, None, Common()), replace(site, outside=())
        return (layer.asynchronous if site.is_async else layer.sync)(inner, here)

    def serves(self, function: Any, statistics: CallStatistics | None) -> None:
        """Tell the queue in which batches wait whose metrics it follows."""
        if self._queue is not None:
            self._queue.users.add(function, statistics)

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the batcher and, as functions that a method binds, its ways in."""
        self.call = call
        calls, enter = self.calls, self._through(call) if self._within else self.calls.submit

        def submit(*args: Any, **kwargs: Any) -> SubmittedFuture[Any]:
            return enter(*args, **kwargs)

        def map(*args: Any, **kwargs: Any) -> Any:  # noqa: A001 - as Executor.map
            return calls.map(*args, **kwargs)

        def flush() -> Any:
            return calls.flush()

        submit.binds = map.binds = True  # type: ignore[attr-defined] # a method's get its instance
        self.handle = {"submit": submit, "map": map, "flush": flush}
        return {"batcher": self.batcher, **self.handle}

    def _through(self, call: Callable[..., Any]) -> Callable[..., SubmittedFuture[Any]]:
        """Return a `submit` through layers that stand around this one; each call has a thread."""
        queue = PriorityQueue(queue_enabled=False, name=self.calls.collector.name)
        job_type = CoroutineJob if isinstance(self.calls, AsyncCalls) else Job
        submitter = Submitter(queue, call)

        def submit(*args: Any, **kwargs: Any) -> SubmittedFuture[Any]:
            job = job_type(submitter, args, kwargs)
            queue.enqueue(job, None)
            return job

        return submit

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        return {"batch_waiting": self.calls.collector.waiting}

    def explain(self) -> str:
        """Return the layer with its settings."""
        options = self.options
        text = f"batched: max_batch_size={options.max_batch_size}"
        text += f", batch_timeout={options.batch_timeout:g} s, on_error={options.on_error}"
        if options.max_concurrent_batches is not None:
            text += f", max_concurrent_batches={options.max_concurrent_batches}"
        return text

    @property
    def enabled(self) -> bool:
        """Whether it works, or has been turned off for everybody."""
        return self.calls.collector.switch.enabled


@atexit.register
def _flush_all() -> None:
    """Run what was submitted and still waits for company; the workers' own exit waits for it."""
    for collector in list(_collectors):
        with collector.all_taken(loops=False) as batches:
            for batch in batches:
                batch.start()
