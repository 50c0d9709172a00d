"""`@batched`: who shares a batch, when it is flushed, and what comes of each item."""

from __future__ import annotations

import pytest

from resilience import Batcher, MissingResultError, SettingsError, batched
from resilience.telemetry import BatchFlushed
from resilience.testing import FakeClock, capture_events
from tests.support.batches import Recorded

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")

# -- when ------------------------------------------------------------------------------------


def test_a_full_batch_runs_at_once(run):
    """The item that fills it waits for nobody, and each caller gets the result of its own."""
    fetch = Recorded(run, max_batch_size=3, batch_timeout=60)
    with FakeClock(autojump=False) as clock:
        calls = [fetch.start(number) for number in (1, 2)]
        third = fetch(3)

        assert [10, 20, 30] == [*(call.result() for call in calls), third]
        assert 0 == clock.now
    assert [[1, 2, 3]] == fetch.batches


def test_an_item_waits_no_longer_than_the_timeout(run):
    """Without company it is run alone after `batch_timeout`, without any further call."""
    fetch = Recorded(run, batch_timeout=0.5)
    with FakeClock() as clock:
        assert 10 == fetch(1)
        assert 0.5 == clock.now
    assert [[1]] == fetch.batches


def test_the_time_counts_from_the_oldest_item(run):
    """Items that come later do not put off the flush."""
    fetch = Recorded(run, batch_timeout=1)
    with FakeClock(autojump=False) as clock:
        first = fetch.start(1)
        clock.advance(0.75)
        second = fetch.start(2)
        clock.advance(0.25)

        assert [10, 20] == [first.result(), second.result()]
    assert [[1, 2]] == fetch.batches


def test_no_batch_grows_above_its_size(run):
    """Of seven calls at a size of three, six share two batches, and the last one waits."""
    fetch = Recorded(run, max_batch_size=3, batch_timeout=1)
    with FakeClock(autojump=False) as clock:
        calls = [fetch.start(number) for number in range(7)]
        clock.advance(1)

        assert [number * 10 for number in range(7)] == [call.result() for call in calls]
    assert [[0, 1, 2], [3, 4, 5], [6]] == fetch.batches


def test_flush_does_not_wait(run):
    """What waits is run at once, and has ended when `flush` returns."""
    fetch = Recorded(run, batch_timeout=60)
    with FakeClock(autojump=False) as clock:
        call = fetch.start(1)
        fetch.flush()

        assert [[1]] == fetch.batches
        assert (10, 0) == (call.result(), clock.now)
        fetch.flush()  # nothing waits
    assert 0 == fetch.batcher.waiting


def test_each_flush_is_an_event(run):
    """Its size, its reason, and how long the oldest item waited."""
    fetch = Recorded(run, max_batch_size=2, batch_timeout=1, name="fetch")
    with FakeClock(autojump=False) as clock, capture_events() as events:
        calls = [fetch.start(number) for number in range(3)]
        clock.advance(1)
        [call.result() for call in calls]
        call = fetch.start(4)
        fetch.flush()
        call.result()
    flushes = [event for event in events if isinstance(event, BatchFlushed)]

    assert [("fetch", 2, "size", 0), ("fetch", 1, "time", 1), ("fetch", 1, "explicit", 0)] == [
        (event.name, event.size, event.flush, event.waited) for event in flushes
    ]


# -- what comes of it ------------------------------------------------------------------------


def test_an_exception_in_a_results_place_is_that_items(run):
    """It is raised for this one, and its neighbours get their results."""
    fetch, error = Recorded(run, max_batch_size=3), ValueError("bad")
    good, bad = fetch.start(1), fetch.start(error)

    assert 20 == fetch(2)
    assert 10 == good.result()
    with pytest.raises(ValueError, match="bad"):
        bad.result()


@pytest.mark.parametrize(
    ("returned", "given"),
    [([1, 2], 2), ([], 0), ([1, 2, 3, 4], 0), (range(1), 1), (range(3), 3)],
)
def test_a_missing_result_is_an_error_of_that_item(run, returned, given):
    """Too few: those at the end; too many: all, since nobody knows whose is whose."""
    batch = []

    def body(items):
        batch.extend(items)
        return returned

    fetch = run.decorate(batched(max_batch_size=3, name="fetch"), body)
    calls = {number: run.start(fetch, number) for number in range(3)}
    run.until(lambda: all(call.done() for call in calls.values()))
    for number in batch[given:]:
        with pytest.raises(MissingResultError, match=r"fetch returned \d results for 3 items"):
            calls[number].result()

    assert [*returned][:given] == [calls[number].result() for number in batch[:given]]


@pytest.mark.parametrize("returned", [None, "abc", b"abc", {1: 2}, {1, 2}, 7])
def test_what_is_no_list_is_no_result(run, returned):
    """All items learn what the function returned instead."""
    fetch = run.decorate(batched(max_batch_size=1, name="fetch"), lambda items: returned)
    text = f"fetch must return a list with a result for each item, not {type(returned).__name__}"

    with pytest.raises(MissingResultError, match=text):
        fetch(1)


@pytest.mark.parametrize("make", [tuple, iter, lambda numbers: (each for each in numbers)])
def test_any_other_iterable_is_a_list(run, make):
    """A tuple, an iterator, a generator."""
    fetch = run.decorate(batched(max_batch_size=1), lambda items: make([len(items)]))

    assert 1 == fetch("a")


# -- settings --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"max_batch_size": 0}, "max_batch_size must be a whole number, at least 1"),
        ({"batch_timeout": -1}, "batch_timeout must be a finite number of seconds"),
        ({"on_error": "halve"}, 'on_error must be "raise" or "split"'),
        ({"max_concurrent_batches": 0}, "max_concurrent_batches must be a whole number"),
        ({"enable_batching": 1}, "enable_batching must be True or False"),
        ({"key": "model"}, "key must be callable"),
        ({"batch_size": 3}, "did you mean max_batch_size?"),
    ],
)
def test_a_bad_setting_is_refused_at_decoration(settings, text):
    """By its name and its rule, by the decorator and by `Batcher` alike."""
    for make in (batched, lambda **settings: Batcher(list, **settings)):
        with pytest.raises(SettingsError, match=text.replace("?", "[?]")):
            make(**settings)


def test_what_takes_or_returns_no_list_is_refused(run):
    """A function without a parameter, and a generator function."""

    def nothing():
        return []

    def generate(items):
        yield from items

    with pytest.raises(SettingsError, match="first positional parameter"):
        batched(run.function(lambda *, items: items))
    with pytest.raises(SettingsError, match="first positional parameter"):
        batched(run.function(nothing))
    with pytest.raises(SettingsError, match="a generator does not"):
        batched(run.function(generate))
