"""`Settings`, and the one set of rules that it shares with every decorator."""

from __future__ import annotations

import dataclasses
import math
import pickle
from fractions import Fraction

import pytest

from resilience import (
    CircuitBreaker,
    PriorityQueue,
    ResilienceError,
    Settings,
    SettingsError,
    circuit_breaker,
    prioritized,
    resilient,
    retry,
)

NO_NUMBER = ["5", None, True, [1], 1j, Fraction(1, 2), math.nan, math.inf, -math.inf, 10**400]
NO_WHOLE = ["5", None, True, 1.0, 0.5, math.nan, math.inf, [1]]
NO_FLAG = [0, 1, "yes", "", None, [True]]
OPTIONAL = {"max_elapsed", "queue_timeout", "aging", "attempt_timeout"}

# Each setting, its default, values that it takes, and values that it refuses.
TABLE = {
    "max_retries": (5, [0, 1, 10**6], [*NO_WHOLE, -1]),
    "initial_retry_delay": (1, [0, 0.001, 1e9], [*NO_NUMBER, -0.1]),
    "backoff_factor": (2, [1, 1.5, 100], [*NO_NUMBER, 0, 0.99, -2]),
    "max_retry_delay": (60, [0, 0.5, 1e9], [*NO_NUMBER, -1]),
    "jitter": (0.5, [0, 0.1, 1], [*NO_NUMBER, -0.1, 1.1, 2]),
    "max_elapsed": (None, [0.1, 5], [*NO_NUMBER, 0, -1]),
    "max_concurrent_requests": (5, [1, 10_000], [*NO_WHOLE, 0, -1]),
    "queue_size": (100, [0, 1, 10**6], [*NO_WHOLE, -1, "x"]),
    "queue_timeout": (None, [0, 0.5, 60], [*NO_NUMBER, -1]),
    "queue_enabled": (True, [False], NO_FLAG),
    "aging": (None, [0.1, 60], [*NO_NUMBER, 0, -1]),
    "failure_threshold": (5, [1, 100], [*NO_WHOLE, 0, -1]),
    "reset_timeout": (30, [0, 0.5, 3_600], [*NO_NUMBER, -1]),
    "enable_batching": (True, [False], NO_FLAG),
    "max_batch_size": (8, [1, 2_048], [*NO_WHOLE, 0, -1]),
    "batch_timeout": (0.1, [0, 5], [*NO_NUMBER, -0.1]),
    "attempt_timeout": (None, [0.1, 60], [*NO_NUMBER, 0, -1]),
    "metrics_enabled": (True, [False], NO_FLAG),
}
RETRY = [
    "max_retries",
    "initial_retry_delay",
    "backoff_factor",
    "max_retry_delay",
    "jitter",
    "max_elapsed",
    "metrics_enabled",
]
QUEUE = ["max_concurrent_requests", "queue_size", "queue_timeout", "queue_enabled", "aging"]
BREAKER = ["failure_threshold", "reset_timeout"]

OWNERS = {
    Settings: list(TABLE),
    resilient: list(TABLE),
    retry: RETRY,
    prioritized: [*QUEUE, "metrics_enabled"],
    PriorityQueue: QUEUE,
    circuit_breaker: [*BREAKER, "metrics_enabled"],
    CircuitBreaker: BREAKER,
}
BY_RATES = {circuit_breaker, CircuitBreaker}


def named(value):
    """A name for the table that is short even where the value is not."""
    return getattr(value, "__name__", None) or repr(value)[:20]


def cases(column):
    """Every setting of every owner with every value of this column."""
    return [
        (owner, setting, value)
        for owner, settings in OWNERS.items()
        for setting in settings
        for value in TABLE[setting][column]
        if not (value is None and _takes_none(owner, setting))
    ]


def _takes_none(owner, setting):
    """A limit may be left out, and a breaker may go by rates alone; by nothing it may not go."""
    return setting in OPTIONAL or (setting == "failure_threshold" and owner in BY_RATES)


def test_the_table_is_complete():
    """Every setting has its rules here, and the default that its users know."""
    assert {name: row[0] for name, row in TABLE.items()} == dataclasses.asdict(Settings())


@pytest.mark.parametrize(("owner", "setting", "value"), cases(1), ids=named)
def test_a_good_value_is_taken(owner, setting, value):
    """The same values everywhere: in `Settings`, in each decorator, in each object."""
    assert owner(**{setting: value}) is not None


@pytest.mark.parametrize(("owner", "setting", "value"), cases(2), ids=named)
def test_a_bad_value_is_refused(owner, setting, value):
    """Where it is given, with the setting, its rule and the value."""
    with pytest.raises(SettingsError, match=f"^{setting} must ") as caught:
        owner(**{setting: value})

    error = caught.value
    assert (setting, repr(value)) == (error.setting, repr(error.value))
    assert f"{setting} {error.rule}, not {value!r}" == str(error)
    assert isinstance(error, ValueError)
    assert isinstance(error, ResilienceError)


@pytest.mark.parametrize("owner", [circuit_breaker, CircuitBreaker])
def test_a_breaker_that_counts_nothing_is_refused(owner):
    """Without a threshold it needs a rate."""
    with pytest.raises(SettingsError, match="failure_threshold must be given where no rate"):
        owner(failure_threshold=None)


