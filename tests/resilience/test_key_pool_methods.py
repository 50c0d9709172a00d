"""A pool on methods: each kind of them gets its key, by name or in its place."""

from __future__ import annotations

import pytest

from tests.support.decorators import pool_of
from tests.support.keys import KeyServer, throttled


@pytest.fixture
def pool():
    """A pool of two, which take turns."""
    return pool_of("ab")


@pytest.fixture
def service(run, pool):
    """A class with each kind of method, in each order of the decorators."""
    lease = pool.inject("key")

    class Service:
        name = "service"

        @lease
        @run.function
        def method(self, number, key=None):
            return self.name, number, key

        @classmethod
        @lease
        @run.function
        def outside(cls, number, *, key):
            return cls.name, number, key

        @lease
        @classmethod
        @run.function
        def inside(cls, number, *, key):
            return cls.name, number, key

        @staticmethod
        @lease
        @run.function
        def static_outside(number, *, key):
            return "service", number, key

        @lease
        @staticmethod
        @run.function
        def static_inside(number, *, key):
            return "service", number, key

    return Service


@pytest.mark.parametrize("name", ["method", "outside", "inside", "static_outside", "static_inside"])
def test_each_kind_of_method_gets_a_key(run, service, pool, name):
    """Each call the next one, and the pool is at hand on all of them."""
    method = getattr(service(), name)

    assert ("service", 7, "key of a") == run.call(method, 7)
    assert ("service", 8, "key of b") == run.call(method, number=8)
    assert method.key_pool is pool


def test_a_key_in_its_place_is_the_callers_own(run, service, pool):
    """The instance counts among the arguments, through the instance and through the class."""
    assert ("service", 7, "mine") == run.call(service().method, 7, "mine")
    assert ("service", 7, "mine") == run.call(service.method, service(), 7, "mine")
    assert ("service", 7, "key of a") == run.call(service.method, service(), 7)
    assert 1 == pool.get_stats()["total_requests"]


def test_methods_fail_over(run):
    """Instances share the pool: a key that one has found throttled rests for all."""
    pool, server = pool_of("ab"), KeyServer(a=[throttled(60)])

    class Service:
        @pool.inject("key")
        @run.function
        def ask(self, *, key):
            return server.receive(key)

    assert ["b", "b"] == [run.call(Service().ask) for _ in range(2)]
    assert "abb" == server.asked
