"""Clients of both kinds behind one face: what is awaited runs to its end on a loop of the test's.

So a test is written once, plainly, and asks for the fixture `make`, which makes both.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import copy_context
from types import ModuleType
from typing import Any, Self

from adapters._streaming import AsyncStream

__all__ = ["ClientFace", "Make", "StreamFace", "Together", "making"]

# Gets the module of an API and the arguments of its client.
Make = Callable[..., Any]

_ROUNDS = 20  # of the loop, until what was forgotten has given back what it held


@contextmanager
def making(flavour: str) -> Iterator[Make]:
    """Give a function that makes clients of a flavour, "sync" or "async"; all are closed."""
    with ExitStack() as stack:

        def make(module: ModuleType, *args: Any, **kwargs: Any) -> Any:
            if flavour == "sync":
                return stack.enter_context(module.Client(*args, **kwargs))
            return stack.enter_context(ClientFace(module.AsyncClient(*args, **kwargs)))

        yield make


class Together:
    """Asks one client of a flavour several things at once: in threads, or in tasks."""

    def __init__(self, flavour: str, module: ModuleType, **options: Any) -> None:
        self.flavour = flavour
        self.client = (module.Client if flavour == "sync" else module.AsyncClient)(**options)

    def __call__(self, *asks: Callable[[Any], Any]) -> list[Any]:
        """What they return or raise, in their order."""
        if self.flavour == "async":
            return asyncio.run(self._gather(asks))
        with self.client, ThreadPoolExecutor(len(asks)) as executor:
            futures = [executor.submit(copy_context().run, ask, self.client) for ask in asks]
            return [future.exception() or future.result() for future in futures]

    async def _gather(self, asks: tuple[Callable[[Any], Any], ...]) -> list[Any]:
        async with self.client:
            calls = [ask(self.client) for ask in asks]
            return await asyncio.gather(*calls, return_exceptions=True)


class ClientFace:
    """An `AsyncClient`, called plainly, on a loop of its own."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.runner = asyncio.Runner()

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.client, name)
        if not inspect.ismethod(value):
            self.run(_go_round())
            return value
        return lambda *args, **kwargs: self._plain(value(*args, **kwargs))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self.client)

    def close(self) -> None:
        """Close the client, and end the loop as a program does."""
        if self.runner is not None:
            self.run(self.client.aclose())
            self.runner.close()
            self.runner = None

    def run(self, coroutine: Any) -> Any:
        """Run it to its end, in the context of the test."""
        outcome: list[Any] = []
        self.runner.run(_ended(coroutine, outcome), context=copy_context())
        error, result = outcome.pop(), outcome.pop()
        try:
            if error is not None:
                raise error
            return result
        finally:
            del error  # its traceback leads to this frame: a cycle

    def _plain(self, result: Any) -> Any:
        """What the plain client would have returned."""
        if inspect.iscoroutine(result):
            return self.run(result)
        if isinstance(result, AsyncStream):
            return StreamFace(result, self)
        return self._items(result) if hasattr(result, "__anext__") else result

    def _items(self, iterator: Any) -> Iterator[Any]:
        """The items of an asynchronous iterator."""
        try:
            while True:
                yield self.run(_step(iterator))
        except StopAsyncIteration:
            return
        finally:
            self.run(iterator.aclose())


class StreamFace:
    """An `AsyncStream`, read plainly."""

    def __init__(self, stream: AsyncStream, client: ClientFace) -> None:
        self.stream = stream
        self.client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return self.client.run(_step(self.stream))
        except StopAsyncIteration:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return str(self.stream)

    def close(self) -> None:
        """Leave it."""
        self.client.run(self.stream.aclose())


async def _ended(coroutine: Any, outcome: list[Any]) -> None:
    """Leave result and error; what a task returns or raises is in a cycle with its frames."""
    try:
        outcome += [await coroutine, None]
    except Exception as error:
        outcome += [None, error]


async def _step(iterator: Any) -> Any:
    return await anext(iterator)


async def _go_round() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
