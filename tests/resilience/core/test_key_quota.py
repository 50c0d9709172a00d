"""The quota of a key: what may be sent, against servers that count in their own ways."""

from __future__ import annotations

import heapq
import math
from itertools import count, cycle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resilience._core.key_quota import Quota, Told

LATENCIES = st.lists(st.floats(0.01, 0.3), min_size=1, max_size=12)


class Window:
    """A server that serves so many requests in a window, which begins with the first of them.

    Who asks for more is told to come back at its end, or at the next whole second after that.
    """

    def __init__(self, limit, seconds, *, whole):
        self.limit, self.seconds, self.whole = limit, seconds, whole
        self.began, self.used, self.closed_until = -math.inf, 0, -math.inf
        self.refused, self.full = 0, 0

    def ask(self, now):
        """Return what is left, the reset, and the wait of whoever is refused."""
        if now >= max(self.began + self.seconds, self.closed_until):
            self.full += self.used == self.limit
            self.began, self.used = now, 0
        left = max(self.began + self.seconds, self.closed_until) - now
        if self.used < self.limit:
            self.used += 1
            return self.limit - self.used, left, None
        self.refused += 1
        wait = math.ceil(left) if self.whole else left
        if now >= self.closed_until:  # as long as it is closed, nobody closes it for longer
            self.closed_until = now + wait
        return 0, left, wait


class Bucket:
    """A server whose quota fills all the time; the reset that it names is when it is full."""

    def __init__(self, limit, seconds):
        self.limit, self.rate = limit, limit / seconds
        self.level, self.then, self.refused = float(limit), 0.0, 0

    def ask(self, now):
        """Return what is left, the reset, and the wait of whoever is refused."""
        self.level = min(self.limit, self.level + (now - self.then) * self.rate)
        self.then = now
        if self.level < 1:
            self.refused += 1
            return 0, (self.limit - self.level) / self.rate, (1 - self.level) / self.rate
        self.level -= 1
        return int(self.level), (self.limit - self.level) / self.rate, None


def work(server, latencies, until, callers=6):
    """Let so many callers ask as often as they may; return their quota and when it was kept."""
    quota, kept_after, turns, order = Quota(), None, cycle(latencies), count()
    events, rest = [(0.0, next(order), None)] * callers, 0.0
    heapq.heapify(events)
    while events[0][0] < until:
        now, _, answer = heapq.heappop(events)
        if answer is not None:
            number, began, *said = answer
            quota.told(Told("model", server.limit, *said), number, began, now)
            rest = max(rest, now + (said[-1] or 0.0))
        if quota.is_kept and kept_after is None:
            kept_after = server.refused
        wait = max(quota.wait(now), rest - now)
        if wait > 0:
            heapq.heappush(events, (now + wait, next(order), None))
            continue
        number = quota.send(now)
        answer = (number, now, *server.ask(now))
        heapq.heappush(events, (now + next(turns), next(order), answer))
    return quota, kept_after


@given(
    limit=st.integers(1, 30),
    seconds=st.floats(0.5, 3),
    latencies=LATENCIES,
    whole=st.booleans(),
)
def test_a_window_is_kept_as_soon_as_it_has_shown_itself(limit, seconds, latencies, whole):
    """Only those are refused that were under way when the server refused for the first time."""
    server = Window(limit, seconds, whole=whole)
    quota, kept_after = work(server, latencies, until=20)

    if server.refused:
        assert quota.is_kept
        assert 6 >= kept_after
        assert kept_after == server.refused


def test_a_window_that_is_kept_is_used_to_the_full():
    """Nothing of it is given away, and the next one begins as soon as it has ended."""
    server = Window(20, 1.0, whole=True)
    work(server, [0.05, 0.01, 0.2, 0.03], until=20)

    assert 15 <= server.full


@given(limit=st.integers(2, 30), seconds=st.floats(0.5, 60), latencies=LATENCIES)
def test_a_bucket_is_never_taken_for_a_window(limit, seconds, latencies):
    """Nobody waits until it is full: what it gives in the meantime is used."""
    quota, _ = work(Bucket(limit, seconds), latencies, until=20)

    assert not quota.is_kept


def kept():
    """A quota of two for each window of ten seconds that has shown itself at 0, and is used up."""
    quota = Quota()
    numbers = [quota.send(0.0) for _ in range(3)]
    quota.told(Told("model", 2, 1, 10.0), numbers[0], 0.0, 0.0)
    quota.told(Told("model", 2, 0, 10.0, wait=10.0), numbers[2], 0.0, 0.0)
    return quota


def test_nothing_is_sent_until_the_end_of_the_window():
    """Then as much as there is a demand for, until an answer says something new."""
    quota = kept()

    assert (True, 4.0, 0.0) == (quota.is_kept, quota.wait(6.0), quota.wait(10.0))


def test_a_new_window_is_like_the_one_before():
    """Until its first answer, which says when it ends: it began when the request arrived."""
    quota = kept()
    number = quota.send(10.0)
    quota.send(10.0)
    guessed = quota.wait(10.0)
    quota.told(Told("model", 2, 1, 10.0), number, 10.0, 10.25)

    assert (10.0, 9.75) == (guessed, quota.wait(10.5))


