"""What the log says: one line an event, with numbers, and nothing unless the program asks."""

from __future__ import annotations

import logging
import re

import pytest

from resilience import RefusedError, circuit_breaker, retry
from resilience.telemetry import (
    BatchFlushed,
    CallFinished,
    GivenUp,
    KeyRested,
    Queued,
    Refused,
    RetryScheduled,
    Transition,
)
from resilience.telemetry.logs import log
from resilience.testing import FakeClock, no_waiting
from tests.support.decorators import pool_of
from tests.support.faults import failing
from tests.support.keys import KeyServer, rejected, throttled
from tests.support.programs import run_program
from tests.support.sources import ROOT, sources

RETRY = {
    "name": "fetch",
    "attempt": 2,
    "max_retries": 5,
    "delay": 1.25,
    "source": "backoff",
    "exception": OSError("busy"),
    "result": None,
    "elapsed": 3.5,
    "reason": "transient",
}

LINES = [
    (
        RetryScheduled(**RETRY),
        "retry",
        "WARNING",
        "fetch: attempt 2 failed (OSError: busy); retry 2 of 5 in 1.25 s (backoff)",
    ),
    (
        RetryScheduled(**RETRY | {"exception": ValueError(), "delay": 0.0004, "source": "server"}),
        "retry",
        "WARNING",
        "fetch: attempt 2 failed (ValueError); retry 2 of 5 in 0 s (server)",
    ),
    (
        RetryScheduled(**RETRY | {"exception": None, "result": "half", "reason": "result"}),
        "retry",
        "WARNING",
        "fetch: attempt 2 failed (its result); retry 2 of 5 in 1.25 s (backoff)",
    ),
    (
        RetryScheduled(**RETRY | {"reason": "no_key", "delay": 30}),
        "retry",
        "INFO",
        "fetch: no key is ready; tries again in 30 s",
    ),
    (
        GivenUp(name="fetch", attempts=6, reason="max_retries=5 is reached", exception=OSError()),
        "retry",
        "WARNING",
        "fetch: gave up after attempt 6: max_retries=5 is reached",
    ),
    (
        Transition(name="circuit", from_="CLOSED", to="OPEN", reason="failure_threshold"),
        "circuit_breaker",
        "WARNING",
        "circuit: circuit CLOSED -> OPEN (failure_threshold)",
    ),
    (
        Transition(name="circuit", from_="OPEN", to="HALF-OPEN", reason="reset_timeout"),
        "circuit_breaker",
        "INFO",
        "circuit: circuit OPEN -> HALF-OPEN (reset_timeout)",
    ),
    (
        KeyRested(name="keys", key_name="backup", seconds=1200.0, reason="rate_limit"),
        "key_pool",
        "WARNING",
        "keys: key backup rests for 1200 s (rate_limit)",
    ),
    (
        KeyRested(name="keys", key_name="backup", seconds=3600, reason="key"),
        "key_pool",
        "WARNING",
        "keys: key backup was rejected by the server and is set aside for 3600 s",
    ),
    (
        Refused(name="circuit", reason="circuit_open", retry_after=12.3456),
        "calls",
        "INFO",
        "circuit: refused (circuit_open), retry after 12.346 s",
    ),
    (
        Refused(name="line", reason="queue_full", retry_after=None),
        "calls",
        "INFO",
        "line: refused (queue_full)",
    ),
]


@pytest.mark.parametrize(
    ("event", "logger", "level", "line"), LINES, ids=lambda value: str(value)[:40]
)
def test_each_event_is_one_line(caplog, event, logger, level, line):
    """With its numbers in the text, by a logger of its module, at a level that fits."""
    with caplog.at_level(logging.INFO, logger="resilience"):
        log(event)

    assert [(f"resilience.{logger}", level, line)] == [
        (record.name, record.levelname, record.getMessage()) for record in caplog.records
    ]


def test_numbers_are_fields_as_well(caplog):
    """Under `resilience_…`, plain; no exception and no result, which is the user's own."""
    event = RetryScheduled(**RETRY | {"result": "a text of the user's"})
    log(event)
    fields = {k: v for k, v in vars(caplog.records[0]).items() if k.startswith("resilience_")}
    expected = {
        "resilience_name": "fetch",
        "resilience_attempt": 2,
        "resilience_max_retries": 5,
        "resilience_delay": 1.25,
        "resilience_source": "backoff",
        "resilience_elapsed": 3.5,
        "resilience_reason": "transient",
    }

    assert expected == fields


def test_what_is_only_counted_is_not_logged(caplog):
    """The end of each call and each wait for a permit are too many for a log."""
    with caplog.at_level(logging.DEBUG, logger="resilience"):
        log(CallFinished(name="fetch", outcome="success", duration=1, exception=None))
        log(Queued(name="fetch", priority=1, waited=1))

    assert [] == caplog.records


def test_an_errors_text_stays_in_its_line(caplog):
    """Line breaks become spaces, and a page that a server sent is cut."""
    log(RetryScheduled(**RETRY | {"exception": OSError("two\n  lines " + "x" * 1_000)}))
    (line,) = caplog.messages

    assert "(OSError: two lines xxx" in line
    assert "…); retry 2" in line
    assert 300 > len(line)


