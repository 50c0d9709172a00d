"""Request ids: one for each call, sent where the API takes one, and on each log line within."""

from __future__ import annotations

import logging
import logging.config
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters import fallback, openai
from adapters._request_ids import new_request_id
from adapters.errors import AdapterError
from resilience import resilient
from resilience.telemetry import CallFinished, current_request_id, subscribe, unsubscribe
from resilience.telemetry.logs import RequestIdFilter
from resilience.testing import no_waiting
from tests.adapters.every_api import APIS, KEY, Api
from tests.adapters.flavours import Make, Together
from tests.adapters.recorder import Recorder, answer
from tests.adapters.test_batching import embed, vectors
from tests.support.programs import run_program

# By the sheets of the APIs: where our id goes, and where the server's comes from.
HEADERS = {
    "claude": (None, "request-id"),
    "gemini": (None, "x-request-id"),
    "groq": (None, "x-request-id"),
    "llvm": ("x-request-id", "x-request-id"),
    "ollama": (None, "x-request-id"),
    "opea": ("x-request-id", "x-request-id"),
    "openai": ("x-client-request-id", "x-request-id"),
    "ovms": ("x-request-id", "x-request-id"),
    "s3": ("amz-sdk-invocation-id", "x-amz-request-id"),
    "tei": ("x-request-id", "x-request-id"),
    "tgi": ("x-request-id", "x-request-id"),
}
SHOP = logging.getLogger("shop")  # the program's own


class Lines(logging.Handler):
    """What was logged, each line behind the id of its record."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RequestIdFilter())
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.found.append(f"{record.request_id} {record.getMessage().partition(':')[0]}")


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """The lines of the root logger."""
    handler, root = Lines(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler.found
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def says_when_finished() -> Iterator[None]:
    """A listener of the program logs the end of each call."""

    def say(event: CallFinished) -> None:
        SHOP.info("finished: %s", event.name)

    subscribe(say, CallFinished)
    yield
    unsubscribe(say)


@pytest.mark.parametrize("api", APIS.values(), ids=APIS)
def test_each_api_gets_and_gives_ids_in_its_own_headers(make: Make, server: Recorder, api: Api):
    """No header is sent that the API has no use for; the server's id is kept beside ours."""
    sent, given = HEADERS[api.name]
    head, _, body = api.good.partition(b"\r\n\r\n")
    server.play(head + f"\r\n{given}: theirs\r\n\r\n".encode() + body)
    client = api.client(make, server.url)

    result = getattr(api.call(client), "server_request_id", "theirs")

    (request,) = server.requests
    ours = {name for name, value in request.headers.items() if value.startswith("req_")}
    assert "theirs" == result
    assert {sent} - {None} == ours


def test_the_id_of_the_caller_is_sent_and_kept(make: Make, server: Recorder):
    """In the request, in the result and in the error."""
    server.play(answer({"data": []}, headers={"x-request-id": "a"}), answer({}, status=404))
    client = make(openai, api_key=KEY, base_url=server.url)

    result = client.models(request_id="mine")
    with pytest.raises(AdapterError) as caught:
        client.models(request_id="mine-too")

    assert "mine" == server.requests[0].headers["x-client-request-id"]
    assert ("mine", "mine-too") == (result.request_id, caught.value.request_id)


def test_no_id_is_made_twice_in_threads():
    """Nor in one second: 64 bits are of chance."""
    with ThreadPoolExecutor(8) as executor:
        made = list(executor.map(lambda _: new_request_id(), range(2_000)))

    assert 2_000 == len(set(made))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_no_id_is_made_twice_in_forked_processes():
    """A child inherits nothing that its ids are made of, even if the program seeds `random`."""
    made = run_program("""
        import os, random
        from adapters._request_ids import new_request_id

        random.seed(1)
        new_request_id()
        children = []
        for _ in range(4):
            child = os.fork()
            if not child:
                for _ in range(50):
                    os.write(1, f"{new_request_id()}\\n".encode())
                os._exit(0)
            children.append(child)
        for child in children:
            os.waitpid(child, 0)
    """)

    assert 200 == len(made) == len(set(made))


def test_every_line_within_a_call_has_its_id(
    make: Make, server: Recorder, lines, says_when_finished
):
    """Ours, and those of the program's own functions; outside there is none."""
    server.play(answer({}, status=503), answer({"data": []}))
    client = make(openai, api_key=KEY, base_url=server.url)

    with no_waiting():
        SHOP.info("before")
        client.models(request_id="mine")
        SHOP.info("after")

    assert ["- before", "mine openai", "mine finished", "- after"] == lines
    assert None is current_request_id()


def test_the_id_is_a_field_of_our_own_lines(make: Make, server: Recorder, caplog):
    """So a formatter that writes all fields needs no filter."""
    server.play(answer({}, status=503), answer({"data": []}))
    client = make(openai, api_key=KEY, base_url=server.url)

    with no_waiting():
        client.models(request_id="mine")

    assert ["mine"] == [record.resilience_request_id for record in caplog.records]


