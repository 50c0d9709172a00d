"""`@resilient`: the whole stack from one `Settings`."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    KeyPool,
    PriorityQueue,
    RetryBudget,
    Settings,
    SettingsError,
    explain,
    get_stats,
    resilient,
)
from resilience._wrapper import stack_of
from resilience.testing import FakeClock, no_waiting
from tests.support.faults import HttpError, failing

QUICK = {"initial_retry_delay": 0, "jitter": 0}


def kinds_of(function):
    """The kinds of a function's layers, the outermost first."""
    return [layer.kind for layer in stack_of(getattr(function, "function", function))[1]]


def test_bare_it_has_the_defaults(run):
    """`@resilient` alone: retry, queue and breaker, with the settings that users know."""
    body = failing(*[OSError] * 9)
    fetch = run.decorate(resilient, body)
    with FakeClock() as clock, pytest.raises(OSError, match="scripted"):
        fetch()

    assert ["retry", "prioritized", "circuit_breaker"] == kinds_of(fetch)
    assert (5, 100) == (fetch.queue.max_concurrent_requests, fetch.queue.queue_size)
    # The breaker opens at the fifth failure, and the sixth attempt is not made.
    assert 5 == len(body.times)
    assert 31 >= clock.now


@pytest.mark.parametrize(
    "decorator",
    [
        resilient(max_retries=2, **QUICK),
        resilient(Settings(max_retries=2, **QUICK)),
        resilient(Settings(**QUICK), max_retries=2),
        resilient(Settings(max_retries=9, **QUICK), max_retries=2),
    ],
    ids=["settings", "Settings", "both", "changed"],
)
def test_settings_come_as_an_object_or_by_name(run, decorator):
    """What is given by name goes before what stands in the `Settings`."""
    body = failing(*[OSError] * 9)
    with no_waiting(), pytest.raises(OSError, match="scripted"):
        run.decorate(decorator, body)()

    assert 3 == len(body.times)


def test_all_layers_stand_in_the_right_order():
    """A sleep holds no permit and no key; each attempt counts in the breaker and is timed."""
    fetch = resilient(keys=KeyPool(["a"]), attempt_timeout=5)(lambda api_key: api_key)

    assert ["retry", "key_pool", "prioritized", "circuit_breaker", "attempt_timeout"] == (
        kinds_of(fetch)
    )


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({"max_retries": 0}, ["prioritized", "circuit_breaker"]),
        ({"queue_enabled": False}, ["retry", "circuit_breaker"]),
        ({"max_retries": 0, "queue_enabled": False}, ["circuit_breaker"]),
        ({"attempt_timeout": 1}, ["retry", "prioritized", "circuit_breaker", "attempt_timeout"]),
        ({"keys": None, "queue": None, "breaker": None, "budget": None, "name": None}, None),
    ],
)
def test_what_is_turned_off_is_left_out(settings, kinds):
    """A layer that would do nothing costs nothing."""
    fetch = resilient(**settings)(lambda: "done")

    assert (kinds or ["retry", "prioritized", "circuit_breaker"]) == kinds_of(fetch)
    assert "done" == fetch()


def policy(function):
    """The numbers of the retry."""
    return stack_of(function)[1][0]._options.policy


def rules(function):
    """The numbers of the breaker."""
    return function.circuit_breaker.machine.rules


# Of every setting: a value that is not its default, and where it is found then.
REACHES = {
    "max_retries": (7, lambda f: policy(f).max_retries),
    "initial_retry_delay": (0.5, lambda f: policy(f).backoff.initial),
    "backoff_factor": (3, lambda f: policy(f).backoff.factor),
    "max_retry_delay": (40, lambda f: policy(f).backoff.maximum),
    "jitter": (0.25, lambda f: policy(f).backoff.jitter),
    "max_elapsed": (90, lambda f: policy(f).max_elapsed),
    "max_concurrent_requests": (2, lambda f: f.queue.max_concurrent_requests),
    "queue_size": (9, lambda f: f.queue.queue_size),
    "queue_timeout": (8, lambda f: f.queue.queue_timeout),
    "queue_enabled": (False, lambda f: hasattr(f, "queue")),
    "aging": (6, lambda f: f.queue.aging),
    "failure_threshold": (4, lambda f: rules(f).failure_threshold),
    "reset_timeout": (12, lambda f: rules(f).reset_timeout),
    "attempt_timeout": (3, lambda f: stack_of(f)[1][-1].seconds),
    "metrics_enabled": (False, lambda f: hasattr(f, "metrics")),
}
OF_CLIENTS = {"enable_batching": False, "max_batch_size": 3, "batch_timeout": 2}


