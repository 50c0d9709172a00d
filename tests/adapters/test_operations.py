"""Operations: flows of requests that both kinds of client drive alike, and how they look."""

from __future__ import annotations

import inspect
import threading
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from adapters import openai
from adapters._async_client import BaseAsyncClient
from adapters._build import json_request
from adapters._client import BaseClient
from adapters._flows import Ask, Flow, Page, Pages
from adapters._messages import Reply, Request, Result, sent_as
from adapters._operations import Operation, PagedOperation
from adapters._provider import Provider
from adapters._setup import Setup
from adapters.errors import AdapterError, BadRequestError, ServerError, SettingsError
from resilience import deadline
from resilience._record import record
from resilience.testing import FakeClock
from tests.adapters.flavours import Make
from tests.adapters.recorder import Do, Recorder, answer

KEY = "sk-secret-0123456789"


@record
class Number(Result):
    """What the API of these tests answers."""

    value: int


def build_one(setup: Setup, /, number: int, **options: Any) -> Request:
    """Ask for a number.

    Args:
        number: Which one.
        options: Those of every call.
    """
    return json_request("one", "one", {"number": number}, options)


def parse_one(payload: Any, reply: Reply) -> Number:
    """Read it."""
    return Number(value=payload["number"], raw=payload, **sent_as(reply))


def build_keyed(setup: Setup, /, key: str) -> Request:
    """Ask for the object of a key."""
    return Request(operation="keyed", method="GET", path=f"objects/{key}")


def ask(number: int) -> Ask[Number]:
    """A request that asks for a number."""
    return Ask(json_request("one", "one", {"number": number}, {}), parse_one)


def in_turn(setup: Setup, /, *numbers: int) -> Flow[list[int]]:
    """Ask for numbers, one after another."""
    values: list[int] = []
    for number in numbers:
        found = yield ask(number)
        values.append(found.value)
    return values


def at_once(setup: Setup, /, *numbers: int) -> Flow[list[Number]]:
    """Ask for numbers, side by side."""
    found: list[Number] = yield [ask(number) for number in numbers]
    return found


def tidying(setup: Setup, /, *numbers: int) -> Flow[str]:
    """Ask for numbers side by side, and clean up where that fails."""
    try:
        yield [ask(number) for number in numbers]
    except AdapterError as error:
        yield Ask(Request(operation="undo", method="DELETE", path="undo"), parse_one)
        return f"undone after {type(error).__name__}"
    return "done"


def giving_up(setup: Setup, /, number: int) -> Flow[float | None]:
    """Ask for a number, and where that fails clean up; say which time there was for that."""
    try:
        yield ask(number)
    except AdapterError:
        undo = Request(operation="undo", method="DELETE", path="undo")
        left: float | None = yield Ask(undo, read=lambda *_: deadline.remaining(), cleans_up=True)
        return left
    return None


def pages(setup: Setup, /, first: int) -> Pages[int]:
    """Ask for pages of two numbers."""
    number = first
    while number >= 0:
        found = yield ask(number)
        yield Page([found.value * 10, found.value * 10 + 1])
        number = found.raw["next"]


class Operations:
    """What the API of these tests can be asked for."""

    provider: ClassVar[Provider] = Provider(name="numbers", base_url="https://numbers.example")

    one = Operation.of(build_one, parse_one)
    keyed = Operation.of(build_keyed, parse_one)
    in_turn = Operation(in_turn)
    at_once = Operation(at_once)
    tidying = Operation(tidying)
    giving_up = Operation(giving_up)
    pages = PagedOperation(pages)


class Client(Operations, BaseClient):
    """A client of the API of these tests."""


class AsyncClient(Operations, BaseAsyncClient):
    """The same, awaited."""


numbers: Any = SimpleNamespace(Client=Client, AsyncClient=AsyncClient)


@pytest.fixture
def client(make: Make, server: Recorder) -> Any:
    """A client of both kinds, one after the other."""
    return make(numbers, KEY, base_url=server.url, max_retries=0, max_concurrent_requests=3)


def number(value: int, following: int = -1) -> bytes:
    """An answer."""
    return answer({"number": value, "next": following})


def asked(server: Recorder) -> list[int]:
    """The numbers that were asked for."""
    return [request.json["number"] for request in server.requests]


# flows


