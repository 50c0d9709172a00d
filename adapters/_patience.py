"""How long a request waits for its server: for each wait, and for all of them together. Pure."""

from __future__ import annotations

from resilience import _clock

__all__ = ["Patience"]

_SHORTEST_WAIT = 0.001  # seconds; 0 would make a socket non-blocking


class Patience:
    """How long the next wait of one request may be; used by one thread at a time.

    Args:
        longest: Seconds for a single wait.
        remaining: Seconds for all of them together, or None for no limit.
    """

    __slots__ = ("_expires", "_longest")

    def __init__(self, longest: float, remaining: float | None = None) -> None:
        self._longest = longest
        self._expires = None if remaining is None else _clock.now() + remaining

    def wait(self) -> float:
        """Return the seconds of the next wait.

        Raises:
            TimeoutError: if the time is over.
        """
        if self._expires is None:
            return self._longest
        left = self._expires - _clock.now()
        if left <= 0:
            msg = "the time of the call is over"
            raise TimeoutError(msg)
        return max(_SHORTEST_WAIT, min(self._longest, left))

    @property
    def is_over(self) -> bool:
        """Whether the time of all waits has passed."""
        return self._expires is not None and _clock.now() >= self._expires

    def shorten(self, seconds: float) -> None:
        """Allow at most `seconds` from now on."""
        end = _clock.now() + seconds
        self._longest = min(self._longest, seconds)
        self._expires = end if self._expires is None else min(self._expires, end)
