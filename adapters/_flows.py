"""Flows: what an operation wants to ask, as data, and what runs it.

A flow is a generator. It yields one `Ask`, or a list of them that may be sent side by side, and is
sent the result, or the results in their order. What an ask raises is thrown into the flow, which
may clean up by further asks. A flow is always closed; what it returns is the operation's result.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from typing import Any, Generic, TypeVar, overload

from adapters._exchange import Read
from adapters._failures import read_answer
from adapters._messages import Reply, Request

__all__ = [
    "Ask",
    "Asks",
    "Flow",
    "Page",
    "Pages",
    "drive",
    "drive_async",
    "drive_pages",
    "drive_pages_async",
    "one",
]

R = TypeVar("R")


class Ask(Generic[R]):
    """One request, and how its answer is read.

    Args:
        request: What is sent.
        parse: Makes the result of the parsed JSON of a good answer, and of the reply; it may fail
            with any error of access on an answer of another form.
        read: In its place, reads an answer that is no JSON.
        entry: The entry of the pool that has to serve, where it is not any.
        cleans_up: Whether it is sent although the time of the call may be over; it has a little of
            its own.
    """

    __slots__ = ("cleans_up", "entry", "read", "request")

    @overload
    def __init__(self, request: Request, parse: Callable[[Any, Reply], R]) -> None: ...

    @overload
    def __init__(
        self,
        request: Request,
        *,
        read: Read[R],
        entry: str | None = ...,
        cleans_up: bool = ...,
    ) -> None: ...

    def __init__(
        self,
        request: Request,
        parse: Any = None,
        *,
        read: Any = None,
        entry: str | None = None,
        cleans_up: bool = False,
    ) -> None:
        self.request = request
        self.entry = entry
        self.cleans_up = cleans_up
        self.read: Read[R] = partial(read_answer, parse) if read is None else read


class Page(Generic[R]):
    """Items that a flow of pages hands out."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[R]) -> None:
        self.items = items


Asks = Ask[Any] | Sequence[Ask[Any]]
Flow = Generator[Asks, Any, R]
Pages = Generator[Asks | Page[R], Any, None]


def one(ask: Ask[R]) -> Flow[R]:
    """Be the flow of a single request; with `yield from`, a step of another one."""
    result: R = yield ask
    return result


def drive(flow: Flow[R], answer: Callable[[Asks], Any]) -> R:
    """Run a flow to its end; `answer` sends what it asks for.

    An answer is kept no longer than the flow keeps it: it may be large.
    """
    with closing(flow):
        try:
            asks = next(flow)
            while True:
                try:
                    answered = [answer(asks)]
                except BaseException as error:  # noqa: BLE001 - the flow decides what it means
                    asks = flow.throw(error)
                else:
                    asks = flow.send(answered.pop())
        except StopIteration as stop:
            result: R = stop.value
            return result


def drive_pages(flow: Pages[R], answer: Callable[[Asks], Any]) -> Generator[R, None, None]:
    """Run a flow of pages and give its items; each page is asked for when it is needed."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                if isinstance(step, Page):
                    yield from step.items
                    step = next(flow)
                    continue
                try:
                    answered = [answer(step)]
                except BaseException as error:  # noqa: BLE001 - the flow decides what it means
                    step = flow.throw(error)
                else:
                    step = flow.send(answered.pop())
        except StopIteration:
            return


async def drive_async(flow: Flow[R], answer: Callable[[Asks], Awaitable[Any]]) -> R:
    """Run a flow to its end; as `drive`, but for `await`."""
    with closing(flow):
        try:
            asks = next(flow)
            while True:
                try:
                    answered = [await answer(asks)]
                except BaseException as error:  # noqa: BLE001 - the flow decides what it means
                    asks = flow.throw(error)
                else:
                    asks = flow.send(answered.pop())
        except StopIteration as stop:
            result: R = stop.value
            return result


async def drive_pages_async(
    flow: Pages[R], answer: Callable[[Asks], Awaitable[Any]]
) -> AsyncGenerator[R, None]:
    """Run a flow of pages and give its items; as `drive_pages`, but for `await`."""
    with closing(flow):
        try:
            step = next(flow)
            while True:
                if isinstance(step, Page):
                    for item in step.items:
                        yield item
                    step = next(flow)
                    continue
                try:
                    answered = [await answer(step)]
                except BaseException as error:  # noqa: BLE001 - the flow decides what it means
                    step = flow.throw(error)
                else:
                    step = flow.send(answered.pop())
        except StopIteration:
            return
