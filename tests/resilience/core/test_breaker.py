"""The circuit breaker's machine: which answer leads where, without clock, lock or thread."""

from __future__ import annotations

import pytest

from resilience._core.breaker import Breaker
from resilience._core.breaker_states import BreakerRules


def breaker_of(**rules):
    """A machine with these rules; unlike the default it opens at the second failure."""
    return Breaker(BreakerRules(**{"failure_threshold": 2, "reset_timeout": 10.0} | rules))


def answer(breaker, answers, now=0.0):
    """Let calls end one after the other: F fails, S succeeds, s succeeds slowly, n is neutral."""
    for letter in answers:
        permit = breaker.admit(now)
        if letter == "n":
            breaker.release(permit)
        else:
            breaker.record(permit, failed=letter == "F", now=now, slow=letter == "s")
    return breaker


def reasons(breaker):
    """The steps that the machine has taken, as "FROM TO reason"."""
    return [" ".join(move) for move in breaker.transitions]


@pytest.mark.parametrize(
    ("rules", "answers", "reason"),
    [
        ({}, "F", None),
        ({}, "FSF", None),
        ({}, "FnF", "failure_threshold"),
        ({}, "SSFF", "failure_threshold"),
        ({"failure_threshold": 1}, "F", "failure_threshold"),
        # Rates: at or above, of the calls that the window holds, once there are enough.
        ({"failure_threshold": None, "failure_rate": 0.5, "minimum_calls": 4}, "FFF", None),
        (
            {"failure_threshold": None, "failure_rate": 0.5, "minimum_calls": 4},
            "FSSF",
            "failure_rate",
        ),
        ({"failure_threshold": None, "failure_rate": 0.5, "minimum_calls": 4}, "FSSSSF", None),
        (
            {"failure_threshold": None, "failure_rate": 0.5, "minimum_calls": 4, "window": 4},
            "FSSSSFF",
            "failure_rate",
        ),
        (
            {"failure_threshold": None, "failure_rate": 1, "minimum_calls": 2},
            "nFnnF",
            "failure_rate",
        ),
        # Both: whichever is reached first.
        ({"failure_rate": 0.9, "minimum_calls": 9}, "SSFF", "failure_threshold"),
        ({"failure_rate": 0.5, "minimum_calls": 4}, "FSFSF", "failure_rate"),
        # Slow calls count whether they succeed or not.
        ({"failure_threshold": None, "slow_call_rate": 0.5, "minimum_calls": 4}, "SsSS", None),
        (
            {"failure_threshold": None, "slow_call_rate": 0.5, "minimum_calls": 4},
            "SsSs",
            "slow_call_rate",
        ),
    ],
)
def test_what_opens_it(rules, answers, reason):
    """Failures in a row, the failure rate and the slow call rate open it, each by its own rule."""
    breaker = answer(breaker_of(**rules), answers)

    assert ([] if reason is None else [f"CLOSED OPEN {reason}"]) == reasons(breaker)
    assert (reason is None) is breaker.closed


def test_a_rate_may_open_it_on_a_success():
    """The call that makes the window full enough may be a good one."""
    breaker = answer(breaker_of(failure_threshold=None, failure_rate=0.5, minimum_calls=4), "FFSS")

    assert ["CLOSED OPEN failure_rate"] == reasons(breaker)


def test_a_time_window_forgets():
    """Failures that are older than the window do not count any more."""
    rules = {"failure_threshold": None, "failure_rate": 0.5, "minimum_calls": 2}
    late, early = (breaker_of(**rules, window_seconds=60.0) for _ in range(2))
    answer(answer(early, "F", now=0), "F", now=50)
    answer(answer(late, "F", now=0), "F", now=61)

    assert (False, True) == (early.closed, late.closed)


def test_a_closed_period_begins_with_an_empty_window():
    """What was counted before it opened does not open it again."""
    breaker = answer(breaker_of(failure_threshold=None, failure_rate=0.5, minimum_calls=2), "FF")
    answer(breaker, "S", now=10)  # the probe
    answer(breaker, "SSF", now=10)

    assert breaker.closed


@pytest.mark.parametrize(("now", "name"), [(0, "OPEN"), (9.999, "OPEN"), (10, "HALF-OPEN")])
def test_it_reads_as_half_open_when_its_time_is_over(now, name):
    """The state shown is the one that a caller would meet, without any call to bring it about."""
    breaker = answer(breaker_of(), "FF")

    assert name == breaker.name(now)


