"""`explain`: the layers of a function, its worst case, and what is wrong with it."""

from __future__ import annotations

import functools
import warnings
from datetime import timedelta
from unittest import mock

import pytest

from resilience import (
    CircuitBreaker,
    KeyPool,
    OrderWarning,
    RetryBudget,
    SettingsError,
    circuit_breaker,
    deadline,
    disabled,
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
    waits = "31 s of back-off (300 s if the server asks for it) and 24 s of attempts"
    assert [
        "fetch (function)",
        f"  1. retry: max_retries=5, {delays}",
        "  2. key_pool: 2 entries of 'pool', strategy round-robin",
        "  3. prioritized: max_concurrent_requests=5, queue_size=100",
        "  4. circuit_breaker: failure_threshold=5, reset_timeout=30 s",
        "  5. attempt_timeout: 2 s",
        f"worst case: 12 attempts (6 on each of 2 keys), {waits}; queue waits come on top",
    ] == text.splitlines()[:7]


def test_one_entry_is_not_several():
    """Of a pool with a single key the line says so."""
    ask = KeyPool("made up", name="pool")(lambda api_key: api_key)

    assert "1. key_pool: 1 entry of 'pool', strategy round-robin" in explain(ask)


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
    assert text.endswith("; attempts have no time limit of their own")


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


@pytest.mark.parametrize("thing", [fetch, 5, None, RetryBudget(), mock.call], ids=repr)
def test_what_is_not_decorated_cannot_be_explained(thing):
    """It has no layer."""
    with pytest.raises(SettingsError, match="must be decorated with this toolkit"):
        explain(thing)


@pytest.mark.parametrize(
    ("decorator", "line"),
    [
        (
            retry(
                max_elapsed=9,
                on=(OSError, KeyError),
                retry_result=lambda result: not result,
                before_retry=print,
                retry_nested=True,
                budget=RetryBudget(),
            ),
            (
                "max_elapsed=9 s, budget=RetryBudget(ratio=0.2, minimum=10, window=10.0), "
                "on=OSError | KeyError, retry_result=<lambda>, before_retry=print, retry_nested"
            ),
        ),
        (prioritized(queue_timeout=3, aging=2.5), "queue_timeout=3 s, aging=2.5 s"),
        (
            circuit_breaker(
                failure_rate=0.5,
                slow_call_duration=2,
                slow_call_rate=0.25,
                window=timedelta(minutes=1),
                minimum_calls=20,
                reset_timeout=4,
                max_reset_timeout=60,
                half_open_max_calls=2,
                success_threshold=3,
                counts=OSError,
                key=print,
            ),
            (
                "circuit_breaker: failure_rate=0.5, slow_call_rate=0.25, slow_call_duration=2 s, "
                "window=60 s, minimum_calls=20, reset_timeout=4 s, max_reset_timeout=60 s, "
                "half_open_max_calls=2, success_threshold=3, counts=OSError, one for each key"
            ),
        ),
        (
            circuit_breaker(failure_threshold=3, failure_rate=1),
            "failure_threshold=3, failure_rate=1, window=100, minimum_calls=10",
        ),
        (KeyPool(["a"], strategy="first", wait=True), "strategy first, waits for a key"),
        (KeyPool(["a"], strategy=max), "strategy your own"),
    ],
)
def test_every_setting_is_shown(decorator, line):
    """Those that are off by default, if they were given."""
    assert line in explain(decorator(lambda api_key=None: None)).splitlines()[1]


def test_waits_that_have_a_limit_are_added_up():
    """Of each attempt, on each key."""
    pool = KeyPool(["a", "b"])
    fetch = resilient(keys=pool, max_retries=1, queue_timeout=3, attempt_timeout=2)
    text = worst_case_of(fetch(lambda api_key: None))

    assert "4 attempts (2 on each of 2 keys)" in text
    assert text.endswith("8 s of attempts and 12 s in the queue")


def test_of_several_time_outs_the_shortest_counts():
    """It ends the attempt, whichever stands further out."""
    inner = resilient(max_retries=0, attempt_timeout=2)(fetch_async)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrderWarning)
        outer = resilient(max_retries=0, attempt_timeout=3)(inner)

    assert "1 attempt, 0 s of back-off and 2 s of attempts" in worst_case_of(outer)


