"""One test body for both worlds: `SyncRun` calls it in threads, `AsyncRun` awaits it on a loop.

A test asks for the fixture `run` and is run twice. It writes the function under test once, plainly;
`run` makes a coroutine function (or an async generator function) of it where that is wanted, and
hands the decorated result back as something that can simply be called.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from time import sleep
from typing import Any

from tests.support import bodies
from tests.support.bodies import Function

__all__ = ["AsyncRun", "Driven", "Gate", "Run", "SyncRun"]


class Driven:
    """A decorated function that can be called without `await`; its handles are still there."""

    def __init__(self, run: Run, function: Function) -> None:
        self.run = run
        self.function = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run a function to its end, or give a plain generator over a generator's items."""
        drive = self.run.iterate if bodies.generates(self.function) else self.run.call
        return drive(self.function, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)


class Gate:
    """Holds whoever waits at it until it is opened, and from then on nobody."""

    def __init__(self, event: threading.Event | asyncio.Event) -> None:
        self.event = event
        self.arrived = 0

    def wait(self) -> Any:
        """Block, or return what must be awaited; `arrived` counts who came."""
        self.arrived += 1
        return self.event.wait()

    def open(self) -> None:
        """Let everybody pass, now and later."""
        self.event.set()


class Run:
    """What both flavours share."""

    flavour: str
    function: Function
    steps: Function
    call: Function
    iterate: Function

    def __init__(self) -> None:
        self.started: list[Any] = []

    def drive(self, function: Function) -> Driven:
        """Make something that is plainly called of a function of this flavour."""
        return Driven(self, function)

    def decorate(self, decorator: Function, body: Function | None = None) -> Any:
        """Decorate the body in this flavour and drive it; without a body, do so as a decorator."""
        if body is None:
            return functools.partial(self.decorate, decorator)
        return self.drive(decorator(self.function(body)))

    def items(self, function: Function, *args: Any, **kwargs: Any) -> list[Any]:
        """All items of a generator function of this flavour."""
        return list(self.iterate(function, *args, **kwargs))

    def close(self) -> None:
        """Check that every call that was started has ended."""
        running = sum(not call.done() for call in self.started)
        if running:
            raise AssertionError(f"{running} started calls never ended")


class SyncRun(Run):
    """Plain functions and generators; what is started runs in a thread of its own."""

    flavour = "sync"

    def function(self, body: Function) -> Function:
        """The body itself."""
        return body

    def steps(self, body: Function) -> Function:
        """Make a function of a generator function in which `yield` stands for `await`."""
        return bodies.stepping(body)

    def call(self, function: Function, *args: Any, **kwargs: Any) -> Any:
        """Call it."""
        return function(*args, **kwargs)

    def iterate(self, function: Function, *args: Any, **kwargs: Any) -> Any:
        """The generator that the function returns."""
        return function(*args, **kwargs)

    def start(self, function: Function, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call it in a thread, in a copy of this context; `result()` waits for its end."""
        future: Future[Any] = Future()
        self.started.append(future)
        context = copy_context()

        def target() -> None:
            try:
                future.set_result(context.run(function, *args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=target, daemon=True).start()
        return future

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the started calls go on until the condition holds; the test's time-out bounds it."""
        while not condition():
            sleep(0)

    def gate(self) -> Gate:
        """A closed gate, which blocks threads."""
        return Gate(threading.Event())


class AsyncRun(Run):
    """Coroutine functions and async generators, on one loop a test and in the test's own thread.

    The loop moves only inside `call`, `until`, `result()` and the generators: between them a
    started call stands still. Each call gets a copy of the context in which the test makes it.
    """

    flavour = "async"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    def function(self, body: Function) -> Function:
        """A coroutine function, or an async generator function, with this body."""
        if inspect.isgeneratorfunction(body):
            return bodies.as_async_generator_function(body)
        return bodies.as_coroutine_function(body)

    def steps(self, body: Function) -> Function:
        """Make a coroutine function of a generator function in which `yield` stands for `await`."""
        return bodies.stepping_async(body)

    def call(self, function: Function, *args: Any, **kwargs: Any) -> Any:
        """Call it on the loop, and run what it returns to its end."""
        # A runner keeps one context for life; a test's `with deadline(...)` is in that of now.
        return self.runner.run(bodies.settled(function, *args, **kwargs), context=copy_context())

    def iterate(self, function: Function, *args: Any, **kwargs: Any) -> Any:
        """A plain generator, each step of which runs the async one on the loop."""
        return bodies.as_generator(function(*args, **kwargs), self.call)

    def start(self, function: Function, *args: Any, **kwargs: Any) -> _Task:
        """Call it in a task; `result()` runs the loop until its end, `cancel()` cancels it."""
        loop = self.runner.get_loop()
        function = function.function if isinstance(function, Driven) else function
        task = loop.create_task(bodies.settled(function, *args, **kwargs), context=copy_context())
        self.started.append(task)
        return _Task(task, self)

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the started calls go on until the condition holds; the test's time-out bounds it."""

        async def poll() -> None:
            while not condition():  # noqa: ASYNC110 - no event tells when
                await asyncio.sleep(0)

        self.call(poll)

    def gate(self) -> Gate:
        """A closed gate, which suspends tasks."""
        return Gate(asyncio.Event())

    def close(self) -> None:
        """Check that every call that was started has ended, then close the loop."""
        try:
            super().close()
        finally:
            self.runner.close()


class _Task:
    """The part of `concurrent.futures.Future` that tests use, of a task."""

    def __init__(self, task: asyncio.Task[Any], run: AsyncRun) -> None:
        self.task = task
        self.run = run
        self.done = task.done
        self.cancel = task.cancel

    def result(self) -> Any:
        """Run the loop until the task has ended; its result or its error."""
        self.run.until(self.task.done)
        return self.task.result()