def test_the_first_probe_and_the_step_to_half_open_are_one():
    """Whoever finds the time over gets the permit in the same step; the next one is refused."""
    breaker = answer(breaker_of(), "FF")

    assert breaker.admit(10) is not None
    assert breaker.admit(10) is None


@pytest.mark.parametrize(
    ("rules", "answers", "name"),
    [
        ({}, "S", "CLOSED"),
        ({}, "F", "OPEN"),
        ({}, "n", "HALF-OPEN"),
        ({"success_threshold": 3}, "SS", "HALF-OPEN"),
        ({"success_threshold": 3}, "SSS", "CLOSED"),
        ({"success_threshold": 3}, "SSF", "OPEN"),
        ({"success_threshold": 2}, "SnnS", "CLOSED"),
        ({"slow_call_rate": 0.5, "minimum_calls": 9}, "s", "OPEN"),
        ({}, "s", "CLOSED"),
    ],
)
def test_where_probes_lead(rules, answers, name):
    """Enough successes close it, one failure opens it, and neutral probes leave it as it is."""
    breaker = answer(breaker_of(**rules), "FF")
    answer(breaker, answers, now=10)

    assert name == breaker.name(10)


def test_so_many_probes_at_a_time():
    """Half-open admits `half_open_max_calls`; each answer that decides nothing makes room."""
    breaker = answer(breaker_of(half_open_max_calls=2, success_threshold=3), "FF")
    first, second = breaker.admit(10), breaker.admit(10)

    assert breaker.admit(10) is None
    breaker.record(first, failed=False, now=10)
    assert breaker.admit(10) is not None
    breaker.release(second)
    assert breaker.admit(10) is not None
    assert breaker.admit(10) is None


def test_a_lost_probe_gives_its_place_back_after_the_reset_timeout():
    """Nothing that happens to a caller can keep the circuit half-open for ever."""
    breaker = answer(breaker_of(), "FF")
    lost = breaker.admit(10)

    assert breaker.admit(19.9) is None
    assert breaker.admit(20) is not None
    breaker.record(lost, failed=True, now=21)
    assert "HALF-OPEN" == breaker.name(21)


def test_probes_are_bounded_without_a_reset_timeout():
    """With `reset_timeout=0` it probes at once, but no more than it may at a time."""
    breaker = answer(breaker_of(reset_timeout=0.0), "FF")

    assert breaker.admit(0) is not None
    assert [None] * 5 == [breaker.admit(0.1 * n) for n in range(5)]
    assert breaker.admit(1) is not None


@pytest.mark.parametrize("failed", [True, False])
def test_an_answer_from_before_changes_nothing(failed):
    """Answers that were admitted before the last transition neither open, prolong nor close."""
    breaker = breaker_of()
    old = breaker.admit(0)
    answer(breaker, "FF")
    breaker.record(old, failed=failed, now=8)

    assert ("OPEN", 2) == (breaker.name(9), breaker.state.retry_after(8))
    probe = breaker.admit(10)
    breaker.record(old, failed=failed, now=10)
    assert "HALF-OPEN" == breaker.name(10)
    breaker.record(probe, failed=False, now=10)
    breaker.record(old, failed=failed, now=10)
    assert ("CLOSED", 0) == (breaker.name(10), breaker.failures)


def test_a_probe_of_an_earlier_half_open_period_changes_nothing():
    """Two probes, one fails: the success of the other comes too late for the next period."""
    breaker = answer(breaker_of(half_open_max_calls=2), "FF")
    failing, late = breaker.admit(10), breaker.admit(10)
    breaker.record(failing, failed=True, now=10)
    probe = breaker.admit(20)
    breaker.record(late, failed=False, now=20)

    assert "HALF-OPEN" == breaker.name(20)
    assert breaker.admit(20) is not None  # the second place is free, that of `late` never was here
    breaker.record(probe, failed=False, now=20)
    assert "CLOSED" == breaker.name(20)


def test_each_opening_in_a_row_lasts_longer():
    """Twice as long each time, up to `max_reset_timeout`; a success begins anew."""
    breaker = answer(breaker_of(max_reset_timeout=35.0), "FF")
    now, lengths = 0.0, []
    for _ in range(4):
        lengths.append(breaker.state.retry_after(now))
        now += lengths[-1]
        answer(breaker, "F", now)
    now += breaker.state.retry_after(now)
    answer(breaker, "SFF", now)

    assert [10, 20, 35, 35] == lengths
    assert 10 == breaker.state.retry_after(now)


