"""The wrapper: as good as the function to whoever looks at it, and one however many layers."""

from __future__ import annotations

import functools
import inspect
import typing
import weakref

import pytest
import wrapt

from resilience import (
    CircuitBreaker,
    KeyPool,
    PriorityQueue,
    Settings,
    circuit_breaker,
    prioritized,
    resilient,
    retry,
)
from resilience._wrapper import Wrapper, wrapper_of
from tests.support.decorators import DECORATORS


def plain(number: int, /, *others: int, key: str | None = None, **more: str) -> list[int]:
    """Say what this is for."""
    return [number, *others]


async def coroutine(number: int, *, key: str | None = None) -> list[int]:
    """Say it later."""
    return [number]


def generator(number: int, *, key: str | None = None) -> typing.Iterator[int]:
    """Say it in parts."""
    yield number


async def async_generator(number: int, *, key: str | None = None) -> typing.AsyncIterator[int]:
    """Say it in parts, later."""
    yield number


SHAPES = (plain, coroutine, generator, async_generator)


@pytest.fixture(params=DECORATORS)
def decorator(request):
    """Each decorator of the toolkit."""
    return DECORATORS[request.param]


@pytest.fixture(params=SHAPES, ids=lambda function: function.__name__)
def function(request):
    """A function of each shape."""
    return request.param


def layers(function):
    """The kinds of the layers, the outermost first."""
    return [layer.kind for layer in wrapper_of(function)._self_layers]


ATTRIBUTES = (
    "__name__",
    "__qualname__",
    "__module__",
    "__doc__",
    "__annotations__",
    "__defaults__",
    "__kwdefaults__",
    "__code__",
    "__dict__",
)
LOOKS = (
    inspect.signature,
    typing.get_type_hints,
    inspect.getdoc,
    inspect.getsource,
    inspect.isfunction,
    inspect.isroutine,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
    callable,
    hash,
    bool,
    str,
)


def test_a_look_shows_the_function(decorator, function):
    """What anybody asks of a function has the answer that it had before."""
    decorated = decorator(function)

    for name in ATTRIBUTES:
        assert getattr(function, name) == getattr(decorated, name)
    for look in LOOKS:
        assert look(function) == look(decorated)


@pytest.mark.parametrize(
    "decorator",
    [
        retry,
        retry(),
        retry(max_retries=1),
        circuit_breaker,
        circuit_breaker(),
        circuit_breaker(failure_threshold=1),
        circuit_breaker(CircuitBreaker()),
        prioritized,
        prioritized(),
        prioritized(queue_size=1),
        prioritized(PriorityQueue()),
        resilient,
        resilient(),
        resilient(max_retries=1),
        resilient(Settings()),
        resilient(Settings(), max_retries=1),
    ],
)
def test_every_way_to_write_a_decorator(decorator):
    """Bare, called with nothing, with settings, with an object to share."""
    assert [1] == decorator(plain)(1)


def test_a_bound_method_looks_like_one(decorator, function):
    """A method has its instance, and a signature without it."""

    class Service:
        method = decorator(function)
        bare = function

    service = Service()

    assert inspect.ismethod(service.method)
    assert service is service.method.__self__
    assert inspect.signature(service.bare) == inspect.signature(service.method)
    assert inspect.iscoroutinefunction(function) is inspect.iscoroutinefunction(service.method)
    assert inspect.isasyncgenfunction(function) is inspect.isasyncgenfunction(service.method)
    assert service.method == service.method
    assert hash(service.method) == hash(service.method)
    assert "bound method" in repr(service.method)


def test_trap_6_the_function_is_right_behind_its_one_wrapper(decorator, function):
    """There is one wrapper, of wrapt's kind, and the bare function right behind it."""
    decorated = decorator(function)

    assert isinstance(decorated, wrapt.FunctionWrapper)
    assert function is decorated.__wrapped__
    assert function is inspect.unwrap(decorated)


def test_a_decorated_function_can_be_referred_to_weakly(decorator, function):
    """A wrapper goes when nobody holds it, and is found until then."""
    decorated = decorator(function)

    class Service:
        method = decorated

    service = Service()
    reference, method = weakref.ref(decorated), weakref.WeakMethod(service.method)

    assert decorated is reference()
    assert service.method == method()
    del service
    assert method() is None


def test_attributes_are_those_of_the_function(decorator):
    """What is set through the wrapper is the function's, under any name, and can be deleted."""

    def function(key=None):
        """Take attributes."""

    decorated = decorator(function)
    for name in ("site", "layers", "kind", "name", "call", "_private"):
        setattr(decorated, name, name)

        assert name == getattr(function, name) == getattr(decorated, name)
        delattr(decorated, name)
        assert not hasattr(function, name)
    with pytest.raises(AttributeError, match="absent"):
        _ = decorated.absent


def test_trap_6_a_decorator_leaves_nothing_on_the_function(decorator):
    """State is the wrapper's: the bare function is as before, and two wrappers share nothing."""

    def function(key=None):
        """Stay as you are."""

    first, second = decorator(function), prioritized(circuit_breaker(function))
    second.circuit_breaker.open()

    assert {} == vars(function)
    assert not hasattr(function, "queue")
    assert "OPEN" != getattr(getattr(first, "circuit_breaker", None), "state", "CLOSED")


def test_trap_6_one_state_for_all_instances():
    """State stands on the decorated function, so the instances of a class share it."""

    class Service:
        @circuit_breaker
        def method(self):
            """Be called."""

    assert Service().method.circuit_breaker is Service().method.circuit_breaker


def test_a_copy_by_functools_wraps_is_as_good(decorator, function):
    """Other decorators take name, documentation and signature over as from any function."""

    @functools.wraps(decorator(function))
    def outer(*args, **kwargs):
        """Be replaced."""

    assert function.__qualname__ == outer.__qualname__
    assert inspect.signature(function) == inspect.signature(outer)


def test_trap_6_a_second_decorator_adds_a_layer_to_the_one_wrapper():
    """A stack is one proxy; the first one goes on as it was."""
    first = circuit_breaker(plain)
    second = retry(prioritized(first))

    assert ["retry", "prioritized", "circuit_breaker"] == layers(second)
    assert ["circuit_breaker"] == layers(first)
    assert plain is second.__wrapped__
    assert first.circuit_breaker is second.circuit_breaker


def test_resilient_is_one_wrapper_with_the_layers_in_order():
    """The whole stack is no more than a wrapper with layers."""
    pool = KeyPool({"a": "made up"})
    decorated = resilient(attempt_timeout=1, keys=pool)(lambda api_key: api_key)
    expected = ["retry", "key_pool", "prioritized", "circuit_breaker", "attempt_timeout"]

    assert expected == layers(decorated)
    assert not isinstance(decorated.__wrapped__, Wrapper)
    assert "made up" == decorated()