@pytest.mark.parametrize("setting", REACHES)
def test_every_setting_reaches_its_layer(setting):
    """By name and in a `Settings`."""
    value, found = REACHES[setting]
    by_name = resilient(**{setting: value})(lambda: None)
    as_object = resilient(Settings(**{setting: value}))(lambda: None)

    assert getattr(Settings(), setting) != value
    assert [value, value] == [found(by_name), found(as_object)]


@pytest.mark.parametrize("setting", OF_CLIENTS)
def test_settings_of_batching_are_for_clients(setting):
    """`resilient` never batches, since that changes a function's shape."""
    fetch = resilient(**{setting: OF_CLIENTS[setting]})(lambda: None)

    assert explain(resilient(lambda: None)) == explain(fetch)
    assert not hasattr(fetch, "batcher")


def test_the_table_of_settings_is_complete():
    """A setting more is a row more."""
    assert set(Settings.__dataclass_fields__) == {*REACHES, *OF_CLIENTS}


@pytest.mark.parametrize("setting", sorted(Settings.__dataclass_fields__))
def test_every_setting_is_checked(setting):
    """At the line of the decorator, with the name and the value."""
    with pytest.raises(SettingsError, match=f"^{setting} must ") as caught:
        resilient(**{setting: "nonsense"})

    assert (setting, "nonsense") == (caught.value.setting, caught.value.value)


@pytest.mark.parametrize("wrong", [{"max_retires": 1}, {"budgets": None}, {"keys_": None}])
def test_an_unknown_setting_is_refused(wrong):
    """With the nearest that is known, an argument included."""
    nearest = {"max_retires": "max_retries", "budgets": "budget", "keys_": "keys"}
    (name,) = wrong

    with pytest.raises(SettingsError, match=f"{name!r}; did you mean {nearest[name]}"):
        resilient(**wrong)


def test_max_elapsed_and_the_budget_reach_the_retry(run):
    """The two that `explain` has no place for."""
    budget = RetryBudget(ratio=0, minimum=1)
    body = failing(*[OSError] * 9)
    fetch = run.decorate(resilient(budget=budget, **QUICK), body)
    other = failing(*[OSError] * 9)
    limited = run.decorate(resilient(max_elapsed=4, jitter=0), other)
    with FakeClock():
        for function in (fetch, limited):
            with pytest.raises(OSError, match="scripted"):
                function()

    assert 2 == len(body.times)
    assert [0, 1, 3] == other.times


def test_each_function_has_a_queue_and_a_breaker_of_its_own():
    """One decorator for two functions shares nothing but the settings."""
    decorator = resilient(failure_threshold=1)
    first, second = decorator(lambda: None), decorator(lambda: None)

    assert first.queue is not second.queue
    assert first.circuit_breaker is not second.circuit_breaker


def test_functions_can_share_a_queue_and_a_breaker(run):
    """Two functions of one service have one limit and one circuit."""
    queue, breaker = PriorityQueue(), CircuitBreaker(failure_threshold=1)
    decorator = resilient(queue=queue, breaker=breaker, max_retries=0)
    broken, fine = run.decorate(decorator, failing(OSError)), run.decorate(decorator, failing())
    with pytest.raises(OSError, match="scripted"):
        broken()
    with pytest.raises(CircuitOpenError):
        fine()

    assert (queue, queue) == (broken.queue, fine.queue)
    assert (breaker, breaker) == (broken.circuit_breaker, fine.circuit_breaker)


