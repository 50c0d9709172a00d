"""What happened when, in bounded memory: intervals that grow with the run."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience.telemetry.timeline import KINDS, MOST_INTERVALS, Timeline

gains = st.lists(st.integers(0, 9), min_size=len(KINDS), max_size=len(KINDS))
# How long after the one before, and what was counted then.
steps = st.lists(st.tuples(st.sampled_from([0, 0.2, 1, 7, 90, 3_000, 1e6]), gains), max_size=40)


def played(script, start=0.0):
    """A timeline that was told of each gain just after it, and when each one was."""
    timeline, counters, now, gained = Timeline(), (0,) * len(KINDS), start, []
    for pause, gain in script:
        now += pause
        timeline.turn(now, counters)
        counters = tuple(map(sum, zip(counters, gain, strict=True)))
        gained.append((now, gain))
    timeline.turn(now, counters)
    return timeline, gained


def spread(gained, interval):
    """The same gains, counted by the number of their interval on the grid; without empty ones."""
    by_interval = {}
    for now, gain in gained:
        place = now // interval
        before = by_interval.get(place, [0] * len(KINDS))
        by_interval[place] = [sum(pair) for pair in zip(before, gain, strict=True)]
    return {place: counts for place, counts in by_interval.items() if any(counts)}


def shown(timeline):
    """What the timeline says, in the same form."""
    said = timeline.as_dict(0.0)
    first, counts = said["start"] / said["interval"], zip(*map(said.get, KINDS), strict=True)
    return {first + place: list(each) for place, each in enumerate(counts) if any(each)}


@given(script=steps, start=st.sampled_from([0.0, 1.0, 12_345.6]))
def test_each_gain_is_in_its_own_interval(script, start):
    """Whatever the pauses; of intervals there are never more than fit."""
    timeline, gained = played(script, start)

    assert spread(gained, timeline.interval) == shown(timeline)
    assert MOST_INTERVALS >= len(timeline.as_dict(0.0)["success"])
    assert timeline.as_dict(5.0) == json.loads(json.dumps(timeline.as_dict(5.0)))


@given(one=steps, other=steps, start=st.sampled_from([0.0, 3.0, 5e5]))
def test_two_add_up_exactly(one, other, start):
    """As if everything had been counted in one; the other one stays as it is."""
    (merged, first), (second, later) = played(one), played(other, start)
    before = second.as_dict(0.0)
    merged.merge(second)

    assert spread(first + later, merged.interval) == shown(merged)
    assert MOST_INTERVALS >= len(merged.as_dict(0.0)["success"])
    assert before == second.as_dict(0.0)


@pytest.mark.parametrize(
    ("length", "interval"), [(1, 1), (119, 1), (120, 2), (3_600, 32), (7 * 86_400, 8_192)]
)
def test_intervals_are_as_short_as_fits(length, interval):
    """Seconds of a short run, two hours of a week."""
    timeline, _ = played([(0, [1] * 5), (length, [1] * 5)])

    assert interval == timeline.interval
    assert MOST_INTERVALS / 2 < len(timeline.as_dict(0.0)["success"]) or length < 100


def test_a_turn_says_when_the_next_one_is_due():
    """At the end of the interval on the grid, which is not when it began."""
    timeline = Timeline()

    assert [8.0, 8.0, 9.0, 130.0] == [timeline.turn(at, (0,) * 5) for at in (7.3, 7.9, 8.0, 128.5)]


def test_a_clock_that_goes_back_loses_nothing():
    """What comes before the beginning counts in the first interval."""
    timeline = Timeline()
    for now, count in ((50.0, 0), (10.0, 1), (49.0, 3), (51.0, 6)):
        timeline.turn(now, (count, 0, 0, 0, 0))

    assert (50.0, [6, 0]) == (timeline.as_dict(0.0)["start"], timeline.as_dict(0.0)["success"])


def test_nothing_counted_shows_nothing():
    """No interval before the first call; and nothing is added by it."""
    timeline, other = Timeline(), Timeline()
    timeline.merge(other)

    assert [[]] * len(KINDS) == [timeline.as_dict(0.0)[kind] for kind in KINDS]
    other.turn(3.0, (0,) * 5)
    timeline.merge(other)
    assert [[0]] * len(KINDS) == [timeline.as_dict(0.0)[kind] for kind in KINDS]
    assert 3.0 == timeline.as_dict(0.0)["start"]