def test_closed_by_hand_the_open_time_begins_anew():
    """Who closes it says that the service is well again, as a probe would."""
    breaker = answer(breaker_of(max_reset_timeout=35.0), "FF")
    answer(breaker, "F", 10.0)
    longer = breaker.state.retry_after(10.0)
    breaker.close()
    answer(breaker, "FF", 10.0)

    assert (20, 10) == (longer, breaker.state.retry_after(10.0))


def test_the_growing_time_does_not_overflow():
    """A circuit that has been open for months still has a finite time to wait."""
    rules = BreakerRules(reset_timeout=1.0, max_reset_timeout=60.0)

    assert (1, 2, 60) == tuple(rules.open_for(n) for n in (1, 2, 1_000_000))


def test_failures_are_counted_until_it_closes():
    """The count is that of the row, shows why it opened, grows by failing probes, ends with it."""
    breaker = breaker_of()
    counts = []
    for answers, now in (("F", 0), ("S", 0), ("FF", 0), ("F", 10), ("S", 20)):
        counts.append(answer(breaker, answers, now).failures)

    assert [1, 0, 2, 3, 0] == counts


@pytest.mark.parametrize(
    ("settings", "answers", "is_calm"),
    [
        ({}, "", True),
        ({}, "S", True),
        ({}, "F", False),
        ({}, "FS", True),
        ({}, "FF", False),  # open
        ({"failure_rate": 0.5}, "S", False),
        ({"slow_call_rate": 0.5}, "S", False),
    ],
)
def test_it_is_calm_while_a_success_changes_nothing(settings, answers, is_calm):
    """Closed, without a failure to forget and without a window to fill: nobody need record it."""
    assert is_calm is answer(breaker_of(**settings), answers).calm


@pytest.mark.parametrize(
    ("orders", "steps"),
    [
        ("hold_open", ["CLOSED OPEN manual"]),
        ("hold_open hold_open", ["CLOSED OPEN manual"]),
        ("hold_open close", ["CLOSED OPEN manual", "OPEN CLOSED manual"]),
        ("close", []),
        ("disable enable", ["CLOSED DISABLED manual", "DISABLED CLOSED manual"]),
        ("enable", []),
        ("hold_open enable", ["CLOSED OPEN manual"]),
        ("hold_open disable", ["CLOSED OPEN manual", "OPEN DISABLED manual"]),
        ("disable hold_open", ["CLOSED DISABLED manual", "DISABLED OPEN manual"]),
        ("disable close", ["CLOSED DISABLED manual", "DISABLED CLOSED manual"]),
    ],
)
def test_orders_lead_anywhere(orders, steps):
    """By hand it goes from any state to any other, and only a change is a transition."""
    breaker = breaker_of()
    for order in orders.split():
        getattr(breaker, order)(*([0.0] if order == "hold_open" else []))

    assert steps == reasons(breaker)


def test_held_open_it_stays_open():
    """What was opened by hand admits no probe, however long it takes."""
    breaker = breaker_of()
    breaker.hold_open(0)

    assert (None, "OPEN") == (breaker.admit(1e9), breaker.name(1e9))
    assert breaker.state.retry_after(0) is None


def test_opened_by_itself_it_can_still_be_held_open():
    """An order wins over the time that was running."""
    breaker = answer(breaker_of(), "FF")
    breaker.hold_open(1)

    assert breaker.admit(11) is None


def test_disabled_it_counts_nothing():
    """Everybody passes and no answer is remembered, not even after it works again."""
    breaker = breaker_of()
    breaker.disable()
    answer(breaker, "FFFFFn")
    during = breaker.name(0)
    breaker.enable()
    answer(breaker, "F")

    assert ("DISABLED", "CLOSED") == (during, breaker.name(0))


@pytest.mark.parametrize("state", ["OPEN", "HALF-OPEN"])
def test_a_clock_that_goes_back_holds_nobody_up(state):
    """After a jump into the past it waits for its time once more, not for as long as the jump."""
    breaker = answer(breaker_of(), "FF", now=1e9)
    if state == "HALF-OPEN":
        breaker.admit(1e9 + 10)

    assert breaker.admit(500) is None
    assert breaker.state.retry_after(500) <= 10
    assert breaker.admit(509) is None
    assert breaker.admit(510) is not None