def test_a_flow_is_sent_what_it_asks_for(client: Any, server: Recorder):
    """One request after another, each with an id of its own."""
    server.play(number(7), number(8))

    assert [7, 8] == client.in_turn(1, 2, request_id="mine")
    assert [1, 2] == asked(server)


def test_each_request_of_a_call_has_its_own_id(client: Any, server: Recorder):
    """The first has that of the call, also where they are sent side by side."""
    server.play(number(0))

    found = client.at_once(1, 2, 3, request_id="mine")

    assert ["mine", "mine-2", "mine-3"] == [each.request_id for each in found]


def test_what_is_asked_side_by_side_is_answered_in_order(client: Any, server: Recorder):
    """No more run at once than the client may have; whoever is first answered has to wait."""
    met = threading.Barrier(3, timeout=10)
    script = [met.wait, number(0)]
    server.play(script)

    found = client.at_once(*range(9))

    assert [0] * 9 == [each.value for each in found]
    assert list(range(9)) == sorted(asked(server))
    assert 3 == server.connections


def test_results_of_side_by_side_have_the_order_of_the_asks(make: Make, server: Recorder):
    """Also where the answers come in another order."""
    client = make(numbers, KEY, base_url=server.url, max_concurrent_requests=1)
    server.play(number(3), number(1), number(2))

    assert [3, 1, 2] == [each.value for each in client.at_once(5, 6, 7)]
    assert [5, 6, 7] == asked(server)


def test_nothing_asked_for_is_nothing_sent(client: Any, server: Recorder):
    """An empty list is answered by one."""
    assert [] == client.at_once()
    assert [] == server.requests


def test_once_one_has_failed_none_is_begun_any_more(make: Make, server: Recorder):
    """The error is that of the first in order that failed."""
    client = make(numbers, KEY, base_url=server.url, max_retries=0, max_concurrent_requests=1)
    server.play(number(1), answer({}, status=400), answer({}, status=500))

    with pytest.raises(BadRequestError) as caught:
        client.at_once(1, 2, 3, 4)

    assert [1, 2] == asked(server)
    assert ("numbers", "one", 1) == (
        caught.value.provider,
        caught.value.operation,
        caught.value.attempts,
    )


def test_what_an_ask_raises_is_thrown_into_the_flow(make: Make, server: Recorder):
    """Which may clean up by another request, once the others have ended."""
    client = make(numbers, KEY, base_url=server.url, max_retries=0, max_concurrent_requests=2)
    both, failed = threading.Barrier(2, timeout=10), threading.Event()
    server.play(
        [both.wait, answer({}, status=500), failed.set],
        [both.wait, lambda: failed.wait(10), number(1)],
        number(0),
    )

    assert "undone after ServerError" == client.tidying(1, 2)
    assert ["POST", "POST", "DELETE"] == [request.method for request in server.requests]


def test_a_flow_that_does_not_catch_ends_with_the_error(client: Any, server: Recorder):
    """As it is; the call has sent no more."""
    server.play(number(1), answer({}, status=500))

    with pytest.raises(ServerError):
        client.in_turn(1, 2, 3)

    assert [1, 2] == asked(server)


def test_the_time_of_a_call_is_that_of_all_its_requests(client: Any, server: Recorder):
    """The second has what the first has left: nothing."""
    server.play(number(1), [Do.HANG])

    with pytest.raises(TimeoutError):
        client.in_turn(1, 2, timeout=0.2)

    assert 2 == len(server.requests)


@pytest.mark.parametrize("timeout", [None, 20, 600])
def test_cleaning_up_has_a_time_of_its_own(client: Any, server: Recorder, timeout: float | None):
    """Ten seconds, be the time of the call over, unlimited or far from over."""
    with FakeClock() as clock:
        server.play([lambda: clock.advance(30), answer({}, status=500)], number(0))

        assert 10 == client.giving_up(1, timeout=timeout)

    assert ["POST", "DELETE"] == [request.method for request in server.requests]


# pages


def test_a_page_is_asked_for_when_it_is_needed(client: Any, server: Recorder):
    """Nothing is sent before the first item is taken, and nothing for what nobody takes."""
    server.play(number(4, following=5), number(5))
    items = client.pages(0)
    assert [] == server.requests

    assert [40, 41] == [next(items), next(items)]
    assert [0] == asked(server)
    assert [50, 51] == list(items)
    assert [0, 5] == asked(server)


