"""Operations: what an API can be asked for, as methods of its clients.

An operation is written once, without input and output, and each kind of client drives it in its own
way. Parameters and docstring of what it is made of are those that its users see; the name is that
of the attribute.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from types import MethodType
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Self,
    TypeVar,
    cast,
    overload,
)

from adapters._combining import Combining
from adapters._exchange import MakeReader, Read
from adapters._flows import Ask, Flow, Pages, one
from adapters._messages import Reply, Request
from adapters._setup import Setup
from adapters._streaming import AsyncStream, Stream

if TYPE_CHECKING:
    from adapters._async_client import BaseAsyncClient
    from adapters._client import BaseClient

__all__ = ["Operation", "PagedOperation", "StreamOperation"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class Method:
    """How a function becomes a method of clients.

    Args:
        begin: Takes the client's setup and then what the user gives.
        method: Takes a client and what the user gives.
        awaited: The same for clients whose calls are awaited.
        results: What the two return, as text.
    """

    def __init__(
        self, begin: Callable[..., Any], method: Any, awaited: Any, results: tuple[str, str]
    ) -> None:
        _, *others = inspect.signature(begin).parameters.values()
        self._begin = begin
        self._methods = {False: method, True: awaited}
        self._results = {False: results[0], True: results[1]}
        self._signature = inspect.Signature(others)
        self._named = frozenset(self._signature.parameters)

    def __set_name__(self, owner: type, name: str) -> None:
        itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        parameters = [itself, *self._signature.parameters.values()]
        for is_async, method in self._methods.items():
            method.__name__, method.__qualname__ = name, f"{owner.__qualname__}.{name}"
            method.__module__, method.__doc__ = owner.__module__, self._begin.__doc__
            method.__signature__ = inspect.Signature(
                parameters, return_annotation=self._results[is_async]
            )

    def __get__(self, client: Any, owner: Any) -> Any:
        method = self._methods[getattr(owner, "is_async", False)]
        return method if client is None else MethodType(method, client)

    @property
    def name(self) -> str:
        """The name of the method."""
        return str(self._methods[False].__name__)

    @property
    def doc(self) -> str:
        """What it does, in its own words."""
        return inspect.getdoc(self._begin) or ""

    @property
    def signature(self) -> inspect.Signature:
        """What the user gives."""
        return self._signature

    def begin(self, setup: Setup, args: Any, kwargs: Any) -> Any:
        """Call the function; what does not fit its parameters is said in the user's words.

        Raises:
            TypeError: for an argument too many or too few.
        """
        try:
            return self._begin(setup, *args, **kwargs)
        except TypeError:
            try:
                self._signature.bind(*args, **kwargs)
            except TypeError as misfit:
                msg = f"{self.name}() got wrong arguments: {misfit}"
                raise TypeError(msg) from None
            raise


class Operation(Method, Generic[P, R]):
    """An operation that is made of a flow: a function of the setup and the user's arguments.

    Args:
        flow: The function.
        combining: How concurrent calls with one input each become one with a list, or None.
        result: What the flow returns, as text, where it does not say so itself.
    """

    def __init__(
        self,
        flow: Callable[Concatenate[Setup, P], Flow[R]],
        *,
        combining: Combining[Any] | None = None,
        result: str | None = None,
    ) -> None:
        def method(client: BaseClient, /, *args: Any, **kwargs: Any) -> R:
            call = client._call(kwargs, self._named)
            single = client._single(self, args, kwargs) if combining else None
            if single is not None:
                return cast("R", client._run_combined(self, single, call))
            return cast("R", client._run(self.begin(client._setup, args, kwargs), call))

        async def awaited(client: BaseAsyncClient, /, *args: Any, **kwargs: Any) -> R:
            call = client._call(kwargs, self._named)
            single = client._single(self, args, kwargs) if combining else None
            if single is not None:
                return cast("R", await client._run_combined(self, single, call))
            return cast("R", await client._run(self.begin(client._setup, args, kwargs), call))

        self.combining = combining

        result = result or _inside(_returned(flow))
        super().__init__(flow, method, awaited, (result, result))

    @overload
    @classmethod
    def of(
        cls,
        build: Callable[Concatenate[Setup, Q], Request],
        parse: Callable[[Any, Reply], S],
        *,
        combining: Combining[Any] | None = None,
    ) -> Operation[Q, S]: ...

    @overload
    @classmethod
    def of(
        cls, build: Callable[Concatenate[Setup, Q], Request], *, read: Read[S]
    ) -> Operation[Q, S]: ...

    @classmethod
    def of(
        cls,
        build: Callable[..., Request],
        parse: Any = None,
        *,
        read: Any = None,
        combining: Combining[Any] | None = None,
    ) -> Any:
        """Return the usual operation: one request, and its answer as `parse` or `read` sees it."""

        def begin(setup: Setup, /, *args: Any, **kwargs: Any) -> Flow[Any]:
            request = build(setup, *args, **kwargs)
            return one(Ask(request, parse) if read is None else Ask(request, read=read))

        flow: Any = functools.update_wrapper(begin, build)
        result = _returned(parse if read is None else read)
        return cls(flow, combining=combining, result=result)

    if TYPE_CHECKING:

        @overload
        def __get__(
            self, client: None, owner: type[BaseClient]
        ) -> Callable[Concatenate[Any, P], R]: ...

        @overload
        def __get__(self, client: BaseClient, owner: Any) -> Callable[P, R]: ...

        @overload
        def __get__(
            self, client: None, owner: type[BaseAsyncClient]
        ) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]: ...

        @overload
        def __get__(
            self, client: BaseAsyncClient, owner: Any
        ) -> Callable[P, Coroutine[Any, Any, R]]: ...

        @overload
        def __get__(self, client: object, owner: Any) -> Self: ...

        def __get__(self, client: Any, owner: Any) -> Any: ...


class StreamOperation(Method, Generic[P]):
    """An operation that gives events as they come: one request, and the reader of its answer."""

    def __init__(
        self, build: Callable[Concatenate[Setup, P], Request], make_reader: MakeReader
    ) -> None:
        def method(client: BaseClient, /, *args: Any, **kwargs: Any) -> Stream:
            call = client._call(kwargs, self._named)
            return client._stream(self.begin(client._setup, args, kwargs), make_reader, call)

        def awaited(client: BaseAsyncClient, /, *args: Any, **kwargs: Any) -> AsyncStream:
            call = client._call(kwargs, self._named)
            return client._stream(self.begin(client._setup, args, kwargs), make_reader, call)

        super().__init__(build, method, awaited, ("Stream", "AsyncStream"))

    if TYPE_CHECKING:

        @overload
        def __get__(
            self, client: None, owner: type[BaseClient]
        ) -> Callable[Concatenate[Any, P], Stream]: ...

        @overload
        def __get__(self, client: BaseClient, owner: Any) -> Callable[P, Stream]: ...

        @overload
        def __get__(
            self, client: None, owner: type[BaseAsyncClient]
        ) -> Callable[Concatenate[Any, P], AsyncStream]: ...

        @overload
        def __get__(self, client: BaseAsyncClient, owner: Any) -> Callable[P, AsyncStream]: ...

        @overload
        def __get__(self, client: object, owner: Any) -> Self: ...

        def __get__(self, client: Any, owner: Any) -> Any: ...


class PagedOperation(Method, Generic[P, R]):
    """An operation that gives items of any number, a page at a time, as they are asked for.

    Nothing is sent before the first item is taken. `timeout` bounds each page, not all of them.
    """

    def __init__(self, pages: Callable[Concatenate[Setup, P], Pages[R]]) -> None:
        def method(client: BaseClient, /, *args: Any, **kwargs: Any) -> Iterator[R]:
            call = client._call(kwargs, self._named)
            return client._pages(self.begin(client._setup, args, kwargs), call)

        def awaited(client: BaseAsyncClient, /, *args: Any, **kwargs: Any) -> AsyncIterator[R]:
            call = client._call(kwargs, self._named)
            return client._pages(self.begin(client._setup, args, kwargs), call)

        item = _inside(_returned(pages))
        super().__init__(pages, method, awaited, (f"Iterator[{item}]", f"AsyncIterator[{item}]"))

    if TYPE_CHECKING:

        @overload
        def __get__(
            self, client: None, owner: type[BaseClient]
        ) -> Callable[Concatenate[Any, P], Iterator[R]]: ...

        @overload
        def __get__(self, client: BaseClient, owner: Any) -> Callable[P, Iterator[R]]: ...

        @overload
        def __get__(
            self, client: None, owner: type[BaseAsyncClient]
        ) -> Callable[Concatenate[Any, P], AsyncIterator[R]]: ...

        @overload
        def __get__(self, client: BaseAsyncClient, owner: Any) -> Callable[P, AsyncIterator[R]]: ...

        @overload
        def __get__(self, client: object, owner: Any) -> Self: ...

        def __get__(self, client: Any, owner: Any) -> Any: ...


def _returned(function: Callable[..., Any]) -> str:
    annotation = inspect.signature(function).return_annotation
    if annotation is inspect.Signature.empty:
        return "Any"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _inside(annotation: str) -> str:
    """Return what a flow returns, or its pages hold."""
    return annotation.partition("[")[2].removesuffix("]") or annotation
