"""Decorated functions pickle, copy and travel to other processes like plain ones."""

from __future__ import annotations

import copy
import functools
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import pytest

from resilience import circuit_breaker, prioritized, resilient, retry
from tests.support.decorators import pool_of

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


@retry
def retried(number):
    """Double it."""
    return 2 * number


@resilient
async def stacked(number):
    """Double it, later."""
    return 2 * number


@prioritized
def queued(number):
    """Double it, in turn."""
    return 2 * number


@pool_of("a").inject("key")
def keyed(number, key):
    """Double it, with a key."""
    return 2 * number


@circuit_breaker
def generated(number):
    """Double it, in parts."""
    yield 2 * number


class Service:
    """Something with methods."""

    def __eq__(self, other):
        """Be equal to what comes back from a pickle."""
        return type(other) is type(self)

    __hash__ = None

    @retry
    def method(self, number):
        """Return the object too."""
        return self, number

    @prioritized
    def queued(self, number):
        """Return the object too."""
        return self, number

    @classmethod
    @retry
    def of_the_class(cls, number):
        """Return the class too."""
        return cls, number

    @retry
    @staticmethod
    def of_nobody(number):
        """Return it."""
        return number


nameless = retry(functools.partial(retried, 1))

FUNCTIONS = (retried, stacked, queued, keyed, generated, Service.method, Service.queued)


@pytest.mark.parametrize("function", [*FUNCTIONS, Service.of_nobody], ids=repr)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_trap_6_a_function_pickles_by_reference(function, protocol):
    """The very same function comes back, as for any function of a module or class."""
    assert function is pickle.loads(pickle.dumps(function, protocol))


@pytest.mark.parametrize("name", ["method", "queued"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_bound_method_pickles_with_its_object(name, protocol):
    """The method of a copy of the object comes back."""
    service = Service()
    again = pickle.loads(pickle.dumps(getattr(service, name), protocol))

    assert (service, 1) == again(1)
    assert again.__self__ is not service


def test_a_class_method_pickles():
    """It comes back bound to its class."""
    assert (Service, 1) == pickle.loads(pickle.dumps(Service.of_the_class))(1)


def test_what_has_no_name_does_not_pickle():
    """A partial and a local function are found by no name; the error says so."""

    def local():
        """Be found nowhere."""

    with pytest.raises(TypeError, match="it has no name"):
        pickle.dumps(nameless)
    with pytest.raises((pickle.PicklingError, AttributeError), match="local"):
        pickle.dumps(retry(local))


@pytest.mark.parametrize("function", FUNCTIONS, ids=repr)
def test_a_copy_is_the_function_itself(function):
    """Shallow and deep copies give the same object, as for any function."""
    assert function is copy.copy(function)
    assert function is copy.deepcopy(function)
    assert [function] == copy.deepcopy([function])


@pytest.mark.parametrize("name", ["method", "queued"])
def test_the_deep_copy_of_a_method_has_a_copy_of_its_object(name):
    """As for a plain method: the function is shared, the object is copied, once."""
    service = Service()
    shallow = copy.copy(getattr(service, name))
    again, other = copy.deepcopy([getattr(service, name), service])

    assert service is shallow.__self__
    assert (service, 1) == again(1)
    assert again.__self__ is other is not service


def test_a_decorated_function_runs_in_another_process():
    """A process pool finds it by name."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as processes:
        assert [2, 4] == list(processes.map(retried, [1, 2]))
