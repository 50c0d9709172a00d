"""A service that answers each key as a script says."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

from resilience import KeyPool, _clock
from resilience._lease import Lease
from tests.support.faults import HttpError
from tests.support.run import Run

__all__ = ["KeyServer", "failed_lease", "lease", "rejected", "throttled"]


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


def lease(
    run: Run, pool: KeyPool, *args: Any, error: BaseException | None = None, **options: Any
) -> Any:
    """Lease a key by hand, end the call with the error, if any, and give the name and the key."""

    @run.function
    def body(held: Lease) -> Any:
        if error is not None:
            raise error
        return held.name, held.key

    async def later() -> Any:
        async with pool.lease(*args, **options) as held:
            return await body(held)

    def now() -> Any:
        with pool.lease(*args, **options) as held:
            return body(held)

    return run.call(now if run.flavour == "sync" else later)


def failed_lease(run: Run, pool: KeyPool, *args: Any, error: BaseException) -> None:
    """Lease a key for a call that fails."""
    with contextlib.suppress(type(error)):
        lease(run, pool, *args, error=error)
        raise AssertionError("the error did not come out")
