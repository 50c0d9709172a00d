"""Who shares a batch: the same instance and equal arguments, with their types; TRAP 14."""

from __future__ import annotations

import functools
import pickle
import sys

import pytest

from resilience import batched, prioritized, retry
from resilience._batch_key import frozen
from resilience.testing import FakeClock
from tests.support.batches import Recorded

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")


def together(fetch, *calls):
    """Whether all these calls of a `Recorded` end in one batch."""
    with FakeClock(autojump=False) as clock:
        started = [fetch.start(*args, **kwargs) for args, kwargs in calls]
        clock.advance(1)
        for call in started:
            call.result()
    batches, fetch.batches = fetch.batches, []
    return 1 == len(batches)


class Plain:
    """An object that equals nothing but itself."""


class Unhashable:
    """An object that equals others and has no hash."""

    def __eq__(self, other):
        return True

    __hash__ = None


PLAIN, UNHASHABLE = Plain(), Unhashable()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        (0, False),
        ("1", 1),
        (b"a", "a"),
        (0.0, -0.0),
        ([1], (1,)),
        ([1], [True]),
        ({"a": 1}, {"a": 1.0}),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2.0}]}),
        ({1}, frozenset({1})),
        (None, "None"),
        (Plain(), Plain()),
        (Unhashable(), Unhashable()),
    ],
)
def test_trap_14_other_arguments_share_no_batch(run, one, other):
    """Values that Python takes for equal differ by their types, to any depth."""
    fetch = Recorded(run, batch_timeout=1)

    assert not together(fetch, ((1,), {"option": one}), ((2,), {"option": other}))
    assert 2 == len(fetch.options)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (float("nan"), float("nan")),
        ([1, [2, {"a": 3}]], [1, [2, {"a": 3}]]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({1, 2}, {2, 1}),
        (PLAIN, PLAIN),
        (UNHASHABLE, UNHASHABLE),
    ],
)
def test_trap_14_equal_arguments_do(run, one, other):
    """By value, to any depth; what has no value to compare by, by identity."""
    fetch = Recorded(run, batch_timeout=1)

    assert together(fetch, ((1,), {"option": one}), ((2,), {"option": other}))


def test_a_key_keeps_apart_what_must_not_mix(run):
    """`key` sees the item and the keyword arguments; its values count with their types."""
    seen = []

    def key(item, **kwargs):
        seen.append((item, kwargs))
        return item > 10

    fetch = Recorded(run, batch_timeout=1, key=key)

    assert together(fetch, ((1,), {}), ((2,), {}))
    assert not together(fetch, ((1,), {}), ((11,), {}))
    assert together(fetch, ((11,), {"a": 1}), ((12,), {"a": 1}))
    assert [(11, {"a": 1}), (12, {"a": 1})] == seen[-2:]


def test_what_a_key_raises_is_the_callers(run):
    """Nobody else hears of it, and nothing is left waiting."""
    fetch = Recorded(run, key=lambda item: 1 / item)
    with pytest.raises(ZeroDivisionError):
        fetch(0)
    with pytest.raises(ZeroDivisionError):
        fetch.function.submit(0)

    assert 0 == fetch.batcher.waiting


def test_an_argument_that_equals_the_default_is_none_given(run):
    """`f(x)` and `f(x, size=3)` share a batch where 3 is the default; not so 3.0."""

    def body(items, size=3, *, mode="a"):
        return [(size, mode, len(items)) for _ in items]

    fetch = batched(max_batch_size=2, batch_timeout=60)(run.function(body))
    ways = [{}, {"size": 3}, {"mode": "a"}, {"mode": "a", "size": 3}]
    for one in ways:
        for other in ways:
            first = run.start(fetch, 1, **one)

            assert [(3, "a", 2)] * 2 == [run.call(fetch, 2, **other), first.result()]
    first = run.start(fetch, 1)
    other = run.start(fetch, 1, size=3.0)
    run.until(lambda: fetch.batcher.waiting == 2)
    run.call(fetch.flush)

    assert [1, 1] == [first.result()[2], other.result()[2]]


