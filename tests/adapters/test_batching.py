"""Batching in clients: concurrent calls with one input each share a request, each on its own."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from adapters import errors, openai
from adapters._messages import Usage
from adapters.errors import SettingsError
from resilience import DeadlineExceededError, deadline, disabled, get_stats
from tests.adapters.flavours import Together
from tests.adapters.recorder import Recorder, answer

KEY = "sk-secret-0123456789"
MODEL = "text-embedding-3-small"


def vectors(count: int, tokens: int | None = None) -> bytes:
    """An answer with the vectors [0.0], [1.0] and so on."""
    data = [{"index": index, "embedding": [float(index)]} for index in range(count)]
    used = count if tokens is None else tokens
    usage = {"prompt_tokens": used, "total_tokens": used}
    return answer({"data": data, "model": MODEL, "usage": usage}, headers={"x-request-id": "srv"})


@pytest.fixture
def together(flavour: str, server: Recorder) -> Callable[..., Together]:
    """Makes what asks at once, of both kinds."""
    common = {"api_key": KEY, "base_url": server.url, "batch_timeout": 5}
    return lambda **options: Together(flavour, openai, **{**common, **options})


def embed(text: str, model: str = MODEL, **options: Any) -> Callable[[Any], Any]:
    """Ask for one vector."""
    return lambda client: client.embed(model, text, **options)


def inputs(server: Recorder) -> list[Any]:
    """What was sent, in order."""
    return [request.json["input"] for request in server.requests]


def test_single_calls_share_a_request(together, server: Recorder):
    """As many as fit are sent at once; each gets the vector of its own text."""
    server.play(vectors(3))

    results = together(max_batch_size=3)(embed("a"), embed("b"), embed("c"))

    (sent,) = inputs(server)
    assert ["a", "b", "c"] == sorted(sent)
    assert [float(sent.index(text)) for text in "abc"] == [each.vectors[0][0] for each in results]
    assert [1, 1, 1] == [len(each.vectors) for each in results]


def test_each_result_has_its_own_id_and_the_batch_of_all(together, server: Recorder):
    """The id that was given is that of the result; the request itself has another one."""
    server.play(vectors(2))

    first, second = together(max_batch_size=2)(
        embed("a", request_id="mine-1"), embed("b", request_id="mine-2")
    )

    assert ("mine-1", "mine-2") == (first.request_id, second.request_id)
    assert server.requests[0].headers["x-client-request-id"].startswith("req_")
    assert ("srv", "default", 1) == (first.server_request_id, first.key_name, first.attempts)
    assert 2 == len(first.raw["data"])


def test_the_usage_is_shared_out(together, server: Recorder):
    """By the length of the texts, in whole tokens, and no token is lost."""
    server.play(vectors(3, tokens=10))

    results = together(max_batch_size=3)(embed("a"), embed("b" * 6), embed("c" * 2))

    counts = [each.usage.input_tokens for each in results]
    assert 10 == sum(counts) == sum(each.usage.total_tokens for each in results)
    assert 6 <= counts[1] <= 7


def test_a_call_alone_is_sent_as_it_is(together, server: Recorder):
    """When its time is over; a text stays a text."""
    server.play(vectors(1))

    (result,) = together(batch_timeout=0.01)(embed("a"))

    assert ["a"] == inputs(server)
    assert [[0.0]] == result.vectors


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (embed("a"), embed("b", "text-embedding-3-large")),
        (embed("a"), embed("b", dimensions=2)),
        (embed("a", dimensions=1), embed("b", dimensions=True)),
        (embed("a"), embed("b", extra_headers={"X-A": "b"})),
        (embed("a"), embed("b", extra_body={"user": "u"})),
        (embed("a"), embed("b", key="default")),
    ],
    ids=["model", "option", "type of an option", "header", "extra body", "key"],
)
def test_calls_that_differ_share_none(together, server: Recorder, first, second):
    """Every argument counts, but for the three that are the caller's own."""
    server.play(vectors(1))

    results = together(batch_timeout=0.01, max_batch_size=2)(first, second)

    assert [1, 1] == [len(each.vectors) for each in results]
    assert ["a", "b"] == sorted(inputs(server))


