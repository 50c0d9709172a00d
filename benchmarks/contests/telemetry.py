"""A call where the program has set up an OpenTelemetry SDK: its span, and its metrics.

Nothing is exported: a span has ended, a measurement is aggregated in memory. Metrics are read
after each sample; the caller's side does not pay for that, the whole does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import repeat
from time import process_time
from typing import Any
from unittest.mock import patch

import resilience
from benchmarks.functions import echo
from benchmarks.harness import DEFAULT, Contest
from benchmarks.samples import VALUE, Call

__all__ = ["CONTESTS"]

_SPAN = "the SDK's own span"
_MEASUREMENTS = "the SDK's record and add"
_ATTRIBUTES = {"resilience.name": "echo", "resilience.outcome": "success"}
_CALLS = 500  # in a sample; far below the measurements that may wait for a reader

Echo = Callable[[int], int]


@contextmanager
def _tracing() -> Iterator[None]:
    """Have a tracer provider; the public setter works once in a process, and for good."""
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider

    with patch.object(trace, "_TRACER_PROVIDER", TracerProvider(shutdown_on_exit=False)):
        yield


def _own_span(*, attributes: bool) -> Echo:
    """Return what a program does by hand, with the attributes that ours sets or with none."""
    from opentelemetry import trace

    begin = trace.get_tracer("benchmarks").start_as_current_span

    def call(value: int) -> int:
        if not attributes:
            with begin("echo"):
                return echo(value)
        with begin("echo", attributes={"resilience.attempts": 1}) as span:
            result = echo(value)
            span.set_attribute("resilience.outcome", "success")
            return result

    return call


class _Reading:
    """The program's meter provider, and how its reader collects."""

    collect: Callable[[], object]

    @contextmanager
    def running(self) -> Iterator[None]:
        from opentelemetry.metrics import _internal as api
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        reader = InMemoryMetricReader()
        self.collect = reader.get_metrics_data
        provider = MeterProvider([reader], shutdown_on_exit=False)
        with patch.object(api, "_METER_PROVIDER", provider):
            yield


_reading = _Reading()


def seconds_on_the_callers_side(call: Call, number: int) -> float:
    """Return the processor's mean time for a call; the reader comes when that is taken."""
    began = process_time()
    for _ in repeat(None, number):
        call(VALUE)
    seconds = process_time() - began
    _reading.collect()
    return seconds / number


def seconds_of_the_whole(call: Call, number: int) -> float:
    """Return the processor's mean time for a call and its part of the reading."""
    began = process_time()
    for _ in repeat(None, number):
        call(VALUE)
    _reading.collect()
    return (process_time() - began) / number


def _own_measurements() -> Echo:
    """Return what a program does by hand: a duration is recorded, a call is counted."""
    from time import perf_counter

    from opentelemetry.metrics import get_meter

    meter = get_meter("benchmarks")
    duration = meter.create_histogram("duration", "s")
    calls = meter.create_counter("calls", "{call}")

    def call(value: int) -> int:
        began = perf_counter()
        result = echo(value)
        duration.record(perf_counter() - began, _ATTRIBUTES)
        calls.add(1, _ATTRIBUTES)
        return result

    return call


def _metrics(name: str, title: str, goal: float, sample: Any) -> Contest:
    return Contest(
        name=name,
        title=title,
        contestants={
            _MEASUREMENTS: _own_measurements,
            DEFAULT: lambda: resilience.retry(echo),
        },
        baseline=_MEASUREMENTS,
        unit="×",
        goals={DEFAULT: goal},
        sample=sample,
        number=_CALLS,
        weight=4,
        around=_reading.running,
    )


CONTESTS = (
    Contest(
        name="span",
        title="`@retry` with one span, SDK set up",
        contestants={
            _SPAN: lambda: _own_span(attributes=True),
            DEFAULT: lambda: resilience.retry(echo),
            "a span without attributes": lambda: _own_span(attributes=False),
        },
        baseline=_SPAN,
        unit="×",
        goals={DEFAULT: 1.15},
        around=_tracing,
    ),
    # 5 µs where recording and adding took 24 µs.
    _metrics(
        "metrics",
        "`@retry` with metrics, SDK set up, the caller's side",
        5 / 24,
        seconds_on_the_callers_side,
    ),
    _metrics(
        "metrics-whole",
        "`@retry` with metrics, SDK set up, reading included",
        1,
        seconds_of_the_whole,
    ),
)
