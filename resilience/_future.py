"""The future of something that was submitted and waits for its turn."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Generator
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar

from resilience import _fork

__all__ = ["SubmittedFuture"]


T = TypeVar("T")

_logger = logging.getLogger("concurrent.futures")  # where those of the standard library tell it
_ENDED = ("CANCELLED", "CANCELLED_AND_NOTIFIED", "FINISHED")


class _Waiting(Protocol):
    def forget(self) -> bool: ...


class _Guard:
    """One lock for the states of many futures: held for a few instructions, never while waiting.

    A lock in each would cost more, in time and in bytes, than all else that a future has.
    """

    def __init__(self) -> None:
        self.renew_after_fork()
        _fork.renew_after(self)

    def renew_after_fork(self) -> None:
        """Take a new lock."""
        self.lock = threading.RLock()  # the garbage collector may end a future in between


_guard = _Guard()


class _Audience:
    """Who wants to hear of the end of a future: most end unheard, or before somebody asks.

    Attributes:
        lock: What the standard library calls the condition; the end is told under it.
        waiters: Those of the standard library that wait for several futures.
        callbacks: What is called at the end.
        gates: Locks that threads have closed in front of themselves.
    """

    __slots__ = ("callbacks", "gates", "lock", "waiters")

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.waiters: list[Any] = []
        self.callbacks: list[Callable[[Any], object]] = []
        self.gates: list[threading.Lock] = []


class SubmittedFuture(Future[T]):
    """A `concurrent.futures.Future` that can be awaited as well, in any event loop.

    Cancelled while it waits, its call leaves the line at once.
    Thread-safe. Its state changes under a lock that many futures share, and its end under that of
    its audience where it has one: `wait` and `as_completed` look at the state and then ask to be
    told, and must not hear of an end twice.

    Attributes:
        audience: Who wants to hear of its end, or None.
        waiting: What stands in line for it, as long as it does.
    """

    waiting: _Waiting | None = None

    def __init__(self) -> None:
        # Those of the base class, but for what the audience has.
        self._state = "PENDING"
        self._result: T | None = None
        self._exception: BaseException | None = None
        self.audience: _Audience | None = None

    # -- what the base class looks at ----------------------------------------------------------

    if not TYPE_CHECKING:  # to a type checker they are those of the base class: `as_completed` asks

        @property
        def _condition(self) -> Any:
            return self._heard().lock

        @property
        def _waiters(self) -> list[Any]:
            return self._heard().waiters

    @property
    def _done_callbacks(self) -> list[Any]:
        return self._heard().callbacks

    def _heard(self) -> _Audience:
        """Return the audience, made for the first who asks."""
        audience = self.audience
        if audience is None:
            made = _Audience()  # no call with the lock held: the garbage collector could come there
            with self._lock():
                audience = self.audience = self.audience or made
        return audience

    def _lock(self) -> Any:
        """Return the lock under which its state changes."""
        return _guard.lock

    # -- for its owner -------------------------------------------------------------------------

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._state in ("CANCELLED", "CANCELLED_AND_NOTIFIED")

    def running(self) -> bool:
        """Whether the call runs."""
        return self._state == "RUNNING"

    def done(self) -> bool:
        """Whether it was cancelled or has a result or an exception."""
        return self._state in _ENDED

    def result(self, timeout: float | None = None) -> T:
        """Return the result, or raise the exception; wait for it, `timeout` seconds at most."""
        if self._state != "FINISHED":
            self._wait(timeout)
        if self._exception is None:
            return self._result  # type: ignore[return-value]
        try:
            raise self._exception
        finally:
            del self  # the exception holds this frame

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the exception, or None; wait for it, `timeout` seconds at most."""
        if self._state != "FINISHED":
            self._wait(timeout)
        return self._exception

    def cancel(self) -> bool:
        """Cancel the call if it does not run yet."""
        audience = self._heard()
        with audience.lock:
            with self._lock():
                if is_pending := self._state == "PENDING":
                    self._state = "CANCELLED"
            if not is_pending:
                return self.cancelled()
        self.tell()
        if self._leave_line():
            self.set_running_or_notify_cancel()  # tells those who wait for several futures
        return True

    def __await__(self) -> Generator[Any, None, T]:
        """Wait for the result in the running loop; a cancelled wait cancels the call."""
        return asyncio.wrap_future(self).__await__()

    def _leave_line(self) -> bool:
        """Leave the line, since it was cancelled; return whether the call stood there."""
        return self.waiting is not None and self.waiting.forget()

    def _wait(self, timeout: float | None) -> None:
        """Block until it has ended.

        Raises:
            TimeoutError: it has not ended in time.
            CancelledError: it was cancelled.
        """
        gates, gate = self._heard().gates, threading.Lock()
        gate.acquire()
        gates.append(gate)  # and look after that: who ends it opens the gates after that
        if self._state not in _ENDED:
            if timeout is None:
                gate.acquire()
            elif not gate.acquire(timeout=min(max(0.0, timeout), threading.TIMEOUT_MAX)):
                with suppress(ValueError):  # it is about to be opened
                    gates.remove(gate)
                if self._state not in _ENDED:
                    raise TimeoutError
        if self._state != "FINISHED":
            raise CancelledError

    # -- for whoever runs the call -------------------------------------------------------------

    def set_running_or_notify_cancel(self) -> bool:
        """Take note that the call is about to run; return False if it was cancelled."""
        with self._lock():
            if self._state == "PENDING":
                self._state = "RUNNING"
                return True
        return super().set_running_or_notify_cancel()

    def set_result(self, result: T) -> None:
        """End with a result."""
        self.end(result, None)

    def set_exception(self, exception: BaseException | None) -> None:
        """End with an exception."""
        self.end(None, exception)

    def end(self, result: T | None, exception: BaseException | None) -> None:
        """End with one of the two, and tell of it."""
        if self._state in _ENDED:
            raise InvalidStateError(f"{self._state}: {self!r}")
        self.settle(result, exception)
        self.tell()

    def settle(self, result: T | None, exception: BaseException | None) -> None:
        """End with one of the two; threads and callbacks are told of it by `tell`."""
        audience = self.audience
        if audience is None:
            with self._lock():
                audience = self.audience
                if audience is None:
                    self._result, self._exception = result, exception
                    self._state = "FINISHED"
                    return
        with audience.lock:
            self._result, self._exception = result, exception
            self._state = "FINISHED"
            for waiter in audience.waiters:
                (waiter.add_exception if exception else waiter.add_result)(self)

    @property
    def can_tell_later(self) -> bool:
        """Whether it has a result, and to tell of it is to wake threads and no more."""
        audience = self.audience
        return self._exception is None and audience is not None and not audience.callbacks

    def tell(self) -> None:
        """Tell who waits of the end, each of them once; no lock is held.

        Whoever cancels a call and the worker that finds it cancelled may both come here.
        """
        audience = self.audience
        if audience is None:
            return
        gates = audience.gates
        while gates:
            try:
                gates.pop().release()
            except IndexError:  # the other one has told it
                break
        if audience.callbacks:
            self._invoke_callbacks()

    def _invoke_callbacks(self) -> None:
        callbacks = self._done_callbacks
        while callbacks:
            try:
                callback = callbacks.pop(0)
            except IndexError:  # as above
                break
            try:
                callback(self)
            except Exception:
                _logger.exception("exception calling callback for %r", self)

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, as the base class does by the lock that it has."""
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")
