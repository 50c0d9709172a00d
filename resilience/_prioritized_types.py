"""What `@prioritized` returns, as a type checker sees it; at run time it is the one wrapper."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

if TYPE_CHECKING:
    from resilience._context import Priority
    from resilience._future import SubmittedFuture
    from resilience._queue import PriorityQueue

__all__ = ["Prioritized", "PrioritizedDecorator", "PrioritizedOfClass"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")
Q = ParamSpec("Q")


class Prioritized(Generic[P, R_co]):
    """A function with a queue: called as before, with `submit` and `queue` beside it.

    A keyword cannot be added to the parameters of an unknown function. So a call with `priority=`
    is checked for its result alone.
    """

    queue: PriorityQueue

    if TYPE_CHECKING:

        @overload
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
        @overload
        def __call__(self, *args: Any, priority: Priority | int | str, **kwargs: Any) -> R_co: ...
        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

        @overload
        def submit(
            self: Prioritized[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
        ) -> SubmittedFuture[T]: ...
        @overload
        def submit(
            self: Prioritized[P, Coroutine[Any, Any, T]],
            *args: Any,
            priority: Priority | int | str,
            **kwargs: Any,
        ) -> SubmittedFuture[T]: ...
        @overload
        def submit(self, *args: P.args, **kwargs: P.kwargs) -> SubmittedFuture[R_co]: ...
        @overload
        def submit(
            self, *args: Any, priority: Priority | int | str, **kwargs: Any
        ) -> SubmittedFuture[R_co]: ...
        def submit(self, *args: Any, **kwargs: Any) -> SubmittedFuture[Any]: ...

        @overload
        def __get__(self, instance: None, owner: type) -> Prioritized[P, R_co]: ...
        @overload
        def __get__(
            self: Prioritized[Concatenate[S, Q], R_co], instance: S, owner: type | None = None
        ) -> Prioritized[Q, R_co]: ...
        @overload  # a static method, whose first parameter is something else
        def __get__(self, instance: Any, owner: type | None = None) -> Prioritized[P, R_co]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...


class PrioritizedOfClass(Prioritized[Concatenate[S, P], R_co], Generic[S, P, R_co]):
    """A function whose first parameter is a class; in the body of a class, a class method.

    A checker that meets `@classmethod` under another decorator hands on the bare function: this
    is how it is told from a method, which is bound to an instance alone.
    """

    if TYPE_CHECKING:

        def __get__(  # type: ignore[override] # the class is bound without an instance too
            self, instance: Any, owner: Any = None
        ) -> Prioritized[P, R_co]: ...


class PrioritizedDecorator(Protocol):
    """What `@prioritized(…)` returns before it gets its function."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[type[T], P], R], /
    ) -> PrioritizedOfClass[type[T], P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Prioritized[P, R]: ...
