"""What a decorated function has beside itself: handles, names, an explanation."""

from __future__ import annotations

import functools

import pytest

from resilience import (
    KeyPool,
    PriorityQueue,
    SettingsError,
    circuit_breaker,
    explain,
    get_stats,
    prioritized,
    retry,
)


def plain(number: int, /, *others: int, key: str | None = None, **more: str) -> list[int]:
    """Say what this is for."""
    return [number, *others]


async def coroutine(number: int, *, key: str | None = None) -> list[int]:
    """Say it later."""
    return [number]


def test_handles_are_on_the_function_and_on_the_method():
    """Breaker, queue and pool are found wherever the function is."""
    pool = KeyPool({"a": "made up"})

    class Service:
        @retry
        @pool
        @prioritized
        @circuit_breaker
        def method(self, api_key):
            """Be called."""

    service = Service()
    for found in (Service.method, service.method):
        assert "CLOSED" == found.circuit_breaker.state
        assert isinstance(found.queue, PriorityQueue)
        assert pool is found.key_pool
    assert {"queue", "submit", "key_pool", "circuit_breaker"} < set(dir(Service.method))


def test_the_handle_of_the_outermost_layer_wins():
    """With two breakers around a function, the outer one is the one that refuses first."""
    inner = circuit_breaker(name="inner")(plain)

    assert "outer" == circuit_breaker(name="outer")(inner).circuit_breaker.name


def test_submit_of_a_method_gets_its_instance():
    """`obj.method.submit(…)` runs the method of this object."""

    class Service:
        @prioritized
        def method(self, number):
            return self, number

    service = Service()

    assert (service, 1) == service.method.submit(1).result()
    assert (service, 2) == Service.method.submit(service, 2).result()


def test_names_go_to_statistics_and_errors():
    """The outermost `name=` names the call; without one it is the qualified name."""
    named = retry(name="outer")(circuit_breaker(name="inner")(plain))
    named(1)

    assert 1 == get_stats("outer")["total_requests"] == get_stats(named)["total_requests"]
    assert "inner" == named.circuit_breaker.name
    assert "plain" == circuit_breaker(plain).circuit_breaker.name
    assert "plain" == circuit_breaker(functools.partial(plain, 1)).circuit_breaker.name


def test_the_wrapper_tells_its_layers():
    """Its `repr` shows the function and what stands around it; `explain` tells the rest."""
    decorated = retry(circuit_breaker(plain))

    assert "with retry, circuit_breaker>" in repr(decorated)
    assert "1. retry: max_retries=5" in explain(decorated)
    assert "2. circuit_breaker: failure_threshold=5" in explain(decorated)


def test_explain_knows_methods_and_refuses_strangers():
    """A bound method is explained as its function; what has no layers is no topic."""

    class Service:
        method = prioritized(plain)
        other = retry(coroutine)
        of_nobody = staticmethod(method)

    assert explain(Service.method) == explain(Service().method)
    assert explain(Service.method) == explain(vars(Service)["of_nobody"])
    assert "coroutine (coroutine function)" in explain(Service().other)
    with pytest.raises(SettingsError, match="must be decorated"):
        explain(plain)
