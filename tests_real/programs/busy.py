"""A program that never rests, has all kinds of bad luck, and shows its metrics to Prometheus.

Its argument is the port.
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress
from itertools import count

from opentelemetry import metrics
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

from adapters import openai
from adapters.emulator import Emulator
from adapters.errors import AdapterError
from resilience import (
    KeyPool,
    RefusedError,
    batched,
    circuit_breaker,
    prioritized,
    resilient,
    retry,
)

PAUSE = 0.05  # seconds

turns = count()


class Refused(Exception):  # noqa: N818 - what a server says
    """A server's answer, which says when to come back."""

    def __init__(self, status: int):
        super().__init__(f"status {status}")
        self.status_code = status
        self.retry_after = PAUSE if status == 429 else None


@retry(name="weather", max_retries=2, initial_retry_delay=PAUSE)
def forecast():
    """Fail every second time, by turns with and without a hint."""
    turn = next(turns)
    if turn % 2:
        raise Refused(429) if turn % 4 == 1 else ConnectionError("nobody there")


@circuit_breaker(name="stock", failure_threshold=2, reset_timeout=PAUSE * 10)
def stock():
    """Fail always."""
    raise OSError


@prioritized(name="line", max_concurrent_requests=1)
def wait():
    """Hold the only permit for a while."""
    time.sleep(PAUSE)


@batched(name="pack", batch_timeout=PAUSE, max_batch_size=4)
def pack(items):
    """Work on a list."""
    return items


keys = KeyPool({"good": "made-up-1", "slow": "made-up-2", "bad": "made-up-3"}, name="shop")


@resilient(name="orders", keys=keys)
def order(*, api_key):
    """Serve the first key, throttle the second, and reject the third."""
    if api_key != "made-up-1":
        raise Refused(429 if api_key == "made-up-2" else 401)


def queue_up():
    """Send more than the line lets through."""
    with suppress(RefusedError):
        wait.submit(priority=next(turns) % 3)


def shop():
    """Make one of each call."""
    with suppress(ConnectionError, Refused):
        forecast()
    with suppress(OSError, RefusedError):
        stock()
    order()
    list(pack.map(range(6)))
    keys.update("bad", key=f"made-up-{next(turns) + 3}")  # a new one serves at once


def ask(client):
    """Make one of each call of a model."""
    client.chat("gpt-4o-mini", "Say hello")
    with suppress(AdapterError):
        client.chat("no-such-model", "Say hello")
    list(client.stream("gpt-4o-mini", "Say hello"))
    client.embed("text-embedding-3-small", ["one", "two"])
    client.moderations("Say hello")


def repeat(work, *arguments):
    """Do it for ever, in a thread of its own."""

    def run():
        while True:
            work(*arguments)
            time.sleep(PAUSE)

    threading.Thread(target=run, daemon=True).start()


def main() -> None:
    """Be busy until somebody ends it."""
    metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()]))
    start_http_server(int(sys.argv[1]), "127.0.0.1")
    with Emulator(seed=1, faults=["503:every=5"]) as emulator:
        client = openai.Client(keys=emulator.keys(), base_url=emulator.base_url())
        repeat(shop)
        repeat(ask, client)
        repeat(queue_up)
        repeat(queue_up)
        threading.Event().wait()


if __name__ == "__main__":
    main()
