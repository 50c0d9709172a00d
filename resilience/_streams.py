"""Generators and async generators under the layers.

Calling a generator function runs nothing; its first step does. So the layers are put around
*opening*: making the generator and taking its first item. Retry and change of key happen there and
never after, because the consumer has seen something then. What a layer holds (a permit, a lease, a
span) it holds until the stream ends, fails, is closed or is forgotten: it asks to be told by
`Opened.on_end`.

Nothing that belongs to one context (a time-out scope, a context variable's token) stays entered
across a `yield`, since the consumer's code runs there.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import Any

__all__ = ["Opened", "Scoped", "apart", "async_generator", "async_opener", "generator", "opener"]

Ended = Callable[[BaseException | None], object]
Scope = Callable[[], AbstractContextManager[object]]


class Opened:
    """A stream whose first item has been taken, or that ended without one."""

    __slots__ = ("_listeners", "_scope", "first", "has_first", "iterator", "value")

    def __init__(
        self, iterator: Any, *, has_first: bool, first: Any = None, value: Any = None
    ) -> None:
        self.iterator = iterator
        self.has_first = has_first
        self.first = first
        self.value = value
        self._listeners: list[Ended] = []
        self._scope: Scope = nullcontext

    def run_within(self, scope: Scope) -> None:
        """Enter `scope()` for each further step and for the end, and leave it in between."""
        self._scope = scope
        self.iterator = Scoped(self.iterator, scope)

    def on_end(self, listener: Ended) -> None:
        """Call `listener` once, at the end, with what ended the stream: an exception or None."""
        self._listeners.append(listener)

    def end(self, error: BaseException | None) -> None:
        """Tell everybody; the innermost layer, which asked first, hears it first."""
        listeners, self._listeners = self._listeners, []
        with self._scope():
            for listener in listeners:
                listener(error)


class Scoped:
    """A generator, or an async one, each step of which runs inside a scope of its own."""

    __slots__ = ("_iterator", "_scope")

    def __init__(self, iterator: Any, scope: Scope) -> None:
        self._iterator = iterator
        self._scope = scope

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._step(self._iterator.__next__)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def send(self, value: Any) -> Any:
        return self._step(self._iterator.send, value)

    def throw(self, *error: Any) -> Any:
        return self._step(self._iterator.throw, *error)

    def close(self) -> Any:
        return apart(self._step, self._iterator.close)

    async def __anext__(self) -> Any:
        with self._scope():
            return await self._iterator.__anext__()

    async def asend(self, value: Any) -> Any:
        with self._scope():
            return await self._iterator.asend(value)

    async def athrow(self, error: BaseException) -> Any:
        with self._scope():
            return await self._iterator.athrow(error)

    async def aclose(self) -> Any:
        with self._scope():
            return await self._iterator.aclose()

    def _step(self, step: Callable[..., Any], *values: Any) -> Any:
        with self._scope():
            return step(*values)


if sys.version_info >= (3, 12):

    def apart(step: Callable[..., Any], *values: Any) -> Any:
        """Take a step that the garbage collector may take: it comes between two bytecodes."""
        return step(*values)

else:

    def apart(step: Callable[..., Any], *values: Any) -> Any:
        """Take a step that the garbage collector may take, in a copy of the context.

        Before 3.12 it comes wherever something is allocated, in the midst of `ContextVar.set` as
        well: to set something in the same context there ends the process (a segmentation fault).
        """
        return copy_context().run(step, *values)


def opener(function: Callable[..., Any]) -> Callable[..., Opened]:
    """Return a function that opens the stream of a generator function."""

    def call(*args: Any, **kwargs: Any) -> Opened:
        iterator = function(*args, **kwargs)
        try:
            first = next(iterator)
        except StopIteration as stop:
            return Opened(iterator, has_first=False, value=stop.value)
        return Opened(iterator, has_first=True, first=first)

    return call


def generator(open_stream: Callable[..., Opened]) -> Callable[..., Any]:
    """Return the generator function that the user sees."""

    def call(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        opened = open_stream(*args, **kwargs)
        try:
            value = (yield from _relay(opened)) if opened.has_first else opened.value
        except GeneratorExit as error:
            apart(opened.end, error)
            raise
        except BaseException as error:
            opened.end(error)
            raise
        opened.end(None)
        return value

    return call


def _relay(opened: Opened) -> Generator[Any, Any, Any]:
    """Pass on items, and what is sent or thrown in; the same as `yield from` after one item."""
    iterator, item = opened.iterator, opened.first
    opened.first = None
    while True:
        try:
            sent = yield item
        except GeneratorExit:
            iterator.close()
            raise
        except BaseException as error:  # noqa: BLE001 - thrown in by the consumer: passed on
            step = partial(iterator.throw, error)
        else:
            if sent is None:
                return (yield from iterator)
            step = partial(iterator.send, sent)
        try:
            item = step()
        except StopIteration as stop:
            return stop.value


def async_opener(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a coroutine function that opens the stream of an async generator function."""

    async def call(*args: Any, **kwargs: Any) -> Opened:
        iterator = function(*args, **kwargs)
        try:
            first = await anext(iterator)
        except StopAsyncIteration:
            return Opened(iterator, has_first=False)
        return Opened(iterator, has_first=True, first=first)

    return call


def async_generator(open_stream: Callable[..., Any]) -> Callable[..., Any]:
    """Return the async generator function that the user sees."""

    async def call(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        opened = await open_stream(*args, **kwargs)
        iterator, item, opened.first = opened.iterator, opened.first, None
        try:
            while opened.has_first:  # there is no `yield from` here: each step is passed on
                try:
                    sent = yield item
                except GeneratorExit:
                    await iterator.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - thrown in by the consumer
                    step = iterator.athrow(error)
                else:
                    step = iterator.asend(sent)
                try:
                    item = await step
                except StopAsyncIteration:
                    break
        except BaseException as error:
            opened.end(error)
            raise
        opened.end(None)

    return call
