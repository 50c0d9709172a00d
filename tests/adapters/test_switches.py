"""The features of a client turned off, alone, while it works."""

from __future__ import annotations

import pytest

from adapters.errors import RateLimitError, ServerError
from adapters.openai import Client
from resilience import DeadlineExceededError, QueueFullError, deadline, disabled, explain
from resilience.testing import no_waiting
from tests.adapters.recorder import Recorder, answer

KEYS = {"production": "sk-secret-0123456789", "backup": "sk-other-9876543210"}
MODEL = "gpt-4o-mini"
ANSWER = answer({"model": MODEL, "choices": [{"index": 0, "message": {"content": "Hello"}}]})
DOWN = answer({"error": {"message": "No."}}, status=500)
THROTTLED = answer({"error": {"message": "No."}}, status=429, headers={"Retry-After": "30"})


@pytest.fixture(params=["block", "handle"])
def turn_off(request):
    """Turn a feature of a client off, in the two ways that there are."""
    blocks = []

    def off(client, feature, handle):
        if request.param == "handle":
            getattr(client, handle).disable()
        else:
            blocks.append(disabled(feature))
            blocks[-1].__enter__()

    yield off
    for block in blocks:
        block.__exit__(None, None, None)


def test_a_call_without_its_retry(server: Recorder, turn_off):
    """It is sent once, as a call and as a stream."""
    server.play(DOWN, DOWN, ANSWER)

    with Client(keys=KEYS, base_url=server.url) as client, no_waiting():
        turn_off(client, "retry", "retry")
        with pytest.raises(ServerError) as caught:
            client.chat(MODEL, "Hi")
        with pytest.raises(ServerError), client.stream(MODEL, "Hi") as stream:
            list(stream)

    assert (1, 2) == (caught.value.attempts, len(server.requests))


def test_a_retry_that_is_enabled_again(server: Recorder):
    """What was off for everybody is on for everybody."""
    server.play(DOWN, DOWN, ANSWER)

    with Client(keys=KEYS, base_url=server.url) as client, no_waiting():
        client.retry.disable()
        with pytest.raises(ServerError):
            client.chat(MODEL, "Hi")
        client.retry.enable()

        assert 2 == client.chat(MODEL, "Hi").attempts


def test_a_call_without_its_breaker(server: Recorder, turn_off):
    """A client whose circuit is open asks all the same."""
    server.play(ANSWER)

    with Client(keys=KEYS, base_url=server.url) as client:
        client.circuit_breaker.open()
        turn_off(client, "circuit_breaker", "circuit_breaker")

        assert "Hello" == client.chat(MODEL, "Hi").text


def test_a_call_without_its_queue(server: Recorder, turn_off):
    """A client that is paused, and whose line is full, asks all the same."""
    server.play(ANSWER)

    with Client(keys=KEYS, base_url=server.url, queue_size=0) as client:
        client.queue.pause()
        with pytest.raises(QueueFullError):
            client.chat(MODEL, "Hi")
        turn_off(client, "prioritized", "queue")

        assert ("Hello", 0) == (client.chat(MODEL, "Hi").text, client.queue.active)


def test_a_call_without_its_pool(server: Recorder, turn_off):
    """It has a key, and no other one takes over."""
    server.play(THROTTLED, ANSWER)

    with Client(keys=KEYS, base_url=server.url, max_retries=0) as client:
        turn_off(client, "key_pool", "keys")
        with pytest.raises(RateLimitError) as caught:
            client.chat(MODEL, "Hi")

    assert (1, "production") == (len(server.requests), caught.value.key_name)


def test_a_call_without_its_statistics(server: Recorder):
    """Neither calls nor tokens are counted."""
    server.play(ANSWER, ANSWER)

    with Client(keys=KEYS, base_url=server.url, name="uncounted client") as client:
        client.chat(MODEL, "Hi")
        before = client.get_stats()
        with disabled("metrics"):
            client.chat(MODEL, "Hi")

        assert before == client.get_stats()


def test_a_deadline_holds_all_the_same(server: Recorder):
    """It is no feature of the client but the caller's own wish."""
    with (
        Client(keys=KEYS, base_url=server.url) as client,
        disabled(),
        deadline(0),
        pytest.raises(DeadlineExceededError),
    ):
        client.chat(MODEL, "Hi")

    assert [] == server.requests


def test_a_client_is_explained(server: Recorder):
    """All that stands around its requests, for the client and for each of its methods."""
    with Client(keys=KEYS, base_url=server.url, timeout=20) as client:
        client.retry.disable()
        text = explain(client)

        assert text == explain(client.chat) == client.explain()
        with disabled("batched"):
            assert "batch_timeout" not in explain(client)
        client.batching.disable()
        assert "batch_timeout" not in explain(client)
    assert ["openai (function)", "retry", "key_pool", "prioritized", "circuit_breaker"] == [
        line.strip().partition(". ")[2].partition(":")[0] or line for line in text.splitlines()[:5]
    ]
    assert "jitter=0.5 (disabled)" in text
    assert text.endswith(
        "note: a call with one input, to models named text-embedding-*, waits up to "
        "batch_timeout=0.1 s for others to share its request"
    )
    assert "2 attempts (1 on each of 2 keys)" in text
    assert "the deadline ends it after 20 s" in text