def test_priority_id_and_time_do_not_keep_calls_apart(together, server: Recorder):
    """The batch goes with the most urgent; who waits too long leaves it alone."""
    server.play(vectors(3))

    results = together(max_batch_size=3)(
        embed("a", priority="low"), embed("b", timeout=60), embed("c", request_id="x")
    )

    assert 3 == len(results) == len(inputs(server)[0])


@pytest.mark.parametrize(
    ("model", "given", "options"),
    [
        ("other-model", "a", {}),
        (MODEL, ["a"], {}),
        (MODEL, [1, 2], {}),
        (MODEL, "a", {"enable_batching": False}),
        (MODEL, "a", {"batch_models": ["ada-*"]}),
        (MODEL, "a", {"batch_models": []}),
        (MODEL, "a", {"batch_operations": ["moderations"]}),
        (MODEL, "a", {"batch_operations": []}),
    ],
    ids=["model", "list", "tokens", "off", "models", "no models", "operations", "no operations"],
)
def test_what_is_not_to_be_combined_goes_at_once(
    together, server: Recorder, model: str, given: Any, options: dict[str, Any]
):
    """It waits for nobody: the test would time out."""
    server.play(vectors(1))

    together(**{"batch_timeout": 600, **options})(lambda client: client.embed(model, given))

    assert [given] == inputs(server)


def test_models_can_be_named_by_patterns(together, server: Recorder):
    """The user's take the place of the API's own."""
    server.play(vectors(2))

    together(batch_models=["own-?", "x"], max_batch_size=2)(
        embed("a", "own-1"), embed("b", "own-1")
    )

    assert 1 == len(server.requests)


@pytest.mark.parametrize("names", ["text", [1], 5])
@pytest.mark.parametrize("setting", ["batch_models", "batch_operations"])
def test_bad_names_are_refused(setting: str, names: Any):
    """A text is no list of names."""
    with pytest.raises(SettingsError, match=setting):
        openai.Client(KEY, **{setting: names})


def test_batching_can_be_turned_off_while_the_client_works(together, server: Recorder):
    """For everybody by its handle, or for what is inside a block."""
    server.play(vectors(1))
    ask = together(batch_timeout=600)
    ask.client.batching.disable()
    assert not ask.client.batching.enabled

    ask(embed("a"))
    ask.client.batching.enable()
    with disabled("batched"):
        ask(embed("b"))

    assert ["a", "b"] == inputs(server)


def test_an_error_is_everybodys_with_the_id_of_his_own_call(together, server: Recorder):
    """Each gets an exception of its own."""
    server.play(answer({"error": {"message": "No."}}, status=400))

    first, second = together(max_batch_size=2)(
        embed("a", request_id="mine-1"), embed("b", request_id="mine-2")
    )

    assert first is not second
    assert [errors.BadRequestError] * 2 == [type(first), type(second)]
    assert ["mine-1", "mine-2"] == [first.request_id, second.request_id]
    assert 1 == len(server.requests)


def test_an_answer_with_too_few_vectors_is_nobodys(together, server: Recorder):
    """It is asked for again as any wrong answer is, and then it is an error of all."""
    server.play(vectors(1))

    results = together(max_batch_size=2, max_retries=0)(embed("a"), embed("b"))

    assert [errors.InvalidResponseError] * 2 == [type(each) for each in results]


def test_the_time_of_one_caller_does_not_bound_the_others(together, server: Recorder):
    """He leaves; the request goes on for them.

    In threads it may be he who sends it: then he sees it through, and is answered as well.
    """
    left = threading.Event()
    server.play([lambda: left.wait(1), vectors(2)])

    def impatient(client: Any) -> Any:
        call = client.embed(MODEL, "a", timeout=0.8)
        return _told(call, left) if asyncio.iscoroutine(call) else call

    first, second = together(max_batch_size=2, batch_timeout=0.5)(impatient, embed("b"))

    assert isinstance(first, DeadlineExceededError) or 1 == len(first.vectors)
    assert 1 == len(second.vectors)
    assert 1 == len(server.requests)


