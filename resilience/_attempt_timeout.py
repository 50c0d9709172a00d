"""The layer of `attempt_timeout`: the longest that one attempt may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from resilience import _clock
from resilience._context import deadline
from resilience._site import BaseLayer
from resilience._switches import Switch
from resilience.errors import DeadlineExceededError

if TYPE_CHECKING:
    from resilience._site import Site

__all__ = ["AttemptTimeoutLayer"]


class AttemptTimeoutLayer(BaseLayer):
    """Ends an attempt after `seconds` with a `TimeoutError`, which is a failure like any other.

    A coroutine is cancelled. A thread cannot be stopped: a plain function runs under a deadline,
    which every wait of the toolkit and every HTTP time-out of the adapters obeys. Of a stream,
    the time until its first item counts.
    """

    kind = "attempt_timeout"

    def __init__(self, seconds: float, switch: Switch | None = None) -> None:
        self.seconds = seconds
        self.switch = switch or Switch(self.kind)

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` under a deadline."""
        seconds, switch, name = self.seconds, self.switch, site.name

        def call(*args: Any, **kwargs: Any) -> Any:
            if switch.is_off:
                return inner(*args, **kwargs)
            end = _clock.now() + seconds
            try:
                with deadline(seconds):
                    return inner(*args, **kwargs)
            except DeadlineExceededError as error:
                if not _is_over(error, end):
                    raise
                raise _timed_out(name, seconds) from error

        return call

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return the coroutine function `inner`, cancelled when its time is over."""
        seconds, switch, name = self.seconds, self.switch, site.name

        async def call(*args: Any, **kwargs: Any) -> Any:
            if switch.is_off:
                return await inner(*args, **kwargs)
            end = _clock.now() + seconds
            try:
                with deadline(seconds):
                    async with _clock.timeout(seconds):
                        return await inner(*args, **kwargs)
            except TimeoutError as error:
                if not _is_over(error, end):
                    raise
                raise _timed_out(name, seconds) from error

        return call

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the switch."""
        return {"attempt_timeout": self.switch}

    @property
    def enabled(self) -> bool:
        """Whether it works, or has been turned off for everybody."""
        return self.switch.enabled

    def explain(self) -> str:
        """Return the layer with its setting."""
        return f"attempt_timeout: {self.seconds:g} s"


def _is_over(error: TimeoutError, end: float) -> bool:
    """Return whether the error says that the attempt's time is over, and nobody else's."""
    if _clock.now() < end:  # a deadline or a time-out within the function
        return False
    if isinstance(error, DeadlineExceededError):
        return deadline.remaining() != 0  # else the whole call is over
    return not error.args  # the function's own says something, that of the clock does not


def _timed_out(name: str, seconds: float) -> TimeoutError:
    return TimeoutError(f"{name}: the attempt took longer than attempt_timeout={seconds:g} s")
