"""A program that sets OpenTelemetry up by the standard variables, and has some bad luck.

It prints what its statistics say at the end, as JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress

from adapters import openai
from adapters.emulator import Emulator
from adapters.errors import AdapterError
from resilience import (
    CircuitOpenError,
    KeyPool,
    circuit_breaker,
    get_stats,
    prioritized,
    resilient,
    retry,
)
from resilience.telemetry import configure
from resilience.testing import no_waiting

answers = [ConnectionError("nobody there"), TimeoutError("slow"), "fine"]


@retry(name="weather")
def forecast():
    """Fail twice."""
    answer = answers.pop(0)
    if isinstance(answer, Exception):
        raise answer
    return answer


@circuit_breaker(name="stock", failure_threshold=2)
def stock():
    """Fail, until the circuit opens."""
    raise OSError


@resilient(name="orders", keys=KeyPool({"a": "made-up-a", "b": "made-up-b"}, name="shop"))
def order(number, *, api_key):
    """Work."""
    return number


@prioritized(name="many", max_concurrent_requests=1)
def many(number):
    """Work, one at a time."""
    return number


def main() -> None:
    """Call everything."""
    with configure(), Emulator(seed=1) as emulator, no_waiting():
        forecast()
        for _ in range(3):
            with suppress(OSError, CircuitOpenError):
                stock()
        for number in range(5):
            order(number)
        for future in [many.submit(number) for number in range(20)]:
            future.result()
        with openai.Client(keys=emulator.keys(), base_url=emulator.base_url()) as client:
            emulator.script(["503:nth=1", "401:key=backup"])
            client.chat("gpt-4o-mini", "Say hello", request_id="mine")
            emulator.script(["400:code=context_length_exceeded"])
            with suppress(AdapterError):
                client.chat("gpt-4o-mini", "Say hello")
            emulator.script([])
            list(client.stream("gpt-4o-mini", "Say hello"))
        names = ("weather", "stock", "orders", "many", "openai")
        sys.stdout.write(json.dumps({name: get_stats(name) for name in names}))


if __name__ == "__main__":
    main()
