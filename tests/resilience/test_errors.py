"""The errors of the toolkit: what they are, what they say, and that they travel."""

from __future__ import annotations

import copy
import inspect
import pickle
import threading

import pytest

import resilience
from resilience import errors

ERRORS = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, Exception)
}
REFUSALS = [kind for kind in ERRORS.values() if issubclass(kind, errors.RefusedError)]


def made(kind):
    """An error with all that it can hold."""
    if issubclass(kind, errors.NoKeyAvailableError):
        return kind("no", name="pool", retry_after=1.5, reasons={"a": "rests"})
    if issubclass(kind, errors.RefusedError):
        return kind("no", name="queue", retry_after=1.5)
    if kind is errors.MissingKeyError:
        return kind("no", variables=("A", "B"))
    if kind is errors.SettingsError:
        return kind("no", setting="jitter", rule="must be", value=2)
    return kind("no")


def test_the_tree_of_errors():
    """Every error has the place that the documentation draws."""
    tree = {name: kind.__mro__[1].__name__ for name, kind in ERRORS.items()}
    refused = dict.fromkeys((kind.__name__ for kind in REFUSALS), "RefusedError")
    expected = {
        "ResilienceError": "Exception",
        **refused,
        "RefusedError": "ResilienceError",
        "MissingResultError": "ResilienceError",
        "MissingKeyError": "ResilienceError",
        "SettingsError": "ResilienceError",
        "OrderWarning": "UserWarning",
    }

    assert expected == tree
    assert 7 == len(REFUSALS)
    assert issubclass(errors.SettingsError, ValueError)
    assert issubclass(errors.DeadlineExceededError, TimeoutError)


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_is_public(name):
    """All of them are handed on by the package."""
    assert ERRORS[name] is getattr(resilience, name)
    assert name in resilience.__all__
    assert name in errors.__all__


@pytest.mark.parametrize("kind", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_an_error_pickles(kind, protocol):
    """With its text, its notes and everything else that it holds."""
    error = made(kind)
    error.add_note("a note")
    again = pickle.loads(pickle.dumps(error, protocol))

    assert kind is type(again)
    assert (str(error), repr(error), vars(error)) == (str(again), repr(again), vars(again))
    assert vars(error) == vars(copy.copy(error)) == vars(copy.deepcopy(error))


@pytest.mark.parametrize("kind", ERRORS.values(), ids=ERRORS)
def test_an_error_can_be_made_bare(kind):
    """Tests of programs raise them without knowing what is in them."""
    assert kind is type(kind())


@pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: kind.__name__)
def test_a_refusal_says_who_and_when(kind):
    """Name and time are there, or empty where nobody knows; the reason is a word of telemetry."""
    error = kind("no", name="queue", retry_after=2)

    assert ("queue", 2, "no") == (error.name, error.retry_after, str(error))
    assert ("", None) == (kind().name, kind().retry_after)
    assert kind.reason.isidentifier()
    assert len(REFUSALS) == len({each.reason for each in REFUSALS})


@pytest.mark.parametrize("value", [threading.Lock(), lambda: 1, [1, 2], {"a": threading.Lock()}])
def test_a_settings_error_pickles_whatever_the_value(value):
    """A value that is not plain goes as its text; here it is the value itself."""
    error = errors.SettingsError("no", setting="on", rule="must be", value=value)
    again = pickle.loads(pickle.dumps(error))

    assert value is error.value
    assert (repr(value), "on", "must be") == (again.value, again.setting, again.rule)
