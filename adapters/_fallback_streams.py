"""Streams that go on to another function until their first event, and never after."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from adapters._fallback_trail import Trail

__all__ = ["stream_of"]


def stream_of(result: Any, trail: Trail) -> Any:
    """Wrap a stream, which may fail until its first event; anything else is a result."""
    if hasattr(type(result), "__anext__"):
        return _AsyncStream(result, trail)
    return _Stream(result, trail) if hasattr(type(result), "__next__") else result


class _FallbackStream:
    """The stream of the function that answers; what it has beside its events is that one's."""

    def __init__(self, stream: Any, trail: Trail) -> None:
        self._stream = stream
        self._trail: Trail | None = trail

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __str__(self) -> str:
        return str(self._stream)

    def _next_stream(self, error: Exception) -> None:
        """Open the stream of the next function that does not fail at once."""
        trail = self._trail
        if trail is None:
            raise error
        trail.failed(error)
        for one in trail:
            try:
                self._stream = one()
            except Exception as another:  # noqa: BLE001 - the trail decides
                trail.failed(another)
            else:
                return


class _Stream(_FallbackStream):
    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        while self._trail is not None:
            try:
                event = next(self._stream)
            except Exception as error:
                if isinstance(error, StopIteration):
                    raise
                self._next_stream(error)
            else:
                self._trail = None
                return event
        return next(self._stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()


class _AsyncStream(_FallbackStream):
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while self._trail is not None:
            try:
                event = await anext(self._stream)
            except Exception as error:
                if isinstance(error, StopAsyncIteration):
                    raise
                self._next_stream(error)
            else:
                self._trail = None
                return event
        return await anext(self._stream)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stream.aclose()
