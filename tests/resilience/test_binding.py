"""Whatever can be called can be decorated, and is found and called as before."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from abc import ABC, abstractmethod
from unittest.mock import AsyncMock, Mock

import pytest

from resilience import SettingsError, circuit_breaker, retry
from resilience._wrapper import wrapper_of
from tests.support.decorators import DECORATORS


def answer(*args, key=None):
    """Return the arguments."""
    return args


def items(*args, key=None):
    """Give the arguments, one by one."""
    yield from args


@pytest.fixture(params=DECORATORS)
def decorator(request):
    """Each decorator of the toolkit."""
    return DECORATORS[request.param]


@pytest.fixture(params=[answer, items], ids=["function", "generator"])
def body(request, run):
    """A function or a generator function of the flavour of the run."""
    return run.function(request.param)


@pytest.fixture
def ask(run, body):
    """Call what was decorated; the arguments that the function itself got come back."""

    def call(function, *args):
        if inspect.isgeneratorfunction(body) or inspect.isasyncgenfunction(body):
            return tuple(run.items(function, *args))
        return run.call(function, *args)

    return call


def test_a_function(decorator, body, ask):
    """A function gets what it is called with."""
    assert (1, 2) == ask(decorator(body), 1, 2)


def test_a_method(decorator, body, ask):
    """A method gets its instance, through the instance and through the class."""

    class Service:
        method = decorator(body)

    service = Service()

    assert (service, 1) == ask(service.method, 1)
    assert (service, 1) == ask(Service.method, service, 1)


def test_a_method_of_a_class_with_slots(decorator, body, ask):
    """Nothing is kept on the instance."""

    class Service:
        __slots__ = ()
        method = decorator(body)

    service = Service()

    assert (service, 1) == ask(service.method, 1)


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
@pytest.mark.parametrize("outside", ["decorator", "kind"])
def test_class_and_static_methods_in_both_orders(decorator, body, ask, kind, outside):
    """They are bound to the class, or to nothing, whichever decorator stands outside."""

    class Service:
        method = decorator(kind(body)) if outside == "decorator" else kind(decorator(body))

    class Special(Service):
        pass

    bound = (Special,) if kind is classmethod else ()

    assert isinstance(vars(Service)["method"], kind)
    assert (*bound, 1) == ask(Special.method, 1)
    assert (*bound, 1) == ask(Special().method, 1)


def test_an_overriding_method_calls_the_one_it_overrides(decorator, body, ask, run):
    """A method reaches the decorated one of its parent through `super()`."""

    class Service:
        method = decorator(body)

    class Special(Service):
        def method(self, number):
            return super().method(number + 1)

    special = Special()

    assert (special, 2) == ask(special.method, 1)


def test_an_abstract_method_stays_abstract(decorator, body, ask):
    """A class with one cannot be made, in either order of the decorators."""

    class Outside(ABC):  # noqa: B024 - the method is decorated as well
        method = abstractmethod(decorator(body))

    class Inside(ABC):  # noqa: B024 - the same
        method = decorator(abstractmethod(body))

    for cls in (Outside, Inside):
        with pytest.raises(TypeError, match="abstract"):
            cls()

    body.__isabstractmethod__ = False  # the body is one function for both flavours of the run


def test_a_property_over_a_decorated_function(decorator, body, ask):
    """A property calls its function with the instance."""

    class Service:
        value = property(decorator(body))

    service = Service()

    assert (service,) == ask(lambda: service.value)


def test_a_partial_method_over_a_decorated_function(decorator, body, ask):
    """`functools.partialmethod` binds both its arguments and the instance."""

    class Service:
        method = functools.partialmethod(decorator(body), 1)

    service = Service()

    assert (service, 1, 2) == ask(service.method, 2)


def test_a_nested_function(decorator, run):
    """A closure keeps what it closes over, and each one has a wrapper of its own."""

    def make(number):
        return decorator(run.function(lambda key=None: number))

    assert [1, 2] == [run.call(make(1)), run.call(make(2))]


def test_a_partial(decorator, body, ask):
    """A partial keeps its arguments, and its shape is that of its function."""
    assert (1, 2) == ask(decorator(functools.partial(functools.partial(body, 1))), 2)


def test_a_partial_in_a_class(decorator, body, ask):
    """It is a method there from Python 3.14 on, and stays a plain attribute before."""

    class Service:
        method = decorator(functools.partial(body, 1))

    service = Service()
    bound = (service,) if sys.version_info >= (3, 14) else ()

    assert (1, *bound) == ask(service.method)


def test_a_bound_method(decorator, body, ask):
    """A method that is bound already stays bound, even as an attribute of another class."""

    class Service:
        method = body

    service = Service()

    class Other:
        method = decorator(service.method)

    assert (service, 1) == ask(decorator(service.method), 1)
    assert (service, 1) == ask(Other().method, 1)


def test_a_bound_method_of_a_decorated_function(decorator, body, ask):
    """It gets one wrapper with the layers of both, and the first decorator is left as it was."""

    class Service:
        method = circuit_breaker(body)

    service = Service()
    again = decorator(service.method)

    assert (service, 1) == ask(again, 1)
    assert inspect.ismethod(again.__wrapped__)
    assert body is again.__wrapped__.__func__
    assert 1 == len(wrapper_of(Service.method)._self_layers)


def test_a_callable_object(decorator, body, ask):
    """An object is called through its `__call__`, and is not bound where it stands in a class."""

    class Caller:
        __call__ = body

    caller = Caller()

    class Service:
        call = decorator(caller)

    assert (caller, 1) == ask(decorator(caller), 1)
    assert (caller, 1) == ask(Service().call, 1)


def test_a_class(decorator):
    """A class makes its instances, knows them, and can be derived from."""

    class Point:
        def __init__(self, x, key=None):
            self.x = x

    decorated = decorator(Point)

    class Special(decorated):
        pass

    assert 3 == decorated(3).x
    assert 4 == Special(4).x
    assert isinstance(decorated(3), decorated)
    assert isinstance(Special(4), decorated)


def test_a_cached_function(run):
    """Another library's wrapper is bound in its own way, and can still be asked."""

    @retry
    @functools.cache
    def double(number):
        return 2 * number

    assert [4, 4] == [double(2), double(2)]
    assert (1, 1) == double.cache_info()[:2]


def test_builtins():
    """What is written in C has no code to look at, and is called all the same."""
    assert 3 == retry(len)([1, 2, 3])
    assert "A" == retry(str.upper)("a")
    assert "retry" in repr(retry(len))


def test_mocks():
    """A test's mock is called or awaited as what it stands for."""
    plain, awaited = Mock(return_value=1), AsyncMock(return_value=2)

    async def main():
        return await retry(awaited)("x")

    assert 1 == retry(plain)("x")
    plain.assert_called_once_with("x")
    assert inspect.iscoroutinefunction(retry(awaited))
    assert 2 == asyncio.run(main())


def test_a_decorator_refuses_what_cannot_be_called(decorator):
    """A property, a result, a module: the error says so at the line of the decorator."""
    for thing in (1, "name", property(answer), functools):
        with pytest.raises(SettingsError, match="must be callable"):
            decorator(thing)
