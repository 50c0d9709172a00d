"""One wrapper, many layers: the only importer of wrapt.

A decorator put on something that is already wrapped makes one wrapper with one layer more, never a
proxy around a proxy: one logical call is one span and one record, and a stack stays cheap.

`wrapt.FunctionWrapper` gives the fidelity (name, docstring, signature, `isinstance`, `inspect`).
Its own call path probes for `__self__` and builds a bound wrapper each time; the subclass here
puts the composed closure into a slot named `__call__` instead, where the interpreter finds it
directly: 1.4 plain closures a call instead of 6.

What costs most in a stack is to hand the arguments from closure to closure. So the drivers hand on
keywords only where there are some, by `inner(*args, **kwargs) if kwargs else inner(*args)`: that
saves an empty dictionary and its merging, an eighth of a plain closure at each layer.
"""

from __future__ import annotations

import copy
import functools
import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from types import MethodType
from typing import Any, NoReturn, Self

import wrapt

from resilience import _order
from resilience._rules import fail
from resilience._shortcut import with_shortcut
from resilience._site import Layer, Site, shape_of
from resilience._streams import async_generator, async_opener, generator, opener
from resilience.telemetry.calls import observe_async, observe_sync
from resilience.telemetry.statistics import statistics_of

__all__ = ["Wrapper", "decorate", "stack_of", "wrapper_of"]


# A partial is a method where it stands in a class from Python 3.14 on.
_NEVER_BOUND = (MethodType,) if sys.version_info >= (3, 14) else (MethodType, functools.partial)


def _never_called(*_: object) -> NoReturn:
    msg = "the slot __call__ answers every call"
    raise AssertionError(msg)


