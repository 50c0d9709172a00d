"""A pool of keys: what goes in, what is refused, what is handed out."""

from __future__ import annotations

import copy
import pickle

import pytest

from resilience import KeyPool, NoKeyAvailableError, Priority, SettingsError, priority
from resilience.testing import FakeClock
from tests.support.decorators import pool_of
from tests.support.keys import rejected, throttled


def lease(run, pool, *args, error=None, **options):
    """Lease a key, end the call with the error, if any, and give the name and the key."""

    @run.function
    def body(held):
        if error is not None:
            raise error
        return held.name, held.key

    async def main():
        async with pool.lease(*args, **options) as held:
            return await body(held)

    def plain():
        with pool.lease(*args, **options) as held:
            return body(held)

    return run.call(plain if run.flavour == "sync" else main)


def fail(run, pool, *args, error, **options):
    """Lease a key for a call that fails."""
    with pytest.raises(type(error)):
        lease(run, pool, *args, error=error, **options)


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
        ("", {}, "key must be a text that is not empty"),
        (["made up", " "], {}, "key must be a text that is not empty"),
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
    fail(run, pool, "b", error=throttled(60))
    with pytest.raises(NoKeyAvailableError, match="b rests for") as caught:
        lease(run, pool, "b")
    assert ["b"] == list(caught.value.reasons)
    with pytest.raises(SettingsError, match="has no entry 'd'"):
        lease(run, pool, "d")


def test_the_outcome_of_a_lease_is_reported(run):
    """An error that leaves the block makes the entry rest, or sets it aside."""
    with FakeClock() as clock:
        pool = pool_of("abc")
        fail(run, pool, "a", error=throttled(10))
        fail(run, pool, "b", error=rejected())
        fail(run, pool, "c", error=ValueError())

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


# -- changes while it works ------------------------------------------------------------------


def test_entries_come_and_go_while_keys_are_leased(run):
    """What is added serves at once; what is removed ends what it has begun, and no more."""
    pool = pool_of("ab")
    with pool.lease("a") as held:
        pool.remove("a")
        pool.add("c", "key of c")

        assert ("b", "c") == pool.names()
        assert "key of a" == held.key
    assert {"b", "c"} == {lease(run, pool)[0] for _ in range(4)}


def test_a_removed_entry_is_charged_and_not_its_successor(run):
    """A call ends on the entry that it began on, even if there is a new one of that name."""
    pool = pool_of("a")
    held = pool.take()
    pool.remove("a")
    pool.add("a", "another key")
    held.finish(rejected())

    assert ("a", "another key") == lease(run, pool)
    assert 1 == pool.get_stats("a")["total_requests"]
    assert 0 == pool.get_stats("a")["active_requests"]


def test_a_new_key_is_ready_at_once(run):
    """Mended by hand, an entry that was set aside serves again, for everybody."""
    pool = pool_of("a")
    fail(run, pool, error=rejected())
    pool.update("a", key="a better key")
    with pool.lease(), pool.lease() as held:
        assert "a better key" == held.key


@pytest.mark.parametrize("change", [{"key": "a better key"}, {"base_url": "http://localhost"}])
def test_the_end_of_an_old_call_says_nothing_about_a_new_key(run, change):
    """A 401 to the old key does not set the new one aside; nor does its success prove it."""
    pool = pool_of("a")
    first, second = pool.take(), pool.take()
    pool.update("a", **change)
    first.finish(rejected())

    assert "a" == lease(run, pool)[0]
    fail(run, pool, error=throttled(60))
    second.finish(None)
    with pytest.raises(NoKeyAvailableError, match="rests for 60"):
        lease(run, pool)
    assert 0 == pool.get_stats()["active_requests"]


def test_a_change_of_weight_wakes_nobody(run):
    """Only another key or server is a new beginning."""
    pool = pool_of("a")
    fail(run, pool, error=throttled(60))
    pool.update("a", weight=2, group="one", tiers=None)
    with pytest.raises(NoKeyAvailableError, match="rests"):
        lease(run, pool)


# -- statistics ------------------------------------------------------------------------------


def test_a_pool_has_statistics_of_its_own(run):
    """For all entries, for one, as a report, and back to nothing for one or for all."""
    pool = pool_of("ab")
    lease(run, pool, "a")
    fail(run, pool, "b", error=ValueError())
    with pool.lease("b"):
        stats = pool.get_stats()
    all_of_them = (stats["total_requests"], stats["active_requests"], stats["endpoints_count"])

    assert (2, 1, 2) == all_of_them
    assert 1 == stats["endpoints"]["b"]["active_requests"]
    assert {"ValueError": 1} == stats["errors_by_type"] == pool.get_stats("b")["errors_by_type"]
    assert 1 == pool.get_stats("a")["successful_requests"]
    assert 2 / 3 == pool.generate_report()["success_rate"]
    assert ["a", "b"] == list(pool.generate_report(include_details=True)["endpoints"])
    assert "success_rate" in str(pool.generate_report("a"))
    pool.reset_stats("b")
    assert 1 == pool.get_stats()["total_requests"]
    pool.reset_stats()
    assert 0 == pool.get_stats()["total_requests"]


def test_a_pool_does_not_travel():
    """It holds secrets: neither pickled nor copied, nor its leases."""
    pool = pool_of("a")
    for thing in (pool, pool.take()):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(thing)
        with pytest.raises(TypeError, match="cannot be pickled"):
            copy.deepcopy(thing)
