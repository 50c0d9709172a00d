"""One call, one span: whatever happens in it is an event on it, or a request within it."""

from __future__ import annotations

from tests.adapters.recorder import Recorder
from tests.adapters.seen import attributes_of
from tests.adapters.story import PAGE, dump, tell


def test_the_story_of_a_call_is_the_one_on_the_page(flavour: str, server: Recorder):
    """`python -m tests.adapters.story` writes it."""
    assert f"```text\n{dump(*tell(flavour, server))}\n```" in PAGE.read_text(encoding="utf-8")


def test_the_story_is_told_in_its_order(flavour: str, server: Recorder):
    """A line, another key, a circuit that opens, a retry, and a probe that closes it again."""
    call, requests = tell(flavour, server)

    assert [
        *("queued", "key.cooldown", "circuit_breaker.transition", "retry"),
        *("circuit_breaker.transition", "circuit_breaker.transition"),
    ] == [event.name for event in call.events]
    found = [attributes_of(request) for request in requests]
    assert [429, 500, 200] == [each["http.response.status_code"] for each in found]
    assert [None, 1, 2] == [each.get("http.request.resend_count") for each in found]
    assert 0 < attributes_of(call)["resilience.queue.wait"] < 60
