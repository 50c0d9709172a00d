"""`explain`: the layers of a function, its worst case, and what is wrong with it."""

from __future__ import annotations

import warnings

import pytest

from resilience import (
    KeyPool,
    OrderWarning,
    RetryBudget,
    SettingsError,
    circuit_breaker,
    explain,
    prioritized,
    resilient,
    retry,
)
from resilience._order import MISTAKES


def fetch():
    """A function to decorate."""


def worst_case_of(decorated):
    """The line of the worst case."""
    return next(line for line in explain(decorated).splitlines() if line.startswith("worst case"))


def test_the_layers_are_listed_outermost_first():
    """Each with its settings, under the function's name and kind."""
    pool = KeyPool(["a", "b"], name="pool")
    text = explain(resilient(keys=pool, attempt_timeout=2, name="fetch")(lambda api_key: api_key))

    delays = "initial_retry_delay=1 s, backoff_factor=2, max_retry_delay=60 s, jitter=0.5"
    waits = "31 s of back-off (300 s if the server asks for it) and 12 s of attempts"
    assert [
        "fetch (function)",
        f"  1. retry: max_retries=5, {delays}",
        "  2. key_pool: 2 entries of 'pool'",
        "  3. prioritized: max_concurrent_requests=5, queue_size=100",
        "  4. circuit_breaker: failure_threshold=5, reset_timeout=30 s",
        "  5. attempt_timeout: 2 s",
        f"worst case: 6 attempts on each key, {waits}; queue waits come on top",
    ] == text.splitlines()


def test_the_kind_of_function_is_named(run):
    """It decides how the layers work."""

    def stream():
        yield

    kinds = {"sync": ("function", "generator"), "async": ("coroutine function", "async generator")}
    lines = [explain(retry(run.function(body))).splitlines()[0] for body in (fetch, stream)]

    assert [f"({kind})" for kind in kinds[run.flavour]] == [
        line[line.index("(") :] for line in lines
    ]


@pytest.mark.parametrize(
    ("settings", "case"),
    [
        ({}, "6 attempts, 31 s of back-off (300 s if the server asks for it)"),
        ({"max_retries": 0}, "1 attempt, 0 s of back-off"),
        ({"max_retries": 2}, "3 attempts, 3 s of back-off (120 s if the server asks for it)"),
        ({"max_retry_delay": 1}, "6 attempts, 5 s of back-off"),
        ({"max_elapsed": 20}, "6 attempts, 20 s of back-off"),
        ({"max_elapsed": 90}, "6 attempts, 31 s of back-off (90 s if the server asks for it)"),
        ({"max_retries": 2_000, "max_retry_delay": 2}, "2001 attempts, 3999 s of back-off (4000 s"),
    ],
)
def test_the_worst_case_is_added_up(settings, case):
    """Attempts, and the seconds between them without jitter."""
    text = worst_case_of(retry(**settings)(fetch))

    assert text.startswith(f"worst case: {case}")
    assert text.endswith("attempts have no time limit of their own, and queue waits come on top")


def test_trap_11_nested_retries_do_not_multiply_in_the_worst_case():
    """The outer one repeats nothing that the inner one has given up on."""
    inner = retry(max_retries=2)(fetch)

    assert "3 attempts, 3 s" in worst_case_of(retry(inner))
    assert "18 attempts, 49 s" in worst_case_of(retry(retry_nested=True)(inner))
    assert "18 attempts, 49 s" in worst_case_of(retry(on=OSError)(inner))
    assert "6 attempts, 31 s" in worst_case_of(retry(retry(max_retries=0)(fetch)))


def test_a_stack_without_a_retry_makes_one_attempt():
    """The breaker and the queue add none."""
    assert "1 attempt, 0 s of back-off" in worst_case_of(prioritized(circuit_breaker(fetch)))


def test_mistakes_are_told():
    """What a warning said when the function was decorated can be read again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrderWarning)
        text = explain(circuit_breaker(prioritized(retry(fetch))))

    pairs = [("circuit_breaker", "prioritized"), ("circuit_breaker", "retry")]
    pairs += [("prioritized", "retry")]
    assert [f"warning: {MISTAKES[pair]}" for pair in pairs] == [
        line for line in text.splitlines() if line.startswith("warning: ")
    ]


def test_a_right_order_has_no_warning():
    """Nothing to tell."""
    assert "warning" not in explain(retry(prioritized(circuit_breaker(fetch))))


def test_methods_can_be_explained():
    """Of the class and of an instance, class methods too."""

    class Api:
        fetch = retry(fetch)
        make = classmethod(retry(fetch))

    for decorated in (Api.fetch, Api().fetch, Api.make, vars(Api)["make"]):
        assert "fetch (function)" == explain(decorated).splitlines()[0]


@pytest.mark.parametrize("thing", [fetch, 5, None, RetryBudget()], ids=repr)
def test_what_is_not_decorated_cannot_be_explained(thing):
    """It has no layer."""
    with pytest.raises(SettingsError, match="must be decorated with this toolkit"):
        explain(thing)
