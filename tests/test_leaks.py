"""The search for secrets finds one wherever it shows: else its silence would prove nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from resilience import KeyPool
from resilience._secrets import fingerprint
from tests.support.leaks import RECOGNISABLE, WATCH

ROOT = Path(__file__).parent.parent

LEAKS = """
import logging, pickle, sys
import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from resilience import KeyPool, NoKeyAvailableError, retry

KEY = "-".join(["sk", "leaky", "0123456789"])
pool = KeyPool({"a": KEY})

def test_printed(): print(f"the key is {KEY}")
def test_printed_to_stderr(): print(KEY, file=sys.stderr)
def test_logged(): logging.getLogger("resilience.key_pool").warning("with %s", KEY)
def test_pickled(): pickle.dumps({"key": KEY})

def test_raised():
    with pytest.raises(NoKeyAvailableError):
        raise NoKeyAvailableError("none", reasons={"a": f"{KEY} rests"})

def test_reported():
    KeyPool({KEY: "made up"}).get_stats()

def test_traced():
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
    provider.get_tracer("x").start_span("call", attributes={"key": KEY}).end()

def test_measured():
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader]).get_meter("x").create_counter("calls")
    counter.add(1, {"key": KEY})
    reader.get_metrics_data()

def test_emitted():
    provider = LoggerProvider()
    provider.add_log_record_processor(SimpleLogRecordProcessor(InMemoryLogRecordExporter()))
    provider.get_logger("x").emit(LogRecord(event_name="call", attributes={"key": KEY}))

@pytest.fixture
def leaky():
    yield
    print(KEY)

def test_in_a_fixture(leaky): pass

@pytest.mark.shows_secrets
def test_silent_on_purpose(): print(KEY)

def test_silent():
    print(pool, pool.get_stats(), "key of a")
    with pool.lease() as lease:
        print(lease)
"""


def test_a_secret_is_found_wherever_it_shows(tmp_path):
    """Each way out, one test that leaks by it: all of them fail, and the silent ones pass."""
    (tmp_path / "test_it.py").write_text(LEAKS)
    command = [sys.executable, "-m", "pytest", "-p", "tests.support.leaks", "-c", "/dev/null"]
    done = subprocess.run(  # noqa: S603 - our own text
        [*command, "-p", "no:cacheprovider", "-q", "-rA", "--show-capture=no", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=50,
        check=False,
    )
    found = re.findall(r"^(FAILED|ERROR|PASSED) .*::test_(\w+)", done.stdout, re.MULTILINE)
    outcomes = {outcome: {name for each, name in found if each == outcome} for outcome, _ in found}
    leaking = {"emitted", "logged", "measured", "pickled", "printed", "printed_to_stderr"}
    leaking |= {"raised", "reported", "traced"}

    assert {
        "FAILED": leaking,
        "ERROR": {"in_a_fixture"},
        "PASSED": {"in_a_fixture", "silent", "silent_on_purpose"},
    } == outcomes
    # Each may be told twice: the summary at the end is cut short or not, as the surroundings say.
    assert 10 == len(set(re.findall(r"::(test_\w+) leaks a secret: ", done.stdout)))
    assert "sk-leaky" not in done.stdout


def test_the_search_goes_on_in_this_very_run(request):
    """A key that is handed to a pool is looked for from then on; ordinary words are not."""
    watch = request.config.stash[WATCH]
    pool = KeyPool({"a": "sk-made-up-for-the-watch-1", "b": "made up"})
    pool.update("b", key="sk-made-up-for-the-watch-2")
    watch.look("this test", "made up, and sk-made-up-for-the-watch-2")

    assert {"sk-made-up-for-the-watch-1", "sk-made-up-for-the-watch-2"} <= watch.secrets
    assert "made up" not in watch.secrets
    assert [f"this test shows the key {fingerprint(pool.take(name='b').key)}"] == watch.take()


@pytest.mark.parametrize(
    ("secret", "counts"),
    [
        ("sk-made-up-1", True),
        ("key of a", False),
        ("production", False),
        ("0123456789012", False),
        ("sk-1", False),
    ],
)
def test_what_counts_as_a_secret(secret, counts):
    """What no sentence and no number of a test holds by chance."""
    assert counts is (RECOGNISABLE.fullmatch(secret) is not None)