def test_positional_arguments_behind_the_item_have_names(run):
    """`f(x, 5)` and `f(x, size=5)` are the same call."""

    def body(items, size, mode="a"):
        return [(size, mode, len(items)) for _ in items]

    fetch = batched(max_batch_size=2, batch_timeout=60)(run.function(body))
    first = run.start(fetch, 1, 5, "b")

    assert (5, "b", 2) == run.call(fetch, 2, size=5, mode="b") == first.result()


def test_positional_arguments_without_names_stay_what_they_are(run):
    """Behind positional-only and starred parameters they count by their position."""

    def only(items, size, /):
        return [(size, len(items)) for _ in items]

    def starred(items, *rest, **options):
        return [(rest, options, len(items)) for _ in items]

    fetch = batched(max_batch_size=2)(run.function(only))
    first = run.start(fetch, 1, 5)

    assert (5, 2) == run.call(fetch, 2, 5) == first.result()
    fetch = batched(max_batch_size=2)(run.function(starred))
    first = run.start(fetch, 1, 5, 6, a=7)

    assert ((5, 6), {"a": 7}, 2) == run.call(fetch, 2, 5, 6, a=7) == first.result()


def test_a_call_that_does_not_fit_is_a_type_error(run):
    """At once and for its caller alone, in words that say what is wrong."""

    def body(items, size=1):
        return items

    fetch = batched(run.function(body))
    text = r"body is batched: call it with one item, as .*body\(item, \*\*options\)"
    with pytest.raises(TypeError, match=text):
        run.call(fetch)
    with pytest.raises(TypeError, match="too many positional"):
        run.call(fetch, 1, 2, 3)
    with pytest.raises(TypeError, match="multiple values"):
        run.call(fetch, 1, 2, size=3)

    assert 0 == fetch.batcher.waiting


def test_the_item_can_be_named(run):
    """By the name of the list's parameter."""
    fetch = batched(batch_timeout=0)(run.function(lambda texts: texts))

    assert 1 == run.call(fetch, texts=1)


def test_the_hash_of_a_user_is_never_called_under_the_lock(run):
    """`__hash__` and `__eq__` of an argument may use the batcher themselves; TRAP 10."""
    calls = []

    class Option:
        def __hash__(self):
            calls.append("hash")
            assert not fetch.batcher._layer.calls.collector._is_mid_step()
            return 1

        def __eq__(self, other):
            calls.append("eq")
            assert not fetch.batcher._layer.calls.collector._is_mid_step()
            return isinstance(other, Option)

    fetch = Recorded(run, batch_timeout=1)

    assert together(fetch, ((1,), {"option": Option()}), ((2,), {"option": Option()}))
    assert {"hash", "eq"} == set(calls)


def test_empty_lines_are_forgotten(run):
    """However many keys there were, nothing of them stays once nobody waits."""
    fetch = Recorded(run, batch_timeout=0)
    for number in range(50):
        fetch(1, option=number)
    collector = fetch.batcher._layer.calls.collector

    assert ({}, {}, set()) == (collector._open, collector._waiting, collector._running)


# -- methods ---------------------------------------------------------------------------------


def make_service(run, decorator):
    """A class with each kind of method, in both orders of the decorators."""

    def body(self, items, size=1):
        return [(self, size, len(items)) for _ in items]

    def of_nobody(items, size=1):
        return [(None, size, len(items)) for _ in items]

    class Service:
        method = decorator(run.function(body))
        of_class = classmethod(decorator(run.function(body)))
        of_class_outside = decorator(classmethod(run.function(body)))
        static = staticmethod(decorator(run.function(of_nobody)))
        static_outside = decorator(staticmethod(run.function(of_nobody)))

    return Service


NAMES = ["method", "of_class", "of_class_outside", "static", "static_outside"]


