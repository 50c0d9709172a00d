"""`disabled`: features that are off for everything inside, and the switch of one function."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from resilience import SettingsError
from resilience._switches import FEATURES, Switch, disabled, is_off


def off():
    """The features that are off here."""
    return {feature for feature in FEATURES if is_off(feature)}


def test_what_is_named_is_off_inside():
    """One name, several, or none for all; outside everything works."""
    with disabled("retry"):
        one = off()
    with disabled("retry", "batched"):
        two = off()
    with disabled():
        all_of_them = off()

    assert [{"retry"}, {"retry", "batched"}, set(FEATURES)] == [one, two, all_of_them]
    assert set() == off()


def test_it_nests():
    """What any of the surrounding ones names is off, whichever is left first."""
    outer, inner = disabled("retry"), disabled("metrics")
    outer.__enter__()
    inner.__enter__()
    both = off()
    outer.__exit__(None, None, None)
    after = off()
    inner.__exit__(None, None, None)

    assert ({"retry", "metrics"}, {"metrics"}, set()) == (both, after, off())


def test_an_exception_turns_it_on_again():
    """The block is over however it ends."""
    with pytest.raises(OSError, match="inside"), disabled():
        raise OSError("inside")

    assert set() == off()


def test_one_object_serves_several_tasks_at_once():
    """Each has what it has entered, and tasks that it starts have it as well."""
    scope, seen = disabled("retry"), []

    async def inside():
        with scope:
            await asyncio.sleep(0)
            seen.append(await asyncio.create_task(look()))

    async def look():
        return off()

    async def main():
        await asyncio.gather(inside(), inside())
        seen.append(off())

    asyncio.run(main())

    assert [{"retry"}, {"retry"}, set()] == seen


def test_other_threads_go_on_as_before():
    """A thread that the block did not start from this context knows nothing of it."""
    with ThreadPoolExecutor() as others, disabled():
        assert set() == others.submit(off).result()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("retires", "did you mean retry"),
        ("queue", "known are: attempt_timeout, batched"),
        ("circuit-breaker", "did you mean circuit_breaker"),
    ],
)
def test_an_unknown_feature_is_refused(name, told):
    """The nearest one is named, when the object is made."""
    with pytest.raises(SettingsError, match=f"resilience has no feature '{name}'; {told}"):
        disabled("retry", name)


@pytest.mark.parametrize("value", [5, None, ["retry"], threading.Lock])
def test_what_is_no_name_is_refused(value):
    """Such as the decorator itself."""
    with pytest.raises(SettingsError, match="features must be names"):
        disabled(value)


def test_a_switch_is_of_one_thing():
    """`disable()` holds everywhere until `enable()`; twice is once."""
    first, second = Switch("retry"), Switch("retry")
    first.disable()
    first.disable()
    before = first.enabled, first.is_off, second.enabled, second.is_off, repr(first)
    first.enable()

    assert (False, True, True, False, "<retry: disabled>") == before
    assert (True, False, "<retry: enabled>") == (first.enabled, first.is_off, repr(first))
