"""Where a decorator stands: the function, how it is called, and what stands around it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from resilience._record import record
from resilience._rules import check_all
from resilience.telemetry.opentelemetry import SpanDescription
from resilience.telemetry.statistics import CallStatistics

__all__ = ["BaseLayer", "Common", "Layer", "Shape", "Site", "parameters_of", "shape_of"]

Shape = Literal["function", "coroutine function", "generator", "async generator"]


@record
class Site:
    """What a layer may know about the place where it works.

    Attributes:
        name: The name in statistics, spans, logs and errors.
        function: The decorated function itself.
        shape: How it is called.
        statistics: The record of its calls, or None where metrics are off.
        outside: The kinds of the layers around this one, the outermost first.
        inside: The kinds of the layers within this one.
        describe_span: Makes the span's description from the call's arguments, or None.
    """

    name: str
    function: Callable[..., Any]
    shape: Shape
    statistics: CallStatistics | None
    outside: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    describe_span: Callable[..., SpanDescription] | None = None

    @property
    def is_async(self) -> bool:
        """Whether calls are awaited."""
        return self.shape in ("coroutine function", "async generator")

    @property
    def measures(self) -> bool:
        """Whether the call in progress is counted and measured."""
        return self.statistics is not None and not self.statistics.switch.is_off

    @property
    def streams(self) -> bool:
        """Whether the inner call returns an `Opened` stream, and what is held is held on."""
        return self.shape in ("generator", "async generator")

    @property
    def retries(self) -> bool:
        """Whether a retry is among the layers."""
        return "retry" in self.inside or "retry" in self.outside

    @property
    def repeats(self) -> bool:
        """Whether something outside may call again within the same logical call."""
        return "retry" in self.outside or "key_pool" in self.outside


@record
class Common:
    """The arguments that every decorator takes."""

    name: str | None = None
    metrics_enabled: bool = True

    @classmethod
    def take(cls, settings: dict[str, Any]) -> Common:
        """Check these arguments and take them out of a decorator's settings."""
        common = {name: settings.pop(name) for name in cls.__dataclass_fields__ if name in settings}
        check_all(common)
        return cls(**common)


class Layer(Protocol):
    """One decorator: what it does to a call, what it shows, how it explains itself."""

    @property
    def kind(self) -> str:
        """What it is called among the layers of a site."""
        ...

    @property
    def name(self) -> str | None:
        """The `name=` that the user gave, or None."""

    @property
    def metrics_enabled(self) -> bool:
        """Whether the user wants calls to be counted."""
        ...

    @property
    def records(self) -> bool:
        """Whether it records the calls itself where it is the outermost one."""
        ...

    def sync(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return `inner` with this layer around it."""
        ...

    def asynchronous(self, inner: Callable[..., Any], site: Site) -> Callable[..., Any]:
        """Return the coroutine function `inner` with this layer around it."""
        ...

    def innermost(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with what this layer does last, once nothing more is waited for.

        One plain function serves all shapes: it is called, not awaited.
        """
        ...

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return the attributes that the function gets; `call` is the whole stack."""
        ...

    @property
    def submits(self) -> bool:
        """Whether one of these attributes is `submit`, and the like, which a method binds."""
        ...

    def serves(self, function: Any, statistics: CallStatistics | None) -> None:
        """Take note of the decorated function and of its record, or None where it has none."""
        ...

    def live(self) -> dict[str, Any]:
        """Return the values that statistics show as they are now."""
        ...

    @property
    def enabled(self) -> bool:
        """Whether it works, or has been turned off for everybody."""
        ...

    def explain(self) -> str:
        """Return one line: the layer with its settings."""
        ...


class BaseLayer:
    """What most layers do not have: a name, something to do last, something to look at."""

    __slots__ = ()

    name: str | None = None
    metrics_enabled: bool = True
    records: bool = False
    submits: bool = False

    def innermost(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return function

    def handles(self, call: Callable[..., Any]) -> dict[str, Any]:
        """Return nothing: there is no state to look at."""
        return {}

    def serves(self, function: Any, statistics: CallStatistics | None) -> None:
        """Ignore it: there is nothing that has metrics of its own."""

    def live(self) -> dict[str, Any]:
        """Return nothing, since there is no state."""
        return {}

    @property
    def enabled(self) -> bool:
        """Return True: nothing turns it off."""
        return True


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter] | None:
    """Return the parameters of `function` by name; None where it does not tell, as some builtins.

    Looked up once where a layer is made, not at each call.
    """
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return None


def shape_of(function: Callable[..., Any]) -> Shape:
    """Return how `function` is called; looks through partials, bound methods and `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    candidates = [function, getattr(type(function), "__call__", None)]  # noqa: B004
    for candidate in candidates:
        if inspect.isasyncgenfunction(candidate):
            return "async generator"
        if inspect.iscoroutinefunction(candidate):
            return "coroutine function"
        if inspect.isgeneratorfunction(candidate):
            return "generator"
    return "function"
