"""Request ids: `req_{timestamp}_{hash}`."""

from __future__ import annotations

import os

from resilience import _clock

__all__ = ["new_request_id", "part_of"]


def new_request_id() -> str:
    """Make an id for one logical call: Unix seconds, then 64 random bits in hexadecimal.

    The bits come from the operating system each time, and not from a seeded generator: a forked
    process would inherit its state and repeat its ids.
    Safe for concurrent use.
    """
    return f"req_{int(_clock.wall())}_{os.urandom(8).hex()}"


def part_of(request_id: str, number: int) -> str:
    """Name the `number`-th (1, 2, …) of the requests that one call was split into.

    The first keeps the id of the call, so that a call that was not split is no special case.
    """
    return request_id if number == 1 else f"{request_id}-{number}"
