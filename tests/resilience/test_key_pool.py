"""A pool of keys: what goes in, what is refused, what is handed out."""

from __future__ import annotations

import copy
import pickle

import pytest

from resilience import KeyPool, NoKeyAvailableError, Priority, SettingsError, priority
from resilience.testing import FakeClock
from tests.support.decorators import pool_of
from tests.support.keys import failed_lease, lease, rejected, throttled

# -- what goes in ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({"production": "made up", "backup": "made up too"}, ("production", "backup")),
        (["made up", "made up too"], ("key_1", "key_2")),
        ("made up", ("default",)),
        ((), ()),
        (None, ()),
    ],
)
def test_keys_may_come_in_several_forms(keys, names):
    """A mapping of names, a list, one key, or none yet."""
    pool = KeyPool(keys)

    assert names == pool.names() == tuple(pool)
    assert len(names) == len(pool)
    assert all(name in pool for name in names)
    assert "absent" not in pool


@pytest.mark.parametrize(
    ("keys", "settings", "message"),
    [
        ("", {}, "key must be a text that is not empty, not ''"),
        (["made up", " "], {}, "key must be a text that is not empty, not ' '"),
        (["made up\n"], {}, "key must have no control characters"),
        ([b"made up"], {}, "key must be a text that is not empty, not '<bytes>'"),
        ({"a": None}, {}, "key must be given where there is no base_url"),
        ({"": "made up"}, {}, "entry must be a text that is not empty"),
        ({1: "made up"}, {}, "entry must be a text that is not empty"),
        (5, {}, "keys must be a mapping of names to keys, a list of keys, or one key"),
        (None, {"strategy": "fastest"}, "strategy must be one of first, round-robin"),
        (None, {"strategy": 3}, "or a function of the candidates, not 3"),
        (None, {"wait": "no"}, "wait must be True or False, not 'no'"),
        (None, {"name": ""}, "name must be a text that is not empty"),
        (None, {"initial_retry_delay": -1}, "initial_retry_delay must be a finite number"),
        (None, {"max_retry_delay": "long"}, "max_retry_delay must be a finite number"),
        (None, {"initial_retry_delai": 1}, "did you mean initial_retry_delay"),
    ],
)
def test_bad_input_is_refused(keys, settings, message):
    """At once, with the setting, the rule and the value; a key is never shown."""
    with pytest.raises(SettingsError, match=message) as caught:
        KeyPool(keys, **settings)

    assert "made up" not in str(caught.value)
    assert "made up" not in repr(caught.value.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight": 0}, "weight must be a finite number, more than 0"),
        ({"weight": "heavy"}, "weight must be"),
        ({"tiers": []}, "tiers must name at least one priority"),
        ({"tiers": 0}, "tiers must be priorities, or None, not 0"),
        ({"tiers": ["URGENT"]}, "priority must be"),
        ({"group": ""}, "group must be a text that is not empty"),
        ({"base_url": ""}, "base_url must be a text that is not empty"),
        ({"key": None}, "key must be given where there is no base_url"),
    ],
)
def test_bad_entries_are_refused(settings, message):
    """`add` and `update` check alike, and nothing is changed."""
    pool = pool_of("a")
    with pytest.raises(SettingsError, match=message):
        pool.add("b", **{"key": "made up", **settings})
    with pytest.raises(SettingsError, match=message):
        pool.update("a", **settings)

    assert ("a",) == pool.names()


@pytest.mark.parametrize("name", ["update", "remove", "reset_stats", "get_stats"])
def test_an_unknown_entry_is_refused_with_the_nearest(name):
    """Everything that takes a name knows which ones there are."""
    pool = KeyPool({"production": "made up"})
    with pytest.raises(SettingsError, match="did you mean production"):
        getattr(pool, name)("produktion")


def test_an_unknown_setting_of_an_entry_is_refused():
    """With the nearest known one."""
    with pytest.raises(SettingsError, match="did you mean weight"):
        pool_of("a").update("a", wieght=2)


def test_a_name_is_used_once():
    """A second entry of a name is a mistake: `update` changes the first."""
    with pytest.raises(SettingsError, match="must be new in the pool"):
        pool_of("a").add("a", "made up")


# -- what is handed out ----------------------------------------------------------------------


def test_keys_go_round(run):
    """By default each entry is next in its turn."""
    pool = pool_of("abc")

    assert list("abca") == [lease(run, pool)[0] for _ in range(4)]


def test_a_lease_has_key_name_and_server(run):
    """Everything that a request needs; a server that needs no key has none."""
    pool = pool_of("a")
    pool.add("local", None, base_url="http://localhost:8000")

    assert ("a", "key of a") == lease(run, pool, "a")
    assert ("local", None) == lease(run, pool, "local")
    with pool.lease("local") as held:
        assert "http://localhost:8000" == held.base_url


def test_an_entry_is_leased_by_name(run):
    """One by name, whatever the strategy says; if it rests, no other one takes its place."""
    pool = pool_of("abc", strategy="first")

    assert "b" == lease(run, pool, "b")[0]
    failed_lease(run, pool, "b", error=throttled(60))
    with pytest.raises(NoKeyAvailableError, match="b rests for") as caught:
        lease(run, pool, "b")
    assert ["b"] == list(caught.value.reasons)
    with pytest.raises(SettingsError, match="has no entry 'd'"):
        lease(run, pool, "d")


def test_the_outcome_of_a_lease_is_reported(run):
    """An error that leaves the block makes the entry rest, or sets it aside."""
    with FakeClock() as clock:
        pool = pool_of("abc")
        failed_lease(run, pool, "a", error=throttled(10))
        failed_lease(run, pool, "b", error=rejected())
        failed_lease(run, pool, "c", error=ValueError())

        assert list("ccc") == [lease(run, pool)[0] for _ in range(3)]
        clock.advance(10)
        assert "a" == lease(run, pool)[0]
        clock.advance(290)
        assert "b" == lease(run, pool)[0]


def test_a_lease_may_be_entered_within_itself():
    """One request object, two leases: each is given back."""
    pool = pool_of("ab")
    request = pool.lease()
    with request as outer, request as inner:
        assert ("a", "b") == (outer.name, inner.name)
        assert 2 == pool.get_stats()["active_requests"]

    assert 0 == pool.get_stats()["active_requests"]


def test_an_empty_pool_serves_nobody(run):
    """There is nothing to wait for, and the error says so."""
    with pytest.raises(NoKeyAvailableError, match="it is empty") as caught:
        lease(run, KeyPool(name="none"))

    assert ("none", None, {}) == (caught.value.name, caught.value.retry_after, caught.value.reasons)


def test_an_entry_serves_the_priorities_of_its_tiers(run):
    """By member, number or name; others are served by others, or by nobody."""
    pool = pool_of("ab")
    pool.update("a", tiers=[Priority.HIGH])
    pool.update("b", tiers=["low", 0])
    with priority(Priority.HIGH):
        assert ["b", "a"] == sorted((lease(run, pool)[0] for _ in range(2)), reverse=True)
    with priority(Priority.LOW):
        assert list("bb") == [lease(run, pool)[0] for _ in range(2)]
    with pytest.raises(NoKeyAvailableError, match="does not serve this priority") as caught:
        lease(run, pool)

    assert caught.value.retry_after is None
    pool.update("a", tiers=None)
    assert "a" == lease(run, pool)[0]


def test_a_pool_does_not_travel():
    """It holds secrets: neither pickled nor copied, nor its leases."""
    pool = pool_of("a")
    for thing in (pool, pool.take()):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing)
        with pytest.raises(TypeError, match="cannot be pickled"):
            copy.deepcopy(thing)