async def _told(call: Any, left: threading.Event) -> Any:
    """Await a call, and tell that it is over."""
    try:
        return await call
    finally:
        left.set()


def test_a_deadline_that_is_over_sends_nothing(together, server: Recorder):
    """As for every call."""
    with deadline(0):
        (result,) = together()(embed("a"))

    assert isinstance(result, DeadlineExceededError)
    assert [] == server.requests


def test_completions_and_moderations_are_combined_where_asked_for(together, server: Recorder):
    """By default they are not: their models are no embedding models."""
    choices = [
        {"index": index, "text": f"text {index}", "finish_reason": reason}
        for index, reason in enumerate(["stop", "length", "length", "stop"])
    ]
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    server.play(answer({"choices": choices, "usage": usage}))

    first, second = together(batch_models=["*"], max_batch_size=2)(
        lambda client: client.completions("m", "prompt", n=2),
        lambda client: client.completions("m", "prompt", n=2),
    )

    found = sorted([first, second], key=lambda each: each.texts)
    assert [("text 0", "text 1"), ("text 2", "text 3")] == [each.texts for each in found]
    assert ["stop", "length"] == [each.finish_reason for each in found]
    assert Usage(input_tokens=3, output_tokens=5, total_tokens=8) == first.usage + second.usage


def test_verdicts_are_taken_apart(together, server: Recorder):
    """Each caller gets his own."""
    results = [{"flagged": flag, "category_scores": {"x": float(flag)}} for flag in (True, False)]
    server.play(answer({"results": results, "model": "m"}))

    first, second = together(batch_models=["*"], max_batch_size=2)(
        lambda client: client.moderations("a"), lambda client: client.moderations("b")
    )

    assert {True: 1.0, False: 0.0} == {
        each.flagged[0]: each.scores[0]["x"] for each in (first, second)
    }


def test_requests_and_calls_are_counted_apart(together, server: Recorder):
    """The client counts what it sends, and under the operation's name who asked."""
    server.play(vectors(2))
    name = f"counted {id(server)}"
    ask = together(max_batch_size=2, name=name)

    ask(embed("a"), embed("b"))

    assert 1 == ask.client.get_stats()["total_requests"]
    assert 2 == get_stats(f"{name}.embed")["total_requests"]


def test_a_client_that_has_batched_can_be_forgotten(server: Recorder):
    """What combines its calls does not keep it alive."""
    server.play(vectors(1))
    client = openai.Client(KEY, base_url=server.url, batch_timeout=0)
    client.embed(MODEL, "a")
    gone = weakref.ref(client)
    gc.collect()
    gc.disable()
    try:
        client.close()
        del client

        assert gone() is None
    finally:
        gc.enable()


def test_a_cancelled_call_leaves_its_batch(server: Recorder):
    """Its neighbour never notices, and its text is not sent."""
    server.play(vectors(1))

    async def main() -> Any:
        async with openai.AsyncClient(KEY, base_url=server.url, batch_timeout=0.05) as client:
            tasks = [asyncio.create_task(client.embed(MODEL, text)) for text in "ab"]
            await asyncio.sleep(0)
            tasks[0].cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    cancelled, served = asyncio.run(main())

    assert isinstance(cancelled, asyncio.CancelledError)
    assert [[0.0]] == served.vectors
    assert ["b"] == inputs(server)


@pytest.mark.parametrize(
    ("shares", "weights"),
    [([10], [1]), ([5, 5], [1, 1]), ([3, 3, 4], [1, 1, 1]), ([0, 10], [0, 3]), ([1, 9], [1, 9])],
)
def test_shares_are_whole_and_lose_nothing(shares: list[int], weights: list[int]):
    """Whatever the weights."""
    usage = Usage(input_tokens=10, total_tokens=10)

    found = usage.shares(weights)

    assert shares == [each.input_tokens for each in found]
    assert usage == sum(found, Usage())