@pytest.mark.parametrize("setting", sorted(OPTIONAL))
def test_none_is_no_limit(setting):
    """Where a limit may be left out, None says so; elsewhere None is no value."""
    assert getattr(Settings(**{setting: None}), setting) is None


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"on": "ValueError"}, "on"),
        ({"on": ()}, "on"),
        ({"on": (ValueError, "KeyError")}, "on"),
        ({"on": [ValueError]}, "on"),
        ({"on": int}, "on"),
        ({"on": ValueError()}, "on"),
        ({"on": (ValueError, lambda error: True)}, "on"),
        ({"retry_result": 5}, "retry_result"),
        ({"before_retry": "log"}, "before_retry"),
        ({"budget": 0.2}, "budget"),
        ({"retry_nested": 1}, "retry_nested"),
        ({"retry_nested": None}, "retry_nested"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
    ],
)
def test_what_only_a_retry_takes_is_checked_too(settings, setting):
    """Types, predicates, hooks and the budget, at decoration."""
    with pytest.raises(SettingsError, match=f"^{setting} must be") as caught:
        retry(**settings)

    assert (setting, settings[setting]) == (caught.value.setting, caught.value.value)


@pytest.mark.parametrize(
    ("owner", "unknown", "nearest"),
    [
        (Settings, "max_retrys", "max_retries"),
        (Settings, "initial_delay", "initial_retry_delay"),
        (Settings, "max_concurrent", "max_concurrent_requests"),
        (Settings, "treshold", "failure_threshold"),
        (retry, "max_retry", "max_retries"),
        (retry, "backoff", "backoff_factor"),
        (retry, "retry_on_result", "retry_result"),
        (circuit_breaker, "fail_threshold", "failure_threshold"),
        (circuit_breaker, "recovery_timeout", "reset_timeout"),
        (prioritized, "max_concurrent", "max_concurrent_requests"),
        (prioritized, "que_size", "queue_size"),
        (resilient, "max_retrys", "max_retries"),
        (resilient, "circuit_breaker", "breaker"),
        (resilient, "key", "keys"),
        (resilient, "queu", "queue"),
        (resilient, "timeout", "attempt_timeout, batch_timeout, queue_timeout or reset_timeout"),
        (circuit_breaker, "threshold", "failure_threshold or success_threshold"),
    ],
)
def test_an_unknown_setting_suggests_the_nearest(owner, unknown, nearest):
    """A typing error is explained where it was made."""
    with pytest.raises(SettingsError) as caught:
        owner(**{unknown: 1})

    assert unknown == caught.value.setting
    assert str(caught.value).endswith(f"no setting {unknown!r}; did you mean {nearest}?")


def test_an_unknown_setting_that_is_like_none_shows_all():
    """Where nothing is near, the message lists what there is."""
    with pytest.raises(SettingsError, match="known are: aging, attempt_timeout, backoff_factor"):
        Settings(zzz=1)


@pytest.mark.parametrize("value", [5, Settings(), None])
def test_settings_take_no_positional_argument(value):
    """Nobody has to know their order."""
    with pytest.raises(SettingsError, match="takes settings by keyword only"):
        Settings(value)


@pytest.mark.parametrize("name", ["max_retries", "something_else"])
def test_settings_are_frozen(name):
    """Safe to share: nobody changes them behind another one's back."""
    with pytest.raises((AttributeError, TypeError)):
        setattr(Settings(), name, 3)


def test_replace_gives_a_changed_copy():
    """The original stays as it is, the copy is checked like new settings."""
    first = Settings(max_retries=3)
    second = first.replace(queue_size=7)

    assert (3, 100, 3, 7) == (
        first.max_retries,
        first.queue_size,
        second.max_retries,
        second.queue_size,
    )
    with pytest.raises(SettingsError, match="max_retries must be"):
        first.replace(max_retries=-1)
    with pytest.raises(SettingsError, match="did you mean max_retries"):
        first.replace(max_retry=1)


def test_settings_compare_and_hash_by_value():
    """Two of the same values are the same key of a dictionary."""
    assert Settings(max_retries=1) == Settings(max_retries=1) != Settings()
    assert 1 == len({Settings(), Settings(), Settings().replace()})


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(jitter=0, aging=3), Settings.high_throughput()],
    ids=["default", "changed", "preset"],
)
def test_settings_pickle(settings):
    """They travel to other processes."""
    assert settings == pickle.loads(pickle.dumps(settings))


def test_the_presets_are_what_they_say():
    """One is wide and impatient, the other narrow and patient; both are plain settings."""
    plain, fast, safe = Settings(), Settings.high_throughput(), Settings.high_reliability()

    assert fast.max_concurrent_requests > plain.max_concurrent_requests
    assert fast.queue_size > plain.queue_size
    assert fast.max_retry_delay < plain.max_retry_delay < safe.max_retry_delay
    assert fast.max_retries < plain.max_retries < safe.max_retries
    assert fast.max_batch_size > plain.max_batch_size
    assert safe.failure_threshold < plain.failure_threshold
    assert safe.aging is not None
    assert 2 == fast.replace(max_retries=2).max_retries


def test_a_value_that_cannot_be_shown_is_named_by_its_type():
    """A `__repr__` that fails is not the error that the user is to see."""

    class Shy:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(SettingsError, match=r"jitter must be a number from 0 to 1, not <.*Shy>"):
        Settings(jitter=Shy())


def test_a_settings_error_pickles():
    """With the setting, the rule and the value."""
    with pytest.raises(SettingsError) as caught:
        Settings(jitter=2)
    again = pickle.loads(pickle.dumps(caught.value))

    assert ("jitter", "must be a number from 0 to 1", 2, str(caught.value)) == (
        again.setting,
        again.rule,
        again.value,
        str(again),
    )


@pytest.mark.parametrize("decorator", [retry, circuit_breaker, prioritized, resilient])
@pytest.mark.parametrize("target", [5, "name", [print]])
def test_what_is_no_function_is_refused(decorator, target):
    """A positional setting, such as `@retry(3)`, is a mistake that is told at once."""
    with pytest.raises(SettingsError, match="function must be callable"):
        decorator(target)
