"""Programs that are started by `opentelemetry-instrument`, beside other instrumentations."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.adapters.every_api import APIS, KEY
from tests.adapters.recorder import answer, recording
from tests.support.collector import Collector

INSTRUMENT = "from opentelemetry.instrumentation.auto_instrumentation import run; run()"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that programs find by the variables."""
    found = Collector()
    yield found
    found.close()


def instrumented(program: str, collector: Collector, **variables: str) -> str:
    """Run a program as the command does; it ends well. What it printed, warnings and all."""
    environment = {
        **os.environ,
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        **variables,
    }
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", INSTRUMENT, sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )

    assert 0 == done.returncode, done.stdout
    return done.stdout


def test_spans_and_metrics_need_no_set_up(collector: Collector):
    """They go to the providers that are there already."""
    said = instrumented(
        """
        from resilience import retry

        retry(name="fetch")(int)()
        """,
        collector,
    )

    assert "" == said
    assert ["fetch"] == collector.spans
    assert "resilience.call.duration" in collector.metrics
    assert {"shop"} == collector.resources("service.name")


def test_configure_leaves_them_alone(collector: Collector):
    """It says so, and everything comes once."""
    said = instrumented(
        """
        from resilience import retry
        from resilience.telemetry import configure

        configure(service_name="another")
        retry(name="fetch")(int)()
        """,
        collector,
    )

    assert "RuntimeWarning: configure(): the program has set up traces and metrics" in said
    assert ["fetch"] == collector.spans
    assert {"shop"} == collector.resources("service.name")


@pytest.mark.parametrize("flavour", ["sync", "async"])
def test_no_request_shows_twice(collector: Collector, flavour: str):
    """The instrumentations of requests, urllib3 and aiohttp see those of others, not ours."""
    calls = {
        "sync": "print(openai.Client(**given).chat('m', 'hi').text)",
        "async": "print(asyncio.run(ask()).text)",
    }
    with recording() as server:
        server.play(answer({}, status=503), APIS["openai"].good)
        said = instrumented(
            f"""
            import asyncio, requests
            from adapters import openai
            from resilience.testing import no_waiting

            given = dict(api_key={KEY!r}, base_url={server.url!r})

            async def ask():
                async with openai.AsyncClient(**given) as client:
                    return await client.chat("m", "hi")

            with no_waiting():
                {calls[flavour]}
            requests.post({server.url!r}, timeout=5)
            """,
            collector,
        )

    assert "Hello\n" == said
    assert Counter({"POST": 3, "chat m": 1}) == Counter(collector.spans)