def test_keys_are_passed_as_api_key(run):
    """Another key takes over at once where one is throttled."""
    keys = []

    def fetch(api_key):
        keys.append(api_key)
        if len(keys) == 1:
            raise HttpError(429, {"Retry-After": "30"})
        return api_key

    pool = KeyPool({"one": "first-key", "two": "second-key"})
    with FakeClock() as clock:
        assert "second-key" == run.decorate(resilient(keys=pool), fetch)()

        assert 0 == clock.now
    assert ["first-key", "second-key"] == keys


def test_a_name_is_the_name_everywhere(run):
    """In statistics, errors, notes and the objects behind it."""
    name = f"service {run.flavour}"
    fetch = run.decorate(resilient(name=name, failure_threshold=1, max_retries=0), failing(OSError))
    with pytest.raises(OSError, match="scripted"):
        fetch()
    with pytest.raises(CircuitOpenError, match=name) as caught:
        fetch()

    assert {name} == {fetch.queue.name, fetch.circuit_breaker.name, caught.value.name}
    assert (1, 1) == tuple(get_stats(name)[f"{kind}_requests"] for kind in ("failed", "refused"))


def test_without_metrics_nothing_is_counted(run):
    """`metrics_enabled=False`: no statistics under any name."""
    name = f"silent {run.flavour}"
    fetch = run.decorate(resilient(name=name, metrics_enabled=False), failing(OSError))
    with no_waiting():
        assert "done" == fetch()

    with pytest.raises(KeyError, match=name):
        get_stats(name)


def test_it_keeps_the_function(run):
    """Name, docstring, signature, kind."""

    def fetch(first, *, second=2):
        """Fetch it."""

    function = run.function(fetch)
    decorated = resilient(function)

    assert (function.__name__, "Fetch it.") == (decorated.__name__, decorated.__doc__)
    assert inspect.signature(function) == inspect.signature(decorated)
    assert ("async" == run.flavour) is inspect.iscoroutinefunction(decorated)


def test_generators_get_the_whole_stack(run):
    """Opened again where the beginning fails; the permit is held to the end."""
    opened = []

    def numbers():
        opened.append(1)
        if len(opened) == 1:
            raise OSError
        yield from (1, 2)

    stream = resilient(run.function(numbers))
    with no_waiting():
        items = run.iterate(stream)
        assert 1 == next(items)
        assert 1 == stream.queue.active
        assert [2] == list(items)

    assert (2, 0) == (len(opened), stream.queue.active)


def test_many_calls_respect_the_limit():
    """At most `max_concurrent_requests` run at the same time."""
    running, most = [], []

    @resilient(max_concurrent_requests=3)
    async def fetch():
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0)
        running.pop()

    async def main():
        await asyncio.gather(*(fetch() for _ in range(20)))

    asyncio.run(main())

    assert (20, 3) == (len(most), max(most))


@pytest.mark.parametrize(
    ("argument", "value", "kind"),
    [
        ("queue", "queue", "PriorityQueue"),
        ("breaker", 5, "CircuitBreaker"),
        ("budget", 0.2, "RetryBudget"),
        ("name", 5, "str"),
        ("queue", PriorityQueue, "PriorityQueue"),
    ],
)
def test_shared_objects_are_checked(argument, value, kind):
    """Each has its type, also where its layer is turned off."""
    with pytest.raises(SettingsError, match=f"{argument} must be a {kind}, or None") as caught:
        resilient(max_retries=0, queue_enabled=False, **{argument: value})

    assert (argument, value) == (caught.value.setting, caught.value.value)


@pytest.mark.parametrize("keys", [{"production": "sk-secret-1"}, ["sk-secret-1"], "sk-secret-1"])
def test_bare_keys_are_refused_without_showing_them(keys):
    """It takes a pool; what was given instead may be a secret."""
    with pytest.raises(SettingsError, match="keys must be a KeyPool") as caught:
        resilient(keys=keys)

    assert "secret" not in f"{caught.value!r} {caught.value} {vars(caught.value)}"


def test_an_empty_name_is_refused():
    """As in every decorator."""
    with pytest.raises(SettingsError, match="name must be a text that is not empty"):
        resilient(name="")
