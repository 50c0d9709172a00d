"""Quotas that servers name in their answers: who keeps to them sends nothing in vain."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import claude, groq, openai
from adapters.errors import RateLimitError
from resilience import NoKeyAvailableError, _clock, deadline
from resilience._core.key_quota import Told
from resilience._lease import LeaseLapsedError
from resilience.testing import FakeClock
from tests.adapters.recorder import Recorder, answer

KEY = "sk-secret-0123456789"
CHAT = {
    openai: {"choices": [{"index": 0, "message": {"content": "Yes"}, "finish_reason": "stop"}]},
    groq: {"choices": [{"index": 0, "message": {"content": "Yes"}, "finish_reason": "stop"}]},
    claude: {"content": [{"type": "text", "text": "Yes"}], "stop_reason": "end_turn"},
}
NAMES = {
    openai: "x-ratelimit-{}-requests",
    groq: "x-ratelimit-{}-requests",
    claude: "anthropic-ratelimit-requests-{}",
}


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """Time that passes only where somebody sleeps."""
    with FakeClock() as fake:
        yield fake


class Service:
    """Answers of an API whose quota is two requests in ten seconds."""

    def __init__(self, api: Any, server: Recorder, make: Any, **settings: Any) -> None:
        self.api, self.server, self.wall = api, server, _clock.wall()
        self.client = make(api, base_url=server.url, jitter=0, **settings)

    def said(self, left: int, window: int) -> dict[str, str]:
        """The headers that say how many requests are left in which of the windows."""
        end = datetime.fromtimestamp(self.wall + 10 * (window + 1), UTC).isoformat()
        values = {
            "limit": "2",
            "remaining": str(left),
            "reset": end if self.api is claude else "10s",
        }
        return {NAMES[self.api].format(name): value for name, value in values.items()}

    def good(self, left: int, window: int = 0) -> bytes:
        """An answer after which so many are left."""
        headers = self.said(left, window)
        return answer({"model": "m", "usage": {}, **CHAT[self.api]}, headers=headers)

    def throttled(self, **headers: str) -> bytes:
        """A refusal, since none is left."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return answer(b"{}", status=429, headers={**self.said(0, 0), **named})

    def play(self, *answers: bytes, key: str | None = None) -> None:
        """Ask until all of these have been sent."""
        self.server.play(*answers)
        until = len(self.server.requests) + len(answers)
        while len(self.server.requests) < until:
            with suppress(RateLimitError):
                assert "Yes" == self.client.chat("m", "Hello?", key=key).text

    def show(self, key: str | None = None) -> None:
        """Refuse once with the wait that shows a window, and use up the next one."""
        good, refusal = self.good, self.throttled(retry_after="10")
        self.play(good(1), good(0), refusal, good(1, 1), good(0, 1), key=key)


@pytest.mark.parametrize("api", [openai, groq, claude], ids=lambda api: api.__name__)
def test_a_quota_that_a_server_keeps_is_kept_without_asking(api: Any, make, server, clock):
    """It has refused once until the reset that it named; from then on nobody needs to be."""
    service = Service(api, server, make, api_key=KEY)
    service.show()
    before = clock.now
    service.play(service.good(1, 2))

    assert pytest.approx((10, 20), abs=0.001) == (before, clock.now)


def test_another_key_goes_on_at_once(make, server, clock):
    """One that is used up is left out, as one that rests."""
    service = Service(openai, server, make, keys={"production": KEY, "backup": f"{KEY}-2"})
    service.show(key="production")
    resting = service.client.keys.resting()
    service.play(service.good(1), service.good(0))
    used = service.client.get_stats()["endpoints"]

    assert ({"production": 10}, 10) == (resting, clock.now)
    assert 2 == used["backup"]["total_requests"]


def test_whoever_cannot_wait_is_told_why(make, server, clock):
    """The reason names what the server allows; the time is the end of the window."""
    service = Service(openai, server, make, api_key=KEY)
    service.show()
    with deadline(5), pytest.raises(NoKeyAvailableError) as refused:
        service.client.chat("m", "Hello?")

    assert {"default": "is used up for 10.0 s"} == refused.value.reasons
    assert 10 == refused.value.retry_after


