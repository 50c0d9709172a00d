"""The engine: brings rows to the client and results to the journal, as many at once as is good.

One event loop, so that nothing needs a lock. A row is in memory from when its call begins until
its result is written: what a killed run repeats is what was under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any

from adapters.bulk._concurrency import Concurrency
from adapters.bulk._journal import Journal
from adapters.bulk._lines import error_line, result_line
from adapters.bulk._meter import Meter
from adapters.bulk._records import Ending, Progress
from adapters.bulk._requests import Requests
from adapters.bulk._rows import Row
from adapters.bulk._trouble import Halt, Trouble, is_throttling
from resilience import _clock
from resilience.classify import classify
from resilience.telemetry.events import (
    Event,
    KeyRested,
    RetryScheduled,
    subscribe,
    unsubscribe,
)

__all__ = ["Engine"]

_BREATH = 1_000  # rows to skip before the loop may do something else
_TICK = 0.5  # seconds between two looks at the progress
_SYNC = 10  # ticks between two syncs of the journal
_GRACE = 10.0  # seconds that calls may still take after an interruption


class _Turn:
    """A row whose call is under way; `epoch` is that in which its latest attempt began."""

    __slots__ = ("engine", "epoch")

    def __init__(self, engine: Engine, epoch: int) -> None:
        self.engine = engine
        self.epoch = epoch


_turn: ContextVar[_Turn | None] = ContextVar("adapters.bulk.turn", default=None)


class Engine:
    """One run.

    Args:
        client: An `AsyncClient`, which is no one else's.
        requests: How a row becomes a call.
        journal: Where the results go.
        control: How many calls may be under way.
        total: How many rows there are, or None.
        patience: Seconds without any answer after which the run is stopped.
        on_progress: Gets a `Progress` twice a second, and at the end.
    """

    def __init__(
        self,
        client: Any,
        requests: Requests,
        journal: Journal,
        control: Concurrency,
        *,
        total: int | None,
        patience: float,
        on_progress: Callable[[Progress], object] | None = None,
    ) -> None:
        self._client = client
        self._call = getattr(client, requests.name)
        self._requests = requests
        self._journal = journal
        self._control = control
        self.meter = Meter(journal.totals, total)
        self._trouble = Trouble(client, patience, _clock.now)
        self._on_progress = on_progress
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._resumes_at = _clock.now()
        self._abandon = self._is_over = False
        self._lacks = False  # whether a row was left without a result
        self._grace: _clock.Handle | None = None
        self.ending: Ending = "complete"
        self.reason = ""
        self._crash: BaseException | None = None

    async def run(self, rows: Iterable[Row]) -> None:
        """Ask for every row that has no result yet; returns when all is written, or at an end.

        Raises:
            OSError: if the journal cannot be written.
            Exception: what `on_progress` or the rows raise.
        """
        subscribe(self._listen, KeyRested, RetryScheduled)
        ticker = asyncio.create_task(self._tick())
        ticker.add_done_callback(self._ended)
        try:
            self._control_queue()
            await self._feed(rows)
            while self._tasks and not self._abandon:
                await self._change()
            if self.ending == "interrupted" and not (self._tasks or self._lacks):
                self.ending = "complete"  # it came too late
        finally:
            unsubscribe(self._listen)
            await self._clean_up([ticker, *self._tasks])
        if self._crash is not None:
            raise self._crash
        self._tell()

    def stop(self) -> None:
        """Begin nothing more; what is under way may end, unless this is said twice. In the loop."""
        if self._is_over:
            return
        if self._grace is None:
            self._end("interrupted", "")
            self._grace = _clock.call_later(asyncio.get_running_loop(), _GRACE, self._give_up)
        else:
            self._give_up()

    async def _clean_up(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._grace is not None:
            self._grace.cancel()
        self._is_over = True

    async def _feed(self, rows: Iterable[Row]) -> None:
        skipped = 0
        for row in rows:
            if not self._journal.needs(row.number):
                skipped += 1
                if skipped % _BREATH == 0:
                    await asyncio.sleep(0)
                continue
            while not self._may_begin():
                await self._change()
            if self.ending != "complete":
                self._lacks = True
                return
            task = asyncio.create_task(self._answer(row))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _may_begin(self) -> bool:
        if self.ending != "complete":
            return True
        return len(self._tasks) < self._control.limit and _clock.now() >= self._resumes_at

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._changed.set()
        self._lacks |= task.cancelled()
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Halt):
            self._end("stopped", str(error))
            self._give_up()
        elif error is not None:
            self._crash = self._crash or error
            self._end("stopped", "")
            self._give_up()

    def _end(self, ending: Ending, reason: str) -> None:
        if self.ending == "complete":
            self.ending, self.reason = ending, reason
        self._changed.set()

    def _give_up(self) -> None:
        self._abandon = True
        self._changed.set()

    async def _answer(self, row: Row) -> None:
        """Bring one row to its result."""
        turn, comebacks, sent = _Turn(self, self._control.epoch), 0, 0
        _turn.set(turn)
        identity = self._requests.identity(row)
        while True:
            try:
                result = await self._call(**self._requests.arguments(row))
                sent += result.attempts
                line = result_line(row.number, identity, result, attempts=sent)
            except Exception as error:  # noqa: BLE001 - every error is a result, or is waited out
                sent += getattr(error, "attempts", 0)
                if is_throttling(error):
                    self._throttle(turn)
                wait = self._trouble.wait(error, comebacks)
                if wait is None:
                    line = error_line(row.number, identity, error, attempts=sent)
                    break
                comebacks += classify(error).kind == "transient"
                await self._pause(wait)
                turn.epoch = self._control.epoch
            else:
                self._trouble.answered()
                self._control.succeeded(len(self._tasks))
                self._control_queue()
                break
        self.meter.count(sent)
        self._journal.add(*line)

    async def _pause(self, seconds: float) -> None:
        """Wait, and let nobody begin meanwhile."""
        if self.ending != "complete":
            raise asyncio.CancelledError
        self._resumes_at = max(self._resumes_at, _clock.now() + seconds)
        await _clock.sleep_async(seconds)
        self._changed.set()

    def _listen(self, event: Event) -> None:
        """Hear of what happens to the calls of this run, and to no others."""
        turn = _turn.get()
        if turn is None or turn.engine is not self:
            return
        if isinstance(event, KeyRested):
            if event.reason == "rate_limit":
                self._throttle(turn)
        elif isinstance(event, RetryScheduled):
            if is_throttling(event.exception):
                self._throttle(turn)
            turn.epoch = self._control.epoch  # that of the attempt that follows

    def _throttle(self, turn: _Turn) -> None:
        before = self._control.epoch
        if self._control.throttled(turn.epoch) != before:
            self.meter.throttled += 1
            self._control_queue()

    def _control_queue(self) -> None:
        """Let no more attempts run than calls, those of rows that began under another limit."""
        queue = self._client.queue
        if queue.max_concurrent_requests != self._control.limit:
            queue.resize(max_concurrent_requests=self._control.limit)

    async def _tick(self) -> None:
        ticks = 0
        while True:
            await _clock.sleep_async(_TICK)
            ticks += 1
            self.meter.look()
            self._tell()
            if ticks % _SYNC == 0:
                await asyncio.to_thread(self._journal.sync)

    def _tell(self) -> None:
        if self._on_progress is not None:
            progress = self.meter.progress(
                active=len(self._tasks), limit=self._control.limit, resumes_at=self._resumes_at
            )
            self._on_progress(progress)
