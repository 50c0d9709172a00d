"""Batches of a program that asks several models, and retries what fails."""

from __future__ import annotations

import asyncio

import pytest

from resilience import batched, retry
from resilience.testing import FakeClock

pytestmark = pytest.mark.usefixtures("_ways_into_a_batch")


def embedder(run, *, fails=(), decorate=lambda function: function, **settings):
    """A batched function that embeds texts by a model; `batches` lists what it was asked.

    A text in `fails` spoils its batch.
    """
    batches = []

    def embed(texts, model="small", **options):
        batches.append((model, sorted(texts)))
        if spoilt := [text for text in texts if text in fails]:
            raise ValueError(f"cannot embed {spoilt}")
        return [f"{model}:{text}" for text in texts]

    decorated = run.drive(batched(**settings)(decorate(run.function(embed))))
    return decorated, batches


def start(run, embed, text, **options):
    """Begin a call; return when it waits for company or has ended."""
    waiting = embed.batcher.waiting
    call = run.start(embed, text, **options)
    run.until(lambda: embed.batcher.waiting != waiting or call.done())
    return call


def outcomes(calls):
    """What came of each call: its result, or the name of its error."""
    found = []
    for call in calls:
        try:
            found.append(call.result())
        except Exception as error:
            found.append(type(error).__name__)
    return found


def test_each_model_has_its_batch(run):
    """Calls that differ in a keyword argument never share one, however they come in between."""
    embed, batches = embedder(run)
    with FakeClock():
        calls = [
            start(run, embed, text, model=model)
            for text, model in [("a", "small"), ("b", "large"), ("c", "small"), ("d", "large")]
        ]

        assert ["small:a", "large:b", "small:c", "large:d"] == outcomes(calls)
    assert [("large", ["b", "d"]), ("small", ["a", "c"])] == sorted(batches)


def test_what_shares_a_batch_can_be_chosen(run):
    """By a function of the item and its options: here long texts go apart."""
    embed, batches = embedder(run, key=lambda text, **options: len(text) > 1)
    with FakeClock():
        calls = [start(run, embed, text) for text in ("a", "long", "b", "longer")]

        assert ["small:a", "small:long", "small:b", "small:longer"] == outcomes(calls)
    assert [("small", ["a", "b"]), ("small", ["long", "longer"])] == sorted(batches)


def test_what_is_not_to_be_batched_runs_alone(run):
    """With `enable_batching=False` each call is a batch of its own and waits for nobody."""
    embed, batches = embedder(run, enable_batching=False)
    with FakeClock() as clock:
        assert ["small:a", "small:b"] == [embed("a"), embed("b")]
        assert 0 == clock.now

    assert [("small", ["a"]), ("small", ["b"])] == batches


def test_one_bad_item_need_not_fail_its_neighbours(run):
    """With `on_error="split"` the batch is halved until the bad one is alone."""
    embed, batches = embedder(run, fails={"c"}, on_error="split", max_batch_size=4)
    with FakeClock():
        calls = [start(run, embed, text) for text in "abcd"]

        assert ["small:a", "small:b", "ValueError", "small:d"] == outcomes(calls)
    assert ("small", ["a", "b", "c", "d"]) == batches[0]
    assert ("small", ["c"]) in batches


def test_otherwise_an_error_is_that_of_every_item(run):
    """Each waiter gets an exception of its own."""
    embed, batches = embedder(run, fails={"c"}, max_batch_size=4)
    with FakeClock():
        calls = [start(run, embed, text) for text in "abcd"]

        assert ["ValueError"] * 4 == outcomes(calls)
    assert 1 == len(batches)


def test_who_is_cancelled_leaves_the_batch():
    """Its item is not sent; its neighbours never notice."""
    batches = []

    @batched
    async def embed(texts):
        batches.append(texts)
        return texts

    async def calls():
        hasty, patient = [asyncio.create_task(embed(text)) for text in ("hasty", "patient")]
        while embed.batcher.waiting < 2:  # noqa: ASYNC110 - no event tells when
            await asyncio.sleep(0)
        hasty.cancel()
        return await asyncio.gather(hasty, patient, return_exceptions=True)

    with FakeClock():
        cancelled, result = asyncio.run(calls())

    assert isinstance(cancelled, asyncio.CancelledError)
    assert ("patient", [["patient"]]) == (result, batches)


def test_a_retry_within_repeats_the_batch_and_one_around_its_item(run):
    """Layers inside run once for each batch, layers outside once for each call."""
    failures = [OSError(), OSError()]

    def failing_twice(function):
        @run.steps
        def unsteady(texts):
            if failures:
                raise failures.pop()
            return (yield function(texts))

        return retry(jitter=0)(unsteady)

    embed, batches = embedder(run, decorate=failing_twice, max_batch_size=2)
    with FakeClock() as clock:
        calls = [start(run, embed, text) for text in "ab"]

        assert ["small:a", "small:b"] == outcomes(calls)
        assert 1 + 2 == clock.now
    assert [("small", ["a", "b"])] == batches