def test_an_id_that_nobody_gave_is_on_the_lines_and_the_result(make: Make, server: Recorder, lines):
    """One and the same."""
    server.play(answer({}, status=503), answer({"data": []}))
    client = make(openai, api_key=KEY, base_url=server.url)

    with no_waiting():
        result = client.models()

    assert [f"{result.request_id} openai"] == lines


def test_each_of_several_calls_has_its_own(
    flavour: str, server: Recorder, lines, says_when_finished
):
    """In threads and in tasks."""
    server.play(answer({"data": []}))
    together = Together(flavour, openai, api_key=KEY, base_url=server.url)

    together(*(lambda client, n=n: client.models(request_id=f"mine-{n}") for n in range(8)))

    assert [f"mine-{n} finished" for n in range(8)] == sorted(lines)


def test_a_stream_has_its_id_in_its_own_steps(
    make: Make, server: Recorder, lines, says_when_finished
):
    """Between them the consumer's code runs, which is no part of the call."""
    api = APIS["openai"]
    server.play(api.good_stream)
    client = api.client(make, server.url)

    one, two = (
        client.stream("m", "hi", request_id="one"),
        client.stream("m", "hi", request_id="two"),
    )
    for _ in zip(one, two, strict=True):
        SHOP.info("between")
    list(two)

    assert {"- between", "one finished", "two finished"} == set(lines)


def test_a_batch_has_an_id_of_its_own(
    flavour: str, server: Recorder, lines, says_when_finished, caplog
):
    """Its request is nobody's call, and its company even less; each caller's end has his own id."""
    caplog.set_level(logging.DEBUG, "resilience.batched")
    server.play(vectors(2))
    together = Together(
        flavour, openai, api_key=KEY, base_url=server.url, batch_timeout=5, max_batch_size=2
    )

    together(embed("a", request_id="mine-1"), embed("b", request_id="mine-2"))

    of_all = server.requests[0].headers["x-client-request-id"]
    ends = [f"{each} finished" for each in ("mine-1", "mine-2", of_all)]
    assert sorted(["- openai.embed", *ends]) == sorted(lines)


def test_the_requests_of_one_call_have_ids_of_their_own(make: Make, server: Recorder, lines):
    """The id of the call, and a number from the second on: as the server got it."""
    page = {"data": [{"id": "a"}], "has_more": True, "last_id": "a"}
    server.play(
        answer(page), answer({}, status=503), answer({"data": [{"id": "b"}], "has_more": False})
    )
    api = APIS["claude"]
    client = api.client(make, server.url)

    with no_waiting():
        client.models(request_id="mine")

    assert ["mine-2 claude"] == lines


def test_a_submitted_call_has_its_id(server: Recorder, lines, says_when_finished):
    """In the thread that it runs in."""
    server.play(answer({"data": []}))
    with openai.Client(api_key=KEY, base_url=server.url) as client:
        resilient(client.models, name="submitted").submit(request_id="mine").result()

    assert ["mine finished", "- finished"] == lines


def test_a_fallback_says_which_call_failed(server: Recorder, caplog):
    """Its line has what failed, what is asked next, and the id of what failed."""
    server.play(answer({}, status=503), answer({"data": []}))
    with openai.Client(api_key=KEY, base_url=server.url, max_retries=0) as client:
        fallback([client.models, client.models])(request_id="mine")

    (record,) = [each for each in caplog.records if each.name == "adapters.fallback"]
    assert "1. openai.models" == record.resilience_failed
    assert "openai.models" == record.resilience_next
    assert "mine" == record.resilience_request_id


def test_a_record_keeps_an_id_that_it_has():
    """A program may have ids of its own; the name of ours can be another."""
    record = logging.makeLogRecord({"request_id": "theirs"})

    assert RequestIdFilter().filter(record)
    assert RequestIdFilter("call_id").filter(record)
    assert ("theirs", "-") == (record.request_id, record.call_id)


def test_the_filter_is_set_up_by_dictionary(capsys):
    """As `logging.config` does it."""
    logger = logging.getLogger("shop")
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"ids": {"()": "resilience.telemetry.RequestIdFilter"}},
            "formatters": {"line": {"format": "[%(request_id)s] %(message)s"}},
            "handlers": {
                "out": {
                    "class": "logging.StreamHandler",
                    "stream": "ext://sys.stdout",
                    "filters": ["ids"],
                    "formatter": "line",
                }
            },
            "loggers": {"shop": {"handlers": ["out"], "level": "INFO", "propagate": False}},
        }
    )
    logger.info("open")
    logger.handlers.clear()
    logger.propagate = True

    assert "[-] open\n" == capsys.readouterr().out