@pytest.mark.parametrize("name", NAMES)
def test_methods(run, name):
    """Two calls of one instance share a batch; `submit` and `map` are bound as the method is."""
    service = make_service(run, batched(max_batch_size=2, batch_timeout=60))()
    method = getattr(service, name)
    first = run.start(method, 1, size=2)
    second = run.call(method, 2, 2)
    owner = {"m": service, "o": type(service), "s": None}[name[0]]

    assert (owner, 2, 2) == second == first.result()
    if name == "of_class" and sys.version_info >= (3, 13):
        return  # `classmethod` tells nobody the class any more: the decorator has to be outside
    assert [(owner, 3, 2)] * 2 == run.call(method.map, [1, 2], size=3)
    futures = [method.submit(number, size=4) for number in (1, 2)]

    assert [(owner, 4, 2)] * 2 == [future.result() for future in futures]


def test_a_batch_never_mixes_two_instances(run):
    """Also where they are equal: what stands before the item counts by identity."""

    class Service:
        def __eq__(self, other):
            return True

        def __hash__(self):
            return 1

        @batched(max_batch_size=2, batch_timeout=60)
        @run.function
        def fetch(self, items):
            return [(self, len(items)) for _ in items]

    one, other = Service(), Service()
    first = run.start(one.fetch, 1)
    run.until(lambda: Service.fetch.batcher.waiting == 1)
    second = run.start(other.fetch, 1)
    run.until(lambda: Service.fetch.batcher.waiting == 2)
    third = run.call(one.fetch, 2)

    assert one is third[0] is first.result()[0]
    assert 2 == third[1]
    run.call(Service.fetch.flush)
    assert other is second.result()[0]


def test_partials_bound_methods_and_callable_objects(run):
    """What is bound already is no argument; the list is the first that is not."""

    class Callable:
        def __init__(self):
            self.fetch = run.function(self.body)

        def body(self, items, size=1):
            return [(size, len(items)) for _ in items]

    def body(size, items):
        return [(size, len(items)) for _ in items]

    for function, size in (
        (functools.partial(run.function(body), 5), 5),
        (functools.partial(run.function(lambda items, size: [(size, 2)] * 2), size=6), 6),
        (Callable().fetch, 1),
    ):
        fetch = batched(max_batch_size=2, batch_timeout=60)(function)
        first = run.start(fetch, 1)

        assert (size, 2) == run.call(fetch, 2) == first.result()


def test_a_callable_object():
    """Its `__call__` takes the list behind `self`, which is bound."""

    class Callable:
        def __call__(self, items):
            return [(self, item) for item in items]

    function = Callable()
    fetch = batched(batch_timeout=0)(function)

    assert (function, 1) == fetch(1)


def test_a_builtin_takes_the_list_first():
    """Where no signature tells, the first argument is the item."""
    fetch = batched(batch_timeout=0)(sorted)

    assert [3] == fetch.map([3])


@batched(batch_timeout=0)
def of_the_module(items):
    """A function that pickle finds by its name."""
    return items


def test_it_pickles_by_reference():
    """As any decorated function of a module."""
    assert of_the_module is pickle.loads(pickle.dumps(of_the_module))


def test_it_is_one_wrapper_with_other_layers(run):
    """Layers inside run once for each batch, with the list; their handles stay."""
    attempts = []

    def body(items):
        attempts.append(items)
        if len(attempts) == 1:
            raise OSError
        return items

    fetch = batched(max_batch_size=2)(retry(initial_retry_delay=0)(prioritized(run.function(body))))
    first = run.start(fetch, 1)
    second = run.call(fetch, 2)

    assert {1, 2} == {first.result(), second}
    assert 2 == len(attempts)
    assert 0 == fetch.queue.active


def test_an_object_without_a_hash_is_kept_as_long_as_its_key():
    """So its identity is not that of another one which comes later, where `key` makes each anew."""
    seen = {frozen(Unhashable()) for _ in range(100)}

    assert 100 == len(seen)


def test_frozen_tells_types_of_subclasses():
    """A subclass of a plain type is no plain type, and counts by its own equality."""

    class Text(str):
        __slots__ = ()

    assert frozen("a") != frozen(Text("a"))
    assert frozen(Text("a")) == frozen(Text("a"))
