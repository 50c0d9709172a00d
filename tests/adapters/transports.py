"""Both transports behind one face: what is awaited runs to its end on a loop of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from adapters._http import Transport
from adapters._http_async import AsyncIncoming, AsyncTransport

__all__ = ["AsyncFace", "make_transport"]

_ROUNDS = 20  # of the loop; one reads


def make_transport(flavour: str, **options: Any) -> Any:
    """A transport of one kind: it opens, and closes."""
    return AsyncFace(**options) if flavour == "async" else Transport(pool_size=8, **options)


class AsyncFace:
    """`AsyncTransport`, called plainly."""

    def __init__(self, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.transport = AsyncTransport(**options)

    def open(self, *args: Any, **kwargs: Any) -> _Answer:
        """Open a request."""
        incoming = self.runner.run(self.transport.open(*args, **kwargs))
        return _Answer(incoming, self.runner.run)

    def idle(self) -> None:
        """Let the loop read what has arrived."""
        for _ in range(_ROUNDS):
            self.runner.run(asyncio.sleep(0))

    def close(self) -> None:
        """Close the connections, not the loop."""
        self.runner.run(self.transport.close())

    def renew_after_fork(self) -> None:
        """Go on in a child as it would: with another loop."""
        self.transport._sessions.renew_after_fork()
        self.runner = asyncio.Runner()

    def finish(self) -> None:
        """End the loop, as a program does."""
        self.runner.close()


class _Answer:
    """`AsyncIncoming`, called plainly."""

    def __init__(self, incoming: AsyncIncoming, run: Callable[..., Any]) -> None:
        self.incoming = incoming
        self.run = run
        self.status = incoming.status
        self.headers = incoming.headers

    def read(self) -> bytes:
        return self.run(self.incoming.read())

    def chunks(self) -> Iterator[bytes]:
        chunks = self.incoming.chunks()

        async def step() -> bytes | None:
            return await anext(chunks, None)

        while (chunk := self.run(step())) is not None:
            yield chunk

    def end(self) -> None:
        self.run(self.incoming.end())

    def close(self) -> None:
        self.run(self.incoming.close())
