"""What `@batched` returns, as a type checker sees it; at run time it is the one wrapper.

A function of a list becomes one of an item: the list's type gives the item's, the type of what is
returned gives the result's, and the other parameters stay. A keyword cannot be added to the
parameters of an unknown function: so a call with `priority=` is checked for its result alone.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from resilience._batcher import Batcher
    from resilience._context import Priority
    from resilience._future import SubmittedFuture

__all__ = [
    "Batched",
    "BatchedAsync",
    "BatchedAsyncMethod",
    "BatchedAsyncOfClass",
    "BatchedDecorator",
    "BatchedMethod",
    "BatchedOfClass",
]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")


class _Handles(Generic[T, P, R]):
    """What both kinds have beside the call."""

    batcher: Batcher

    if TYPE_CHECKING:

        @overload
        def submit(self, item: T, /, *args: P.args, **kwargs: P.kwargs) -> SubmittedFuture[R]: ...
        @overload
        def submit(
            self, item: T, /, *args: Any, priority: Priority | int | str, **kwargs: Any
        ) -> SubmittedFuture[R]: ...
        def submit(self, item: T, /, *args: Any, **kwargs: Any) -> SubmittedFuture[R]: ...


class Batched(_Handles[T, P, R]):
    """A function."""

    if TYPE_CHECKING:

        @overload
        def __call__(self, item: T, /, *args: P.args, **kwargs: P.kwargs) -> R: ...
        @overload
        def __call__(
            self, item: T, /, *args: Any, priority: Priority | int | str, **kwargs: Any
        ) -> R: ...
        def __call__(self, item: T, /, *args: Any, **kwargs: Any) -> Any: ...

        @overload
        def map(self, items: Iterable[T], /, *args: P.args, **kwargs: P.kwargs) -> list[R]: ...
        @overload
        def map(
            self, items: Iterable[T], /, *args: Any, priority: Priority | int | str, **kwargs: Any
        ) -> list[R]: ...
        def map(self, items: Iterable[T], /, *args: Any, **kwargs: Any) -> list[R]: ...

        def flush(self) -> None: ...


class BatchedAsync(_Handles[T, P, R]):
    """A coroutine function."""

    if TYPE_CHECKING:

        @overload
        def __call__(
            self, item: T, /, *args: P.args, **kwargs: P.kwargs
        ) -> Coroutine[Any, Any, R]: ...
        @overload
        def __call__(
            self, item: T, /, *args: Any, priority: Priority | int | str, **kwargs: Any
        ) -> Coroutine[Any, Any, R]: ...
        def __call__(self, item: T, /, *args: Any, **kwargs: Any) -> Any: ...

        @overload
        async def map(
            self, items: Iterable[T], /, *args: P.args, **kwargs: P.kwargs
        ) -> list[R]: ...
        @overload
        async def map(
            self, items: Iterable[T], /, *args: Any, priority: Priority | int | str, **kwargs: Any
        ) -> list[R]: ...
        async def map(self, items: Iterable[T], /, *args: Any, **kwargs: Any) -> list[R]: ...

        async def flush(self) -> None: ...


class BatchedMethod(Generic[S, T, P, R]):
    """A function in the body of a class: bound to an instance it is `Batched`."""

    batcher: Batcher

    if TYPE_CHECKING:

        def __call__(self, instance: S, item: T, /, *args: P.args, **kwargs: P.kwargs) -> R: ...

        @overload
        def __get__(self, instance: None, owner: type) -> BatchedMethod[S, T, P, R]: ...
        @overload
        def __get__(self, instance: S, owner: type | None = None) -> Batched[T, P, R]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...


class BatchedAsyncMethod(Generic[S, T, P, R]):
    """A coroutine function in the body of a class: bound to an instance it is `BatchedAsync`."""

    batcher: Batcher

    if TYPE_CHECKING:

        async def __call__(
            self, instance: S, item: T, /, *args: P.args, **kwargs: P.kwargs
        ) -> R: ...

        @overload
        def __get__(self, instance: None, owner: type) -> BatchedAsyncMethod[S, T, P, R]: ...
        @overload
        def __get__(self, instance: S, owner: type | None = None) -> BatchedAsync[T, P, R]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...


class BatchedOfClass(Generic[S, T, P, R]):
    """A function whose first parameter is a class: a class method, bound without an instance."""

    batcher: Batcher

    if TYPE_CHECKING:

        def __call__(self, owner: S, item: T, /, *args: P.args, **kwargs: P.kwargs) -> R: ...
        def __get__(self, instance: Any, owner: Any = None) -> Batched[T, P, R]: ...


class BatchedAsyncOfClass(Generic[S, T, P, R]):
    """A coroutine function whose first parameter is a class."""

    batcher: Batcher

    if TYPE_CHECKING:

        async def __call__(self, owner: S, item: T, /, *args: P.args, **kwargs: P.kwargs) -> R: ...
        def __get__(self, instance: Any, owner: Any = None) -> BatchedAsync[T, P, R]: ...


class BatchedDecorator(Protocol):
    """What `@batched(…)` returns before it gets its function."""

    @overload  # no class whose methods batch is a list
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[list[T], P], Coroutine[Any, Any, Iterable[R]]], /
    ) -> BatchedAsync[T, P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap] # as above
        self, function: Callable[Concatenate[list[T], P], Iterable[R]], /
    ) -> Batched[T, P, R]: ...
    @overload
    def __call__(
        self,
        function: Callable[Concatenate[type[S], list[T], P], Coroutine[Any, Any, Iterable[R]]],
        /,
    ) -> BatchedAsyncOfClass[type[S], T, P, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[type[S], list[T], P], Iterable[R]], /
    ) -> BatchedOfClass[type[S], T, P, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, list[T], P], Coroutine[Any, Any, Iterable[R]]], /
    ) -> BatchedAsyncMethod[S, T, P, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[S, list[T], P], Iterable[R]], /
    ) -> BatchedMethod[S, T, P, R]: ...
