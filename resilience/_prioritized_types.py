"""What `@prioritized` returns, as a type checker sees it; at run time it is the one wrapper."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from resilience._queue import PriorityQueue

__all__ = ["Prioritized"]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Q = ParamSpec("Q")


class Prioritized(Generic[P, R]):
    """A function with a queue: called as before, with `submit` and `queue` beside it."""

    queue: PriorityQueue

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...

        def submit(self, *args: P.args, **kwargs: P.kwargs) -> Future[R]: ...

        @overload
        def __get__(self, instance: None, owner: type) -> Prioritized[P, R]: ...
        @overload
        def __get__(
            self: Prioritized[Concatenate[S, Q], R], instance: S, owner: type | None = None
        ) -> Prioritized[Q, R]: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...
