"""Both kinds of client behind one face, so that one body tests them both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from inspect import isawaitable
from types import ModuleType
from typing import Any, Self

from adapters._streaming import AsyncStream

__all__ = ["Make", "making"]

# Gets the module of an API and the arguments of its client.
Make = Callable[..., Any]


class _Awaited:
    """An `AsyncClient` that is used like a `Client`: each call runs a loop until it is answered."""

    def __init__(self, client: Any, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        return self._called(value) if callable(value) else value

    def _called(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if isawaitable(result):
                return self._runner.run(_result_of(result))
            return (
                _AwaitedStream(result, self._runner) if isinstance(result, AsyncStream) else result
            )

        return call


class _AwaitedStream:
    """An `AsyncStream` that is read like a `Stream`."""

    def __init__(self, stream: AsyncStream, runner: asyncio.Runner) -> None:
        self._stream = stream
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return self._runner.run(_result_of(anext(self._stream)))
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._stream.aclose())


async def _result_of(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


@contextmanager
def _open_async(module: ModuleType, args: Any, kwargs: Any) -> Iterator[Any]:
    with asyncio.Runner() as runner:
        client = module.AsyncClient(*args, **kwargs)
        try:
            yield _Awaited(client, runner)
        finally:
            runner.run(client.aclose())


@contextmanager
def making(flavour: str) -> Iterator[Make]:
    """Give a function that makes clients of a flavour, "sync" or "async"; all are closed."""
    with ExitStack() as stack:

        def make(module: ModuleType, *args: Any, **kwargs: Any) -> Any:
            opened: AbstractContextManager[Any] = (
                module.Client(*args, **kwargs)
                if flavour == "sync"
                else _open_async(module, args, kwargs)
            )
            return stack.enter_context(opened)

        yield make
