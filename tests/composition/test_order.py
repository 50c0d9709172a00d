"""Decorators stacked by hand: each known mistake is told once, where it was made."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest

import resilience
from resilience import (
    KeyPool,
    OrderWarning,
    batched,
    circuit_breaker,
    prioritized,
    resilient,
    retry,
)
from resilience._order import MISTAKES

LAYERS = {
    "batched": lambda: batched,
    "retry": lambda: retry,
    "circuit_breaker": lambda: circuit_breaker,
    "prioritized": lambda: prioritized,
    "key_pool": lambda: KeyPool(["a"]),
}
RIGHT = ["batched", "retry", "key_pool", "prioritized", "circuit_breaker"]
POSSIBLE = sorted(pair for pair in MISTAKES if set(pair) <= set(LAYERS))


def stacked(kinds):
    """A function with these layers, the outermost first."""

    def fetch(api_key=None):
        return "done"

    for kind in reversed(kinds):
        fetch = LAYERS[kind]()(fetch)
    return fetch


def recorded(make):
    """The order warnings that come up."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make()
    assert {OrderWarning} >= {warning.category for warning in caught}
    return caught


@pytest.mark.parametrize(("outer", "inner"), POSSIBLE)
def test_trap_12_each_known_mistake_is_told_once(outer, inner):
    """With the function's name, the reason, and the way out; the stack works all the same."""
    told = recorded(lambda: stacked([outer, inner]))

    assert 1 == len(told)
    text = str(told[0].message)
    assert text.startswith("stacked.<locals>.fetch: ")
    assert MISTAKES[outer, inner] in text
    assert text.endswith("put the decorators the other way round")


@pytest.mark.parametrize(("outer", "inner"), POSSIBLE)
def test_the_other_way_round_is_right(outer, inner):
    """What the warning advises is not warned about."""
    assert [] == recorded(lambda: stacked([inner, outer]))


@pytest.mark.parametrize("without", [None, *RIGHT])
def test_trap_12_the_right_order_is_silent(without):
    """All layers in the order of `resilient`, and any of them left out."""
    kinds = [kind for kind in RIGHT if kind != without]

    assert [] == recorded(lambda: stacked(kinds))


def test_the_wrong_order_all_over_tells_each_mistake_once():
    """The right order reversed makes every mistake that can be made, each once."""
    told = [str(warning.message) for warning in recorded(lambda: stacked(RIGHT[::-1]))]

    assert len(told) == len(set(told))
    assert sorted(MISTAKES[pair] for pair in POSSIBLE) == sorted(
        text.removeprefix("stacked.<locals>.fetch: ").partition("; put")[0] for text in told
    )


def test_a_layer_between_does_not_hide_a_mistake():
    """A breaker outside a retry is wrong, whatever stands between them."""
    told = recorded(lambda: stacked(["circuit_breaker", "key_pool", "prioritized", "retry"]))
    first = MISTAKES["circuit_breaker", "retry"]

    assert 1 == sum(first in str(warning.message) for warning in told)


def test_the_warning_points_at_the_decorators_line():
    """Not into the toolkit: at the line of the user's own that has to change."""

    def decorate():
        @circuit_breaker  # this line
        @retry
        def fetch():
            """Nothing."""

        return fetch

    told = recorded(decorate)

    assert [(__file__, decorate.__code__.co_firstlineno + 1)] == [
        (warning.filename, warning.lineno) for warning in told
    ]


def test_the_warning_points_at_a_line_of_a_class():
    """Also for class methods, which are decorated inside."""

    def decorate():
        class Api:
            @prioritized(queue_size=1)  # this line
            @classmethod
            @retry
            def fetch(cls):
                """Nothing."""

        return Api

    told = recorded(decorate)

    assert [(__file__, decorate.__code__.co_firstlineno + 2)] == [
        (warning.filename, warning.lineno) for warning in told
    ]


def test_a_whole_stack_around_a_retry_is_told():
    """`resilient` has a retry of its own: the one inside stands behind its queue and breaker."""
    told = recorded(lambda: resilient(attempt_timeout=5)(retry(lambda: None)))
    pairs = [("prioritized", "retry"), ("circuit_breaker", "retry"), ("attempt_timeout", "retry")]

    assert sorted(MISTAKES[pair] for pair in pairs) == sorted(
        next(text for text in MISTAKES.values() if text in str(warning.message)) for warning in told
    )


def test_a_whole_stack_alone_is_right():
    """`resilient` never warns of itself."""
    pool = KeyPool(["a"])

    assert [] == recorded(lambda: resilient(keys=pool, attempt_timeout=5)(lambda api_key: None))


def test_the_warning_points_into_a_package_of_a_similar_name():
    """A user's `resilience_tools`, installed beside the toolkit, is the user's."""
    path = f"{Path(resilience.__file__).parent}_tools/app.py"
    source = "from resilience import *\nfetch = circuit_breaker(retry(print))\n"
    told = recorded(lambda: exec(compile(source, path, "exec"), {}))  # noqa: S102 - our own text

    assert [(path, 2)] == [(warning.filename, warning.lineno) for warning in told]
