"""A service that answers each key as a script says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

from resilience import _clock
from tests.support.faults import HttpError

__all__ = ["KeyServer", "rejected", "throttled"]


def throttled(seconds: float | None = None) -> HttpError:
    """A 429, with or without a Retry-After."""
    return HttpError(429, {} if seconds is None else {"Retry-After": str(seconds)})


def rejected(status: int = 401) -> HttpError:
    """An answer to a key that is not, or no longer, good."""
    return HttpError(status)


class KeyServer:
    """Answers the n-th request of a key with the n-th item of its script, then with its name.

    The script of the key "key of a" is `a=[…]`; exceptions are raised. `asked` holds the names in
    the order of the requests, `times` when they came by the current clock.
    """

    def __init__(self, **scripts: list[Any]) -> None:
        self.asked = ""
        self.times: list[float] = []
        self._scripts: dict[str, Iterator[Any]] = {
            name: chain(script, repeat(name)) for name, script in scripts.items()
        }

    def answer(self, *, key: str) -> Any:
        """Answer one request; the body of a decorated function."""
        return self.receive(key)

    def stream(self, *, key: str) -> Any:
        """Answer one request with two items."""
        yield self.receive(key)
        yield "the end"

    def receive(self, key: str) -> Any:
        """Take note of a request and answer it."""
        name = key[-1]
        self.asked += name
        self.times.append(_clock.now())
        outcome = next(self._scripts.setdefault(name, repeat(name)))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