def test_the_end_of_a_window_is_what_all_answers_agree_on():
    """An answer that took its time says it less exactly than one that came at once."""
    quota = kept()
    first, second = quota.send(10.0), quota.send(10.0)
    quota.told(Told("model", 2, 1, 10.0), first, 10.0, 10.25)
    quota.told(Told("model", 2, 0, 10.0), second, 10.0, 12.0)

    assert 8.25 == quota.wait(12.0)


def test_requests_may_overtake_each_other():
    """The server counts them as they come: what allows less is sure not to be too much."""
    quota = kept()
    first, second = quota.send(10.0), quota.send(10.0)
    quota.told(Told("model", 2, 0, 10.0), first, 10.0, 10.25)
    quota.told(Told("model", 2, 1, 10.0), second, 10.0, 10.5)

    assert quota.wait(10.5)


def test_an_answer_that_was_long_under_way_says_nothing_of_the_next_window():
    """What it says of its own window would stop the next one."""
    quota = kept()
    number = quota.send(10.0)
    quota.told(Told("model", 2, 1, 10.0), number, 10.0, 10.25)
    quota.told(Told("model", 2, 0, 0.5), number - 1, 9.0, 10.25)

    assert 0.0 == quota.wait(10.25)


def test_an_answer_to_a_request_without_a_number_says_nothing():
    """It was sent before anybody counted."""
    quota = kept()
    quota.send(10.0)
    quota.told(Told("model", 2, 0, 10.0), 0, 10.0, 10.25)

    assert 0.0 == quota.wait(10.25)


@pytest.mark.parametrize(("left", "wait"), [(0, 8.0), (1, 10.0)])
def test_another_refusal_shows_no_window(left, wait):
    """Neither a wait that is shorter than the reset, nor one that has another reason."""
    quota = Quota()
    quota.told(Told("model", 2, 0, 10.0), quota.send(0.0), 0.0, 0.0)
    quota.told(Told("model", 2, left, 10.0, wait), quota.send(0.0), 0.0, 0.0)

    assert (False, 0.0) == (quota.is_kept, quota.wait(0.0))


def test_a_key_with_several_quotas_waits_for_none():
    """One for each model, say: nobody knows which of them the next request takes from."""
    quota = kept()
    quota.told(Told("another model", 2, 0, 9.0), quota.send(0.0), 1.0, 1.0)

    assert 0.0 == quota.wait(2.0)


def test_a_clock_that_went_back_holds_nobody_up():
    """It knows of no window."""
    assert 0.0 == kept().wait(-1e9)


def test_windows_of_the_hour_end_when_the_server_says():
    """They do not begin with the first request: after a pause much of one may be over already."""
    quota = kept()
    first, second = quota.send(17.0), quota.send(17.0)
    quota.told(Told("model", 2, 1, 3.0), first, 17.0, 17.25)
    quota.told(Told("model", 2, 0, 3.0), second, 17.0, 17.25)

    assert 3.0 == quota.wait(17.25)
    assert 0.0 == quota.wait(20.25)


def test_others_may_use_up_a_window_that_was_guessed():
    """What is left of it is what the server says, however early it ends."""
    quota = kept()
    number = quota.send(17.0)
    quota.told(Told("model", 2, 0, 3.0), number, 17.0, 17.25)

    assert 3.0 == quota.wait(17.25)


def test_a_server_may_change_its_mind():
    """The answer to a request that was sent later holds, even if its window ends earlier."""
    quota = kept()
    first = quota.send(10.0)
    quota.told(Told("model", 2, 1, 10.0), first, 10.0, 10.0)
    quota.told(Told("model", 2, 0, 2.0), quota.send(11.0), 11.0, 11.0)

    assert 2.0 == quota.wait(11.0)


def test_rounding_ends_no_window_early():
    """Whole seconds that are told late in a second say less than those that came before."""
    quota = kept()
    first = quota.send(10.0)
    quota.told(Told("model", 2, 1, 10.0), first, 10.0, 10.0)
    quota.told(Told("model", 2, 0, 7.0), quota.send(12.5), 12.5, 12.5)

    assert 7.5 == quota.wait(12.5)


def test_a_clock_that_was_frozen_in_the_far_future_holds_nobody_up():
    """A window that was only guessed there is not waited for either."""
    quota = kept()
    for _ in range(3):
        quota.send(1e9)

    assert 0.0 == quota.wait(20.0)


@given(st.data())
def test_nobody_waits_for_longer_than_the_server_said(data):
    """Whatever it says: until the reset that it has named last, but for rounding."""
    quota, now = kept(), 10.0
    for _ in range(data.draw(st.integers(1, 20))):
        now += data.draw(st.floats(0, 30))
        if quota.wait(now):
            continue
        number, reset = quota.send(now), data.draw(st.floats(0, 15))
        quota.told(Told("model", 2, data.draw(st.integers(0, 2)), reset), number, now, now)

        assert reset + 1 >= quota.wait(now)