def test_an_error_of_a_page_ends_the_items(client: Any, server: Recorder):
    """After those that came before it."""
    server.play(number(4, following=5), answer({}, status=400))
    items = client.pages(0)

    assert [40, 41] == [next(items), next(items)]
    with pytest.raises(BadRequestError):
        next(items)


def test_leaving_pages_closes_the_flow(make: Make, server: Recorder):
    """Its `finally` runs, whichever kind of client drives it."""
    closed: list[bool] = []

    def watched(setup: Setup, /) -> Pages[int]:
        try:
            yield Page([1, 2])
        finally:
            closed.append(True)

    class Watched(Client):
        """A client with this operation."""

        items = PagedOperation(watched)

    class WatchedAsync(AsyncClient):
        """The same, awaited."""

        items = PagedOperation(watched)

    module: Any = SimpleNamespace(Client=Watched, AsyncClient=WatchedAsync)
    items = make(module, KEY, base_url=server.url).items()
    assert 1 == next(items)
    items.close()

    assert [True] == closed


# how operations look


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_an_operation_looks_like_a_method(cls: Any):
    """Name, place, documentation and parameters are those of what it was made of."""
    client = cls(KEY)

    assert ("one", "Operations.one", __name__) == (
        client.one.__name__,
        client.one.__qualname__,
        client.one.__module__,
    )
    assert build_one.__doc__ == client.one.__doc__
    assert "(number: 'int', **options: 'Any') -> 'Number'" == str(inspect.signature(client.one))
    assert ["self", "number", "options"] == list(inspect.signature(cls.one).parameters)


def test_what_is_awaited_says_so():
    """Frameworks ask before they call; a stream has nothing to await first."""
    assert inspect.iscoroutinefunction(AsyncClient(KEY).one)
    assert not inspect.iscoroutinefunction(Client(KEY).one)
    assert not inspect.iscoroutinefunction(openai.AsyncClient(KEY).stream)


@pytest.mark.parametrize(
    ("expected", "method"),
    [
        ("list[int]", Client.in_turn),
        ("list[int]", AsyncClient.in_turn),
        ("Iterator[int]", Client.pages),
        ("AsyncIterator[int]", AsyncClient.pages),
        ("Stream", openai.Client.stream),
        ("AsyncStream", openai.AsyncClient.stream),
    ],
)
def test_a_method_says_what_it_returns(expected: str, method: Any):
    """What a flow returns, or the stream or the items of that kind of client."""
    assert expected == inspect.signature(method).return_annotation


@pytest.mark.parametrize(
    ("words", "args", "options"),
    [
        (r"one\(\) got wrong arguments: missing .*'number'", (), {}),
        (r"one\(\) got wrong arguments: too many", (1, 2), {}),
        (r"one\(\) got wrong arguments: multiple values .*'number'", (1,), {"number": 2}),
    ],
)
def test_wrong_arguments_are_told_in_the_users_words(client, server, words: str, args, options):
    """And not in those of the function behind it; nothing is sent."""
    with pytest.raises(TypeError, match=words):
        client.one(*args, **options)

    assert [] == server.requests


def test_an_error_of_building_is_not_taken_for_wrong_arguments(client: Any, server: Recorder):
    """It says itself what is wrong."""
    with pytest.raises(SettingsError, match="thing must be what JSON can express"):
        client.one(1, thing=object())


def test_a_parameter_of_the_operation_is_no_option_of_every_call(client: Any, server: Recorder):
    """Objects have keys as well: there `key` names no entry of the pool."""
    server.play(number(1))

    client.keyed(key="a-b")
    client.keyed("c", request_id="mine")

    assert ["/v1/objects/a-b", "/v1/objects/c"] == [request.target for request in server.requests]


@pytest.mark.parametrize("name", ["setup", "self", "client", "flow"])
def test_every_other_name_is_free_for_the_api(client: Any, server: Recorder, name: str):
    """Also those that the functions behind an operation use."""
    server.play(number(1))

    client.one(1, **{name: "theirs"})

    assert "theirs" == server.requests[0].json[name]


@pytest.fixture
def running() -> list[threading.Thread]:
    """The threads that there are before the test."""
    return threading.enumerate()


def test_requests_side_by_side_leave_no_thread(client: Any, server: Recorder, running):
    """Those that were begun for them end with them."""
    server.play(number(1))
    before = {thread for thread in running if "adapters" in thread.name}

    client.at_once(*range(5))

    assert before == {thread for thread in threading.enumerate() if "adapters" in thread.name}
