"""A pool that is changed while keys are leased, and what it counts."""

from __future__ import annotations

import pytest

from resilience import NoKeyAvailableError, SettingsError
from tests.support.decorators import pool_of
from tests.support.keys import failed_lease, lease, rejected, throttled


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


@pytest.mark.parametrize("name", [True, 5, None, b"a", ["a"], ""])
def test_an_entry_is_named_by_a_text(name):
    """Whatever else stands in the place of a name is refused as that."""
    pool = pool_of("a")
    for act in (pool.update, pool.remove, lambda name: pool.lease(name or 0).__enter__()):
        with pytest.raises(SettingsError, match="entry must be a text that is not empty"):
            act(name)

    assert ("a",) == pool.names()


def test_a_new_key_is_ready_at_once(run):
    """Mended by hand, an entry that was set aside serves again, for everybody."""
    pool = pool_of("a")
    failed_lease(run, pool, error=rejected())
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
    failed_lease(run, pool, error=throttled(60))
    second.finish(None)
    with pytest.raises(NoKeyAvailableError, match="rests for 60"):
        lease(run, pool)
    assert 0 == pool.get_stats()["active_requests"]


def test_a_change_of_weight_wakes_nobody(run):
    """Only another key or server is a new beginning."""
    pool = pool_of("a")
    failed_lease(run, pool, error=throttled(60))
    pool.update("a", weight=2, group="one", tiers=None)
    with pytest.raises(NoKeyAvailableError, match="rests"):
        lease(run, pool)


def test_a_pool_has_statistics_of_its_own(run):
    """For all entries, for one, as a report, and back to nothing for one or for all."""
    pool = pool_of("ab")
    lease(run, pool, "a")
    failed_lease(run, pool, "b", error=ValueError())
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