class Wrapper(wrapt.FunctionWrapper[Any, Any]):
    """A function with layers; whatever is not the toolkit's is the function's own."""

    __slots__ = ("__call__", "_self_bind", "_self_handles", "_self_layers", "_self_site")

    def __init__(
        self, function: Callable[..., Any], layers: tuple[Layer, ...], describe_span: Any = None
    ) -> None:
        super().__init__(function, _never_called)
        self._self_layers = layers
        self._self_site = site_of(function, layers, describe_span)
        call = compose(self._self_site, layers)
        # The proxy hands `self.__call__ = …` on to the function; the slot takes it.
        Wrapper.__dict__["__call__"].__set__(self, call)
        statistics = self._self_site.statistics
        for layer in layers:
            layer.serves(self, statistics)
            if statistics is not None:
                statistics.watch(layer)
        submits = any(layer.submits for layer in layers)
        # Most are never looked at: 300 bytes of each function.
        self._self_handles: dict[str, Any] | None = None
        if submits:
            _handles_of(self)
        self._self_bind = _binder(function, submits=submits)

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        bind = self._self_bind
        return self if instance is None or bind is None else bind(self, instance)

    def __getattr__(self, name: str) -> Any:
        handles = self._self_handles or _handles_of(self)
        return handles[name] if name in handles else getattr(self.__wrapped__, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self.__wrapped__), *_handles_of(self)})

    def __repr__(self) -> str:
        kinds = ", ".join(layer.kind for layer in self._self_layers)
        return f"<{self.__wrapped__!r} with {kinds}>"

    def __reduce__(self) -> str:
        """Pickle like a function: by reference to its module and qualified name."""
        name = getattr(self.__wrapped__, "__qualname__", None)
        if not isinstance(name, str):
            msg = f"cannot pickle {self!r}: it has no name by which it would be found again"
            raise TypeError(msg)
        return name

    def __reduce_ex__(self, protocol: object) -> str:
        return self.__reduce__()

    def __copy__(self) -> Self:
        """Copy like a function: it is its own copy."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


class _Bound(wrapt.ObjectProxy[Any]):
    """A bound method whose `submit` and the like are bound as well."""

    __slots__ = ("__call__", "_self_handles")

    def __init__(self, wrapper: Wrapper, instance: object) -> None:
        method = MethodType(wrapper, instance)
        super().__init__(method)
        self._self_handles = _handles_of(wrapper)
        _Bound.__dict__["__call__"].__set__(self, method)

    def __getattr__(self, name: str) -> Any:
        method = self.__wrapped__
        if name not in self._self_handles:
            return getattr(method, name)
        handle = self._self_handles[name]
        binds = inspect.isfunction(handle) and getattr(handle, "binds", False)
        return MethodType(handle, method.__self__) if binds else handle

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce__(self) -> Any:
        return self.__wrapped__.__reduce__()

    def __reduce_ex__(self, protocol: object) -> Any:
        return self.__reduce__()

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        method = copy.deepcopy(self.__wrapped__, memo)
        return type(self)(method.__func__, method.__self__)


class _ClassMethod(classmethod):  # type: ignore[type-arg] # of any parameters
    """A class method whose `submit` and the like get the class.

    From Python 3.13 on the built-in one does not ask the function how it is bound.
    """

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self.__func__.__get__(type(instance) if owner is None else owner)


def _handles_of(wrapper: Wrapper) -> dict[str, Any]:
    """Return the attributes that the layers give; two threads may make the same at once."""
    handles = wrapper._self_handles
    if handles is None:
        handles, statistics = {}, wrapper._self_site.statistics
        for layer in reversed(wrapper._self_layers):
            handles.update(layer.handles(wrapper.__call__))
        if statistics is not None:
            handles["metrics"] = statistics.switch
        wrapper._self_handles = handles
    return handles


def _binder(
    function: Callable[..., Any], *, submits: bool
) -> Callable[[Wrapper, object], Any] | None:
    """Return what binds a wrapper to an instance, or None where the function itself binds to none.

    A callable object, a class and a method that is bound already stay what they are in a class.
    """
    if isinstance(function, _NEVER_BOUND) or not hasattr(type(function), "__get__"):
        return None
    return _Bound if submits else MethodType


def decorate(function: Any, *make_layers: Callable[[str], Layer], describe_span: Any = None) -> Any:
    """Return `function` with these layers more, the outermost first.

    Each `make_layer` gets the function's name. Class and static methods are decorated inside, so
    that both orders of the decorators mean the same.
    """
    if isinstance(function, classmethod | staticmethod):
        inside = decorate(function.__func__, *make_layers, describe_span=describe_span)
        return (_ClassMethod if type(function) is classmethod else type(function))(inside)
    bare, inner = _unwrapped(function)
    if not callable(bare):
        fail("function", "must be callable (settings go by keyword)", bare)
    name = _name_of(bare)
    layers = (*(make_layer(name) for make_layer in make_layers), *inner)
    for index in range(len(make_layers)):
        _order.check(_kinds(layers[index:]), name)
    wrapper = wrapper_of(function)
    if describe_span is None and wrapper is not None:
        describe_span = wrapper._self_site.describe_span
    return Wrapper(bare, layers, describe_span)


def wrapper_of(function: Any) -> Wrapper | None:
    """Return the wrapper behind a decorated function or a method of it, or None."""
    if isinstance(function, classmethod | staticmethod):
        function = function.__func__
    if isinstance(function, _Bound):
        function = function.__wrapped__
    if type(function) is MethodType:
        function = function.__func__
    return function if type(function) is Wrapper else None


def stack_of(function: Any) -> tuple[Site, tuple[Layer, ...]] | None:
    """Return where the layers of a decorated function stand, and the layers, the outermost first.

    Not attributes of the wrapper: every name there is the function's own to use.
    """
    wrapper = wrapper_of(function)
    return None if wrapper is None else (wrapper._self_site, wrapper._self_layers)


def compose(site: Site, layers: tuple[Layer, ...]) -> Callable[..., Any]:
    """Return the closure that runs the function within its layers."""
    call = site.function
    for layer in layers:
        call = layer.innermost(call)
    if site.streams:
        call = (async_opener if site.is_async else opener)(call)
    inner, here = call, site
    for index in range(len(layers) - 1, -1, -1):
        layer = layers[index]
        here = replace(site, outside=_kinds(layers[:index]), inside=_kinds(layers[index + 1 :]))
        inner, call = call, (layer.asynchronous if site.is_async else layer.sync)(call, here)
    call = with_shortcut(here, layers, inner, call)
    if site.statistics is not None and not layers[0].records:
        call = (observe_async if site.is_async else observe_sync)(call, site, site.statistics)
    if site.streams:
        call = (async_generator if site.is_async else generator)(call)
    return call


def site_of(function: Callable[..., Any], layers: tuple[Layer, ...], describe_span: Any) -> Site:
    """Return the site of a whole stack; the outermost `name=` names it."""
    given = (layer.name for layer in layers if layer.name is not None)
    name = next(given, None) or _name_of(function)
    metrics_enabled = all(layer.metrics_enabled for layer in layers)
    return Site(
        name=name,
        function=function,
        shape=shape_of(function),
        statistics=statistics_of(name) if metrics_enabled else None,
        inside=_kinds(layers),
        describe_span=describe_span,
    )


def _name_of(function: Callable[..., Any]) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def _kinds(layers: tuple[Layer, ...]) -> tuple[str, ...]:
    return _shared(*(layer.kind for layer in layers))


@functools.cache  # there are few different stacks
def _shared(*kinds: str) -> tuple[str, ...]:
    return kinds


def _unwrapped(function: Any) -> tuple[Any, tuple[Layer, ...]]:
    """Return the bare function, bound if it was, and the layers that it has."""
    wrapper = wrapper_of(function)
    if wrapper is None:
        return function, ()
    bare = wrapper.__wrapped__
    instance = None if function is wrapper else function.__self__
    return (bare if instance is None else MethodType(bare, instance)), wrapper._self_layers
