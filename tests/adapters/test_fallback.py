"""`fallback`: another function is asked where one cannot answer, never where that is no help."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

import adapters
from adapters import errors, fallback, openai
from adapters.emulator import Emulator
from adapters.errors import (
    BadRequestError,
    OverloadedError,
    RateLimitError,
    StreamInterruptedError,
)
from resilience import CircuitOpenError, DeadlineExceededError, SettingsError, deadline
from resilience.testing import FakeClock
from tests.support.run import Run

SECRET = "sk-fallback-0123456789"


def answering(run: Run, *outcomes: Any) -> tuple[list[str], Any]:
    """Functions a, b, … of which each returns or raises its outcome, and who was asked."""
    asked: list[str] = []

    def make(name: str, outcome: Any) -> Any:
        def body(*args: Any, **kwargs: Any) -> Any:
            asked.append(name)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome, args, kwargs

        function = run.function(body)
        function.__name__ = name
        return function

    return asked, [make(name, outcome) for name, outcome in zip("abc", outcomes, strict=False)]


@pytest.fixture
def servers() -> Iterator[list[Emulator]]:
    """Two servers of their own."""
    with Emulator(seed=1) as first, Emulator(seed=2) as second:
        yield [first, second]


def clients(
    servers: list[Emulator], kind: Any = openai.Client, **settings: Any
) -> list[openai.Client]:
    """A client of each server, without patience."""
    settings = {"max_retries": 0, **settings}
    return [
        kind(keys=each.keys(), base_url=each.base_url(), name=f"openai-{n}", **settings)
        for n, each in enumerate(servers)
    ]


def test_the_first_one_that_answers_is_enough(run: Run):
    """Arguments are handed on, and nobody behind it is asked."""
    asked, functions = answering(run, "one", "two")

    assert ("one", (1,), {"b": 2}) == run.call(fallback(functions), 1, b=2)
    assert ["a"] == asked


@pytest.mark.parametrize(
    "error",
    [
        OverloadedError(),
        RateLimitError(),
        errors.AuthenticationError(),
        errors.QuotaExceededError(),
        CircuitOpenError(retry_after=5),
        OSError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_another_one_may_mend_goes_on(run: Run, error: Exception):
    """Outages, limits, keys and refusals are the first one's trouble, not the second's."""
    asked, functions = answering(run, error, "two")

    assert "two" == run.call(fallback(functions))[0]
    assert ["a", "b"] == asked


@pytest.mark.parametrize(
    "error",
    [BadRequestError("no"), errors.NotFoundError(), SettingsError(), KeyboardInterrupt()],
    ids=lambda error: type(error).__name__,
)
def test_what_is_the_callers_own_does_not(run: Run, error: BaseException):
    """A mistake is the same everywhere, and Ctrl-C is no failure."""
    asked, functions = answering(run, error, "two")

    with pytest.raises(type(error)):
        run.call(fallback(functions))
    assert ["a"] == asked


def test_the_caller_may_decide(run: Run):
    """`on` takes types or a predicate; one that fails says no, in a line of the log."""
    asked, functions = answering(run, BadRequestError("no"), "two")
    assert "two" == run.call(fallback(functions, on=BadRequestError))[0]
    asked.clear()

    with pytest.raises(BadRequestError):
        run.call(fallback(functions, on=lambda error: error.not_there))
    assert ["a"] == asked


def test_when_all_fail_the_last_real_error_says_what_each_said(run: Run):
    """A refusal behind a real error does not hide it; `retry_after` is the earliest of all."""
    real = OverloadedError("down", retry_after=9.0)
    asked, functions = answering(
        run, CircuitOpenError("a is open", retry_after=20), real, CircuitOpenError(retry_after=4)
    )

    with pytest.raises(OverloadedError) as raised:
        run.call(fallback(functions))

    assert real is raised.value
    assert ["a", "b", "c"] == asked
    assert 4 == raised.value.retry_after
    (note,) = raised.value.__notes__
    assert "1. test_fallback.a: CircuitOpenError: a is open; 2. test_fallback.b: Overloaded" in note


def test_refusals_alone_end_with_the_last_one(run: Run):
    """Where nothing was sent, the refusal is all there is to say."""
    _, functions = answering(run, CircuitOpenError(retry_after=3), CircuitOpenError(name="b"))

    with pytest.raises(CircuitOpenError) as raised:
        run.call(fallback(functions))
    assert ("b", 3) == (raised.value.name, raised.value.retry_after)


def test_no_further_one_is_asked_after_the_deadline(run: Run):
    """The time of the call is over for all of them."""
    asked, functions = answering(run, OverloadedError(), "two")

    with FakeClock() as clock, deadline(1):
        slow = run.function(lambda: clock.advance(2))

        with pytest.raises(OverloadedError):
            run.call(fallback([functions[0]], on=None))
        run.call(slow)
        with pytest.raises(OverloadedError):
            run.call(fallback(functions))
    assert ["a", "a"] == asked

    _, functions = answering(run, DeadlineExceededError(), "two")
    with pytest.raises(DeadlineExceededError):
        run.call(fallback(functions))


def test_it_is_a_function_of_the_same_kind(run: Run):
    """Name and kind are those of the first one."""
    _, functions = answering(run, "one")
    together = fallback(functions)

    assert "a" == together.__name__
    assert ("async" == run.flavour) is inspect.iscoroutinefunction(together)


def test_each_change_is_one_line_in_the_log_without_secrets(run: Run, caplog):
    """Who failed, who is asked, and why."""
    from resilience import KeyPool

    KeyPool(SECRET)
    _, functions = answering(run, OverloadedError(f"{SECRET} is tired"), "two")

    with caplog.at_level(logging.WARNING, "adapters.fallback"):
        run.call(fallback(functions))

    (line,) = caplog.messages
    assert "1. test_fallback.a failed, test_fallback.b is asked: OverloadedError" in line
    assert SECRET not in line


def test_the_log_is_silent_until_the_program_configures_logging():
    """A handler that does nothing keeps Python from printing warnings itself."""
    handlers = logging.getLogger("adapters").handlers

    assert [logging.NullHandler] == [type(handler) for handler in handlers]


@pytest.mark.parametrize("functions", [[], [1], None, print, "ask"], ids=repr)
def test_bad_arguments_are_refused(functions: Any):
    """One error that names the argument."""
    with pytest.raises(SettingsError, match="functions must be a list of one or more callables"):
        fallback(functions)


def test_kinds_cannot_be_mixed():
    """A plain function cannot await its successor."""

    async def asynchronous() -> None:
        """Do nothing."""

    with pytest.raises(SettingsError, match="all be plain functions, or all coroutine functions"):
        fallback([print, asynchronous])
    with pytest.raises(SettingsError, match="on must be"):
        fallback([print], on=42)


def test_two_clients(servers: list[Emulator]):
    """The second server answers while the first one is down; nobody else notices."""
    first, second = clients(servers)
    servers[0].script(["503"])
    ask = fallback([partial(each.chat, "gpt-4o-mini") for each in (first, second)])

    answer = ask("Say hello")

    assert servers[1].expected_answer("Say hello") == answer.text
    assert "gpt-4o-mini" == answer.model


def test_a_stream_goes_on_until_its_first_event(servers: list[Emulator]):
    """What it has beside its events is that of the stream that answers."""
    first, second = clients(servers)
    servers[0].script(["503"])
    ask = fallback([partial(each.stream, "gpt-4o-mini") for each in (first, second)])

    with ask("Say hello") as stream:
        text = "".join(event.text for event in stream)

    assert servers[1].expected_answer("Say hello") == text == stream.text == str(stream)
    assert "stop" == stream.finish_reason
    assert (0, 0) == (first.queue.active, second.queue.active)


def test_a_stream_that_breaks_later_is_not_begun_anew(servers: list[Emulator]):
    """Its consumer has seen a part of the first answer."""
    first, second = clients(servers)
    servers[0].script(["cut:after=4"])
    ask = fallback([partial(each.stream, "gpt-4o-mini") for each in (first, second)])

    with pytest.raises(StreamInterruptedError), ask("Say hello") as stream:
        list(stream)
    assert [] == [record for record in servers[1].log() if record.operation]


def test_a_stream_that_is_left_early_gives_everything_back(servers: list[Emulator]):
    """Whichever of them it came from."""
    first, second = clients(servers)
    servers[0].script(["503"])
    ask = fallback([partial(each.stream, "gpt-4o-mini") for each in (first, second)])

    with ask("Say hello") as stream:
        next(stream)
        assert 1 == second.queue.active

    assert (0, 0) == (first.queue.active, second.queue.active)


def test_when_no_stream_can_be_opened_the_error_says_so(servers: list[Emulator]):
    """As for a plain call."""
    first, second = clients(servers)
    for server in servers:
        server.script(["503"])
    ask = fallback([partial(each.stream, "gpt-4o-mini") for each in (first, second)])

    with pytest.raises(OverloadedError) as raised, ask("Say hello") as stream:
        list(stream)
    assert "1. openai.stream" in raised.value.__notes__[-1]


def test_it_stands_in_the_package():
    """`from adapters import fallback`."""
    assert fallback is adapters.fallback


def test_clients_that_are_awaited(servers: list[Emulator]):
    """Calls and streams go on as well; a stream that is left early gives everything back."""
    servers[0].script(["503"])
    expected = servers[1].expected_answer("Say hello")

    async def main() -> None:
        first, second = clients(servers, openai.AsyncClient)
        ask = fallback([partial(each.chat, "gpt-4o-mini") for each in (first, second)])
        open_stream = fallback([partial(each.stream, "gpt-4o-mini") for each in (first, second)])

        assert expected == (await ask("Say hello")).text
        async with open_stream("Say hello") as stream:
            texts = [event.text async for event in stream]
        assert expected == "".join(texts) == stream.text
        async with open_stream("Say hello") as stream:
            await anext(stream)
            assert 1 == second.queue.active
        assert (0, 0) == (first.queue.active, second.queue.active)

        servers[1].script(["503"])
        with pytest.raises(OverloadedError, match="503"):
            await ask("Say hello")
        with pytest.raises(OverloadedError, match="503"):
            async with open_stream("Say hello") as stream:
                await anext(stream)
        await first.aclose()
        await second.aclose()

    asyncio.run(main())
