"""`PriorityQueue`: permits, and whoever waits for one. Its machine is `_core.queue`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Mapping
from functools import partial
from typing import Any, Final

from resilience import _clock, _fork
from resilience._context import Priority, as_priority, lend_permit, place_kept
from resilience._core.queue import QueueMachine
from resilience._core.queue_lines import CallTicket
from resilience._permit import Permit
from resilience._queue_control import QueueControl
from resilience._queue_jobs import QueueJobs
from resilience._rules import check_all
from resilience._waiters import LoopWaiter, ThreadWaiter, Waiter
from resilience._workers import Workers
from resilience.settings import reject_unknown

__all__ = ["PriorityQueue"]


class PriorityQueue(QueueControl, QueueJobs):
    """At most `max_concurrent_requests` run; the others wait by priority, then by arrival.

    A permit that comes free is handed to the next waiter, in O(1) at any length and without
    polling. Threads, coroutines of several event loops and `submit()` share one queue.
    Give one object to all functions that share a limit: `@prioritized(queue)`; or use it alone:
    `with queue.permit():` and `async with queue.permit():`.
    Whoever holds a permit and asks again (the function calls itself, or another one of the same
    queue) goes on under the permit it has; a task that it starts asks for one of its own.

    Args:
        max_concurrent_requests: Permits, at least 1 (5).
        queue_size: How many may wait, at least 0 (100); one more is refused at once.
        aging: Seconds of waiting that lift a waiter by one priority, more than 0 (None: never).
        queue_timeout: The longest wait in seconds, at least 0 (None: no limit).
        queue_enabled: False: everybody passes at once (True).
        name: The name in errors, logs and telemetry.

    Raises:
        SettingsError: for an unknown setting or a value that breaks its rule.
    """

    def __init__(self, **settings: Any) -> None:
        reject_unknown(settings, KNOWN, "PriorityQueue")
        check_all(settings)
        machine = QueueMachine(
            settings.get("max_concurrent_requests", 5),
            settings.get("queue_size", 100),
            settings.get("aging"),
        )
        super().__init__(
            settings.get("name") or "queue",
            machine,
            settings.get("queue_timeout"),
            enabled=settings.get("queue_enabled", True),
        )
        self._workers = Workers(self.name)
        _fork.renew_after(self)

    def permit(self, *, priority: Priority | int | str | None = None) -> Permit:
        """Return a context manager, sync and async, inside which a permit is held."""
        return Permit(self, None if priority is None else as_priority(priority))

    @property
    def gate(self) -> tuple[QueueMachine, Mapping[object, object], Mapping[object, int]]:
        """What a call looks at that passes without the lock: see `_core.queue`.

        The machine, who holds a permit by a step, and whose place is kept; the same for ever.
        """
        return self._machine, self._holders, self._away

    def enter(self, me: object, tier: int | None) -> int | None:
        """Wait for a permit in this thread, which is `me`; None where nothing is to be given back.

        Raises:
            QueueFullError: as many wait already as `queue_size` allows.
            QueueTimeoutError: no permit within `queue_timeout`.
            QueueClosedError: the queue is closed or draining, or was closed meanwhile.
            DeadlineExceededError: the deadline passed in the queue.
        """
        turn = self.line_up(me, tier, ThreadWaiter)
        if turn is None:
            return None
        try:
            self.wait_for(turn)
            return self.admit(me, turn)
        except BaseException:
            self.give_up(me, turn)
            raise

    async def enter_async(self, me: object, tier: int | None) -> int | None:
        """Wait for a permit in this task, which is `me`; as `enter`, but for `await`."""
        turn = self.line_up(me, tier, LoopWaiter)
        if turn is None:
            return None
        try:
            await self.wait_for_async(turn)
            return self.admit(me, turn)
        except BaseException:
            # Cancelled, perhaps in the very moment between being handed a permit and running.
            self.give_up(me, turn)
            raise

    # -- The steps of both; a decorated function takes them itself: a frame less in each task ----

    def line_up(
        self, me: object, tier: int | None, make_waiter: Callable[[], Waiter]
    ) -> CallTicket | int | None:
        """Take a permit, or else a place in line; None where `me` goes on under the one it has."""
        if me in self._holders:
            return self._claim(me)
        if me in self._machine.passing or not self._enabled:
            return None
        ticket = None
        try:
            with self._lock:
                if arrival := self._machine.take():
                    self._holders[me] = arrival  # no call in between: Ctrl-C could come there
                    if self._away:
                        arrival = self._take_old_place(me, arrival)
                else:
                    ticket = self._stand_in_line(tier, me, make_waiter())
            if self._late:
                self._catch_up()
        except BaseException:
            self.give_up(me, ticket)
            raise
        return arrival if ticket is None else ticket

    def wait_for(self, turn: CallTicket | int) -> None:
        """Block this thread until its turn has come, or it has waited for as long as it may."""
        if isinstance(turn, int):
            return
        limit = self._longest_wait()
        end = None if limit is None else turn.since + limit
        if turn.fate == "waiting":
            lend_permit()
        while turn.fate == "waiting" and (end is None or _clock.now() < end):
            turn.waiter.wait(None if end is None else end - _clock.now())

    def wait_for_async(self, turn: CallTicket | int) -> Awaitable[None]:
        """Suspend this task; as `wait_for`."""
        if isinstance(turn, int) or turn.fate != "waiting":
            return _NOTHING
        lend_permit()
        waiter: LoopWaiter = turn.waiter
        return waiter.wait(self._longest_wait())

    def admit(self, me: object, turn: CallTicket | int) -> int:
        """Return the arrival with which `me` holds a permit now, or raise why it has none."""
        if isinstance(turn, int):
            return turn
        if turn.fate == "waiting" and self._abandon(turn, if_waiting=True):
            raise self._too_late(turn.since)
        if turn.fate != "granted":
            raise self.closed_error()
        self._holders[me] = turn.arrival
        if not turn.at_once:
            self._publish_wait(turn)
        return turn.arrival

    def give_up(self, me: object, turn: CallTicket | int | None) -> None:
        """Give back what an interrupted caller has got already: a place in line, or a permit."""
        arrival = self._holders.get(me)
        if isinstance(arrival, int):
            self.leave(me, arrival)
        elif isinstance(turn, CallTicket):
            self._abandon(turn)
        self._catch_up()

    def leave(self, me: object, arrival: int, *, returns: bool = False) -> None:
        """Give back the permit that `me` has, from any thread; twice is once.

        With `returns` its place is kept, for an attempt that may be repeated.
        """
        if self._is_mid_step():
            self._late.append(partial(self.leave, me, arrival))
            return
        machine = self._machine
        with self._lock:
            now = _clock.now() if machine.aging else 0.0
            if machine.passing.get(me) == arrival:
                del machine.passing[me]
                step = machine.grant
            elif self._holders.get(me) == arrival and not (
                self._shares and self._drop_share(arrival)
            ):
                del self._holders[me]
                step = machine.leave
            else:  # it has gone already, and was interrupted before it could say so
                step, returns = machine.grant, False
            if returns:
                self._away[me] = arrival
            granted = step(now)
            drained = self._take_drained() if self.drains else []
        if returns:
            place_kept(self)
        if granted or drained or self._late:
            self._wake(granted, drained)

    def hand_on(self) -> None:
        """Give what a call that passed has left to those who wait for it."""
        if self.puts_off(self.hand_on):
            return
        with self._lock:
            granted = self._machine.grant(_clock.now())
            drained = self._take_drained()
        self._wake(granted, drained)

    def share(self, me: object) -> int | None:
        """Hold on to the permit that `me` has, until one `leave` more; None if it has none.

        So does a stream that was opened under the permit of its caller and may outlive it.
        """
        shared = None
        try:
            with self._step():
                if me in self._machine.passing:
                    self._holders[me] = self._machine.adopt(me)
                    self._machine.settle()
                arrival = self._holders.get(me)
                if isinstance(arrival, int):
                    self._shares[arrival] = self._shares.get(arrival, 1) + 1
                    shared = arrival
        except BaseException:
            if shared is not None:
                self.leave(me, shared)
            raise
        return shared

    def _take_old_place(self, me: object, arrival: int) -> int:
        """Come back with the place that was kept, if there is one; the lock is held."""
        self._holders[me] = arrival = self._away.pop(me, arrival)
        return arrival


class _Nothing:
    """What is awaited where there is nothing to wait for."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        yield from ()


_NOTHING: Final = _Nothing()

KNOWN = frozenset(
    {"aging", "max_concurrent_requests", "name", "queue_enabled", "queue_size", "queue_timeout"}
)