def test_calls_write_their_lines(run, caplog):
    """From the decorators to the log, in the order in which things happened."""
    server = KeyServer(a=[throttled(20)], b=[rejected()])
    pool = pool_of("ab", name="service")
    fetch = run.decorate(
        lambda f: retry(name="fetch", jitter=0)(
            pool.inject("key")(circuit_breaker(failure_threshold=1, name="circuit")(f))
        ),
        server.answer,
    )
    with FakeClock(), caplog.at_level(logging.INFO, logger="resilience"):
        fetch()
        fetch.circuit_breaker.open()
        with pytest.raises(RefusedError):
            fetch()

    assert [
        "service: key a rests for 20 s (rate_limit)",
        "service: key b was rejected by the server and is set aside for 300 s",
        "fetch: attempt 1 failed (HttpError: HTTP 401); retry 1 of 5 in 20 s (server)",
        "circuit: circuit CLOSED -> OPEN (manual)",
        "circuit: refused (circuit_open)",
    ] == caplog.messages


def test_an_error_that_cannot_be_shown_harms_nothing(run):
    """The call is retried although its error raises where it is written."""

    class StrangeError(Exception):
        def __str__(self):
            raise RuntimeError

    with no_waiting():
        assert "done" == run.decorate(retry, failing(StrangeError()))()


@pytest.mark.parametrize("name", [None, "resilience", "resilience.retry"])
def test_an_event_is_made_for_a_handler_anywhere_above(monkeypatch, name):
    """A line that somebody would write is wanted; one that only a silent handler gets is not."""
    monkeypatch.setattr(logging.root, "handlers", [])
    heard = []
    for handler in (logging.NullHandler(), logging.StreamHandler()):
        logging.getLogger(name).addHandler(handler)
        heard.append(RetryScheduled.is_wanted())
        logging.getLogger(name).removeHandler(handler)

    assert [False, True] == heard


def test_no_event_is_made_for_a_handler_that_no_line_reaches(monkeypatch):
    """A program may keep our lines away from the handlers above."""
    monkeypatch.setattr(logging.root, "handlers", [logging.StreamHandler()])
    reached = RetryScheduled.is_wanted()
    monkeypatch.setattr(logging.getLogger("resilience"), "propagate", False)

    assert (True, False) == (reached, RetryScheduled.is_wanted())


@pytest.mark.parametrize(
    ("kind", "logger", "handler", "heard"),
    [
        (Refused, logging.WARNING, logging.NOTSET, False),
        (Refused, logging.INFO, logging.NOTSET, True),
        (Refused, logging.INFO, logging.WARNING, False),
        (RetryScheduled, logging.WARNING, logging.WARNING, True),
        (RetryScheduled, logging.ERROR, logging.NOTSET, False),
        (BatchFlushed, logging.INFO, logging.NOTSET, False),
        (BatchFlushed, logging.DEBUG, logging.DEBUG, True),
    ],
)
def test_an_event_is_made_for_the_levels_that_are_written(
    monkeypatch, caplog, kind, logger, handler, heard
):
    """Where neither logger nor handler takes even its gravest line, it is not made for the logs."""
    writes = logging.StreamHandler()
    writes.setLevel(handler)
    monkeypatch.setattr(logging.root, "handlers", [writes])
    caplog.set_level(logger)

    assert heard == kind.is_wanted()


def test_it_is_quiet_unless_the_program_asks():
    """Without any set-up of logging nothing is printed, not even by the handler of last resort."""
    program = """
        import logging
        from resilience import retry

        @retry(max_retries=1, initial_retry_delay=0)
        def fetch():
            raise OSError("busy")

        for level in (None, logging.INFO):
            if level:
                logging.basicConfig(level=level, format="%(message)s")
            try:
                fetch()
            except OSError:
                print("failed", flush=True)
    """
    lines = (
        "fetch: attempt 1 failed (OSError: busy); retry 1 of 1 in 0 s (backoff)\n"
        "fetch: gave up after attempt 2: max_retries=1 is reached\n"
    )

    assert ["failed", "failed"] == run_program(program, errors=lines)


def test_the_adapters_are_quiet_too():
    """A fallback says nothing either, until the program asks."""
    program = """
        import logging
        from adapters import fallback

        def fails():
            raise OSError("busy")

        for level in (None, logging.WARNING):
            if level:
                logging.basicConfig(level=level, format="%(message)s")
            print(fallback([fails, lambda: "fine"])(), flush=True)
    """
    line = "1. __main__.fails failed, __main__.<lambda> is asked: OSError: busy\n"

    assert ["fine", "fine"] == run_program(program, errors=line)


def test_each_logger_is_documented():
    """The table of the reference has all that the packages write to, and no other."""
    page = (ROOT / "docs/reference/telemetry.md").read_text("utf-8")
    text = "".join(source.text for source in sources("adapters", "resilience"))

    name = r"(?:adapters|resilience)\.\w+"
    documented = re.findall(rf"^\| `({name})` \| [A-Z]", page, re.MULTILINE)
    assert set(re.findall(rf'getLogger\("({name})"\)', text)) == set(documented)
