"""The layer of `attempt_timeout`: the longest that one attempt may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import deadline
from resilience.errors import DeadlineExceededError

if TYPE_CHECKING:
    from resilience._site import Site

__all__ = ["AttemptTimeoutLayer"]


class AttemptTimeoutLayer:
    """Ends an attempt after `seconds` with a `TimeoutError`, which is a failure like any other.

    A coroutine is cancelled. A thread cannot be stopped: a plain function runs under a deadline,
    which every wait of the toolkit and every HTTP time-out of the adapters obeys. Of a stream,
    the time until its first item counts.
    """

    kind = "attempt_timeout"
    name = None
    metrics_enabled = True

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` under a deadline."""
        seconds = self.seconds

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                with deadline(seconds):
                    return inner(*args, **kwargs)
            except DeadlineExceededError as error:
                if deadline.remaining() == 0:  # not ours: the whole call is over
                    raise
                raise _timed_out(site.name, seconds) from error

        return call

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return the coroutine function `inner`, cancelled when its time is over."""
        seconds = self.seconds

        async def call(*args: Any, **kwargs: Any) -> Any:
            try:
                with deadline(seconds):
                    async with _clock.timeout(seconds):
                        return await inner(*args, **kwargs)
            except DeadlineExceededError as error:
                if deadline.remaining() == 0:
                    raise
                raise _timed_out(site.name, seconds) from error
            except TimeoutError as error:
                if error.args:  # the function's own: that of the clock says nothing
                    raise
                raise _timed_out(site.name, seconds) from error

        return call

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return nothing: there is no state to look at."""
        return {}

    def live(self) -> dict[str, Any]:
        """Return nothing, for the same reason."""
        return {}

    def explain(self) -> str:
        """Return the layer with its setting."""
        return f"attempt_timeout: {self.seconds:g} s"


def _timed_out(name: str, seconds: float) -> TimeoutError:
    return TimeoutError(f"{name}: the attempt took longer than attempt_timeout={seconds:g} s")
