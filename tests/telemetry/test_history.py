"""When circuits changed and keys were sent to rest: the latest of each, in bounded memory."""

from __future__ import annotations

from resilience import _clock
from resilience.telemetry.history import MOST_CHANGES, MOST_NAMES, History
from resilience.testing import FakeClock


def test_the_latest_changes_of_a_name_are_kept():
    """With their times, the oldest first."""
    history = History()
    with FakeClock() as clock:
        for number in range(MOST_CHANGES + 2):
            history.add("search", {"number": number})
            clock.advance(1)
    changes = history.of(["search", "nobody"], offset=1_000)["search"]

    assert MOST_CHANGES == len(changes)
    assert {"at": 1_002.0, "number": 2} == changes[0]
    assert {"at": 1_000.0 + MOST_CHANGES + 1, "number": MOST_CHANGES + 1} == changes[-1]


def test_who_was_quiet_for_longest_is_forgotten_first():
    """There may be a circuit for each of a million customers."""
    history = History()
    history.add("steady", {})
    for number in range(MOST_NAMES):
        history.add(f"customer {number}", {})
        history.add("steady", {})
    known = history.of(None, offset=0)

    assert MOST_NAMES == len(known)
    assert "customer 0" not in known
    assert [f"customer {MOST_NAMES - 1}", "steady"] == list(known)[-2:]


def test_some_names_are_forgotten_or_all():
    """What nobody knows is no error."""
    history = History()
    for name in "abc":
        history.add(name, {"at all": _clock.now() > 0})
    history.forget(["a", "nobody"])

    assert ["b", "c"] == list(history.of(None, offset=0))
    history.forget()
    assert {} == history.of(None, offset=0)