def test_a_new_key_has_a_quota_of_its_own(make, server, clock):
    """Nothing is known of it."""
    service = Service(openai, server, make, api_key=KEY)
    service.show()
    service.client.keys.update("default", key=f"{KEY}-2")
    service.play(service.good(1), service.good(0), service.good(1))

    assert 10 == clock.now


def test_an_answer_to_an_old_key_says_nothing_of_the_new_one(make, server, clock):
    """Whether the server keeps the quota of that one has not been shown."""
    keys = Service(openai, server, make, api_key=KEY).client.keys
    old = keys.take()
    keys.update("default", key=f"{KEY}-2")
    old.tell(Told("m", 2, 0, 10.0, wait=10.0))
    old.finish(None)
    with keys.lease() as new:
        new.send()
        new.tell(Told("m", 2, 0, 10.0))

    assert {} == keys.resting()


@pytest.mark.parametrize(("is_off", "resting"), [(False, {"default": 10}), (True, {})])
def test_a_pool_that_is_turned_off_hears_of_no_quota(make, server, clock, is_off, resting):
    """It would hold for whoever comes when it is turned on again."""
    service = Service(openai, server, make, api_key=KEY)
    service.show()
    clock.advance(10)
    keys = service.client.keys
    with keys.lease() as lease:
        lease.send()
        if is_off:
            keys.disable()
        lease.tell(Told("m", 2, 0, 10.0))
        keys.enable()

    assert resting == keys.resting()


def test_whoever_waits_for_a_permit_looks_once_more(make, server, clock):
    """A key that is used up meanwhile is not used: another one is, or its window is waited for."""
    service = Service(openai, server, make, api_key=KEY)
    service.show()
    clock.advance(10)
    member = service.client.keys._members["default"]
    lease = service.client.keys.take()
    for _ in range(2):
        service.client.keys.take().send()
    with pytest.raises(LeaseLapsedError, match="is used up by now") as lapsed:
        lease.send()

    assert 10 == lapsed.value.retry_after
    assert 3 == member.entry.active


@pytest.mark.parametrize(("refusal", "waits"), [({"retry_after": "1"}, 1), ({}, 10)])
def test_what_is_no_window_is_not_waited_for(refusal, waits, make, server, clock):
    """Neither a bucket that gives the next one sooner, nor what only may be a window."""
    service = Service(openai, server, make, api_key=KEY)
    good = service.good
    service.play(good(1), good(0), service.throttled(**refusal), good(1), good(0), good(1))

    assert waits == clock.now


def test_a_window_that_is_too_long_is_not_waited_for(make, server, clock):
    """It may be better to ask, and to be refused, than to wait for more than the longest rest."""
    service = Service(openai, server, make, api_key=KEY, max_retry_delay=9.5)
    service.play(service.good(1), service.good(0), service.throttled(retry_after="10"))
    clock.advance(10)
    service.play(service.good(1), service.good(0), service.good(1))

    assert 10 == clock.now


def test_keys_of_one_account_wait_for_none(make, server, clock):
    """They use up one quota together, of which each knows its own part alone."""
    keys = {"production": {"key": KEY, "group": "account"}}
    service = Service(openai, server, make, keys=keys)
    service.show()
    service.play(service.good(1))

    assert 10 == clock.now


@pytest.mark.parametrize("number", ["9" * 5_000, "1.5", "-1", "", "\xb2", "many"])
def test_a_number_that_makes_no_sense_says_nothing(make, server, clock, number):
    """The answer that it came with is good all the same."""
    service = Service(openai, server, make, api_key=KEY)
    names = [NAMES[openai].format(name) for name in ("limit", "remaining")]
    for name in names:
        said = answer(CHAT[openai], headers={**service.said(1, 0), name: number})
        service.play(said)

    assert (2, 0) == (len(server.requests), clock.now)
