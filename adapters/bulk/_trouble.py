"""What an error means for a run: is it the result of its row, is it later, or is it the end?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.bulk._rows import InvalidInput
from adapters.errors import NotFoundError, OverloadedError
from resilience import DeadlineExceededError, NoKeyAvailableError, RefusedError
from resilience.classify import classify

__all__ = ["Halt", "Trouble", "is_throttling"]

_AGAIN = 1.0  # seconds, where nobody says how long
_SHORTEST = 0.1  # seconds: a row that is refused does not come back in a spin
_COMEBACKS = 3  # of a row whose own attempts have failed while the service looked down
_LOST = 20  # rows without anything but "not found", after which no other is sent


class Halt(Exception):  # noqa: N818 - it is no error of a row
    """Going on would be of no use; says why."""


class Trouble:
    """Tells errors that a row deserves from those that it only met.

    Args:
        client: Whose calls fail.
        patience: Seconds without any answer after which waiting ends.
        now: Tells the time in seconds.
    """

    def __init__(self, client: Any, patience: float, now: Callable[[], float]) -> None:
        self._client = client
        self._patience = patience
        self._now = now
        self._answered_at = now()
        self._lost = 0

    def answered(self) -> None:
        """Note that a row has got its answer."""
        self._answered_at, self._lost = self._now(), -1

    def wait(self, error: Exception, comebacks: int) -> float | None:
        """Return the seconds after which the row is worth another call; None: it has failed.

        Raises:
            Halt: if no row is worth another call.
        """
        if isinstance(error, InvalidInput):  # nothing was sent, so no state of the service matters
            return None
        kind = classify(error).kind
        wait: float | None
        if kind == "key" or isinstance(error, NoKeyAvailableError):
            wait = self._until_a_key(error)
        elif kind == "rate_limit" or (
            isinstance(error, RefusedError) and not isinstance(error, DeadlineExceededError)
        ):
            wait = getattr(error, "retry_after", None)
            wait = _AGAIN if wait is None else wait
        elif kind == "transient":
            wait = self._until_it_is_up(comebacks)
        else:
            self._final(error)
            return None
        if wait is None:
            return None
        wait = max(wait, _SHORTEST)
        silent = self._now() + wait - self._answered_at
        if silent > self._patience:
            raise Halt(f"no answer for {silent:,.0f} s, with what has to be waited: {error}")
        return wait

    def _until_a_key(self, error: Exception) -> float:
        """Wait for a key that only rests; one that was rejected is not waited for."""
        ready, _ = self._client.keys.waking(None, None)
        if ready is None:
            raise Halt(f"every key was rejected: {error}")
        return float(ready)

    def _until_it_is_up(self, comebacks: int) -> float | None:
        """Wait for a service that is down for everybody; one row alone may be to blame itself."""
        breaker = self._client.circuit_breaker
        if breaker.state in ("CLOSED", "DISABLED") or comebacks >= _COMEBACKS:
            return None
        return float(breaker.retry_after or _AGAIN)

    def _final(self, error: Exception) -> None:
        self._answered_at = self._now()  # a no is an answer
        if self._lost < 0 or not isinstance(error, NotFoundError):
            self._lost = -1
            return
        self._lost += 1
        if self._lost >= _LOST:
            raise Halt(f"each of the first {_LOST} rows: {error}")


def is_throttling(error: BaseException | None) -> bool:
    """Say whether a server asks for less with it."""
    if error is None:
        return False
    return isinstance(error, OverloadedError) or classify(error).kind == "rate_limit"
