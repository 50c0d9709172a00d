"""What two requests have to have in common, for tests against the vendors' own clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.adapters.recorder import Recorded

__all__ = ["LIBRARIES", "comparable"]

# Headers that say what a client is made of, and why they may differ.
LIBRARIES = {
    "accept-encoding": "each offers what its own HTTP library can unpack",
    "connection": "their library says what HTTP/1.1 assumes anyway",
    "content-length": "it tells how JSON is spaced, which means nothing",
    "user-agent": "each names itself",
}


def comparable(request: Recorded, differences: Iterable[str]) -> dict[str, Any]:
    """What has to be the same in two requests: all but headers that are known to differ."""
    left_out = {*LIBRARIES, *differences}
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "json": request.json,
        "headers": {name: value for name, value in request.headers.items() if name not in left_out},
    }
