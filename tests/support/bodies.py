"""Plain functions and generators made into coroutines and async generators, and back."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Generator
from typing import Any

__all__ = [
    "as_async_generator_function",
    "as_coroutine_function",
    "as_generator",
    "generates",
    "settled",
    "stepping",
    "stepping_async",
]

Function = Callable[..., Any]


def generates(function: Function) -> bool:
    """Whether a call gives an iterator, sync or async."""
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


async def settled(function: Function, *args: Any, **kwargs: Any) -> Any:
    """Call the function where a loop runs, and await what it returns if that can be awaited."""
    return await _settle(function(*args, **kwargs))


def as_coroutine_function(body: Function) -> Function:
    """Give way once, so that calls interleave, then run the body."""

    @functools.wraps(body)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        return body(*args, **kwargs)

    return coroutine


def stepping(body: Function) -> Function:
    """A function of a generator function: each `yield` gives its own value back."""

    @functools.wraps(body)
    def function(*args: Any, **kwargs: Any) -> Any:
        generator, value = body(*args, **kwargs), None
        while True:
            try:
                value = generator.send(value)
            except StopIteration as end:
                return end.value

    return function


def stepping_async(body: Function) -> Function:
    """A coroutine function of a generator function: each `yield` awaits its value."""

    @functools.wraps(body)
    async def coroutine(*args: Any, **kwargs: Any) -> Any:
        generator = body(*args, **kwargs)
        resume = functools.partial(generator.send, None)
        while True:
            try:
                step = resume()
            except StopIteration as end:
                return end.value
            try:
                resume = functools.partial(generator.send, await _settle(step))
            except BaseException as error:
                resume = functools.partial(generator.throw, error)

    return coroutine


def as_async_generator_function(body: Function) -> Function:
    """The same items; `asend`, `athrow` and `aclose` reach the body: an async `yield from`."""

    @functools.wraps(body)
    async def generate(*args: Any, **kwargs: Any) -> Any:
        generator = body(*args, **kwargs)
        resume = functools.partial(generator.send, None)
        try:
            while True:
                await asyncio.sleep(0)
                try:
                    item = resume()
                except StopIteration:
                    return
                try:
                    resume = functools.partial(generator.send, (yield item))
                except GeneratorExit:
                    raise
                except BaseException as error:
                    resume = functools.partial(generator.throw, error)
        finally:
            generator.close()

    return generate


def as_generator(generator: Any, run: Function) -> Generator[Any, Any, None]:
    """A plain generator over an async one, each step of which goes through `run`."""
    resume = generator.__anext__
    try:
        while True:
            try:
                item = run(resume)
            except StopAsyncIteration:
                return
            try:
                resume = functools.partial(generator.asend, (yield item))
            except GeneratorExit:
                raise
            except BaseException as error:
                resume = functools.partial(generator.athrow, error)
    finally:
        run(generator.aclose)


async def _settle(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value