def test_a_pool_without_entries_is_counted_as_one():
    """It may get one by the time of the call."""
    assert worst_case_of(KeyPool()(lambda api_key: None)).startswith("worst case: 1 attempt, ")


def test_a_pool_that_waits_may_do_so_for_ever():
    """Where nothing else bounds it."""
    fetch = KeyPool(["a"], wait=True)(lambda api_key: None)

    assert worst_case_of(fetch).endswith("of their own, and queue waits come on top")


def test_a_deadline_ends_everything():
    """The one around the question."""
    fetch = resilient(attempt_timeout=2)(fetch_async)
    with deadline(90):
        bounded = explain(fetch)
    with deadline(2):
        pointless = explain(fetch)

    assert "12 s of attempts; the deadline ends it after 90 s" in bounded
    assert "warning" not in bounded
    assert "warning: attempt_timeout=2 s ends no attempt: the deadline is over" in pointless


async def fetch_async():
    """A coroutine function to decorate."""


def test_what_is_off_counts_for_nothing():
    """Neither attempts nor mistakes of a layer that does not work."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OrderWarning)
        function = circuit_breaker(retry(fetch))
    function.circuit_breaker.disable()
    with disabled("retry"):
        text = explain(function)

    assert "warning" not in text
    assert "1 attempt, 0 s of back-off" in text
    assert 2 == text.count("(disabled)")


@pytest.mark.parametrize(
    ("function", "note"),
    [
        (resilient(fetch_async), "one call alone can open the circuit: failure_threshold=5, and "),
        (resilient(max_retries=4)(fetch_async), "one call alone can open the circuit: "),
        (resilient(failure_threshold=7)(fetch_async), None),
        (resilient(max_retries=4, failure_threshold=6)(fetch_async), None),
        (circuit_breaker(failure_threshold=1)(fetch_async), None),
        (retry(circuit_breaker(failure_rate=1)(fetch_async)), None),
        (resilient(attempt_timeout=1, max_retries=0)(fetch), "attempt_timeout does not interrupt"),
        (resilient(attempt_timeout=1, max_retries=0)(fetch_async), None),
    ],
)
def test_what_may_surprise_is_noted(function, note):
    """It may be meant, so it is no warning."""
    lines = explain(function).splitlines()
    notes = [line for line in lines if line.startswith("note: ")]

    assert (1 if note else 0) == len(notes)
    assert note is None or notes[0].startswith(f"note: {note}")
    assert not [line for line in lines if line.startswith("warning: ")]


@pytest.mark.parametrize(
    ("decorate", "mistake"),
    [
        (
            retry(initial_retry_delay=9, max_retry_delay=3),
            "initial_retry_delay=9 s is never waited for: max_retry_delay=3 s is shorter",
        ),
        (
            retry(budget=RetryBudget(ratio=0, minimum=0)),
            "the retry budget allows no retry at all: ratio=0, minimum=0",
        ),
        (
            lambda function: SHARED(SHARED(function)),
            "one circuit breaker twice counts each failure twice",
        ),
    ],
)
def test_settings_that_contradict_each_other_are_told(decorate, mistake):
    """What can be meant by nobody."""
    warned = [line for line in explain(decorate(fetch)).splitlines() if "warning: " in line]

    assert [f"warning: {mistake}"] == warned


SHARED = circuit_breaker(CircuitBreaker())


def test_what_wraps_a_decorated_function_is_looked_through():
    """Partials, partial methods, and decorators that say what they wrap."""
    decorated = retry(fetch)

    @functools.wraps(decorated)
    def other():
        return decorated()

    class Api:
        part = functools.partialmethod(retry(fetch))

    expected = explain(decorated)
    things = [functools.partial(functools.partial(decorated)), other, vars(Api)["part"]]
    things += [staticmethod(decorated), Api().part]

    assert [expected] * 5 == [explain(thing) for thing in things]


def test_an_object_may_explain_itself():
    """As a client does; its methods are explained by it."""

    class Client:
        def explain(self):
            return "all of it"

        def chat(self):
            pass

    client = Client()

    assert ["all of it"] * 2 == [explain(client), explain(client.chat)]
    with pytest.raises(SettingsError, match="must be decorated"):
        explain(Client)
